"""What container runtimes print, without the values of variables.

`crictl` and `docker` print the environment of every container, where applications keep their passwords. Names of
variables tell enough; the values are overwritten, also inside annotations that hold a whole object once more.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from kubewitness.collect.secrets import Redactor, mark

_ID: Final = re.compile(r"[0-9a-f]{12,64}")
_LISTS: Final = frozenset(("env", "envs", "environment"))


def without_values(data: bytes) -> bytes:
    """The output of a runtime's command, values of variables overwritten."""
    kept = _document(data)
    if kept is None:
        lines = [(_document(line) if line.startswith(b"{") else line) for line in data.split(b"\n")]
        kept = b"\n".join(b"{}" if line is None else line for line in lines)
    return Redactor(configuration=True).whole(kept)


def containers_of(data: bytes) -> list[str]:
    """Ids in what `crictl ps -o json` or `docker ps --format json` printed."""
    found: dict[str, None] = {}
    try:
        listed: Any = msgspec.json.decode(data)
        entries = listed.get("containers", ()) if isinstance(listed, dict) else ()
        names = [entry.get("id") for entry in entries if isinstance(entry, dict)]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        names = re.findall(r'"ID":"([0-9a-f]{12,64})"', data.decode("utf-8", "replace"))
    for name in names:
        if isinstance(name, str) and _ID.fullmatch(name):  # it becomes a word of a command
            found[name] = None
    return list(found)


def _document(data: bytes) -> bytes | None:
    try:
        return msgspec.json.encode(_cleaned(msgspec.json.decode(data)))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _cleaned(value: Any, variables: bool = False) -> Any:
    if isinstance(value, dict):
        if variables and "value" in value:
            return {k: mark(len(v)).decode() if k == "value" and isinstance(v, str) else v for k, v in value.items()}
        return {key: _cleaned(one, key.lower() in _LISTS) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one, variables) for one in value]
    if isinstance(value, str):
        if variables:
            name, sign, rest = value.partition("=")
            return name + sign + mark(len(rest)).decode()
        if value.startswith("{") and "env" in value.lower():  # kubectl.kubernetes.io/last-applied-configuration
            inner = _document(value.encode())
            return value if inner is None else inner.decode()
    return value
