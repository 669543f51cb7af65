"""Docker's engine over the network, and the sockets of container runtimes on the machine.

Whoever speaks to the engine is root on the machine. Over TCP nobody is asked for a name unless `tlsverify` is on. The
engine takes its addresses from `-H` on its command line and from `hosts` in /etc/docker/daemon.json.

Source: dockerd reference (docs.docker.com/reference/cli/dockerd), "Protect the Docker daemon socket".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from kubewitness.model.host import FileEntry, Host, Socket
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.lines import lines
from kubewitness.posture.nodes.network import is_local, listening, own_sockets
from kubewitness.posture.nodes.telling import (
    at_file,
    at_line,
    at_place,
    at_socket,
    beside_the_point,
    failed,
    passed,
    same,
    unknown,
)
from kubewitness.posture.units import command_line

SUBJECT: Final = "docker"
_ENGINE: Final = re.compile(r"(?:\S{0,200}/)?(?:dockerd(?:-ce|-current)?|docker)")
_TCP: Final = re.compile(r"tcp://(?:\[([0-9A-Fa-f:.]{0,45})\]|([^:/\[\]\s]{0,253}))(?::(\d{1,5}))?/?")
_DAEMON: Final = "/etc/docker/daemon.json"
_TRUE: Final = frozenset(("true", "1", "t", "TRUE", "True"))
_SOCKETS: Final = re.compile(
    r"(?:/var)?/run/(?:docker\.sock|containerd/containerd\.sock|crio/crio\.sock|k3s/containerd/containerd\.sock|"
    r"cri-dockerd\.sock|podman/podman\.sock)"
)
_PLAIN_PORT: Final = 2375
_USUAL: Final = frozenset((_PLAIN_PORT, 2376))


class Address(msgspec.Struct, frozen=True):
    """An address the engine is told to listen on."""

    address: str  # empty: all
    port: int
    where: Where


class Engine(msgspec.Struct, frozen=True):
    """What is known of the engine's network side."""

    addresses: tuple[Address, ...]
    sockets: tuple[Socket, ...]  # of its own, not on loopback alone
    verified: bool  # clients must show a certificate
    seen: bool  # there is an engine, or a sign of one
    told: tuple[Where, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether somebody without a credential is served from elsewhere."""
        return not self.verified and bool(self.sockets or any(not is_local(one.address) for one in self.addresses))


def engine(host: Host) -> Engine:
    """The engine of this machine."""
    addresses, told, verified, seen = list[Address](), list[Where](), False, False
    starts: list[tuple[Sequence[str], Where]] = []
    for process in host.processes:
        words = process.argv or tuple(process.command.split())
        if words and _ENGINE.fullmatch(words[0]) and (not words[0].endswith("docker") or "daemon" in words[1:3]):
            starts.append((words[1:], at_place(process.place, process.command)))
    unit = command_line(host.files, "docker.service")
    if not starts and unit and unit.words:
        starts.append(([word.text for word in unit.words[1:]], at_line(unit.words[0].lines[0])))
    for given, where in starts:
        seen = True
        told.append(where)
        verified |= _flag(given, "--tlsverify")
        addresses += (Address(*found, where) for found in _addresses(_given(given)))
    for file in host.files:
        if file.path != _DAEMON or len(file.text) > 1 << 20:
            continue
        try:
            document = msgspec.json.decode(file.text)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            continue
        seen = True
        line = next((one for one in lines(file) if '"hosts"' in one.text), None)
        where = at_line(line) if line else at_place(file.place, path=file.path)
        verified |= reading.flag(document, "tlsverify") is True
        addresses += (Address(*found, where) for found in _addresses(reading.texts(document, "hosts")))
    # In a swarm the engine itself holds the published ports of containers; its API is on the usual or the told ports.
    ports = _USUAL | {one.port for one in addresses}
    sockets = tuple(
        one
        for one in listening(host)
        if (one.local_port in ports and any(name == "dockerd" for name, _ in one.owners))
        or (one.local_port == _PLAIN_PORT and not one.owners)
    )
    return Engine(tuple(addresses), sockets, verified, seen or bool(sockets), tuple(told))


def _given(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word in {"-H", "--host"}:
            yield following
        elif word.startswith("--host="):
            yield word.removeprefix("--host=")
        elif word.startswith("-H") and len(word) > 2:
            yield word[2:].removeprefix("=")


def _flag(words: Sequence[str], name: str) -> bool:
    return any(word == name or (word.startswith(f"{name}=") and word.partition("=")[2] in _TRUE) for word in words)


def _addresses(texts: Sequence[str] | Iterator[str]) -> Iterator[tuple[str, int]]:
    for text in texts:
        found = _TCP.fullmatch(text.strip("\"'"))
        if found:  # without an address the engine takes loopback
            yield found[1] or found[2] or "127.0.0.1", int(found[3] or _PLAIN_PORT)


def _tcp(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """The engine over TCP."""
    host = machine.host
    found = engine(host)
    where = [*(one.where for one in found.addresses), *map(at_socket, found.sockets)]
    heard = ", ".join(f"{one.address}:{one.port}" for one in found.addresses) or ", ".join(
        f"{one.local_address}:{one.local_port}" for one in found.sockets
    )
    if found.addresses or found.sockets:
        if found.verified:
            observed = Text(f"{heard}, to clients with a certificate alone", f"{heard}，仅接受持有证书的客户端")
            yield passed(machine, SUBJECT, observed, *where)
            return
        yield failed(
            machine,
            SUBJECT,
            Text(f"the engine serves {heard} without asking for a certificate", f"引擎在 {heard} 提供服务，不要求证书"),
            Text("a unix socket only, or tlsverify", "仅使用 unix socket，或启用 tlsverify"),
            *where,
            severity="critical" if found.is_open else "medium",
            reason=_ROOT if found.is_open else _LOCAL,
        )
    elif not found.seen:
        if host.processes or any(own_sockets(host)):
            yield beside_the_point(machine, SUBJECT, Text("no Docker engine runs here", "该机器没有运行 Docker 引擎"))
        else:
            yield unknown(machine, SUBJECT, _UNSEEN)
    elif host.sockets or found.told:
        yield passed(machine, SUBJECT, Text("no TCP address", "没有 TCP 监听地址"), *found.told)
    else:
        yield unknown(machine, SUBJECT, _UNSEEN)


def _socket_modes(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """Who may write to the socket of a container runtime."""
    found: list[FileEntry] = [
        one for one in (*machine.host.listing, *machine.host.copied) if _SOCKETS.fullmatch(one.path) and one.mode
    ]
    for one in found:
        mode, observed = one.mode.ljust(10, "-"), same(f"{one.path} {one.mode} {one.owner}".rstrip())
        if mode[8] == "w":
            expected = Text("writable for root and one group at most", "最多只允许 root 和一个用户组写入")
            yield failed(machine, one.path, observed, expected, at_file(one))
        else:
            yield passed(machine, one.path, observed, at_file(one))
    if not found:
        reason = Text(
            "the evidence lists no socket of a runtime: add `ls -l /run/docker.sock /run/containerd/containerd.sock`",
            "证据中没有列出运行时的 socket：请补充 `ls -l /run/docker.sock /run/containerd/containerd.sock`",
        )
        yield unknown(machine, "runtime", reason)


_ROOT: Final = Text(
    "whoever reaches that address starts a container with the machine's disk in it, and is root",
    "任何能访问该地址的人都可以启动挂载主机磁盘的容器，从而成为 root",
)
_LOCAL: Final = Text(
    "only the machine itself reaches it, which every process and every pod with hostNetwork does",
    "只有本机能访问，但本机的任何进程和任何使用 hostNetwork 的 Pod 都在其内",
)
_UNSEEN: Final = Text("neither processes nor sockets are in the evidence", "证据中既没有进程也没有套接字")

CHECKS: Final = (
    NodeCheck("checks/nodes/docker_tcp", _tcp),
    NodeCheck("checks/nodes/runtime_socket_mode", _socket_modes),
)
