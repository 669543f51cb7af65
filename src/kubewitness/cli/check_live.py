"""What `kubewitness check` asks itself where no evidence is named: the API server, this machine.

Both go the road of evidence: they are collected as `kubewitness collect` would, into a folder that is removed
afterwards, and judged from there. So live and offline cannot differ.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from kubewitness.model.text import Language, Text
from kubewitness.report.hostile import inert

_NODE_SIZE: Final = 512 * 1024**2
_NODE_TIME: Final = 300.0
_JOURNAL: Final = 3600.0  # settings are judged, not logs
_KUBELETS: Final = ("/var/lib/kubelet", "/etc/rancher/k3s", "/etc/rancher/rke2", "/var/lib/k0s", "/etc/kubernetes")

_ASKING = Text("Asking the API server: {}", "正在查询 API server：{}")
_LOOKING = Text("Looking at this machine: {}", "正在检查本机：{}")
_PHASES: Final = {
    "open": Text("Opening the evidence", "打开证据"),
    "machines": Text("Reading machines", "读取节点"),
    "cluster": Text("Reading the cluster", "读取集群"),
    "judge": Text("Judging", "判定"),
}
_NOT_ROOT = Text(
    "NOT ROOT: files of others, owners of sockets and packet filters cannot be read; what needs them is not "
    "evaluated. Run it with sudo.",
    "当前不是 root：无法读取其他用户的文件、套接字所属进程与防火墙规则，依赖它们的检查不会评估。请用 sudo 运行。",
)
_MISSING = Text("Not collected: {path}: {reason}", "未收集：{path}：{reason}")


@dataclass(frozen=True)
class Connection:
    """How to reach the API server."""

    kubeconfig: Path | None = None
    context: str = ""
    kubectl: str = "kubectl"
    timeout: float = 60.0

    @property
    def named(self) -> bool:
        """The user said which."""
        return bool(self.kubeconfig or self.context)


class Shown:
    """What is being done: a line that changes on a terminal, nothing elsewhere."""

    def __init__(self, language: Language, *, quiet: bool) -> None:
        self._language, self._live = language, not quiet and sys.stderr.isatty()
        self._last = 0.0

    def phase(self, name: str) -> None:
        """Of the judging."""
        self._show(_PHASES[name].in_(self._language) if name in _PHASES else name)

    def cluster(self, member: str, objects: int) -> None:
        """A page of the API server came."""
        name = member.removeprefix("cluster/").removesuffix(".json")
        self._show(_ASKING.in_(self._language).format(f"{name} {objects:,}"))

    def node(self, title: Text, number: int, count: int, written: int) -> None:  # noqa: ARG002 - collect's form
        """A piece of the machine."""
        self._show(_LOOKING.in_(self._language).format(f"{title.in_(self._language)} {number}/{count}"))

    def end(self) -> None:
        """The line is taken away."""
        if self._live and self._last:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._last = 0.0

    def _show(self, text: str) -> None:
        if self._live:
            click.echo(f"\r\x1b[K  {text}"[:120], err=True, nl=False)
            self._last = time.monotonic()


def is_node(root: str = "/") -> bool:
    """Whether this machine looks like a node."""
    return any((Path(root) / path.lstrip("/")).is_dir() for path in _KUBELETS)


def has_configuration(connection: Connection, environment: Mapping[str, str]) -> bool:
    """Whether there is a kubeconfig, so that asking an API server is what the user means."""
    if connection.named or environment.get("KUBECONFIG"):
        return True
    home = environment.get("HOME", "")
    return bool(home) and (Path(home) / ".kube" / "config").is_file()


def ask_cluster(connection: Connection, folder: Path, shown: Shown, language: Language) -> bool:
    """Collect the cluster into `folder`; whether all of it came.

    Raises:
        ApiError: nobody answers.
    """
    from kubewitness.collect import cluster  # noqa: PLC0415 -- takes longer to load than help takes to print
    from kubewitness.kube.kubectl import Kubectl  # noqa: PLC0415

    with Kubectl(
        connection.kubectl, kubeconfig=connection.kubeconfig, context=connection.context, timeout=connection.timeout
    ) as api:
        done = cluster.collect(api, folder, cluster.Options(), shown.cluster)
    shown.end()
    for one in done.missing[:10]:
        path = one.path.removeprefix("cluster/")
        _say(_MISSING.in_(language).format(path=inert(path), reason=inert(one.reason)))
    for step in done.advice if done.missing else ():
        _say(f"  → {step.in_(language)}")
    return all(one.path.endswith("/discovery.json") for one in done.missing)  # an extension's API that is down


def look_here(folder: Path, shown: Shown, language: Language) -> bool:
    """Collect this machine into `folder`; whether all of it could be read."""
    from kubewitness.collect import node  # noqa: PLC0415

    if os.geteuid():
        _say(_NOT_ROOT.in_(language))
    options = node.Options(max_size=_NODE_SIZE, max_time=_NODE_TIME, since=_JOURNAL)
    stop = node.Stop(options.max_time)
    about = node.header(options, time.time())
    done = node.collect(options, folder / "node.tar.zst", about, stop, shown.node)
    shown.end()
    return done.complete and not os.geteuid()


@contextmanager
def showing(language: Language, *, quiet: bool) -> Iterator[Shown]:
    """A line of progress that is gone at the end."""
    shown = Shown(language, quiet=quiet)
    try:
        yield shown
    finally:
        shown.end()


def _say(message: str) -> None:
    click.echo(message, err=True)
