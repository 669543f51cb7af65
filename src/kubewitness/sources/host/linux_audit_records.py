"""One record of linux_audit: a line of audit.log, or what syslog, journald and the kernel's ring buffer show of it.

`type=SYSCALL msg=audit(1626611363.720:348501): key=value …`; a log that many machines write into puts `node=NAME` in
front; the kernel itself writes `audit: type=1300 audit(…): …`, and journald prints `audit[PID]: SYSCALL …` without
time and serial. Values:

- quoted values are literal; what a program could choose and what has a space, a quote or a byte beyond ASCII in it, is
  written in hexadecimal digits without quotes. `(null)` and `?` stand for nothing.
- behind 0x1D stands what auditd added (ENRICHED): the same names in capitals, with names for numbers. It prints as
  nothing, so copies of logs may lack it: `key=(null)ARCH=x86_64`.
- records of programs (PAM, sshd, systemd) have their own pairs inside `msg='…'`. What the kernel said of the sender
  (pid, uid, auid, ses) stands before and wins.
- a word of EXECVE longer than the kernel's buffer comes as `a2_len=… a2[0]=… a2[1]=…`, over several records.
- SOCKADDR holds the bytes of a struct sockaddr.

Source: auditd(8), audit.rules(7), the kernel's kernel/audit.c and kernel/auditsc.c.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from kubewitness.sources.host.lines import decoded
from kubewitness.sources.host.linux_audit_names import TYPES

KIND: Final = r"[A-Z][A-Z0-9_]{0,40}|\d{4}|UNKNOWN\[\d{1,5}\]"
_HEAD: Final = rf"type=({KIND}) (?:msg=)?audit\((\d{{1,12}})\.(\d{{1,9}}):(\d{{1,12}})\):"
HEAD = re.compile(rf"(?:node=(\S{{1,255}}) )?{_HEAD} ?")
KERNEL = re.compile(rf"(?:\[ {{0,8}}\d{{1,9}}\.\d{{1,9}}\] ?)?(?:audit: )?(){_HEAD} ?")
BARE = re.compile(r"([A-Z][A-Z0-9_]{2,40}|UNKNOWN\[\d{1,5}\]|<audit-\d{1,5}>) (?=[\w-]{1,40}=|avc: )")
# A value: quoted, in braces (an address in words), nothing, or up to the next white space (0x1D is some).
_PAIR = re.compile(r"(?<![\w\]-])([\w\[\]-]{1,64})=(\"[^\"]{0,65536}\"|\{[^{}]{0,400}\}|\(null\)|\S*)")
_AVC = re.compile(r"avc: {1,4}(\w{1,20}) {1,4}\{ ([\w ]{1,200}) \}")
_OLD_NAMES = re.compile(r"\b(old|new) (auid|ses)=")
_NUMBER = re.compile(r"\d{1,5}")
_WORD = re.compile(r"a(\d{1,7})(?:\[\d{1,7}\])?")
_POSITIONS: Final = {f"a{number}": number for number in range(256)}
_HEX = re.compile(r"(?:[0-9A-F]{2}){1,65536}")
# What the kernel or a program writes as an "untrusted string".
_ENCODED: Final = frozenset(
    ("acct", "cmd", "comm", "cwd", "data", "dir", "exe", "file", "grp", "key", "name", "new_group", "ocomm", "path",
     "proctitle", "vm", "watch")
)  # fmt: skip
_PLAIN: Final = frozenset(("SYSCALL", "PATH", "CWD", "PROCTITLE"))
_MEMORABLE: Final = 800  # characters
_NOTHING: Final = frozenset(("", "?", "(null)", "(none)"))
UNSET: Final = frozenset(("4294967295", "-1", "unset"))


class Record(NamedTuple):
    """A record with its values decoded. What says nothing is left out."""

    kind: str  # "SYSCALL"
    values: dict[str, str]
    words: tuple[tuple[int, bytes], ...] = ()  # of EXECVE: position and bytes, a long word in several pieces
    body: str = ""  # not read yet: most records of an execution are never asked for anything


def kind_named(kind: str) -> str:
    """The name of a record type that may be written as a number."""
    if kind[0].isdecimal() or kind[0] in "<U":
        number = _NUMBER.search(kind)
        return TYPES.get(number[0], f"UNKNOWN[{number[0]}]") if number else kind
    return kind


def parsed(record: Record) -> Record:
    """The record with its values, if they were not read yet."""
    return record_of(record.kind, record.body) if record.body else record


def record_of(kind: str, body: str) -> Record:
    """The record whose text behind the colon is `body`."""
    if kind == "EXECVE":
        return _execve(body)
    if kind in _PLAIN:
        values = _call_values(body) if kind == "SYSCALL" else _often_values(body)
        return Record(kind, _values(_PAIR.findall(body)) if values is None else values)
    at = body.find("msg='")
    if at >= 0:
        end = body.rfind("'")
        end = end if end > at + 4 else len(body)
        values = _values(_PAIR.findall(body[at + 5 : end]) + _PAIR.findall(body, end + 1) + _PAIR.findall(body[:at]))
    elif kind == "LOGIN" and " new " in body:
        body = _OLD_NAMES.sub(lambda found: f"{found[1]}-{found[2]}=".removeprefix("new-"), body)
        values = _values(_PAIR.findall(body))
    else:
        values = _values(_PAIR.findall(body))
    if kind.endswith("AVC") and (avc := _AVC.search(body)):
        values["avc"] = f"{avc[1]} {avc[2]}"  # "denied getattr"
    if special := _SPECIAL.get(kind):
        special(values)
    return Record(kind, values)


def _values(pairs: list[tuple[str, str]]) -> dict[str, str]:
    values = dict[str, str]()
    for name, value in pairs:
        if value in _NOTHING:
            continue
        first = value[0]
        if first == '"':
            values[name] = value.strip('"')
        elif name in _ENCODED and _HEX.fullmatch(value):
            values[name] = decoded(bytes.fromhex(value))
        elif first == "{":
            values |= {inner: word.strip('"') for inner, word in _PAIR.findall(value[1:-1])}
        else:
            values[name] = value
    return values


def _plain_values(body: str) -> dict[str, str] | None:
    """The same for a record in which no value has a space, three times as fast; None where it is not so."""
    values = dict[str, str]()
    for pair in body.split():  # 0x1D is white space too
        name, _, value = pair.partition("=")
        if value in _NOTHING:
            continue
        first = value[0]
        if first == '"':
            if value.find('"', 1) != len(value) - 1:
                return None
            values[name] = value[1:-1]
        elif first in "{(":  # an address in words; (null) with what auditd added glued to it
            return None
        elif name in _ENCODED and _HEX.fullmatch(value):
            values[name] = decoded(bytes.fromhex(value))
        else:
            values[name] = value
    return values


_known_values = lru_cache(4096)(_plain_values)


def _often_values(body: str) -> dict[str, str] | None:
    """The same where the text is often that of another record: of a file that is opened again and again."""
    return _known_values(body) if len(body) < _MEMORABLE else _plain_values(body)


def _call_values(body: str) -> dict[str, str] | None:
    """The same for a SYSCALL: numbers of the call stand first, then who called, which is often the same."""
    at = body.find(" auid=")
    if at < 0:
        return _plain_values(body)
    call, caller = _plain_values(body[:at]), _often_values(body[at:])
    return None if call is None or caller is None else call | caller


def _execve(body: str) -> Record:
    words = _plain_words(body)
    if words is None:
        words = []
        for name, value in _PAIR.findall(body):
            if found := _WORD.fullmatch(name):
                words.append((int(found[1]), value.strip('"').encode() if value[:1] == '"' else _word(value)))
    return Record("EXECVE", {}, tuple(words))


def _word(value: str) -> bytes:
    return bytes.fromhex(value) if _HEX.fullmatch(value) else b"" if value in _NOTHING else value.encode()


def _plain_words(body: str) -> list[tuple[int, bytes]] | None:
    """The words where each is whole and has no space or quotation mark, twice as fast; None where it is not so."""
    words = list[tuple[int, bytes]]()
    for pair in body.split():
        name, _, value = pair.partition("=")
        number = _POSITIONS.get(name)
        if number is None:
            if name != "argc" or '"' in value:
                return None
        elif value[:1] == '"':
            if value.find('"', 1) != len(value) - 1:
                return None
            words.append((number, value[1:-1].encode()))
        elif _HEX.fullmatch(value):
            words.append((number, bytes.fromhex(value)))
        else:
            return None
    return words


def _socket_address(values: dict[str, str]) -> None:
    if "saddr_fam" not in values:
        values |= address_of(values.get("saddr", ""))
    values.pop("saddr", None)


def address_of(text: str) -> dict[str, str]:
    """What a struct sockaddr in hexadecimal digits says, under the names audit has for it."""
    if not _HEX.fullmatch(text):
        return {}
    data = bytes.fromhex(text)
    family = data[0] | (data[1] << 8 if len(data) > 1 else 0)  # of the machine's byte order: little-endian
    if family == 2 and len(data) >= 8:
        address, port = str(ipaddress.IPv4Address(data[4:8])), int.from_bytes(data[2:4], "big")
        return {"saddr_fam": "inet", "laddr": address, "lport": str(port)}
    if family == 10 and len(data) >= 24:
        six = ipaddress.IPv6Address(data[8:24])
        address, port = str(six.ipv4_mapped or six), int.from_bytes(data[2:4], "big")
        return {"saddr_fam": "inet6", "laddr": address, "lport": str(port)}
    if family == 1:
        name = data[2:]
        abstract = name[:1] == b"\0"  # a name that is no file; ss writes it with "@"
        return {"saddr_fam": "local", "path": ("@" if abstract else "") + decoded(name[abstract:].split(b"\0")[0])}
    return {"saddr_fam": {16: "netlink", 17: "packet", 0: "unspec"}.get(family, str(family))}


def _filter_table(values: dict[str, str]) -> None:
    if "table" in values:  # "nat:85": behind the colon the generation of the rules
        values["table"] = values["table"].partition(":")[0]


_SPECIAL: Final[dict[str, Callable[[dict[str, str]], None]]] = {
    "SOCKADDR": _socket_address,
    "NETFILTER_CFG": _filter_table,
}
