"""The progress bar: bytes, rate, time left and events, on standard error and only for a person who watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

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
    bar = import_module("kubewitness.cli.progress_bar").bar  # rich takes longer to load than all the rest
    with bar(_EVENTS.in_(language)) as move:
        move(_phase("open", language), 0, 0, 0)

        def moved(reached: Reached) -> None:
            move(_phase(reached.phase, language), reached.bytes_done, reached.bytes_total, reached.events)

        yield moved


def _phase(phase: str, language: Language) -> str:
    return _PHASES[phase].in_(language) if phase in _PHASES else phase
