"""Indicators out of plain lists and tables: one value a line, or columns under a head that names them.

A line that cannot be used is refused with its number and reason, and costs no other. What lists of analysts have is
taken: comments, defanged values (`hxxp`, `[.]`), quotes, empty lines, a head in any order. A URL is two indicators:
its host, and its path if that is more than a name that any site may have.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kubewitness.detect.indicators.indicator import Indicator, IndicatorType
from kubewitness.detect.indicators.values import ValueRefused, canonical, refanged, type_of
from kubewitness.model.judgement import Confidence

Read = Indicator | tuple[int, str]  # an indicator, or the line and the reason why there is none
TYPES: Final[Mapping[str, IndicatorType]] = {
    **dict.fromkeys(
        ("ip", "ipv4", "ipv6", "ipv4-addr", "ipv6-addr", "ip-dst", "ip-src", "ip-dst|port", "ip-src|port", "address"),
        "address",
    ),
    **dict.fromkeys(("domain", "domain-name", "hostname", "host", "fqdn", "hostname|port"), "domain"),
    **dict.fromkeys(("uri", "url_path", "path-url"), "url_path"),
    **dict.fromkeys(("file_path", "filepath", "path", "full-path"), "file_path"),
    **dict.fromkeys(("file_name", "filename", "file-name"), "file_name"),
    **dict.fromkeys(("sha256", "sha-256", "filehash-sha256", "hash_sha256"), "sha256"),
    **dict.fromkeys(("sha1", "sha-1", "filehash-sha1", "hash_sha1"), "sha1"),
    **dict.fromkeys(("md5", "filehash-md5", "hash_md5"), "md5"),
    **dict.fromkeys(("wallet", "xmr", "btc", "monero", "bitcoin", "dash", "cryptocurrency-wallet"), "wallet"),
    **dict.fromkeys(("image", "container-image", "docker-image"), "image"),
    "object": "object",
    **dict.fromkeys(("command", "command_line", "command-line", "cmdline"), "command"),
    **dict.fromkeys(("process", "process_name", "process-name"), "process"),
    **dict.fromkeys(("ssh_key", "ssh-key", "sshkey"), "ssh_key"),
}
URLS: Final = frozenset(("url", "link", "uri-full"))
_VALUE_COLUMNS: Final = ("value", "indicator", "ioc", "observable", "pattern")
_TYPE_COLUMNS: Final = ("type", "indicator_type", "ioc_type", "kind")
_CONFIDENCE: Final[Mapping[str, Confidence]] = {
    "high": "high", "a": "high", "medium": "medium", "moderate": "medium", "b": "medium", "low": "low", "c": "low",
}  # fmt: skip
_MAX_LINE: Final = 8_192
_COMMENT = re.compile(r"\s(?:#|//)\s.*$")
_PATH_WORTH = 8  # characters of a URL's path that are looked for by themselves


def read_lines(lines: Sequence[str], name: str) -> Iterator[Read]:
    """The indicators of a list with one value a line. `name`: what the list is called."""
    for number, line in enumerate(lines, 1):
        text = line.strip().lstrip("\ufeff")
        if not text or text.startswith(("#", "//", ";")):
            continue
        if len(text) > _MAX_LINE:
            yield number, f"longer than {_MAX_LINE} characters"
            continue
        yield from indicators_of("", _COMMENT.sub("", text), name, number, source=f"{name}:{number}")


def is_table(lines: Sequence[str]) -> bool:
    """Whether the first line names columns."""
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "").lstrip("\ufeff")
    return bool(head) and _column(_cells(head, _delimiter(head)), _VALUE_COLUMNS) is not None


def read_table(lines: Sequence[str], name: str) -> Iterator[Read]:
    """The indicators of a table; its first line names the columns."""
    head: list[str] | None = None
    delimiter = ","
    for number, line in enumerate(lines, 1):
        text = line.lstrip("\ufeff")
        if not text.strip() or text.startswith("#"):
            continue
        if head is None:
            delimiter = _delimiter(text)
            head = [cell.strip().lower() for cell in _cells(text, delimiter)]
            continue
        if len(text) > _MAX_LINE:
            yield number, f"longer than {_MAX_LINE} characters"
            continue
        row = dict(zip(head, (cell.strip() for cell in _cells(text, delimiter)), strict=False))
        value = next((row[name] for name in _VALUE_COLUMNS if row.get(name)), "")
        if not value:
            yield number, "no value"
            continue
        type_ = next((row[name] for name in _TYPE_COLUMNS if row.get(name)), "").lower()
        yield from indicators_of(
            type_,
            value,
            row.get("campaign") or row.get("threat") or row.get("malware") or name,
            number,
            confidence=confidence_of(row.get("confidence", "")),
            first=_date(row.get("first_seen", "")),
            last=_date(row.get("last_seen", "")),
            until=_date(row.get("valid_until", "") or row.get("expires", "")),
            source=row.get("source") or f"{name}:{number}",
            note=row.get("note", "") or row.get("comment", ""),
        )


def indicators_of(
    type_: str,
    value: str,
    campaign: str,
    line: int,
    *,
    confidence: Confidence = "medium",
    first: str = "",
    last: str = "",
    until: str = "",
    source: str = "",
    note: str = "",
) -> Iterator[Read]:
    """What a value stands for: one indicator; of a URL its host and its path. `type_`: as the list calls it, or ""."""
    text = refanged(value)
    if type_ and type_ not in TYPES and type_ not in URLS:
        yield line, f"type {type_[:40]!r} is not looked for"
        return
    known = TYPES.get(type_)
    if known is None and "://" not in text:
        known = type_of(text)
        if known is None:
            yield line, "cannot tell what this value is: name its type"
            return
    wanted = list[tuple[IndicatorType, str]]()
    if known is None or (known in ("domain", "address") and "://" in text):
        wanted.append((type_of(text) or "domain", text))
        path = "/" + text.partition("://")[2].partition("/")[2].partition("?")[0]
        if len(path) >= _PATH_WORTH:
            wanted.append(("url_path", path))
    else:
        wanted.append((known, text))
    for found, what in wanted:
        try:
            made, port = canonical(found, what)
        except ValueRefused as error:
            yield line, str(error)
            continue
        yield Indicator(found, made, campaign[:120], confidence, port, first, last, until, source[:300], note[:300])


def confidence_of(text: str) -> Confidence:
    """A confidence as lists write it: a word, a letter, or a number of 100 as STIX has it."""
    text = text.strip().lower()
    if text.isascii() and text.isdigit() and len(text) <= 3:
        return "high" if int(text) >= 70 else "medium" if int(text) >= 30 else "low"
    return _CONFIDENCE.get(text, "medium")


def _date(text: str) -> str:
    found = re.match(r"\d{4}(?:-\d\d(?:-\d\d)?)?", text.strip())
    return found[0] if found else ""


def _delimiter(head: str) -> str:
    return max("\t;,", key=head.count)


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line[:_MAX_LINE].replace("\x00", "")], delimiter=delimiter), [])


def _column(cells: Sequence[str], names: Sequence[str]) -> int | None:
    lower = [cell.strip().lower() for cell in cells]
    return next((lower.index(name) for name in names if name in lower), None)
