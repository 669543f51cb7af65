"""Addresses of the machine's own interfaces, as `ip addr` and `ip -j addr` list them.

Formats: iproute2 as JSON: one array, an object for each interface with `ifname` and `addr_info`, a list of objects
with `local`; as text: a heading `2: eth0: <FLAGS> mtu 1500 …` in the first column, below it lines `inet 10.0.0.5/24 …`.
Both list the namespace the command was run in, which is the host's.

Source: ip-address(8); ip/ipaddress.c of iproute2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Address
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.interface import Format

MAX_ADDRESSES: Final = 5_000
_MAX_LINE: Final = 4 * 1024 * 1024
_JSON: Final = re.compile(r'\[\s*\{\s*"(?:ifindex|link_index)"\s*:\s*\d')
_HEADING: Final = re.compile(r"\d{1,9}: ([\w.:~+-]{1,32})(?:@[\w.:~+-]{1,32})?: <[A-Z0-9_,-]{0,400}> mtu \d")
_ADDRESS: Final = re.compile(r"\s+inet6? ([0-9A-Fa-f.:]{2,45})(?:/\d{1,3})?(?:\s|$)")
_DECODER: Final = msgspec.json.Decoder(list[dict[str, Any]])


def _looks_like(lines: list[str], name: str) -> bool:
    del name
    return _JSON.match(lines[0]) is not None or _HEADING.match(lines[0]) is not None


def _read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Address | ParseFailure]:
    misfits, kept, over, interface = Misfits(), 0, 0, ""
    for place, line in lines:
        found: list[tuple[str, str]] = []
        if line.lstrip()[:1] == "[":
            try:
                found = list(_of_json(_DECODER.decode(line)))
            except (msgspec.DecodeError, RecursionError, UnicodeError):
                if failure := misfits.add(unreadable(place, "no list of interfaces", line.encode()[:4096])):
                    yield failure
        elif heading := _HEADING.match(line):
            interface = heading[1]
        elif address := _ADDRESS.match(line):
            found = [(interface, address[1])]
        elif not line[:1].isspace() and (failure := misfits.add(unreadable(place, "no interface", line.encode()))):
            yield failure
        for name, text in found:
            if kept >= MAX_ADDRESSES:
                over += 1
            elif _is_address(text):
                kept += 1
                yield Address(name, text, place)
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more addresses than are kept")


def _of_json(interfaces: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for interface in interfaces:
        name, infos = interface.get("ifname"), interface.get("addr_info")
        for info in infos if isinstance(infos, list) else ():
            local = info.get("local") if isinstance(info, dict) else None
            if isinstance(name, str) and isinstance(local, str):
                yield name[:32], local[:45]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


FORMATS: tuple[Format, ...] = (Format("addresses", _looks_like, _read, max_line=_MAX_LINE),)
