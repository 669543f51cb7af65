"""What a format of host evidence has to say about itself; a format a file, listed in `formats`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct

from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import (
    Address,
    CronEntry,
    FileEntry,
    Firewall,
    HostEvent,
    HostFile,
    KernelModule,
    LogLine,
    Process,
    Socket,
)
from kubewitness.sources.host.cgroups import Descriptors, Executable, Membership
from kubewitness.sources.host.collected import Collection
from kubewitness.sources.host.context import Context

Fact = (
    Process
    | Socket
    | Firewall
    | LogLine
    | Membership
    | Executable
    | Descriptors
    | Collection
    | HostEvent
    | FileEntry
    | CronEntry
    | KernelModule
    | HostFile
    | Address
)


class Frames(Protocol):
    """The pieces of a source, as `lines.Lines` gives them."""

    passed: int  # pieces that nobody wanted
    cut: ParseFailure | None  # the first piece that was too long
    junk: ParseFailure | None  # pieces that are no text

    def __iter__(self) -> Iterator[tuple[Place, str]]: ...


Reader = Callable[[Iterator[tuple[Place, str]], Context], Iterator[Fact | ParseFailure]]


class Format(Struct, frozen=True):
    """One format.

    Attributes:
        kind: What an item of it is called in the report: "linux_audit log".
        looks_like: Told from the first lines (up to 300, empty ones left out; the last may be cut) and the item's name.
        read: Makes facts of the lines; a line that is none of the format is a `ParseFailure` and costs nothing else.
        wanted: Looks at the bytes of a line before anything is decoded; what it turns down is counted, not read.
        max_line: Bytes of a line that are read; the rest is cut, and told.
        whole: The file's text is kept as a `HostFile` too, for those who judge files.
        first: Read before the rest because it tells the machine's clock.
        frames: Cuts a source itself, where lines are no frame of the format.
    """

    kind: str
    looks_like: Callable[[list[str], str], bool]
    read: Reader
    wanted: Callable[[bytes], bool] | None = None
    max_line: int = 64 * 1024
    whole: bool = False
    first: bool = False
    frames: Callable[[Source], Frames] | None = None
