"""`kubewitness collect`: what a node can still tell, in one archive; `--cluster` and `--script` are its other ways."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Final

import click

from kubewitness.cli.main import INCOMPLETE, INTERRUPTED, context_settings
from kubewitness.cli.output import check_folder, to_stdout
from kubewitness.cli.session import Session, language_of
from kubewitness.collect import node
from kubewitness.model.collection import Header
from kubewitness.model.errors import KubewitnessError, UsageError
from kubewitness.model.text import Language, Text
from kubewitness.report.hostile import inert

_EPILOG = """\b
Examples:
  sudo kubewitness collect
  sudo kubewitness collect --output /mnt/usb --max-size 4GiB --since 30d
  kubewitness collect --script > collect.sh     # for nodes without Python
  kubewitness collect --cluster --context prod

\b
Exit codes: 0 everything was collected, 2 wrong call, 3 a limit was reached or something
could not be collected (the archive is written and says what), 130 interrupted (the same)."""

_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LEAST: Final = 64 * 1024**2  # free bytes to begin with
_SHARE: Final = 0.8  # of the free bytes may be used

_WROTE = Text(
    "Wrote {path}: {items:,} items, {size:.1f} MiB, {seconds:.0f} s",
    "已写入 {path}：{items:,} 项，{size:.1f} MiB，用时 {seconds:.0f} 秒",
)
_SUMS = Text(
    "sha256 of the archive    {archive}\nsha256 of its manifest   {manifest}\n"
    "Keep these two lines somewhere else: with them the archive proves that nobody changed it.",
    "归档的 sha256       {archive}\nmanifest 的 sha256  {manifest}\n请将这两行另存他处：日后可据此证明归档未被改动。",
)
_NEXT = Text("Next: kubewitness investigate {path}", "下一步：kubewitness investigate {path}")
_SENSITIVE = Text(
    "Private keys and secret values are left out, but logs and shell histories are as they were: "
    "handle it as confidential.",
    "私钥与机密值未被收集，但日志与 shell 历史保持原样：请按机密资料处理。",
)
_NOT_ROOT = Text(
    "NOT ROOT: files, sockets' owners, executables and environments of other users, packet filters and most logs will "
    "be missing. Run it again with sudo if you can.",
    "当前不是 root：其他用户的文件、套接字所属进程、可执行文件与环境变量、防火墙规则以及大部分日志都将缺失。"
    "如有条件，请用 sudo 重新运行。",
)
_FULL = Text(
    "The limit of size was reached (--max-size {size}): what was left out is in the manifest.",
    "已达到大小上限（--max-size {size}）：未收集的内容见 manifest。",
)
_LATE = Text(
    "Time was up (--max-time {time}): what was left out is in the manifest.",
    "已达到时间上限（--max-time {time}）：未收集的内容见 manifest。",
)
_STOPPED = Text(
    "Interrupted: the archive is whole in itself and holds what there was until then.",
    "已中断：归档本身完好，包含中断之前收集到的内容。",
)
_FAILED = Text("Could not be collected: {what}", "未能收集：{what}")
_SLOW = Text("Commands that took too long: {what}", "超时的命令：{what}")
_OMITTED = Text(
    "Left out or cut: {count:,}, each with its reason in the manifest",
    "{count:,} 项被略去或截断，原因逐条记录在 manifest 中",
)
_HIDDEN = Text(
    "{count} processes are HIDDEN: they answer to their number and /proc does not list them ({pids})",
    "发现 {count} 个隐藏进程：按编号询问有应答，/proc 却未列出（{pids}）",
)
_SMALLER = Text(
    "Only {free:.1f} GiB are free: the archive will not exceed {size:.1f} GiB.",
    "可用空间仅 {free:.1f} GiB：归档不会超过 {size:.1f} GiB。",
)
_ENDING = Text("Coming to an end; press Ctrl-C again to drop everything.", "正在收尾；再按一次 Ctrl-C 将放弃全部内容。")


class Amount(click.ParamType):  # type: ignore[type-arg]  # generic only to the checker
    """A number with a unit: 2GiB, 10m, 7d."""

    def __init__(self, name: str, units: dict[str, int]) -> None:
        self.name, self._units = name, units

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """To bytes or seconds."""
        if not isinstance(value, str):
            return float(value)
        found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s?([a-zA-Z]{0,3})", value.strip())
        unit = found[2].lower().removesuffix("b").removesuffix("i") if found else ""
        if found is None or unit not in self._units or float(found[1]) <= 0:
            self.fail(f"{value!r} is no {self.name}", param, ctx)
        return float(found[1]) * self._units[unit]


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="Folder, or file that does not exist yet  [default: the working folder]",
)
@click.option("--max-size", type=Amount("size", _UNITS), default="2GiB", show_default=True, help="Of the archive.")
@click.option("--max-time", type=Amount("time", _SECONDS), default="10m", show_default=True, help="For everything.")
@click.option("--since", type=Amount("time", _SECONDS), default="7d", show_default=True, help="Of the journal.")
@click.option(
    "--environ-values",
    is_flag=True,
    help="Keep the values of processes' environment variables, except those named like secrets (KEY, TOKEN, PASS ...).",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/"),
    metavar="DIR",
    help="Collect from the file system of another machine mounted there; no command is run.",
)
@click.option("--script", is_flag=True, help="Print a POSIX sh script that collects the same on nodes without Python.")
@click.option(
    "--cluster", is_flag=True, help="Collect from the API server with your kubectl, read-only, no secret values."
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --cluster: instead of kubectl's own choice.",
)
@click.option("--context", "kube_context", default="", metavar="NAME", help="With --cluster: the context to use.")
@click.option("--kubectl", default="kubectl", metavar="PATH", help="With --cluster: the kubectl to run.")
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="With --cluster: only this one. May be repeated.",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="With --cluster: for each request.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress; only what is wrong, and the sums.")
@click.pass_obj
def collect(
    session: Session, *, output: Path | None, max_size: float, max_time: float, since: float, environ_values: bool,
    root: Path, script: bool, cluster: bool, kubeconfig: Path | None, kube_context: str, kubectl: str,
    namespaces: tuple[str, ...], timeout: int, quiet: bool,
) -> int:  # fmt: skip
    """Collect the evidence of this node into one archive, before it is gone.

    Run it as root on a node you suspect. It writes one file and changes nothing else: processes out of /proc, sockets,
    packet filters, kubelet and runtime configuration, logs, cron, keys that let somebody in, temporary folders. Private
    keys and secret values stay on the machine.
    """
    if script and cluster:
        raise UsageError("--script and --cluster are two different things; choose one")
    if not cluster and (kubeconfig or kube_context or namespaces):
        raise UsageError("--kubeconfig, --context and --namespace go with --cluster")
    if script:
        to_stdout(import_module("kubewitness.collect.script").text().encode())
        return 0
    if cluster:
        run: Callable[..., int] = import_module("kubewitness.cli.collect_cluster").run
        return run(
            session, output=output, kubeconfig=kubeconfig, context=kube_context, kubectl=kubectl, namespaces=namespaces,
            timeout=timeout, max_size=int(max_size), quiet=quiet,
        )  # fmt: skip
    language = language_of(os.environ)
    options = node.Options(int(max_size), max_time, since, environ_values, str(root.resolve()))
    begun = time.time()
    about = node.header(options, begun)
    target = _target(output, about, begun)
    options, free = _fitting(options, target)
    if free:
        _say(_SMALLER.in_(language).format(free=free / 1024**3, size=options.max_size / 1024**3))
    if os.geteuid() and not quiet:
        _say(_NOT_ROOT.in_(language))
    stop = node.Stop(max_time)
    _be_gentle()
    with _interruptible(stop, language), _shown(language, quiet=quiet) as progress:
        done = node.collect(options, target, about, stop, progress)
    session.written.append(str(target))
    _tell(done, options, time.time() - begun, language, quiet=quiet)
    if done.interrupted:
        return INTERRUPTED
    return 0 if done.complete and not done.timed_out and not os.geteuid() else INCOMPLETE


def _target(output: Path | None, about: Header, now: float) -> Path:
    """The archive's path; nothing stands there yet."""
    host = re.sub(r"[^A-Za-z0-9.-]+", "_", about.host)[:100].strip(".") or "host"
    name = f"kubewitness-{host}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}.tar.zst"
    if output is None or output.is_dir():
        output = (output or Path()) / name
    if output.exists() or output.is_symlink():
        raise UsageError(f"{output} exists; nothing is ever overwritten")
    check_folder(output)
    if not os.access(output.parent, os.W_OK):
        raise UsageError(f"{output} cannot be written: permission denied")
    return output


def _fitting(options: node.Options, target: Path) -> tuple[node.Options, int]:
    """The limit of size that the disk allows, and the free bytes if they are what limits."""
    free = shutil.disk_usage(target.parent).free
    if free < _LEAST:
        raise KubewitnessError(
            f"{target.parent} has only {free // 1024**2} MiB free; name another place with --output (a disk, a share)"
        )
    room = int(free * _SHARE)
    if options.max_size <= room:
        return options, 0
    return node.Options(room, options.max_time, options.since, options.values, options.root), free


def _be_gentle() -> None:
    """A node at work comes first; not idle, though: a machine that a miner keeps busy would never get done."""
    with suppress(OSError):
        os.nice(max(0, 10 - os.nice(0)))
    if program := shutil.which("ionice"):
        with suppress(OSError, subprocess.SubprocessError):
            command = [program, "-c", "2", "-n", "7", "-p", str(os.getpid())]
            subprocess.run(command, capture_output=True, timeout=5, check=False)  # noqa: S603


@contextmanager
def _interruptible(stop: node.Stop, language: Language) -> Iterator[None]:
    """The first Ctrl-C (or the end of the session) finishes the archive, the second drops it."""

    def asked(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's form
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()
        _say(_ENDING.in_(language))

    before: list[tuple[signal.Signals, object]] = []
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_IGN:  # nohup: it shall outlive its session
                continue
            with suppress(ValueError):  # not in the main thread
                before.append((number, signal.signal(number, asked)))
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)  # type: ignore[arg-type]


@contextmanager
def _shown(language: Language, *, quiet: bool) -> Iterator[node.Progress]:
    """What is being done: a bar on a terminal, a line a piece elsewhere."""
    if quiet or not sys.stderr.isatty():

        def told(title: Text, number: int, count: int, written: int) -> None:
            if not quiet:
                _say(f"[{min(number + 1, count)}/{count}] {title.in_(language)} ({written / 1024**2:.1f} MiB)")

        yield told
        return
    bar = import_module("kubewitness.cli.progress_bar").steps
    with bar() as move:
        yield lambda title, number, count, written: move(title.in_(language), number, count, written)


def _tell(done: node.Result, options: node.Options, seconds: float, language: Language, *, quiet: bool) -> None:
    written = done.written
    if done.hidden:
        pids = ", ".join(map(str, done.hidden[:10])) + (", ..." if len(done.hidden) > 10 else "")
        _say(_HIDDEN.in_(language).format(count=len(done.hidden), pids=pids))
    if done.interrupted:
        _say(_STOPPED.in_(language))
    if done.out_of_time:
        _say(_LATE.in_(language).format(time=f"{options.max_time:g}s"))
    if written.full:
        _say(_FULL.in_(language).format(size=f"{options.max_size / 1024**2:.0f}MiB"))
    if done.failed:
        _say(_FAILED.in_(language).format(what="; ".join(done.failed)))
    if done.timed_out:
        _say(_SLOW.in_(language).format(what="; ".join(done.timed_out[:10])))
    if written.omitted and not quiet:
        _say(_OMITTED.in_(language).format(count=written.omitted))
    size = written.size / 1024**2
    path = inert(str(written.path))
    _say(_WROTE.in_(language).format(path=path, items=written.items, size=size, seconds=seconds))
    _say(_SUMS.in_(language).format(archive=written.sha256, manifest=written.manifest_sha256))
    if not quiet:
        _say(_SENSITIVE.in_(language))
        _say(_NEXT.in_(language).format(path=path))


def _say(message: str) -> None:
    with suppress(OSError):  # a terminal that is gone costs no evidence
        click.echo(message, err=True)
