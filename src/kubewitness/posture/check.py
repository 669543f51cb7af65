"""A check over the state of a cluster and its machines, and the run of all of them.

A check is a function over a `Snapshot`; what it says about itself is data (`catalogue`). Three kinds, by scope: one run
a cluster, one run a machine, one run over all machines. A check yields a `Result` for everything it has an opinion on.
If it yields nothing that fails, the engine says pass, unless the evidence did not hold what the check needs: then "not
evaluated", with the reason. A check that fails itself (our defect) is not evaluated and costs no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Final

from msgspec.structs import replace

from kubewitness.model.cluster import Cluster
from kubewitness.model.host import Host
from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.posture import CheckInfo, Result, Status
from kubewitness.model.text import Text
from kubewitness.posture.control_plane.components import components
from kubewitness.posture.control_plane.nouns import Component
from kubewitness.posture.kubelet import KubeletConfiguration, effective
from kubewitness.posture.usage import Usage

CLUSTER: Final = "cluster"
FLEET: Final = "fleet"
_ORDER: Final[tuple[Status, ...]] = ("fail", "not_evaluated", "pass", "not_applicable")


@dataclass(frozen=True)
class Machine:
    """One machine of the evidence."""

    host: Host

    @property
    def target(self) -> str:
        """As results name it."""
        return f"node/{self.host.name}"

    @cached_property
    def kubelet(self) -> KubeletConfiguration | None:
        """The effective configuration of its kubelet; None if nothing shows one."""
        return effective(self.host)


@dataclass(frozen=True)
class Snapshot:
    """Everything that is judged. `now` is injected."""

    cluster: Cluster | None = None
    machines: tuple[Machine, ...] = ()
    usage: Usage | None = None
    now: datetime = field(default=datetime(1970, 1, 1, tzinfo=UTC))

    @property
    def minor(self) -> int | None:
        """The API server's minor version; None if nothing tells it."""
        parts = (self.cluster.version if self.cluster else "").lstrip("v").split(".")
        return int(parts[1]) if len(parts) > 1 and parts[0] == "1" and parts[1].isdecimal() else None

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """How the components of the control plane are started."""
        return components(self.cluster, self.machines)


@dataclass(frozen=True)
class ClusterCheck:
    """Asked once. `needs`: kinds that have to be in the evidence whole, else a pass is none."""

    id: str
    run: Callable[[Snapshot], Iterable[Result]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeCheck:
    """Asked of every machine."""

    id: str
    run: Callable[[Machine, Snapshot], Iterable[Result]]


@dataclass(frozen=True)
class FleetCheck:
    """Asked once over all machines."""

    id: str
    run: Callable[[Snapshot], Iterable[Result]]


Check = ClusterCheck | NodeCheck | FleetCheck


def run(checks: Sequence[Check], infos: Mapping[str, CheckInfo], snapshot: Snapshot) -> tuple[Result, ...]:
    """The results of all checks, worst first."""
    return ranked(one for check in checks for one in named(infos[check.id], _of(check, snapshot)))


def named(info: CheckInfo, results: Iterable[Result]) -> Iterator[Result]:
    """Results with what the engine adds: their check, their key, their severity."""
    for one in results:
        yield replace(one, check=info.id, key=key(info.id, one), severity=one.severity or info.severity)


def ranked(results: Iterable[Result]) -> tuple[Result, ...]:
    """Each key once, worst first."""
    return tuple(sorted(set_of(results), key=_rank))


def set_of(results: Iterable[Result]) -> list[Result]:
    """Each key once, the worst of it."""
    kept: dict[str, Result] = {}
    for one in results:
        known = kept.get(one.key)
        if known is None or _rank(one) < _rank(known):
            kept[one.key] = one
    return list(kept.values())


def key(check: str, result: Result) -> str:
    """What stays the same from run to run."""
    return "|".join((check, result.target, result.subject, result.aspect))


def not_evaluated(target: str, subject: str, reason: Text) -> Result:
    """Said out loud."""
    return Result("not_evaluated", target, subject, reason=reason)


def _of(check: Check, snapshot: Snapshot) -> Iterator[Result]:
    if isinstance(check, NodeCheck):
        for machine in snapshot.machines:
            yield from _told(machine.target, partial(check.run, machine, snapshot), None)
        if not snapshot.machines:
            yield not_evaluated("node", "", _NO_MACHINE)
        return
    if isinstance(check, FleetCheck):
        if len(snapshot.machines) < 2:
            yield Result("not_applicable", FLEET, "", reason=_NO_FLEET)
        else:
            yield from _told(FLEET, partial(check.run, snapshot), None)
        return
    yield from _told(CLUSTER, partial(check.run, snapshot), _lacking(check, snapshot))


def _told(target: str, ask: Callable[[], Iterable[Result]], lacking: Text | None) -> Iterator[Result]:
    found = list[Result]()
    try:
        found.extend(ask())
    except Exception as error:  # our defect: it must not cost the other checks
        about = f"{type(error).__name__}: {error}"[:200]
        yield not_evaluated(target, "", Text(f"the check itself failed: {about}", f"检查本身出错：{about}"))
        return
    yield from found
    if any(one.status in {"fail", "not_evaluated"} for one in found):
        return
    if lacking is not None:
        yield not_evaluated(target, "", lacking)
    elif not found:
        yield Result("pass", target, "")


def _lacking(check: ClusterCheck, snapshot: Snapshot) -> Text | None:
    cluster = snapshot.cluster
    if cluster is None:
        return _NO_CLUSTER if check.needs else None
    missing = [kind for kind in check.needs if not cluster.has_all(kind)]
    if not missing:
        return None
    why = [f"{kind} ({reason})" if (reason := cluster.why_not(kind)) else kind for kind in missing]
    return Text(
        f"the evidence does not hold all objects of: {', '.join(why)}",
        f"证据未包含以下类型的全部对象：{'、'.join(why)}",
    )


_NO_CLUSTER: Final = Text(
    "no evidence of the API side was given: `kubewitness collect --cluster`, or kubectl get -o json",
    "未提供 API 侧证据：请使用 `kubewitness collect --cluster` 或 kubectl get -o json",
)
_NO_MACHINE: Final = Text(
    "no evidence of a node was given: `kubewitness collect` on it",
    "未提供节点证据：请在节点上运行 `kubewitness collect`",
)
_NO_FLEET: Final = Text("there are no two machines to compare", "没有两台以上的机器可供比较")


def _rank(result: Result) -> tuple[int, int, str, str, str, str]:
    severity = SEVERITIES.index(result.severity) if result.severity else 0
    return (_ORDER.index(result.status), -severity, result.check, result.target, result.subject, result.aspect)
