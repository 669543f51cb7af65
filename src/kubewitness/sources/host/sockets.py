"""Sockets and their owners, as `ss` and `netstat` list them.

`ss` prints Netid only when more than one protocol was asked for, glues the last two headings together, and writes an
IPv4 peer of a dual-stack socket as `[::ffff:1.2.3.4]`. `netstat` has State only for TCP and puts user and inode in
between with `-e`. Without root neither shows owners. Sockets of other families (unix, netlink, packet) are passed
over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import Socket
from kubewitness.sources.host.context import Context, Misfits

MAX_SOCKETS: Final = 500_000
STATES: Final = frozenset(
    ("LISTEN", "ESTAB", "TIME-WAIT", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "LAST-ACK",
     "CLOSING", "UNCONN", "CLOSED")
)  # fmt: skip
STATE_NAMES: Final = {
    "ESTABLISHED": "ESTAB", "SYN_SENT": "SYN-SENT", "SYN_RECV": "SYN-RECV", "FIN_WAIT1": "FIN-WAIT-1",
    "FIN_WAIT2": "FIN-WAIT-2", "TIME_WAIT": "TIME-WAIT", "CLOSE": "CLOSED", "CLOSE_WAIT": "CLOSE-WAIT",
    "LAST_ACK": "LAST-ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING",
}  # fmt: skip
_PROTOCOLS: Final = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
_OTHERS: Final = frozenset(
    ("nl", "u_str", "u_dgr", "u_seq", "p_raw", "p_dgr", "raw", "raw6", "unix", "icmp6", "v_str", "v_dgr", "ti_sd",
     "ti_st", "ti_rd", "ti_dg", "mptcp", "sctp", "xdp", "udplite", "udplite6", "dccp", "???")
)  # fmt: skip
_HEADINGS: Final = (
    "Netid", "State", "Recv-Q", "Proto", "Active ", "(", "Netstat", "Total:", "Cannot open netlink", "netstat: ",
    "RTNETLINK",
)  # fmt: skip
# Names of ports, for lists made without -n (IANA service names).
_PORTS: Final = {
    "ssh": 22, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "http": 80, "kerberos": 88, "sunrpc": 111,
    "ntp": 123, "snmp": 161, "https": 443, "syslog": 514, "dhcpv6-client": 546, "ipp": 631, "ldap": 389, "mysql": 3306,
    "mdns": 5353, "postgresql": 5432, "x11": 6000, "redis": 6379, "http-alt": 8080,
}  # fmt: skip
_HEADER = re.compile(r"Active Internet connections|Proto +Recv-Q|(?:Netid +)?State +Recv-Q +Send-Q")
_OWNERS = re.compile(r"users:\(\((.*?)\)\)")
_OWNER = re.compile(r'"(.{0,64}?)",(?:pid=)?(\d{1,9}),(?:fd=)?\d{1,9}')
_PROGRAM = re.compile(r"(?:^|\s)(\d{1,9})/(\S.*)$")
_INODE = re.compile(r" ino:(\d{1,10})(?= |$)")
_USER_INODE = re.compile(r"\S{1,64}\s+(\d{1,10})(?=\s|$)")  # netstat -e: what stands between State and PID/Program
_TIMER = re.compile(r"\s+(?:off|on|on\d|keepalive|timewait|probe) \([\d./]+\)$")
_MAPPED = re.compile(r"(?i)::ffff:(\d{1,3}(?:\.\d{1,3}){3})")


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[Socket | ParseFailure]:
    """The TCP and UDP sockets of a list, in its order."""
    misfits = Misfits()
    found: list[Socket] = []
    over = 0
    for place, line in lines:
        if line[0] in " \t" or line.startswith(_HEADINGS):  # -i, -m: details of the socket above
            continue
        words = line.split(None, 6)
        if words[0] in _OTHERS:
            continue
        socket = _netstat(line, place) if _is_netstat(words) else _ss(words, line, place)
        if socket is None:
            if failure := misfits.add(unreadable(place, "no line of a socket list", line.encode())):
                yield failure
        elif len(found) >= MAX_SOCKETS:
            over += 1
        else:
            found.append(socket)
    if failure := misfits.rest():
        yield failure
    if over:
        context.note(Place(context.item, 0, 0), f"{over} more sockets than are kept")
    # Without Netid a list is of one protocol; only UDP has nothing but unconnected and connected sockets.
    unnamed = {socket.state for socket in found if not socket.protocol}
    guess = "udp" if "UNCONN" in unnamed and unnamed <= {"UNCONN", "ESTAB"} else "tcp"
    for socket in found:
        yield socket if socket.protocol else msgspec.structs.replace(socket, protocol=guess)


def looks_like(lines: list[str]) -> bool:
    """The beginning of a list: its headings, or mostly sockets."""
    found = sum(map(_is_socket, lines))
    return found > 0 and (any(map(_HEADER.match, lines[:5])) or 2 * found >= len(lines))


def _is_socket(line: str) -> bool:
    words = line.split(None, 6)
    if len(words) < 5:
        return False
    if _is_netstat(words):
        return ":" in words[3]
    at = 1 if words[0] in _PROTOCOLS or words[0] in _OTHERS else 0
    return words[at] in STATES and words[at + 1].isdecimal() and words[at + 2].isdecimal()


def _is_netstat(words: list[str]) -> bool:
    return len(words) >= 5 and words[0] in _PROTOCOLS and words[1].isdecimal() and words[2].isdecimal()


def _ss(words: list[str], line: str, place: Place) -> Socket | None:
    protocol = _PROTOCOLS.get(words[0], "")
    words = words[1:] if protocol else line.split(None, 5)
    if len(words) < 5 or words[0] not in STATES:
        return None
    local, peer = address(words[3]), address(words[4])
    if local is None or peer is None:
        return None
    found = _OWNERS.search(line)
    owners = tuple((name, int(pid)) for name, pid in _OWNER.findall(found[1])) if found else ()
    inode = _INODE.search(line)
    return Socket(protocol, words[0], *local, *peer, place, owners, int(inode[1]) if inode else 0)


def _netstat(line: str, place: Place) -> Socket | None:
    protocol, _, _, here, there, *more = line.split(None, 5)
    rest = more[0] if more else ""
    state = STATE_NAMES.get(rest.split(None, 1)[0], "") if rest else ""
    local, peer = address(here), address(there)
    if local is None or peer is None or (not state and _PROTOCOLS[protocol] == "tcp"):
        return None
    found = _PROGRAM.search(_TIMER.sub("", rest.rstrip()))
    owners = ((found[2], int(found[1])),) if found else ()
    inode = _USER_INODE.match(rest.removeprefix(rest.split(None, 1)[0]).lstrip() if state else rest)
    told = (*local, *peer, place, owners, int(inode[1]) if inode else 0)
    return Socket(_PROTOCOLS[protocol], state or "UNCONN", *told)


def address(text: str) -> tuple[str, int] | None:
    """Address and port; zone identifiers (`%eth0`) stay with the address."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return None
    host = host.replace("[", "").replace("]", "")
    mapped = _MAPPED.fullmatch(host)
    number = (
        0 if port == "*" else int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else _PORTS.get(port)
    )
    return None if number is None or number > 65535 else (mapped[1] if mapped else host or "*", number)
