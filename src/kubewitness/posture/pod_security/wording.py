"""How upstream says what it forbids: lists in quotation marks, plurals, Go's quoted strings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

_SHORT: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'
}  # fmt: skip


def quoted(items: Iterable[str]) -> str:
    """The items between quotation marks; upstream escapes nothing here."""
    joined = '", "'.join(items)
    return f'"{joined}"'


def plural(one: str, many: str, count: int) -> str:
    """One word or the other."""
    return one if count == 1 else many


def counted(one: str, items: Collection[str]) -> str:
    """`container "a"` or `containers "a", "b"`."""
    return f"{plural(one, one + 's', len(items))} {quoted(items)}"


def setters(pod: bool, containers: Collection[str]) -> str:
    """Who set a field: the pod, containers, both or nobody (empty)."""
    return " and ".join([*(["pod"] if pod else []), *([counted("container", containers)] if containers else [])])


def go_quote(text: str) -> str:
    """`text` as Go's %q writes it."""
    return '"' + "".join(_SHORT.get(one) or (one if one.isprintable() else _escaped(ord(one))) for one in text) + '"'


def _escaped(code: int) -> str:
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code < 0xE000:  # half a character, which no string of Go's holds
        return "\\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
