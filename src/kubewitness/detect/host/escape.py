"""Traces of somebody who left a container for the machine it runs on.

What can be seen of it: a process of a container's control group that is in the machine's own mount namespace (that of
process 1), for no setting of a pod gives that; a command in a container that enters the namespaces of process 1,
changes its root to a mounted machine, or speaks to the socket of the container runtime; and a helper of the kernel
that is written by a container (`release_agent`, `core_pattern`), which runs as root on the machine.

Agents of storage, network and updates do the first two for a living: they start `mount`, `iscsiadm`, `systemctl` and
the like, and are told as low. kube-proxy shares only the network namespace of the machine and node-exporter only that
of processes (hostPID): both say nothing. Containers that hold all capabilities are named as context: they need no
trick.

Source: nsenter(1), namespaces(7), core(5), cgroups(7) on release_agent; capabilities(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename

from kubewitness.detect.host.commands import FETCHERS, MAX_COMMAND, READERS, SHELLS, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.stating import MAX_PLACES, Suspicion, about_processes, lines_of, state
from kubewitness.model.host import Host, Process
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ENTERS = re.compile(
    r"(?:^|[\s/;&|(\"'])nsenter\s(?:[^|;&\n]{0,200}\s)?"
    r"(?:-t\s?1(?=\s|$)|--target[= ]1(?=\s|$)|\S{0,40}/proc/1/ns/\w{0,20})"
)
_ROOTS = re.compile(
    r"(?:^|[\s/;&|(\"'])chroot\s+(?:--?\S{1,40}\s+){0,3}/(?:host|hostfs|host-root|hostroot|rootfs|mnt|node|proc/1/root)(?:/\S{0,60})?(?=\s|$)"
)
_AGENT_FILE = re.compile(r"release_agent\b")
_PATTERN = re.compile(r"(?:>\s*|tee\s+(?:-a\s+)?)/\S{0,60}sys/kernel/core_pattern|kernel\.core_pattern\s?=\s?[\"']?\|")
_WRITES = re.compile(r">|\btee\s|\becho\s|\bprintf\s|\bcp\s|\bmv\s|\bdd\s")
_SOCKET = re.compile(r"(?:docker|containerd|crio|cri-dockerd)\.sock\b")
_CLIENTS = frozenset({"docker", "ctr", "nerdctl", "crictl", "podman", "socat", "nc", "ncat"}) | FETCHERS
_MARKS = ("nsenter", "chroot", "release_agent", "core_pattern", ".sock")
# What storage, network and update agents start on the machine
_WORK = _named(
    "mount umount iscsiadm iscsid multipath multipathd lsblk blkid findmnt fsfreeze fsck e2fsck resize2fs"
    " xfs_growfs xfs_repair mkfs cryptsetup dmsetup nvme lvm lvs vgs pvs pvcreate vgcreate lvcreate"
    " systemctl reboot shutdown modprobe insmod rmmod kmod lsmod sysctl udevadm ip iptables ip6tables"
    " iptables-save nft ipset tc ethtool hostname hostnamectl uname stat df du ls test readlink rpm dpkg"
    " rpm-ostree ostree needs-restarting timedatectl journalctl kubelet rpcbind rpc.statd mount.nfs"
    " mount.nfs4 mount.ceph rbd node-driver-registrar tuned sleep true date"
)
_ALL_CAPABILITIES = 37  # bits that are set in 3.16 and later
_STARTS = ("runc", "crun", "containerd-shim", "conmon", "docker-init", "pause", "tini")
_HELPERS = re.compile(
    r"/(?:usr/)?(?:local/)?(?:s?bin|lib|lib64|libexec|share)/(?:systemd/|apport/|abrt/)?[\w.-]{1,60}|/opt/[\w./-]{1,120}"
)
_LAYERS = ("/overlay", "/snapshots/", "/containers/", "/diff/", "/merged/", "/docker/", "/containerd/")


def escape_trace(host: Host) -> Iterator[HostFinding]:
    """Processes of containers that are, or were sent, on the machine itself; and helpers of the kernel that lie odd."""
    yield from about_processes("escape_trace", host, _suspicions(host))
    yield from _core_pattern(host)


def container_with_all_capabilities(host: Host) -> Iterator[HostFinding]:
    """Containers that may do anything to the machine, as context."""
    first = dict[str, Process]()
    for process in host.processes:
        if process.container and not process.told_by and _holds_all(process.capabilities):
            first.setdefault(process.container, process)
    if first:
        yield state(
            "container_with_all_capabilities",
            host,
            "; ".join(process.command for process in list(first.values())[:20]),
            [(process.place, process.command) for process in list(first.values())[:MAX_PLACES]],
            count=len(first),
            reasons=[
                Text(
                    f"{len(first)} containers hold all capabilities of the kernel",
                    f"{len(first)} 个容器拥有内核的全部 capabilities",
                )
            ],
            containers=first,
            commands=(process.command for process in first.values()),
        )


def _suspicions(host: Host) -> Iterator[Suspicion]:
    home = _home(host)
    for process in host.processes:
        signs = [*_commanded(process), *_at_home(process, home)]
        if signs:
            severity = max((severity for severity, _ in signs), key=SEVERITIES.index)
            yield Suspicion(
                process,
                tuple(reason for _, reason in signs),
                severity=severity,
                confidence={"high": "high", "medium": "medium"}.get(severity, "low"),  # type: ignore[arg-type]
                kind="intrusion" if severity == "high" else "activity",
            )


def _home(host: Host) -> str:
    """The machine's own mount namespace: that of process 1, if it is not itself in a container."""
    first = next((one for one in host.processes if one.pid == 1 and one.namespaces and not one.container), None)
    return dict(first.namespaces).get("mnt", "") if first else ""


def _at_home(process: Process, home: str) -> Iterator[tuple[Severity, Text]]:
    """In a container's control group and in the machine's mount namespace."""
    if not home or not process.container or process.told_by or dict(process.namespaces).get("mnt") != home:
        return
    words = segments_of(process.command)[0]
    if words.program.startswith(_STARTS) or process.name.startswith(_STARTS):
        return  # the runtime itself, on its way in
    severity: Severity = "low" if words.program in _WORK else "medium"
    if hiding_of(process.executable) or hiding_of(words.words[0] if words.words else ""):
        severity = "high"
    yield (
        severity,
        Text(
            "it belongs to a container and is in the machine's own mount namespace",
            "它属于某个容器，却处于主机自身的 mount namespace 中",
        ),
    )


def _commanded(process: Process) -> Iterator[tuple[Severity, Text]]:
    command = process.command[:MAX_COMMAND]
    if not any(mark in command for mark in _MARKS):
        return
    program = segments_of(command)[0].program
    if program in READERS or basename(command.split(" ", 1)[0]) in READERS:
        return
    inside = bool(process.container)
    for pattern, en, zh in (
        (_ENTERS, "it enters the namespaces of process 1", "它进入进程 1 的 namespace"),
        (_ROOTS, "it changes its root to a machine that is mounted", "它将根目录切换到挂载的主机文件系统"),
    ):
        found = pattern.search(command)
        if found and (inside or pattern is _ENTERS):
            severity: Severity = "medium" if inside and _does(command[found.end() :]) not in _WORK else "low"
            yield severity, Text(en, zh)
    if _AGENT_FILE.search(command) and _WRITES.search(command):
        said = Text(
            "it writes a release_agent, which the kernel runs as root", "它写入 release_agent，内核会以 root 身份执行它"
        )
        yield ("high" if inside else "medium"), said
    if _PATTERN.search(command) and "|" in command:
        said = Text(
            "it sets core_pattern to a program, which the kernel runs as root",
            "它将 core_pattern 设为程序，内核会以 root 身份执行它",
        )
        yield ("high" if inside else "low"), said
    if inside and _SOCKET.search(command) and any(one.program in _CLIENTS for one in segments_of(command)):
        said = Text("it speaks to the container runtime of the machine", "它与主机的容器运行时通信")
        yield "medium", said


def _does(rest: str) -> str:
    """The program behind the options of nsenter and chroot."""
    for word in rest.split()[:20]:
        if word.startswith("-"):
            continue
        name = basename(word.strip("\"'"))
        if name in SHELLS or name in ("sudo", "env"):
            continue
        return name
    return "sh"


def _core_pattern(host: Host) -> Iterator[HostFinding]:
    for file in host.files:
        if file.path != "/proc/sys/kernel/core_pattern" or not file.text.startswith("|"):
            continue
        path = file.text[1:4096].strip().split(" ")[0].split("\n")[0]
        if not path or _HELPERS.fullmatch(path) or not path.startswith("/"):
            continue
        sure = hiding_of(path) is not None or any(part in path for part in _LAYERS)
        place, line = next(lines_of(file))
        yield state(
            "escape_trace",
            host,
            f"/proc/sys/kernel/core_pattern: {file.text.strip()}",
            [(place, line)],
            severity="high" if sure else "medium",
            kind="intrusion" if sure else "activity",
            reasons=[
                Text(
                    f"the kernel runs {path[:200]} as root when a program crashes",
                    f"程序崩溃时，内核会以 root 身份执行 {path[:200]}",
                )
            ],
        )


def _holds_all(capabilities: str) -> bool:
    try:
        return (~int(capabilities, 16) & ((1 << _ALL_CAPABILITIES) - 1)) == 0 if capabilities else False
    except ValueError:
        return False
