"""Making a counted value out of input that could not be read.

Evidence is hostile, so the excerpt that reaches a terminal or a report shows every byte that is not plainly printable
(control characters, terminal escapes, bidirectional overrides, undecodable bytes) as a visible escape.
"""

from __future__ import annotations

from kubewitness.model.evidence import ParseFailure, Place

_EXCERPT = 160


def excerpt(data: bytes, limit: int = _EXCERPT) -> str:
    """The first bytes of `data` as at most `limit` harmless, visible characters."""
    shown: list[str] = []
    room = limit
    for char in data[: 4 * limit].decode("utf-8", "backslashreplace"):
        piece = char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        room -= len(piece)
        if room < 0:
            break
        shown.append(piece)
    return "".join(shown)


def unreadable(place: Place, reason: str, data: bytes = b"", kept: str = "") -> ParseFailure:
    """A parse failure for the piece `data` at `place`."""
    return ParseFailure(place=place, reason=reason, kept=kept, excerpt=excerpt(data))
