"""What the evidence says about a machine: processes, sockets, firewall, files and component logs, as they were found.

Nothing here judges. Every fact has its `Place`, so that whoever judges can cite it. A field is empty where the source
did not tell; "not listed" and "none" are told apart by `Host.sources`, which names what was there to be read.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from kubewitness.model.evidence import Place

Component = Literal["kubelet", "containerd", "control_plane", "container", "other"]

# What a HostEvent tells of. The first three and their fields are Sigma's log source categories of Linux.
EventCategory = Literal[
    "process_creation",  # a program was started
    "network_connection",  # a connection was opened or taken
    "file_event",  # a file was made, changed, renamed or removed
    "login",  # somebody logged in, tried to, or became somebody else
    "command",  # a line of a shell's history: it was typed, whether it worked is not known
    "alert",  # a sensor's rule spoke; the sensor's word, not ours
    "record",  # anything else the source holds: a raw audit record, a log line of a service
]


class Process(Struct, frozen=True):
    """A process as a list shows it, or as it was copied out of /proc."""

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
    name: str = ""  # comm, at most 15 characters, writable by the process
    argv: tuple[str, ...] = ()  # where the source keeps words apart; `command` joins them by spaces
    cwd: str = ""
    sha256: str = ""  # of the executable, lower case
    environment: tuple[str, ...] = ()  # "NAME=value"; "NAME" alone where the value was left out on purpose
    namespaces: tuple[tuple[str, str], ...] = ()  # linux_namespaces: ("pid", "4026531836"), by name
    deleted_maps: tuple[str, ...] = ()  # files mapped executable that are no longer there, memfd included
    capabilities: str = ""  # CapEff as /proc/PID/status writes it, 16 hexadecimal digits
    visible: bool = True  # False: only another trace of it was found, no list shows it
    told_by: str = ""  # source of the event that told of it at `started`; no list shows it: it may have ended since


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
    inode: int = 0  # 0: not told
    namespace: str = ""  # inode of its linux_namespace "net"; empty: that of the command that listed it


class FirewallRule(Struct, frozen=True):
    """A rule as iptables-save or nft writes it."""

    table: str
    chain: str
    text: str
    place: Place


class Firewall(Struct, frozen=True):
    """One dump of a packet filter."""

    family: str  # "ip", "ip6", "inet"
    source: str  # "iptables-save", "iptables -L", "nft"
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


class HostEvent(Struct, frozen=True):
    """Something that happened on the machine, as a sensor, the kernel's audit or a log tells it.

    Like events (all but time, pid, ppid and place the same) are kept once: the first, with their number and the last
    time. What a field's source did not tell is empty.
    """

    category: EventCategory
    source: str  # "linux_audit", "laurel", "falco", "tetragon", "tracee", "osquery", "journal", "shell_history", ...
    place: Place
    time: str = ""  # RFC 3339 UTC with microseconds
    pid: int = -1  # in the machine's pid namespace
    ppid: int = -1
    user: str = ""  # name, else number
    image: str = ""  # path of the executable
    command: str = ""  # argv joined by spaces
    argv: tuple[str, ...] = ()
    parent_image: str = ""
    parent_command: str = ""
    cwd: str = ""
    container: str = ""  # id as given; sensors cut it (12, 31 or 64 hexadecimal digits)
    pod: str = ""  # "namespace/name"
    pod_uid: str = ""
    path: str = ""  # file_event: the file
    address: str = ""  # network_connection: the other side; login: from where
    port: int = 0
    rule: str = ""  # alert: the sensor's rule
    severity: str = ""  # alert: as the sensor says it
    message: str = ""  # alert, record: the line for people
    fields: dict[str, str] = {}  # all fields under the names the source gives them, for rules that speak that language
    succeeded: bool | None = None  # None: not told
    count: int = 1
    last: str = ""


class FileEntry(Struct, frozen=True):
    """A file as a listing shows it: there was one of this name, size and time; its content is not known."""

    path: str
    place: Place
    kind: str = "file"  # "file", "directory", "link", "device", "socket", "pipe"
    size: int = -1
    mode: str = ""  # "-rwsr-xr-x"
    owner: str = ""
    modified: str = ""  # RFC 3339 UTC
    changed: str = ""  # of the inode
    sha256: str = ""
    target: str = ""  # of a link


class CronEntry(Struct, frozen=True):
    """A line of a crontab that starts something."""

    path: str  # of the table on the machine
    schedule: str  # five fields as written, or "@reboot"
    command: str
    place: Place
    user: str = ""


class KernelModule(Struct, frozen=True):
    """A loaded module of the kernel."""

    name: str
    place: Place
    flags: str = ""  # taint flags as /proc/modules writes them: "(OE)"


class KeyFile(Struct, frozen=True):
    """A file that holds a credential and was therefore not copied."""

    path: str
    place: Place  # in the manifest that says so
    sha256: str = ""
    subjects: str = (
        ""  # of the certificates in it, as openssl prints them: "subject=O = a, CN = b; issuer=…; notAfter=…"
    )


class Address(Struct, frozen=True):
    """An address of one of the machine's own interfaces."""

    interface: str
    address: str  # without its length
    place: Place


class HostFile(Struct, frozen=True):
    """A file of the machine, whole."""

    path: str  # on the machine: "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
    text: str
    place: Place  # of its first line; where the item holds other files too, it begins in the middle of the item


class Host(Struct):
    """A machine. Lists are in the order of the evidence."""

    name: str
    processes: list[Process] = []
    sockets: list[Socket] = []
    firewalls: list[Firewall] = []
    logs: list[LogLine] = []
    files: list[HostFile] = []
    events: list[HostEvent] = []
    listing: list[FileEntry] = []
    schedules: list[CronEntry] = []
    modules: list[KernelModule] = []
    commands: dict[str, int] = {}  # command line the collector ran → how it ended; 127: not there, -1: timed out
    kernel: str = ""
    boot_id: str = ""
    collected: str = ""  # RFC 3339 UTC, when a collector began
    sources: dict[str, str] = {}  # evidence item → what it was read as: "processes", "sockets", "kubelet log", ...
    keys: list[KeyFile] = []
    addresses: list[Address] = []  # empty: nobody listed them
    copied: list[FileEntry] = []  # files that a collector copied: their modes and owners as they were
