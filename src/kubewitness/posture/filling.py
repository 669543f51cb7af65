"""Remedies with what the evidence knows: names, namespaces and paths instead of words that stand for them.

What evidence says is hostile: a name is quoted for a shell, and one that a screen could obey, or that kubectl would
take for an option, is not filled in. Then the word stays, the remedy says so in `blanks`, and no renderer offers its
command to be copied.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from kubewitness.model.posture import Remedy
from kubewitness.posture.catalogue import catalogue

_LONGEST: Final = 1_000
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/,\[\]@=+-]{1,1000}")  # as it is in YAML and in an argument, without quotes


def filled(check: str, values: Mapping[str, str]) -> Remedy | None:
    """The remedy of a check ("credentials/lifetime") with these words filled in; None if none of them can be."""
    remedy = catalogue()[f"checks/{check}"].remedy
    known = {
        word: text
        for word, value in values.items()
        if word in remedy.blanks and (text := fitting(value, is_flag=word in FLAGS))
    }
    if not known:
        return None
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, known))})\b")
    command = pattern.sub(lambda found: known[found[0]], remedy.command)
    return replace(remedy, command=command, blanks=tuple(one for one in remedy.blanks if one not in known))


def fitting(value: str, *, is_flag: bool = False) -> str:
    """A value as part of a command; empty if a shell, a screen or kubectl could obey it."""
    if not 0 < len(value) <= _LONGEST or not value.isprintable() or value.startswith("-"):
        return ""
    if is_flag:
        return value if _PLAIN.fullmatch(value) else ""
    return shlex.quote(value)


def unknown(command: str, words: Iterable[str]) -> tuple[str, ...]:
    """Those of these words that a command still holds where it would be run."""
    lines = "\n".join(line for line in command.split("\n") if not line.lstrip().startswith("#"))
    return tuple(word for word in words if re.search(rf"\b{re.escape(word)}\b", lines))


FLAGS: Final = frozenset({"CLIENT_URLS", "PEER_URLS", "SERVER_URLS", "FLAG", "PLUGIN"})  # in a manifest, no shell there
