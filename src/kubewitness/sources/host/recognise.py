"""What a file of a machine is, told from its content; the name only settles what content leaves open.

Two rules keep this honest. What holds Kubernetes audit events is never host evidence, whatever its name or the log
around them; but the words of one inside a listing change nothing, or an intruder could hide a process list by the name
of a process. And a file of the machine's own configuration (below /etc, /root and the like) is never taken for a live
listing: /etc/iptables/rules.v4 has the form of a dump of the packet filter and says nothing about what it does now.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from kubewitness.model.collection import FORMAT_CLUSTER
from kubewitness.sources.host import (
    cgroups,
    containerd,
    falco,
    iptables,
    journald,
    klog,
    laurel,
    logs,
    manifest,
    osquery,
    proc_files,
    proc_records,
    processes,
    sockets,
    tetragon,
    tracee,
)
from kubewitness.sources.host.folders import is_collected, machine_path
from kubewitness.sources.host.formats import FORMATS
from kubewitness.sources.host.lines import decoded, is_binary

HEAD: Final = 64 * 1024
ELF: Final = b"\x7fELF"
_LINES: Final = 300
_AUDIT = re.compile(
    r'auditID\\*"\s*:|"kind"\s*:\s*"EventList"|"protoPayload"|cloudaudit\.googleapis|stageTimestamp\\*"\s*:'
)
_UNIT = re.compile(r"^\[(?:Unit|Service|Install|Socket|Timer|Mount|Path|Slice|Manager)\]\s*$")
_KUBELET_CONFIGURATION = re.compile(
    r"""^["']?kind["']?\s*:\s*["']?KubeletConfiguration\b|^\s{0,8}"kind"\s*:\s*"KubeletConfiguration"|"kind":"KubeletConfiguration\""""
    r"""|\A\s*\{\s*"kubeletconfig"\s*:""",
    re.M,
)
_NFT = re.compile(r'\s*\{\s*"nftables"\s*:\s*\[')
_ENVIRONMENT = re.compile(r"/etc/(?:default|sysconfig)/[^/]+$|/var/lib/kubelet/[^/]+\.env$|\.env$")
_UNIT_PATH = re.compile(r"/systemd/(?:system|user)/.*\.(?:service|conf|socket|timer)$")
_CONTAINER_LOG = re.compile(r"/var/log/(?:pods|containers)/")
_KUBELET_SOURCES = re.compile(
    r" (?:kubelet\w*|kuberuntime_\w+|remote_runtime|pod_workers|reconciler\w*|operation_generator|cpu_manager|"
    r"eviction_manager|status_manager|nodelease|prober|pod_container_deletor|topology_manager|container_manager_linux)\.go:"
)
_CONTROL_SOURCES = re.compile(
    r" (?:controllermanager|leaderelection|schedule_one|scheduler|eventhandlers|genericapiserver|httplog)\.go:"
)
_RUNTIME = re.compile(
    r"io\.containerd\.|RunPodSandbox|containerd|dockerd|namespace=(?:k8s\.io|moby)|StartContainer for"
)
# Forms that never carry audit events: words of one inside them hide nothing.
_CLOSED: Final = (
    *manifest.FORMATS, *proc_records.FORMATS, *laurel.FORMATS, *falco.FORMATS, *tetragon.FORMATS, *tracee.FORMATS,
    *osquery.FORMATS,
)  # fmt: skip
_JOURNALLED_EVENT = re.compile(
    r'(?:"MESSAGE"\s?:\s?"|^MESSAGE=)\{\\?"(?:kind|level|auditID|apiVersion|stage)\\?"', re.M
)
# Where anybody with an account, or a package, may lay a file: it says what its writer wanted, whatever it looks like.
_ANYBODYS: Final = (
    "/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/root/", "/home/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/",  # noqa: S108
    "/boot/", "/srv/", "/mnt/", "/media/",
)  # fmt: skip
_STALE: Final = ("/etc/", "/root/", "/home/", "/var/lib/", "/usr/", "/lib/")  # files of the machine, no state of it


def kind_of(name: str, head: bytes) -> str:
    """What the item is, "" if it is no host evidence.

    Args:
        name: Of the evidence item.
        head: Its first bytes, decompressed (64 KiB, or all there is).
    """
    path = machine_path(name)
    if head.startswith(ELF):
        return "executable"
    text, lines = _beginning(head)
    if not lines:
        return _by_path(path, name, empty=not head.strip())
    if path.startswith(_ANYBODYS):
        return _of_file(text, lines, path, name)
    for one in _CLOSED:  # before anything else: a command line that names an audit event hides no process list
        if one.looks_like(lines, name):
            return "" if any(map(_is_event_itself, lines)) else one.kind
    for one in journald.FORMATS:  # a message that quotes an event is none: `logger` would hide the whole journal
        if one.looks_like(lines, name):
            return "" if _JOURNALLED_EVENT.search(text) else one.kind
    if lines[0].lstrip()[:1] in {"{", "["} and _AUDIT.search(text):
        return ""
    if lines[0].startswith('{"record":"collection"') and FORMAT_CLUSTER in lines[0]:
        return ""  # of an API server's archive, no machine's: `sources.kube_objects`
    for one in FORMATS:
        if (one.whole or not path.startswith("/etc/")) and one.looks_like(lines, name):
            return one.kind
    if path.startswith("/etc/"):
        return "" if any(map(_is_audit_event, lines)) else _of_file(text, lines, path, name)
    if log := _log(lines, name):
        return "" if any(map(_is_audit_event, lines)) else log  # an API server may write both into one stream
    return _of_text(text, lines, path) or _by_path(path, name, empty=False, lines=lines)


def _of_file(text: str, lines: list[str], path: str, name: str) -> str:
    """A file of the machine that is no state of it and no log: an intruder may have laid it there to be read."""
    for one in FORMATS:
        if one.whole and one.looks_like(lines, name):
            return one.kind
    if _KUBELET_CONFIGURATION.search(text):
        return "kubelet configuration"
    if _UNIT.match(next((line for line in lines if line[0] not in "#;"), "")) or _UNIT_PATH.search(path):
        return "unit"
    return "unit" if _ENVIRONMENT.search(path) else "other file"


def holds_audit_events(head: bytes) -> bool:
    """Kubernetes audit events are among the first lines."""
    text, lines = _beginning(head)
    return bool(lines) and (
        (lines[0].lstrip()[:1] in {"{", "["} and _AUDIT.search(text) is not None) or any(map(_is_audit_event, lines))
    )


def _beginning(head: bytes) -> tuple[str, list[str]]:
    """The text and its first lines."""
    text = "" if is_binary(head) else decoded(head[:HEAD].removeprefix(b"\xef\xbb\xbf"))
    if len(head) >= HEAD:  # the last line may be cut in two
        text = text.rpartition("\n")[0] or text
    return text, [line for line in re.split(r"\r?\n", text)[:_LINES] if line.strip()]


def _of_text(text: str, lines: list[str], path: str) -> str:
    if _KUBELET_CONFIGURATION.search(text):
        return "kubelet configuration"
    if _UNIT.match(next((line for line in lines if line[0] not in "#;"), "")):
        return "unit"
    if path and path.startswith(_STALE):
        return ""
    if _NFT.match(text):
        return "nft"
    return next((kind for kind, test in _LISTINGS if test(lines)), "")


def _is_event_itself(line: str) -> bool:
    """The line is an audit event, not one that quotes it."""
    if not _AUDIT.search(line):
        return False
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return isinstance(record, dict) and not {"auditID", "protoPayload", "stageTimestamp"}.isdisjoint(record)


def _is_audit_event(line: str) -> bool:
    prefix = logs.CRI.match(line) or logs.SYSLOG.match(line)
    return line.startswith("{", prefix.end() if prefix else 0) and _AUDIT.search(line) is not None


def _most(lines: list[str], test: Callable[[str], object]) -> bool:
    """At least half of the first lines are of a form."""
    first = lines[:60]
    return sum(bool(test(line)) for line in first) * 2 >= len(first)


def _is_process_list(lines: list[str]) -> bool:
    for number, line in enumerate(lines[:10]):
        if processes.is_header(line):
            at = line.split().index("PID")
            rows = [row.split() for row in lines[number + 1 : number + 21]]
            return sum(len(row) > at + 1 and row[at].isdecimal() for row in rows) * 2 >= len(rows)
    return False


def _is_group_list(lines: list[str]) -> bool:
    words = lines[0].split()
    rows = lines[1:] if "PID" in words and words[-1] == "CGROUP" else lines
    return any(cgroups.GROUP.match(row) for row in rows) and _most(
        rows, lambda row: cgroups.GROUP.match(row) or (rows is not lines and row.rstrip().endswith(" -"))
    )


_LISTINGS: Final[tuple[tuple[str, Callable[[list[str]], bool]], ...]] = (
    ("cgroups", _is_group_list),
    ("processes", _is_process_list),
    ("iptables", iptables.looks_like),
    (
        "executables",
        lambda lines: _most(lines, lambda line: cgroups.EXECUTABLE.match(line) or cgroups.LINK.match(line)),
    ),
    ("sockets", sockets.looks_like),
)


def _log(lines: list[str], name: str) -> str:
    """The log of a component, behind whatever prefix."""
    klogs, runtimes, written, programs = 0, 0, 0, set[str]()
    sample = []
    for line in lines:
        prefix = logs.SYSLOG.match(line)
        program = logs.component_of(prefix[2]) if prefix else "other"
        cri = None if prefix else logs.CRI.match(line)
        written += cri is not None
        bare = line[prefix.end() :] if prefix else line[cri.end() :] if cri else line
        if klog.HEAD.match(bare):
            klogs += 1
            sample.append(bare)
        elif containerd.HEAD.match(bare):
            runtimes += 1
        else:
            program = "other"
        if prefix and program != "other":
            programs.add(program)
    if programs:  # the log of a whole machine, or of one unit
        return "kubelet log" if "kubelet" in programs else _KINDS[min(programs)]
    if 4 * klogs >= len(lines):
        return _KINDS[_component(name, "\n".join(sample))]
    if 4 * runtimes >= len(lines):
        return "container log" if written else "containerd log" if _is_runtime(lines, name) else ""
    return "container log" if 2 * written >= len(lines) else ""


def _is_runtime(lines: list[str], name: str) -> bool:
    """A container runtime's log: many other programs write logfmt too."""
    last = re.split("[/!]", name)[-1]
    return logs.component_of(last) == "containerd" or any(_RUNTIME.search(line) for line in lines)


_KINDS: Final = {
    "kubelet": "kubelet log", "containerd": "containerd log", "control_plane": "control plane log",
    "other": "component log",
}  # fmt: skip


def _component(name: str, sample: str) -> str:
    """Whose klog it is: by the name of the file, of its folders, then by the source files it cites."""
    for part in reversed(re.split("[/!]", name)[-3:]):
        if (component := logs.component_of(part)) != "other":
            return component
    if _KUBELET_SOURCES.search(sample):
        return "kubelet"
    return "control_plane" if _CONTROL_SOURCES.search(sample) else "other"


def _by_path(path: str, name: str, empty: bool, lines: list[str] | None = None) -> str:
    if proc_files.of_process(path):  # words ended by NUL look like no text
        return proc_files.KIND
    if path or is_collected(name):
        if lines and _most(lines, _is_audit_event):
            return ""
        if _CONTAINER_LOG.match(path):
            return "container log"
        if _UNIT_PATH.search(path) or _ENVIRONMENT.search(path):
            return "unit"
        return "other file"
    last = re.split("[/!]", name)[-1]
    return "iptables" if empty and re.search(r"ip6?tables(?:-legacy|-nft)?-save", last) else ""
