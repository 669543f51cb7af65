"""Indicators out of STIX 2 bundles: patterns of simple comparisons, and observables.

A pattern is a list of comparisons of values joined by OR (or one alone): `[ipv4-addr:value = '192.0.2.1' OR
domain-name:value = 'c2.example']`, several such observations joined by OR, `IN ('a', 'b')`, hashes of files. Whatever
needs more than one value at once (AND, FOLLOWEDBY, MATCHES, qualifiers of time) is refused as a whole: half a pattern
would speak where its author meant silence. The reader is our own because the parser generated from the grammar of
the specification takes a millisecond a pattern and recurses as deep as a hostile pattern likes.

Source: STIX 2.1, section 9 (patterning), section 6 (observables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from kubewitness.detect.indicators.lists import Read, confidence_of, indicators_of

_MAX_PATTERN: Final = 65_536
_PATHS: Final = {
    "ipv4-addr:value": "address",
    "ipv6-addr:value": "address",
    "domain-name:value": "domain",
    "hostname:value": "domain",
    "url:value": "url",
    "file:name": "file_name",
    "file:hashes.'sha-256'": "sha256",
    "file:hashes.sha256": "sha256",
    "file:hashes.'sha-1'": "sha1",
    "file:hashes.sha1": "sha1",
    "file:hashes.md5": "md5",
    "file:hashes.'md5'": "md5",
    "process:command_line": "command",
    "process:name": "process",
    "network-traffic:dst_ref.value": "address",
    "network-traffic:src_ref.value": "address",
    "cryptocurrency-wallet:value": "wallet",
    "artifact:hashes.'sha-256'": "sha256",
}
_OBSERVABLES: Final = {
    "ipv4-addr": "address", "ipv6-addr": "address", "domain-name": "domain", "url": "url",
    "cryptocurrency-wallet": "wallet",
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.){0,4000}')|(?P<mark>[\[\]()=,])"
    r"|(?P<path>[a-z0-9-]{1,60}:[A-Za-z0-9_.'\-]{1,120})|(?P<word>[A-Za-z!<>]{1,20})|(?P<other>\S))"
)


class PatternRefused(ValueError):
    """Not of the subset that is read; the reason is the message."""


def values_of_pattern(pattern: str) -> list[tuple[str, str]]:
    """The (type, value) pairs of a pattern, any of which is enough.

    Raises:
        PatternRefused: it asks for more than one value, or is no pattern.
    """
    if len(pattern) > _MAX_PATTERN:
        raise PatternRefused(f"pattern longer than {_MAX_PATTERN} characters")
    tokens = [(match.lastgroup or "", match[match.lastgroup or 0]) for match in _TOKEN.finditer(pattern)]
    out, at = list[tuple[str, str]](), 0
    inside, expects = False, True  # in brackets; a comparison or observation comes next
    while at < len(tokens):
        kind, text = tokens[at]
        if (kind, text) == ("mark", "[") and not inside and expects:
            inside = True
        elif (kind, text) == ("mark", "]") and inside and not expects:
            inside = False
        elif kind == "mark" and text in "()":
            pass  # with OR alone, brackets change nothing
        elif kind == "word" and text.upper() == "OR" and not expects:
            expects = True
        elif kind == "path" and inside and expects:
            found, at = _comparison(text, tokens, at + 1)
            out += found
            expects = False
            continue
        elif kind == "word":
            raise PatternRefused(f"{text.upper()[:20]} is not read: only comparisons joined by OR are")
        else:
            raise PatternRefused(f"not understood at {text[:20]!r}")
        at += 1
    if inside or expects or not out:
        raise PatternRefused("the pattern is not complete")
    return out


def _comparison(path: str, tokens: list[tuple[str, str]], at: int) -> tuple[list[tuple[str, str]], int]:
    known = _PATHS.get(path.lower())
    if known is None:
        raise PatternRefused(f"{path[:60]} is not looked for")
    if at + 1 < len(tokens) and tokens[at] == ("mark", "=") and tokens[at + 1][0] == "string":
        return [(known, _unquoted(tokens[at + 1][1]))], at + 2
    if at + 1 < len(tokens) and tokens[at][1].upper() == "IN" and tokens[at + 1] == ("mark", "("):
        found, at = list[tuple[str, str]](), at + 2
        while at < len(tokens) and tokens[at] != ("mark", ")"):
            if tokens[at][0] == "string":
                found.append((known, _unquoted(tokens[at][1])))
            elif tokens[at] != ("mark", ","):
                raise PatternRefused("a list of values holds something else")
            at += 1
        if found and at < len(tokens):
            return found, at + 1
        raise PatternRefused("a list of values does not end")
    raise PatternRefused("only = and IN are read")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def read_bundle(bundle: dict[str, Any], name: str, lines: dict[str, int]) -> Iterator[Read]:
    """The indicators of a bundle. `lines`: where each object's id stands in the file."""
    objects = bundle.get("objects")
    for one in objects if isinstance(objects, list) else ():
        if not isinstance(one, dict):
            continue
        known = one.get("id")
        line = lines.get(known, 1) if isinstance(known, str) else 1
        if one.get("type") == "indicator":
            yield from _of_indicator(one, name, line)
        else:
            yield from _of_observable(one, name, line)


def _of_indicator(one: dict[str, Any], name: str, line: int) -> Iterator[Read]:
    pattern = one.get("pattern")
    if one.get("revoked") is True:
        return
    if not isinstance(pattern, str) or _text(one, "pattern_type") not in ("", "stix"):
        yield line, "an indicator whose pattern is not of STIX"
        return
    try:
        found = values_of_pattern(pattern)
    except PatternRefused as error:
        yield line, str(error)
        return
    sure = one.get("confidence")
    for type_, value in found:
        yield from indicators_of(
            type_,
            value,
            _text(one, "name") or name,
            line,
            confidence=confidence_of(str(sure) if isinstance(sure, int) else ""),
            first=_text(one, "valid_from")[:10],
            until=_text(one, "valid_until")[:10],
            source=_text(one, "id") or name,
            note=_text(one, "description").partition("\n")[0],
        )


def _of_observable(one: dict[str, Any], name: str, line: int) -> Iterator[Read]:
    type_, value = _text(one, "type"), _text(one, "value")
    source = _text(one, "id") or name
    if type_ in _OBSERVABLES and value:
        yield from indicators_of(_OBSERVABLES[type_], value, name, line, source=source)
    elif type_ == "file":
        hashes = one.get("hashes")
        for known, digest in hashes.items() if isinstance(hashes, dict) else ():
            if isinstance(digest, str) and str(known).lower() in ("sha-256", "sha-1", "md5"):
                yield from indicators_of(str(known).lower(), digest, name, line, source=source)
        if not isinstance(hashes, dict) and _text(one, "name"):
            yield from indicators_of("file_name", _text(one, "name"), name, line, source=source)


def _text(one: dict[str, Any], key: str) -> str:
    value = one.get(key)
    return value if isinstance(value, str) else ""
