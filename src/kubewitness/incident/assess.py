"""The whole road of a check once: evidence → a cluster and its machines → checks → one report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from kubewitness import __version__
from kubewitness.evidence.opening import Source, walk
from kubewitness.model.cluster import NOT_SERVED, Cluster
from kubewitness.model.errors import UsageError
from kubewitness.model.evidence import EvidenceItem, Note, ParseFailure, Place
from kubewitness.model.posture import SCHEMA_VERSION, CheckInfo, Group, PostureReport, Remedy, Result, Scope, Where
from kubewitness.model.text import Text
from kubewitness.posture import baseline, waivers
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Machine, Snapshot, named, ranked, run
from kubewitness.posture.credentials.inventory import inventory
from kubewitness.posture.registry import CHECKS
from kubewitness.posture.usage import Usage
from kubewitness.sources.host.hosts import read_hosts
from kubewitness.sources.kube_cluster import read_cluster

Progress = Callable[[str], None]  # "open", "machines", "cluster", "judge"


@dataclass(frozen=True)
class Options:
    """What to check. `now` is injected so that the same input gives the same bytes."""

    scopes: tuple[Scope, ...] = ()  # empty: all
    groups: tuple[Group, ...] = ()  # empty: all
    checks: tuple[str, ...] = ()  # ids or their last parts; empty: all
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    exclude: tuple[Path, ...] = ()
    version: str = ""  # of the API server, where the evidence does not tell it
    live: bool = False  # `paths` are archives of a moment ago, whose names mean nothing to anybody
    like: str = ""  # a machine the others are held against


def assess(
    paths: Sequence[str], options: Options, stdin: BinaryIO | None = None, progress: Progress = lambda _: None
) -> PostureReport:
    """Check evidence.

    Args:
        paths: archives, dumps, manifests, folders of them; "-" for `stdin`.
        options: see `Options`.
        stdin: what "-" means.
        progress: told what is done next.

    Raises:
        EvidenceError: nothing of what was named can be opened.
        UsageError: `like` names no machine of the evidence.
    """
    progress("open")
    everything = list(walk(paths, stdin, options.exclude))
    progress("machines")
    machines = read_hosts(everything, options.now.year)
    rest = [source for source in everything if source.name not in machines.items]
    progress("cluster")
    objects = read_cluster(rest)
    cluster = objects.cluster
    if cluster is not None:
        cluster.live = options.live
        cluster.version = options.version or cluster.version
    usage, logs = _usage([one for one in rest if one.name not in objects.items])
    snapshot = Snapshot(cluster, tuple(Machine(host) for host in machines.hosts), usage, options.now)
    infos = catalogue()
    chosen = [check for check in CHECKS if wanted(infos[check.id], options)]
    progress("judge")
    results = run(chosen, infos, snapshot)
    if options.like:
        results = ranked((*results, *_named(_like(snapshot, options.like), infos, LIKE)))
    asked = [infos[check.id] for check in chosen]
    asked += [LIKE] if options.like and LIKE.id not in infos else []
    kinds = {**machines.items, **objects.items, **dict.fromkeys(logs.items, _AUDIT_LOG)}
    unknown = [Note(Place(one.name, 0, 0), _UNKNOWN) for one in everything if not (one.name in kinds or one.error)]
    report = PostureReport(
        SCHEMA_VERSION,
        f"kubewitness {__version__}",
        options.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tuple(machine.target for machine in snapshot.machines),
        cluster.name if cluster else "",
        cluster.version if cluster else "",
        tuple(asked),
        results,
        credentials=inventory(snapshot) if not options.groups or "credentials" in options.groups else (),
        items=tuple(logs.items.get(one.name) or _item(one, kinds) for one in everything),
        notes=(*machines.notes, *objects.notes, *logs.notes, *unknown[:_NOTES]),
        parse_failures=(*machines.failures, *objects.failures, *logs.failures)[:_FAILURES],
        complete=not (machines.failures or objects.failures or logs.failures or any(one.error for one in everything))
        and not _refused(cluster)
        and bool(cluster or machines.hosts),
    )
    return by_member(report) if options.live else report


LIKE = CheckInfo(
    "checks/fleet/like",
    Text("Machines like the one that was named", "与指定节点情况相同的节点"),
    Text(
        "What let an intruder into one machine lets the next one into every machine that is set alike.",
        "入侵者利用某个节点的配置得手后，配置相同的节点同样可以被入侵。",
    ),
    "high",
    "fleet",
    "fleet",
    Remedy(
        Text("Mend on these machines what is mended on the first", "在这些节点上做同样的修复"),
        Text("Each machine's failures, and what mends them, are told by:", "各节点的不合格项及修复命令见："),
        "kubewitness check node kubewitness-*.tar.zst",
        breaks=Text("What is said there of each.", "见各项的说明。"),
    ),
)
PROBED = CheckInfo(
    "checks/nodes/probe",
    Text("An address answers without a credential", "地址无需凭据即可访问"),
    Text(
        "What was asked from here without a credential, every scanner asks: the answer is what an intruder gets.",
        "此处不带凭据发出的请求，任何扫描者都能发出；得到的应答就是入侵者能得到的。",
    ),
    "critical",
    "nodes",
    "node",
    Remedy(Text("Close the port to strangers and require a credential", "封闭该端口并要求提供凭据")),
)


@dataclass(frozen=True)
class _Logs:
    """What was read of audit logs."""

    items: Mapping[str, EvidenceItem] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    failures: tuple[ParseFailure, ...] = ()


def _usage(sources: Sequence[Source]) -> tuple[Usage | None, _Logs]:
    """Who used what, if there is an audit log among the sources."""
    if not sources:
        return None, _Logs()
    from kubewitness.incident.usage import audit_logs, read_usage  # noqa: PLC0415 -- rules and their matcher: slow

    found = audit_logs(sources)
    if not found:
        return None, _Logs()
    usage, scan = read_usage(found)
    return usage, _Logs({item.name: item for item in scan.items}, tuple(scan.notes), tuple(scan.failures))


_AUDIT_LOG = "audit log"
_UNKNOWN = "nothing in it that a check could read"
_NOTES = 200
_DISCOVERY = "discovery"
_FAILURES = 1_000


def by_member(report: PostureReport) -> PostureReport:
    """The report with items named as they lie in their archive: "cluster/core/pods.json", "[root]/etc/passwd"."""

    def where(places: tuple[Where, ...]) -> tuple[Where, ...]:
        return tuple(replace(one, item=_member(one.item)) for one in places)

    def place(one: Place) -> Place:
        return replace(one, item=_member(one.item))

    results = (
        replace(one, where=where(one.where), hops=tuple(replace(hop, where=where(hop.where)) for hop in one.hops))
        for one in report.results
    )
    return replace(
        report,
        results=tuple(results),
        credentials=tuple(replace(one, where=where(one.where)) for one in report.credentials),
        items=tuple(replace(one, name=_member(one.name)) for one in report.items),
        notes=tuple(replace(one, place=place(one.place)) for one in report.notes),
        parse_failures=tuple(replace(one, place=place(one.place)) for one in report.parse_failures),
    )


def _member(name: str) -> str:
    archive, _, member = name.rpartition("!")
    return (member.partition("/")[2] or member) if archive else name


def accepted(report: PostureReport, rules: Sequence[waivers.Rule], now: datetime) -> PostureReport:
    """The report with waivers on what they accept."""
    done = waivers.waived(report.results, rules, now)
    unused = [
        Note(Place(str(rule.path), rule.line, 0), f"waiver of {rule.owner} fits no failure") for rule in done.unused
    ]
    return replace(report, results=done.results, waivers_expired=done.expired, notes=(*report.notes, *unused))


def since(report: PostureReport, before: PostureReport, name: str) -> PostureReport:
    """The report held against an earlier one."""
    done = baseline.compared(report.results, before.results)
    return replace(report, results=done.results, gone=done.gone, unseen=done.unseen, baseline=name)


def with_results(report: PostureReport, infos: Sequence[CheckInfo], results: Sequence[Result]) -> PostureReport:
    """The report with further results, of checks that are asked for by name."""
    known = {info.id for info in report.checks}
    added = tuple(catalogue().get(info.id, info) for info in infos if info.id not in known)
    return replace(report, checks=(*report.checks, *added), results=ranked((*report.results, *results)))


def probed(report: PostureReport, results: Iterable[Result]) -> PostureReport:
    """The report with what a probe found."""
    return with_results(report, [PROBED], list(_named(results, catalogue(), PROBED)))


def nothing(options: Options) -> PostureReport:
    """A report without evidence, for what is only probed."""
    now = options.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return PostureReport(SCHEMA_VERSION, f"kubewitness {__version__}", now, (), "", "", (), ())


def _named(results: Iterable[Result], infos: Mapping[str, CheckInfo], default: CheckInfo) -> Iterator[Result]:
    """Results of what is asked for by name, with what the engine adds to others."""
    for one in results:
        yield from named(infos.get(one.check) or infos.get(default.id) or default, [one])


def _like(snapshot: Snapshot, name: str) -> Iterable[Result]:
    if name not in {machine.host.name for machine in snapshot.machines}:
        known = ", ".join(sorted(machine.host.name for machine in snapshot.machines)[:20]) or "none"
        raise UsageError(f"--like {name!r}: no such machine in the evidence, which has: {known}")
    found: Iterable[Result] = import_module("kubewitness.posture.fleet.like").like(snapshot, name)
    return found


def wanted(info: CheckInfo, options: Options) -> bool:
    """Whether a check is among those that were asked for."""
    name = info.id.rpartition("/")[2]
    return (
        (not options.scopes or info.scope in options.scopes)
        and (not options.groups or info.group in options.groups)
        and (not options.checks or any(one in {info.id, name, info.id.partition("/")[2]} for one in options.checks))
    )


def _refused(cluster: Cluster | None) -> bool:
    """Whether something of the cluster should be there and is not; what an extension's API has is not missed."""
    refused = cluster.refused if cluster else {}
    return any(why != NOT_SERVED for resource, why in refused.items() if resource != _DISCOVERY)


def _item(source: Source, kinds: dict[str, str]) -> EvidenceItem:
    kind = kinds.get(source.name, "")
    return EvidenceItem(source.name, source.sha256, source.size, source.compression, kind, skipped=source.error)
