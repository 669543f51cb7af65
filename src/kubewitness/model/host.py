"""What the evidence says about a machine: processes, sockets, firewall, files and component logs, as they were found.

Nothing here judges. Every fact has its `Place`, so that whoever judges can cite it. A field is empty where the source
did not tell; "not listed" and "none" are told apart by `Host.sources`, which names what was there to be read.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from kubewitness.model.evidence import Place

Component = Literal["kubelet", "containerd", "control_plane", "other"]


class Process(Struct, frozen=True):
    """A line of a process list."""

    pid: int
    command: str  # argv joined by spaces as the list shows it, or the name in brackets
    place: Place
    ppid: int = -1  # -1: the list has no such column
    user: str = ""
    started: str = ""  # RFC 3339 UTC where the list tells it with a date, else as printed
    truncated: bool = False  # the line ends where its neighbours were cut: the command may go on
    executable: str = ""  # path of /proc/PID/exe if known; ends with " (deleted)" if it was
    cgroup: str = ""
    container: str = ""  # container id out of the cgroup, 64 hexadecimal digits
    pod_uid: str = ""  # pod uid out of the cgroup, with hyphens


class Socket(Struct, frozen=True):
    """A socket with its owners."""

    protocol: str  # "tcp", "udp"
    state: str  # "LISTEN", "ESTAB", as ss writes it
    local_address: str  # "*" and "0.0.0.0" and "::" as printed; v4-mapped addresses as plain IPv4
    local_port: int
    peer_address: str
    peer_port: int  # 0: none
    place: Place
    owners: tuple[tuple[str, int], ...] = ()  # name and pid; empty: not shown (no root) or hidden


class FirewallRule(Struct, frozen=True):
    """A rule as iptables-save or nft writes it."""

    table: str
    chain: str
    text: str
    place: Place


class Firewall(Struct, frozen=True):
    """One dump of a packet filter."""

    family: str  # "ip", "ip6", "inet"
    source: str  # "iptables-save", "nft"
    place: Place
    policies: tuple[tuple[str, str, str], ...] = ()  # table, built-in chain, policy ("ACCEPT", "DROP")
    rules: tuple[FirewallRule, ...] = ()
    other_backend: bool = False  # the dump itself warns that tables of the other back end exist


class LogLine(Struct, frozen=True):
    """A line of a component's log (klog or logfmt)."""

    component: Component
    time: str  # RFC 3339 UTC with microseconds; empty if it has none. klog has no year: the file's own context gives it
    severity: str  # "info", "warning", "error", "fatal"
    message: str  # the quoted message of a structured line, else the text
    fields: dict[str, str]  # key="value" pairs of a structured line, unquoted
    place: Place
    source: str = ""  # "remote_runtime.go:734"


class HostFile(Struct, frozen=True):
    """A file of the machine, whole."""

    path: str  # on the machine: "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
    text: str
    place: Place  # of its first line; line N of the file is line N of the item


class Host(Struct):
    """A machine. Lists are in the order of the evidence."""

    name: str
    processes: list[Process] = []
    sockets: list[Socket] = []
    firewalls: list[Firewall] = []
    logs: list[LogLine] = []
    files: list[HostFile] = []
    sources: dict[str, str] = {}  # evidence item → what it was read as: "processes", "sockets", "kubelet log", ...
