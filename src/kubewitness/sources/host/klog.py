"""One line of klog, the log format of Kubernetes components.

`Lmmdd hh:mm:ss.uuuuuu threadid file:line] message` (k8s.io/klog; no year, local time). A structured message (InfoS,
ErrorS) is a quoted Go string followed by `key=value` pairs; values are quoted strings, JSON, Go's `[a b]`, bare
words, or, for strings of several lines, `=<` with the lines indented by a tab until ` >`. The kubelet's failed
ExecSync exists in two forms, the older as running text (`ExecSync <container> '<command>' from runtime service
failed: <error>`, up to 1.19); both get the fields `containerID`, `cmd` and `err`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

MAX_FIELDS: Final = 100
SEVERITIES: Final = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
HEAD = re.compile(r"([IWEF])(\d{4} \d\d:\d\d:\d\d\.\d{1,9})\s+(\d{1,9}) ([\w.+-]{1,100}:\d{1,6})\] ?")
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
_KEY = re.compile(r"\s*([\w./@-]{1,200})=")
_WORD = re.compile(r"\S*")
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"'])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_OLD_EXEC = re.compile(r"ExecSync ([0-9a-f]{8,64}) '(.*)' from runtime service failed(?:: (.*))?$", re.S)


class Entry(Struct, frozen=True):
    """A line taken apart; `stamp` is "mmdd hh:mm:ss.ffffff"."""

    severity: str
    stamp: str
    source: str
    message: str
    fields: dict[str, str]


def parse(text: str) -> Entry | None:
    """The entry that begins with this line, None if none does."""
    head = HEAD.match(text)
    if not head:
        return None
    letter, when, _, source = head.groups()
    day, _, fraction = when.partition(".")
    message, fields = message_of(text[head.end() :])
    return Entry(SEVERITIES[letter], f"{day}.{fraction[:6]:0<6}", source, message, fields)


def message_of(text: str) -> tuple[str, dict[str, str]]:
    """The message and its fields; running text has none, except that of a failed ExecSync."""
    quoted = _STRING.match(text)
    if quoted:
        return unquote(quoted[1]), pairs(text, quoted.end())
    if old := _OLD_EXEC.match(text):
        return text, {"containerID": old[1], "cmd": old[2], "err": old[3] or ""}
    return text, {}


def pairs(text: str, at: int = 0) -> dict[str, str]:
    """The `key=value` pairs from `at` on; of a key that stands there twice, the first."""
    fields: dict[str, str] = {}
    while len(fields) < MAX_FIELDS and (key := _KEY.match(text, at)):
        value, at = _value(text, key.end())
        fields.setdefault(key[1], value)
    return fields


def _value(text: str, at: int) -> tuple[str, int]:
    if quoted := _STRING.match(text, at):
        return unquote(quoted[1]), quoted.end()
    if text.startswith("<\n", at):
        end = text.find("\n >", at)
        lines = text[at + 2 : end if end >= 0 else len(text)].split("\n")
        return "\n".join(line.removeprefix("\t") for line in lines), end + 3 if end >= 0 else len(text)
    if text[at : at + 1] in {"[", "{"} and (end := _closed(text, at)):
        return text[at:end], end
    word = _WORD.match(text, at)
    return (word[0], word.end()) if word else ("", at)


def _closed(text: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`; 0 if none does."""
    depth = 0
    for found in _BRACKETS.finditer(text, at):
        depth += 1 if found[0] in {"[", "{"} else -1 if found[0] in {"]", "}"} else 0
        if depth == 0:
            return found.end()
    return 0


def unquote(text: str) -> str:
    """The inside of a quoted Go string (strconv.Quote) as it was."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    simple, byte, short, long, octal = found.groups()
    if simple:
        return _SIMPLE[simple]
    code = int(octal, 8) if octal else int(byte or short or long, 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]


def argv(command: str) -> tuple[str, ...]:
    """The words of a `cmd` field, as JSON (`["apt","update"]`), as Go prints a list (`[apt update]`) or bare."""
    try:
        return tuple(msgspec.json.decode(command.encode("utf-8", "backslashreplace"), type=list[str]))
    except msgspec.DecodeError:
        bare = command[1:-1] if command.startswith("[") and command.endswith("]") else command
        return tuple(bare.split())


def opens_block(text: str) -> bool:
    """The value at the end of the line goes on in the lines that follow."""
    return text.endswith("=<")
