"""`kubewitness collect --cluster`: the API side, through the caller's own kubectl."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from kubewitness.cli.main import INCOMPLETE, USAGE
from kubewitness.cli.session import Session, language_of
from kubewitness.collect.cluster import Collected, Options, collect
from kubewitness.kube.interface import ApiError
from kubewitness.kube.kubectl import Kubectl
from kubewitness.model.errors import UsageError
from kubewitness.model.text import Language, Text

_SHOWN: Final = 20
_WROTE = Text("Wrote {path}: {objects:,} objects, {size:.1f} MiB", "已写入 {path}：{objects:,} 个对象，{size:.1f} MiB")
_SUM = Text(
    "sha256 {sha256}\n       keep it elsewhere: with it the archive proves itself",
    "sha256 {sha256}\n       请另存一份：可用于证明存档未被改动",
)
_SAFE = Text(
    "No value of a Secret was fetched; {redacted:,} values in other objects were redacted.",
    "未获取任何 Secret 的值；其他对象中有 {redacted:,} 个值已抹去。",
)
_NEXT = Text("Next: kubewitness investigate AUDIT-LOG {path}", "下一步：kubewitness investigate 审计日志 {path}")
_MISSING = Text("Not collected ({count}):", "未收集（{count} 项）：")
_MORE = Text("... and {count} more, all in the manifest", "……另有 {count} 项，均见 manifest")
_ABSENT = Text("Not in this cluster: {names}", "该集群没有：{names}")


def run(
    session: Session,
    *,
    output: Path | None = None,
    kubeconfig: Path | None = None,
    context: str = "",
    kubectl: str = "kubectl",
    namespaces: tuple[str, ...] = (),
    timeout: float = 60.0,
    max_size: int = 2 * 1024**3,
    quiet: bool = False,
) -> int:
    """Collect, and tell on standard error what came of it.

    Args:
        session: Of the program.
        output: The archive, or a folder for it; the working folder if none is named.
        kubeconfig: Instead of the one kubectl takes.
        context: Instead of the current one.
        kubectl: The program.
        namespaces: Only these, for identities that may not list everything.
        timeout: Seconds a request may take.
        max_size: Of the archive.
        quiet: No progress; what is missing is told all the same.

    Returns:
        0 all there is, 3 something is missing or nobody answered, 2 the call is wrong.

    Raises:
        UsageError: the place for the archive does not exist, or a name is none.
        CollectError: the archive cannot be written.
    """
    language = language_of(os.environ)
    folder, target = _place(output)
    for namespace in namespaces:
        _check(namespace)
    progress = _Progress(shown=not quiet)
    try:
        with Kubectl(kubectl, kubeconfig=kubeconfig, context=context, timeout=timeout) as api:
            done = collect(api, folder, Options(namespaces, max_size), progress.moved, target)
    except ApiError as error:
        progress.end()
        _say(error.told.in_(language))
        return USAGE if isinstance(error, UsageError) else INCOMPLETE
    progress.end()
    session.written.append(str(done.written.path))
    _tell(done, language)
    return INCOMPLETE if done.missing or done.written.full else 0


def _tell(done: Collected, language: Language) -> None:
    written = done.written
    if done.absent:
        names = ", ".join(sorted({one.path.rpartition("/")[2].removesuffix(".json") for one in done.absent}))
        _say(_ABSENT.in_(language).format(names=names))
    if done.missing:
        _say(_MISSING.in_(language).format(count=len(done.missing)))
        for one in done.missing[:_SHOWN]:
            _say(f"  {one.path.removeprefix('cluster/')}: {one.reason}")
        if len(done.missing) > _SHOWN:
            _say(f"  {_MORE.in_(language).format(count=len(done.missing) - _SHOWN)}")
        for step in done.advice:
            _say(f"  → {step.in_(language)}{'。' if language == 'zh' else '.'}")
    size = written.size / 1024**2
    _say(_WROTE.in_(language).format(path=written.path, objects=done.objects, size=size))
    _say(_SUM.in_(language).format(sha256=written.sha256))
    _say(_SAFE.in_(language).format(redacted=done.redacted))
    _say(_NEXT.in_(language).format(path=written.path))


def _place(output: Path | None) -> tuple[Path, Path | None]:
    """The folder, and the archive's path if a file was named."""
    if output is None or output.is_dir():
        return output or Path(), None
    if not output.parent.is_dir():
        raise UsageError(f"{output}: the folder {output.parent} does not exist")
    return output.parent, output


def _check(namespace: str) -> None:
    if not (0 < len(namespace) <= 63 and namespace.replace("-", "a").isalnum() and namespace.isascii()):
        raise UsageError(f"{namespace!r} is no name of a namespace")


class _Progress:
    """One line that changes on a terminal, a line a resource elsewhere."""

    def __init__(self, *, shown: bool) -> None:
        self._shown, self._live = shown, sys.stderr.isatty()
        self._member, self._count = "", 0

    def moved(self, member: str, objects: int) -> None:
        """A page came."""
        if not self._shown:
            return
        if self._live:
            click.echo(f"\r\x1b[K{_row(member, objects)}", err=True, nl=False)
        elif member != self._member:
            self.end()
        self._member, self._count = member, objects

    def end(self) -> None:
        """Nothing more comes of what was shown last."""
        if self._member:
            click.echo("\r\x1b[K" if self._live else _row(self._member, self._count), err=True, nl=not self._live)
        self._member = ""


def _row(member: str, objects: int) -> str:
    return f"  {member.removeprefix('cluster/').removesuffix('.json')}: {objects:,}"


def _say(message: str) -> None:
    click.echo(message, err=True)
