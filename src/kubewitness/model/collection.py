"""What a node archive holds: the contract between `kubewitness collect`, its shell script, and the reader.

An archive is a tar, compressed with Zstandard (`kubewitness collect`) or gzip (the script), with one folder at its top
(`kubewitness-<host>-<UTC time>/`) and in it, with the customs of UAC where there are any, so that other tools find
their way:

    [root]/<path>                     a file of the machine under its own path
    live_response/<part>/<name>.txt   what a command printed; the name is the command: ss_-tunap.txt
    live_response/process/processes.jsonl    one `ProcessRecord` a line, out of /proc
    live_response/network/net/<inode>/<table> /proc/PID/net/{tcp,tcp6,udp,udp6,raw,unix} of each linux_namespace "net"
    live_response/files/listing.jsonl        one `FileRecord` a line: temporary folders and what is odd elsewhere
    recovered/<sha256>                an executable that is deleted, a memfd, or lies in a temporary folder
    manifest.jsonl                    one `Record` a line; the last member, its last line is "end"

Text in the JSON lines is UTF-8 where the machine's bytes are; a byte that is none is written as it is by the script
and as \\xNN by `kubewitness collect`: a reader takes both.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

FORMAT: Final = "kubewitness-node/1"
FORMAT_CLUSTER: Final = "kubewitness-cluster/1"  # the answers of an API server, in `cluster/<group>/<resource>.json`
MANIFEST: Final = "manifest.jsonl"
PROCESSES: Final = "live_response/process/processes.jsonl"
NET: Final = "live_response/network/net"
LISTING: Final = "live_response/files/listing.jsonl"
RECOVERED: Final = "recovered"
ROOT: Final = "[root]"


class Header(Struct, frozen=True, tag="collection", tag_field="record", omit_defaults=True):
    """The first line: which machine, when, by what."""

    format: str
    tool: str  # "kubewitness 0.2.0", "kubewitness collect script 1"
    host: str
    started: str  # RFC 3339 UTC by the machine's clock
    kernel: str = ""
    boot_id: str = ""
    machine_id: str = ""
    booted: str = ""  # RFC 3339 UTC
    zone: str = ""  # "+0800"
    clock_synchronised: bool | None = None  # None: nobody could tell
    uid: int = 0  # of the collector: without root much is missing
    options: dict[str, str] = {}  # limits and switches as they were in force


class Item(Struct, frozen=True, tag="item", tag_field="record", omit_defaults=True):
    """A member of the archive."""

    path: str  # below the archive's top folder
    size: int
    sha256: str
    origin: str = ""  # the file or the source it was made of
    cut: int = 0  # bytes of the original that were left out
    redacted: int = 0  # secret values that were overwritten; the copy keeps its length and its lines
    original_sha256: str = ""  # of the original, where values were overwritten and it was read whole
    modified: str = ""  # of the original
    mode: str = ""
    owner: str = ""


class Command(Struct, frozen=True, tag="command", tag_field="record", omit_defaults=True):
    """A command that was run, also one that is not there (exit code 127)."""

    argv: tuple[str, ...]
    exit_code: int
    seconds: float = 0.0
    path: str = ""  # member with what it printed; empty: it printed nothing
    error: str = ""  # the beginning of its standard error
    timed_out: bool = False


class Omitted(Struct, frozen=True, tag="omitted", tag_field="record", omit_defaults=True):
    """Something that is on the machine and not in the archive, and why."""

    path: str
    reason: str
    size: int = -1
    sha256: str = ""  # of what was not copied: private keys
    subject: str = ""  # of a certificate beside a private key


class End(Struct, frozen=True, tag="end", tag_field="record", omit_defaults=True):
    """The last line: what is not followed by it was cut off."""

    finished: str
    items: int
    sha256: str  # of all lines before this one, with their line ends
    complete: bool = True  # False: a limit of size or time was reached


Record = Header | Item | Command | Omitted | End


class ProcessRecord(Struct, frozen=True, omit_defaults=True):
    """A process out of /proc."""

    pid: int
    ppid: int = -1
    name: str = ""  # comm
    argv: tuple[str, ...] = ()  # empty: a kernel thread, or one that erased it
    state: str = ""  # R, S, D, Z, ...
    uid: int = -1  # effective
    started: str = ""  # RFC 3339 UTC, of boot time and starttime
    exe: str = ""  # readlink of /proc/PID/exe, " (deleted)" included
    sha256: str = ""  # of the executable, read through /proc/PID/exe
    cwd: str = ""
    root: str = ""
    cgroup: str = ""  # the whole file, line ends as in it
    environ: tuple[str, ...] = ()  # NAME, or NAME=value if values were asked for
    namespaces: dict[str, str] = {}  # {"pid": "4026531836"}
    files: tuple[str, ...] = ()  # open descriptors, "7 socket:[1578]"; the first few hundred
    maps: tuple[str, ...] = ()  # files mapped executable, each once; memfd and deleted ones included
    anonymous_executable: int = 0  # bytes mapped executable without a file
    capabilities: str = ""  # CapEff
    seccomp: str = ""
    tracer: int = 0
    inner_pid: int = 0  # the last number of NSpid
    hidden: bool = False  # answered when asked by number, not listed in /proc


class FileRecord(Struct, frozen=True, omit_defaults=True):
    """A file in a listing."""

    path: str
    kind: str = "file"
    size: int = -1
    mode: str = ""  # "-rwxr-xr-x"
    uid: int = -1
    modified: str = ""
    changed: str = ""
    sha256: str = ""  # empty: a folder, a link, or larger than what is hashed
    target: str = ""
