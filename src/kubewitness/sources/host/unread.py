"""Listings of a machine that are known by their headings and hold nothing anybody here judges.

Routes, interfaces, disks, memory, packages, the state of units: people put them beside the rest. They are known and
hashed, and not reported as something that could not be read. What units *are* stands in their files (`systemctl cat`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.sources.host.context import Context
from kubewitness.sources.host.interface import Fact, Format

_HEADINGS: Final = (
    r"UNIT +LOAD +ACTIVE +SUB\b", r"UNIT FILE +STATE\b", r"NEXT +LEFT +LAST\b", r"LISTEN +UNIT +ACTIVATES\b",
    r"JOB +UNIT +TYPE +STATE\b", r"No jobs running\.$", r"Kernel IP(?:v6)? routing table", r"Kernel Interface table",
    r"Iface +MTU +RX-OK",
    r"Filesystem +(?:Type +)?(?:\d{0,4}[KM]-blocks|Size|Inodes)\b", r"total +used +free +shared\b",
    r"Desired=Unknown/Install/Remove", r"Linux \S{1,64} \d{1,2}\.\d{1,3}\S{0,64} #\d",
    r"\d\d:\d\d:\d\d up .{1,60} load average:", r"1: lo: <LOOPBACK", r"systemd(?:,1|\(1\)[-+])",
)  # fmt: skip
_FIRST = re.compile(rf"\s{{0,24}}(?:{'|'.join(_HEADINGS)})")
_PROPERTY = re.compile(r"[A-Z][A-Za-z0-9]{1,60}=")


def _looks_like(lines: list[str], name: str) -> bool:
    del name
    if _FIRST.match(lines[0]):
        return True
    keys = {line.partition("=")[0] for line in lines if _PROPERTY.match(line)}  # systemctl show
    return {"Id", "LoadState", "ActiveState"} <= keys and len(keys) * 2 > len(lines)


def _read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Fact | ParseFailure]:
    del lines, context
    yield from ()


FORMATS: tuple[Format, ...] = (Format("listing, not read", _looks_like, _read),)
