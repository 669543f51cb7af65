"""Loaded kernel modules as `lsmod` and /proc/modules list them.

Formats: `lsmod` (kmod, BusyBox): headings `Module Size Used by`, then name, size, count and the modules that use it;
/proc/modules (proc_modules(5)): `name size count users, state address (taints)`, without headings. A rootkit takes
itself off this list: what stands in it is loaded, what does not may be loaded too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import KernelModule
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.interface import Format

MAX_MODULES: Final = 20_000
_HEADER = re.compile(r"Module +Size +Used by\b")
_LISTED = re.compile(
    r"([\w-]{1,64}) +\d{1,12} +-?\d{1,9}(?: +[\w,.-]{0,4000})?(?: +\[permanent\])? *(?:(?:Not )?tainted.*)?$"
)
_KERNEL = re.compile(
    r"([\w-]{1,64}) \d{1,12} -?\d{1,9} (?:-|[\w,\[\]-]{1,8000}) (?:Live|Loading|Unloading) 0x[0-9a-f]{1,16}"
    r"(?: (\([A-Z+-]{1,16}\)))?\s*$"
)


def _looks_like(lines: list[str], name: str) -> bool:
    del name
    return _HEADER.match(lines[0]) is not None or all(map(_KERNEL.match, lines[:60]))


def _read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[KernelModule | ParseFailure]:
    misfits, kept, over = Misfits(), 0, 0
    for place, line in lines:
        if _HEADER.match(line):
            continue
        found = _KERNEL.match(line)
        listed = found or _LISTED.match(line)
        if listed is None:
            if failure := misfits.add(unreadable(place, "no line of a list of modules", line.encode())):
                yield failure
        elif kept >= MAX_MODULES:
            over += 1
        else:
            kept += 1
            yield KernelModule(listed[1], place, (found[2] or "") if found else "")
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more modules than are kept")


FORMATS: tuple[Format, ...] = (Format("modules", _looks_like, _read),)
