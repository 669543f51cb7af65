"""Processes, sockets and modules that somebody keeps out of the lists.

What hides a process leaves other traces of it: its number answers when it is asked for, its children name it as their
parent, its sockets have no owner or one that no list shows, or its folder in /proc has something mounted over it. Lists
are taken seconds apart, so a process that one of them does not show may just have begun or ended: either the collector
asked twice (`Process.visible`), or two different traces must agree, in lists that are whole.

A socket without an owner alone is little. The kernel itself holds those of NFS, SMB, iSCSI, Ceph and the like, and
closing ones belong to nobody any more; without root no list shows owners. So only established and listening ones count,
in a list that shows the owners of nearly all others, in the machine's own network namespace.

A rootkit's module takes itself off the list of modules, but not at once, and not all do: their names are known.

Source: proc(5), proc_modules(5), mount(8); names of rootkits by their published sources.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.miner import PORTS
from kubewitness.detect.host.stating import MAX_PLACES, Suspicion, about_processes, lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Process, Socket
from kubewitness.model.text import Text

_MOUNTS: Final = {  # column of the mount point
    "/proc/mounts": 1, "/proc/self/mounts": 1, "/proc/1/mounts": 1, "/proc/self/mountinfo": 4, "/proc/1/mountinfo": 4,
}  # fmt: skip
_OVER = re.compile(r"/proc/(\d{1,9})")
_WHOLE: Final = 20  # processes from which on a list with process 1 is one of the whole machine
_SEEN: Final = (
    0.9  # share of the owners of sockets that must be listed, or the lists are of different machines or times
)
_OWNED: Final = 0.8  # share of the sockets that have owners, or nobody was allowed to see them
# Sockets that the kernel itself holds: RPC, NFS, SMB, iSCSI, NBD, NVMe, Ceph, DRBD, Gluster
_KERNELS: Final = frozenset({111, 445, 860, 2049, 3260, 3300, 4420, 6789, 8009, 10809, 20048, 24007}) | {
    *range(6800, 7301), *range(7788, 7800),
}  # fmt: skip
_ROOTKITS = re.compile(
    r"diamorphine|reptile(?:_module)?|khook|adore(?:[-_]?ng)?|suterusu|enyelkm|knark|kovid|nuk3gh0st|rkduck|puszek|caraxes|sutekh"
    r"|brokepkg|spectre_lkm|vlany|beurk|lilyofthevalley",
    re.IGNORECASE,
)
_VENDORS = re.compile(
    r"nvidia\w*|vbox\w*|vmw\w*|vm(?:mon|net|ci|block)|zfs|spl|z(?:avl|common|lua|nvpair|unicode|zstd)|icp|falco|drbd\w*|wl|wireguard"
    r"|amdgpu|amddrm\w*|amdttm|lustre|lnet|mlx\w*|ib_\w*|rdma_\w*|mst_\w*|ena|efa|AliSec\w*|aegis\w*|falcon_\w*|talpa_\w*|bmhook"
    r"|dsa_filter\w*|gsch|veeam\w*|mptctl|scini|pxd?|px|dattobd|igb|ixgbe\w*|i40e|ice|r81\w*|openvswitch|v4l2loopback|xt_\w*",
    re.IGNORECASE,
)


def hidden_process(host: Host) -> Iterator[HostFinding]:
    """Processes that no list shows, and of which there are other traces."""
    yield from about_processes("hidden_process", host, _unlisted(host))
    yield from _mounted_over(host)
    yield from _traced(host)


def socket_without_owner(host: Host) -> Iterator[HostFinding]:
    """Connections and listeners that belong to no process, where owners are shown."""
    found = [socket for _, sockets in _by_list(host) for socket in _without_owner(sockets, host)]
    if found:
        preloaded = any(file.path == "/etc/ld.so.preload" and file.text.strip() for file in host.files)
        mining = any(socket.peer_port in PORTS for socket in found)
        reasons = [_of_socket(socket) for socket in found[:MAX_PLACES]]
        if preloaded:
            reasons.append(Text("a library is loaded into every program", "有动态库被加载到所有程序"))
        if mining:
            reasons.append(Text("a port that is usual for mining pools", "其中有矿池常用的端口"))
        yield state(
            "socket_without_owner",
            host,
            "; ".join(_ends(socket) for socket in found[:20]),
            [(socket.place, f"{socket.state} {_ends(socket)}") for socket in found[:MAX_PLACES]],
            count=len(found),
            severity="medium" if preloaded or mining else None,
            reasons=reasons,
        )


def rootkit_module(host: Host) -> Iterator[HostFinding]:
    """Modules of the kernel that are rootkits by their names; as context, others from outside of the kernel."""
    known = [module for module in host.modules if _ROOTKITS.fullmatch(module.name)]
    if known:
        yield state(
            "rootkit_module",
            host,
            ", ".join(dict.fromkeys(module.name for module in known[:20])),
            [(module.place, f"{module.name} {module.flags}".strip()) for module in known],
            reasons=[Text("a rootkit's module has this name", "该名称与已知 rootkit 的模块相同")],
        )
    foreign = [
        module for module in host.modules
        if "O" in module.flags and "E" in module.flags and module not in known and not _VENDORS.fullmatch(module.name)
    ]  # fmt: skip
    if foreign:
        yield state(
            "rootkit_module",
            host,
            ", ".join(dict.fromkeys(module.name for module in foreign[:20])),
            [(module.place, f"{module.name} {module.flags}") for module in foreign],
            severity="informational",
            confidence="low",
            kind="context",
            reasons=[Text("built outside of the kernel and not signed", "在内核之外编译且未签名")],
        )


def _unlisted(host: Host) -> Iterator[Suspicion]:
    said = Text(
        "its number answers when it is asked for, but no list shows it", "按进程号可以查到它，但任何列表都不显示它"
    )
    for process in host.processes:
        if not process.visible and not process.told_by:
            yield Suspicion(process, (said, Text(f"pid {process.pid}", f"进程号 {process.pid}")))


def _mounted_over(host: Host) -> Iterator[HostFinding]:
    over = dict[int, tuple[Place, str]]()
    for file in host.files:
        column = _MOUNTS.get(file.path)
        for place, line in lines_of(file) if column else ():
            words = line[:4096].split(" ")
            if column and len(words) > column and (found := _OVER.fullmatch(words[column])):
                over.setdefault(int(found[1]), (place, line))
    listed = {process.pid: process for process in host.processes if not process.told_by}
    for pid, (place, line) in sorted(over.items())[:50]:
        process = listed.get(pid)
        yield state(
            "hidden_process",
            host,
            process.command if process and process.visible else f"pid {pid}",
            [(place, line)],
            process=process,
            reasons=[
                Text(
                    f"something is mounted over /proc/{pid}, so that ps shows nothing of it",
                    f"/proc/{pid} 上挂载了其他内容，使 ps 无法显示该进程",
                )
            ],
        )


def _traced(host: Host) -> Iterator[HostFinding]:
    """Numbers that own sockets and have children, and that no list shows."""
    listed = {process.pid for process in host.processes if not process.told_by}
    owners = Counter(pid for socket in host.sockets for _, pid in socket.owners)
    if 1 not in listed or len(listed) < _WHOLE or sum(pid in listed for pid in owners) < _SEEN * len(owners):
        return
    children = dict[int, Process]()
    for process in host.processes:
        if process.ppid > 0 and not process.told_by:
            children.setdefault(process.ppid, process)
    for pid in sorted(owners.keys() & children.keys() - listed)[:50]:
        socket = next(one for one in host.sockets if any(owner == pid for _, owner in one.owners))
        name = next(name for name, owner in socket.owners if owner == pid)
        child = children[pid]
        yield state(
            "hidden_process",
            host,
            f"{name or '?'} (pid {pid})",
            [(socket.place, f"{socket.state} {_ends(socket)} {name} {pid}"), (child.place, child.command)],
            severity="medium",
            confidence="medium",
            kind="activity",
            reasons=[
                Text(
                    f"it owns {_ends(socket)} and is the parent of {child.pid}, but no list shows it",
                    f"它拥有 {_ends(socket)}，又是进程 {child.pid} 的父进程，但任何列表都不显示它",
                )
            ],
            containers=[child.container],
        )


def _by_list(host: Host) -> Iterator[tuple[str, list[Socket]]]:
    """The sockets of the machine's own namespace, by the list that shows them."""
    first = next((process for process in host.processes if process.pid == 1 and process.namespaces), None)
    home = dict(first.namespaces).get("net", "") if first else ""
    sockets = [
        socket for socket in host.sockets
        if socket.protocol == "tcp" and socket.state in ("ESTAB", "LISTEN") and socket.namespace in ("", home)
    ]  # fmt: skip
    sockets.sort(key=lambda socket: socket.place)
    for item, same in groupby(sockets, key=lambda socket: socket.place.item):
        yield item, list(same)


def _without_owner(sockets: list[Socket], host: Host) -> Iterator[Socket]:
    owned = sum(bool(socket.owners) for socket in sockets)
    if owned < 3 or owned < _OWNED * len(sockets):
        return
    # The lock manager of NFS listens on ports of its own choice.
    rpc = any(module.name in ("lockd", "nfsd", "nfs", "nfsv4", "sunrpc") for module in host.modules) or any(
        socket.state == "LISTEN" and socket.local_port in (111, 2049) for socket in sockets
    )
    for socket in sockets:
        if socket.owners or {socket.local_port, socket.peer_port} & _KERNELS or (rpc and socket.state == "LISTEN"):
            continue
        yield socket


def _ends(socket: Socket) -> str:
    peer = f" → {socket.peer_address}:{socket.peer_port}" if socket.peer_port else ""
    return f"{socket.local_address}:{socket.local_port}{peer}"


def _of_socket(socket: Socket) -> Text:
    return Text(f"no process holds {_ends(socket)}", f"没有进程持有 {_ends(socket)}")
