"""The bar itself, drawn by rich; apart from `progress`, because rich is loaded only for a person who watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Move = Callable[[str, int, int, int], None]  # phase, bytes done, bytes in total (0: not known), events


@contextmanager
def bar(unit: str) -> Iterator[Move]:
    """A bar on standard error that counts `unit`."""
    console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[events]:,} " + unit),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as shown:
        task = shown.add_task("", total=None, events=0)

        def move(phase: str, done: int, total: int, events: int) -> None:
            shown.update(task, description=phase, completed=done, total=total or None, events=events)

        yield move


@contextmanager
def steps() -> Iterator[Callable[[str, int, int, int], None]]:
    """A bar on standard error for steps of unknown length: what is done, its number of how many, bytes written."""
    console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[step]}"),
        TextColumn("{task.fields[size]}"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as shown:
        task = shown.add_task("", total=None, size="", step="")

        def move(title: str, number: int, count: int, written: int) -> None:
            size = f"{written / 1024**2:.1f} MiB"
            shown.update(task, description=title, completed=number, total=count, size=size, step=f"{number}/{count}")

        yield move
