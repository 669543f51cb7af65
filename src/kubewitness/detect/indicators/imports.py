"""Indicators that a user brings: STIX bundles, MISP events, tables and plain lists, told apart by what they hold.

Never fatal: a file that cannot be read, a line that is no indicator and a pattern that asks for more than it can are
told with file, line and reason, and the rest is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kubewitness.detect.indicators.indicator import Indicator, Pack
from kubewitness.detect.indicators.lists import Read, is_table, read_lines, read_table
from kubewitness.detect.indicators.misp import is_misp, read_events
from kubewitness.detect.indicators.stix import read_bundle

MAX_FILE: Final = 64 * 1024 * 1024
MAX_INDICATORS: Final = 500_000
_MAX_ERRORS: Final = 200
_SUFFIXES: Final = frozenset((".json", ".stix", ".csv", ".tsv", ".txt", ".ioc", ".iocs", ".list", ".lst"))
_ID = re.compile(r'"(?:id|uuid)"\s{0,20}:\s{0,20}"([^"\s]{1,120})"')


def read_all(paths: Iterable[Path]) -> Pack:
    """The indicators of files, and of the files of folders (those that by their suffix may be lists)."""
    found, errors = dict[Indicator, None](), list[str]()
    for path in paths:
        for file in _files(path):
            for one in _read(file):
                if isinstance(one, Indicator):
                    if len(found) < MAX_INDICATORS:
                        found[one] = None
                    else:
                        errors.append(f"{file}: more than {MAX_INDICATORS} indicators, the rest was left out")
                        return Pack(tuple(found), _bounded(errors))
                else:
                    line, reason = one
                    errors.append(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")
    return Pack(tuple(found), _bounded(errors))


def _bounded(errors: Sequence[str]) -> tuple[str, ...]:
    left = len(errors) - _MAX_ERRORS
    return (*errors[:_MAX_ERRORS], *((f"... and {left} more lines",) if left > 0 else ()))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file())


def _read(path: Path) -> Iterator[Read]:
    try:
        if path.stat().st_size > MAX_FILE:
            yield 0, f"larger than {MAX_FILE} bytes"
            return
        data = path.read_bytes()
    except OSError as error:
        yield 0, f"cannot be read: {error.strerror or error}"
        return
    if b"\x00" in data[:4096]:
        yield 0, "not a text file"
        return
    text = data.decode("utf-8-sig", "replace")
    begin = text.lstrip()[:1]
    if begin in ("{", "["):
        yield from _of_json(text, path)
        return
    lines = text.splitlines()
    yield from read_table(lines, path.stem) if is_table(lines) else read_lines(lines, path.stem)


def _of_json(text: str, path: Path) -> Iterator[Read]:
    try:
        value = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        found = re.search(r"byte (\d{1,12})", str(error))
        line = text.encode()[: int(found[1])].count(b"\n") + 1 if found else 1
        yield line, "not valid JSON" if isinstance(error, msgspec.DecodeError) else "nested too deeply"
        return
    lines = dict[str, int]()
    number, at = 1, 0
    for match in _ID.finditer(text):
        number += text.count("\n", at, match.start())
        at = match.start()
        lines.setdefault(match[1], number)
    if isinstance(value, dict) and isinstance(value.get("objects"), list):
        yield from read_bundle(value, path.stem, lines)
    elif is_misp(value):
        yield from read_events(value, path.stem, lines)
    else:
        yield 1, "neither a STIX bundle nor a MISP event"
