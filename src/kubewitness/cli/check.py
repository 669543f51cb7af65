"""`kubewitness check`: how a cluster and its machines are set, live or from files, and what to do about it."""

from __future__ import annotations

import gc
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Final, get_args

import click
import msgspec
from click.shell_completion import CompletionItem

from kubewitness.cli.check_live import Connection, ask_cluster, has_configuration, is_node, look_here, showing
from kubewitness.cli.main import FINDINGS, INCOMPLETE, USAGE, context_settings
from kubewitness.cli.output import check_writable, is_stdout, screen, to_file, to_stdout
from kubewitness.cli.session import Session, language_of, now
from kubewitness.evidence.opening import anything_there
from kubewitness.incident.assess import Options, accepted, assess, nothing, probed, since, wanted
from kubewitness.kube.interface import ApiError
from kubewitness.model.errors import ContentError, EvidenceError, UsageError
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import CheckInfo, Group, PostureReport, Scope
from kubewitness.model.text import Language, Text
from kubewitness.posture import waivers as waiver_file
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.registry import CHECKS
from kubewitness.report.blocks import Column, Table, line, span
from kubewitness.report.check.document import from_json
from kubewitness.report.check.fixes import open_failures
from kubewitness.report.check.formats import FORMATS, View
from kubewitness.report.document import inert_json
from kubewitness.report.hostile import inert
from kubewitness.report.words import SEVERITY

_EPILOG = """\b
Examples:
  kubewitness check                                   # the cluster of your kubeconfig, and this node
  kubewitness check cluster --context prod
  sudo kubewitness check node
  kubewitness check kubewitness-*.tar.zst             # archives of `kubewitness collect`
  kubectl get clusterroles,clusterrolebindings,roles,rolebindings,pods -A -o json > dump.json
  kubewitness check dump.json --format html --output check.html --lang zh
  kubewitness check manifests/ --severity high --format sarif --output check.sarif
  kubewitness check fleet kubewitness-*.tar.zst
  kubewitness check fleet --like node2 kubewitness-*.tar.zst # is any other machine like this one?
  kubewitness check --probe 192.0.2.7:10250           # from outside, without a credential
  kubewitness check dump.json --format json -o before.json
  kubewitness check dump.json --baseline before.json --waivers accepted.yml

\b
Exit codes: 0 nothing failed, 1 something did (that is neither waived nor in the
baseline, of --severity or above), 2 wrong call, 3 the evidence is incomplete or
nothing in it could be judged (the report is still written)."""

_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_MOST: Final = 1 << 30  # bytes of a baseline
_HTML_NAME: Final = "kubewitness-check.html"
_WROTE = Text("Wrote {}", "已写入 {}")
_NODE_TOO = Text(
    "This machine is a node: its own settings are judged only as root (sudo kubewitness check).",
    "本机是一个节点：只有以 root 运行（sudo kubewitness check）才会检查其自身配置。",
)


class _Targets(click.ParamType):  # type: ignore[type-arg]  # generic only to the checker
    """The scopes and files, for completion."""

    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Scopes as the first word, then files."""
        first = not ctx.params.get("targets")
        scopes = [CompletionItem(one) for one in _SCOPES if first and one.startswith(incomplete)]
        return [*scopes, CompletionItem(incomplete, type="file")]


class _CheckId(click.ParamType):  # type: ignore[type-arg]  # generic only to the checker
    """The id of a check, or its last part."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it was given, if there is one."""
        known = _names()
        if value in known:
            return value
        near = get_close_matches(value, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "--list shows all"
        return self.fail(f"there is no check {inert(value)!r}; {hint}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Those that begin like it."""
        return [CompletionItem(one) for one in _names() if one.startswith(incomplete)]


def _names() -> list[str]:
    ids = sorted(catalogue())
    return [*(one.partition("/")[2] for one in ids), *dict.fromkeys(one.rpartition("/")[2] for one in ids), *ids]


@dataclass(frozen=True)
class _Asked:
    """What the words on the command line mean."""

    scope: Scope | None
    paths: tuple[str, ...]
    cluster: bool  # ask the API server
    node: bool  # look at this machine


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("targets", nargs=-1, type=_Targets(), metavar="[cluster|node|fleet] [TARGET]...")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True,
    help="What to print or write.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
    help="Write it here instead of standard output; the file is readable by you only.",
)  # fmt: skip
@click.option(
    "--lang", "language", type=click.Choice(["en", "zh"]), help="Language of the report  [default: from the locale]"
)
@click.option(
    "--group", "groups", multiple=True, type=click.Choice(get_args(Group)), help="Only these. May be repeated."
)
@click.option("--check", "checks", multiple=True, type=_CheckId(), metavar="ID", help="Only these. May be repeated.")
@click.option(
    "--severity", "minimum", type=click.Choice(SEVERITIES), default="low", show_default=True,
    help="Least severity of failures that are listed and count for the exit code. JSON and SARIF always have all.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="List what passed and what does not apply, too.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="REPORT.json",
    help="An earlier report (--format json): only what is new counts; says what is gone, too.",
)  # fmt: skip
@click.option(
    "--waivers", type=click.Path(path_type=Path), metavar="FILE.yml",
    help="Failures somebody accepts, each with owner, reason and a last day.",
)  # fmt: skip
@click.option(
    "--kubernetes-version", "version", default="", metavar="VERSION",
    help="Of the API server, such as 1.31, where the evidence does not tell it.",
)  # fmt: skip
@click.option(
    "--like", default="", metavar="NODE",
    help="Which other machines are set like this one in what fails on it? Needs the archives of all.",
)  # fmt: skip
@click.option(
    "--probe", "addresses", multiple=True, metavar="HOST[:PORT]",
    help="Also ask this address from here, without a credential, whether it lets strangers in. May be repeated. "
    "Only what you name is asked; name nothing that is not yours.",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List all checks with their ids; nothing is checked.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), metavar="FILE", help="Instead of kubectl's own choice.")
@click.option("--context", "kube_context", default="", metavar="NAME", help="The context to use.")
@click.option("--kubectl", default="kubectl", metavar="PATH", help="The kubectl to run.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes, only the report.")
@click.pass_obj
def check(
    session: Session, *, targets: tuple[str, ...], form: str, output: Path | None, language: Language | None,
    groups: tuple[Group, ...], checks: tuple[str, ...], minimum: Severity, everything: bool, baseline: Path | None,
    waivers: Path | None, version: str, like: str, addresses: tuple[str, ...], listing: bool,
    kubeconfig: Path | None, kube_context: str, kubectl: str,
    quiet: bool,
) -> int:  # fmt: skip
    """Check how a cluster and its nodes are set: what would let an intruder in, and what to do about it.

    TARGET is a file, a folder, a glob or - for standard input: archives of `kubewitness collect`, dumps of `kubectl get
    -o json|yaml`, manifests. Without one, `cluster` asks the API server through your kubectl (read-only), `node` looks
    at this machine, and neither of them does what applies: the cluster of your kubeconfig, and this machine if it is a
    node and you are root. The first word says what to judge; a file of that name is ./node. Everything stays here.
    """
    chosen = language or language_of(os.environ)
    options = Options(
        groups=tuple(groups), checks=tuple(checks), now=now(), version=_version(version),
        exclude=tuple(one for one in (output, baseline, waivers) if one), like=like,
    )  # fmt: skip
    if listing:
        return _list(options, targets, chosen, form)
    connection = Connection(kubeconfig, kube_context, kubectl)
    asked = None if addresses and not targets else _asked(targets, connection, chosen, quiet=quiet)
    if like and not (asked and asked.paths):
        raise UsageError(
            "--like goes with the archives of the machines: kubewitness check fleet --like NODE ARCHIVE..."
        )
    if output:
        check_writable(output)
    rules = _waivers(waivers)
    before = _baseline(baseline)
    if asked:
        options = replace(options, scopes=(asked.scope,) if asked.scope else (), live=not asked.paths)
    gc.disable()  # millions of parts of documents, none of them in a circle: looking for circles takes most of the time
    try:
        report = _report(asked, options, connection, chosen, quiet=quiet) if asked else nothing(options)
        if addresses:
            report = probed(report, import_module("kubewitness.cli.check_probe").probe(addresses))
    except ApiError as error:
        click.echo(error.told.in_(chosen), err=True)
        return USAGE if isinstance(error, UsageError) else INCOMPLETE
    finally:
        gc.enable()
    if rules:
        report = accepted(report, rules, options.now)
    if before and baseline:
        report = since(report, before, str(baseline))
    _deliver(report, form, output, View(chosen, minimum=minimum, everything=everything), session, quiet=quiet)
    return exit_code(report, minimum)


def exit_code(report: PostureReport, minimum: Severity) -> int:
    """What could not be read outweighs failures: such a report must not look like an answer."""
    if not report.complete or not any(one.status in {"pass", "fail"} for one in report.results):
        return INCOMPLETE
    return FINDINGS if open_failures(report, minimum) else 0


def _asked(targets: Sequence[str], connection: Connection, language: Language, *, quiet: bool) -> _Asked:
    """What to judge, and what of it to ask live.

    Raises:
        UsageError: there is nothing to check.
    """
    scope: Scope | None = next((one for one in _SCOPES if targets and targets[0] == one), None)
    paths = tuple(targets[1:] if scope else targets)
    if paths:
        if connection.named:
            raise UsageError("--kubeconfig and --context go without TARGET: files are judged, no API server is asked")
        if not anything_there(paths):
            raise UsageError(f"{inert(', '.join(paths[:3]))}{' ...' if paths[3:] else ''}: no such file or directory")
        return _Asked(scope, paths, cluster=False, node=False)
    if scope == "fleet":
        raise UsageError("name the archives of the machines: kubewitness check fleet kubewitness-*.tar.zst")
    if scope:
        return _Asked(scope, (), cluster=scope == "cluster", node=scope == "node")
    cluster, node = has_configuration(connection, os.environ), is_node() and not connection.named
    if node and os.geteuid() and cluster:
        _note(_NODE_TOO.in_(language), quiet=quiet)
        node = False
    if not cluster and not node:
        raise UsageError(
            "nothing to check: there is no kubeconfig, and this machine is no node. Name archives, dumps or manifests, "
            "or a cluster with --kubeconfig FILE"
        )
    return _Asked(None, (), cluster, node)


def _report(
    asked: _Asked, options: Options, connection: Connection, language: Language, *, quiet: bool
) -> PostureReport:
    with showing(language, quiet=quiet) as shown:
        if asked.paths:
            return assess(asked.paths, options, sys.stdin.buffer if "-" in asked.paths else None, shown.phase)
        with tempfile.TemporaryDirectory(prefix="kubewitness-check-") as folder:
            whole = True
            if asked.cluster:
                whole &= ask_cluster(connection, Path(folder), shown, language)
            if asked.node:
                whole &= look_here(Path(folder), shown, language)
            report = assess((folder,), options, progress=shown.phase)
    return report if whole else msgspec.structs.replace(report, complete=False)


def _note(message: str, *, quiet: bool) -> None:
    if not quiet:
        click.echo(message, err=True)


def _waivers(path: Path | None) -> tuple[waiver_file.Rule, ...]:
    if path is None:
        return ()
    try:
        return waiver_file.read(path)
    except ContentError as error:
        raise UsageError(inert(str(error))) from error


def _baseline(path: Path | None) -> PostureReport | None:
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
    except FileNotFoundError as error:
        raise UsageError(f"{inert(str(path))}: no such file or directory") from error
    except OSError as error:
        raise EvidenceError(f"{inert(str(path))} could not be read: {error.strerror or error}") from error
    if len(data) > _MOST:
        raise EvidenceError(f"{inert(str(path))} is larger than 1 GiB")
    return from_json(data, str(path))


def _version(text: str) -> str:
    """As the API server says it: "1.31" → "v1.31"."""
    found = re.fullmatch(r"v?(\d{1,3}\.\d{1,4}(?:\.\d{1,6})?[\w.+-]{0,80})", text)
    if text and found is None:
        raise UsageError(f"--kubernetes-version {inert(text)!r} is no version such as 1.31 or v1.31.4")
    return f"v{found[1]}" if found else ""


def _deliver(
    report: PostureReport, form: str, output: Path | None, view: View, session: Session, *, quiet: bool
) -> None:
    """Render the report and put it where it belongs."""
    if output is None and form == "html" and sys.stdout.isatty():
        output = Path(_HTML_NAME)  # a page of markup on a terminal helps nobody
        check_writable(output)
    if output is None or is_stdout(output):
        width, colour = screen()
        to_stdout(FORMATS[form](report, replace(view, width=width, colour=colour)))
        return
    to_file(output, FORMATS[form](report, view), session)
    _note(_WROTE.in_(view.language).format(output), quiet=quiet)


def _list(options: Options, targets: Sequence[str], language: Language, form: str) -> int:
    """All checks that would be run."""
    scopes = tuple(one for one in _SCOPES if one in targets[:1])
    options = replace(options, scopes=scopes)
    infos = catalogue()
    chosen = [infos[one.id] for one in CHECKS if wanted(infos[one.id], options)]
    if form == "json":
        text = msgspec.json.format(msgspec.json.encode(chosen), indent=2).decode()
        to_stdout(inert_json(text).encode() + b"\n")
        return 0
    from kubewitness.report.text import draw  # noqa: PLC0415 -- rich takes longer to load than all the rest

    width, colour = screen()
    if not chosen:
        return 0
    to_stdout(draw([_table(chosen, language)], width, colour=colour).encode())
    return 0


def _table(chosen: Sequence[CheckInfo], language: Language) -> Table:
    rows = tuple(
        (
            line(span(info.id.partition("/")[2], "code")),
            line(span(SEVERITY[info.severity].in_(language), info.severity)),
            line(span(info.scope)),
            line(span(info.title.in_(language))),
        )
        for info in chosen
    )
    return Table((Column("id"), Column(""), Column(""), Column("", wide=True)), rows)
