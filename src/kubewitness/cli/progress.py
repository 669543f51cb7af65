"""The progress bar: bytes, rate, time left and events, on standard error and only for a person who watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from kubewitness.incident.investigate import Progress as Reached
from kubewitness.model.text import Language, Text

Report = Callable[[Reached], None]

_PHASES: Final = {
    "open": Text("Opening the evidence", "打开证据"),
    "read": Text("Judging every event", "逐条判定"),
    "trace": Text("Following the suspects", "追踪嫌疑人"),
    "write": Text("Writing the report", "撰写报告"),
}
_EVENTS = Text("events", "个事件")


@contextmanager
def progress(language: Language, *, shown: bool) -> Iterator[Report | None]:
    """A callback that moves the bar, or None where nobody would see it."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[events]:,} " + _EVENTS.in_(language)),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as bar:
        task = bar.add_task(_phase("open", language), total=None, events=0)

        def moved(reached: Reached) -> None:
            bar.update(
                task, description=_phase(reached.phase, language), completed=reached.bytes_done,
                total=reached.bytes_total or None, events=reached.events,
            )  # fmt: skip

        yield moved


def _phase(phase: str, language: Language) -> str:
    return _PHASES[phase].in_(language) if phase in _PHASES else phase
