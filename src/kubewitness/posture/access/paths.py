"""Attack paths: from somebody who should not get there to cluster-admin or to a node, with the cheapest cut.

Asked of are those whom anybody can be (without a credential, with any credential), and the accounts and groups of
accounts whose tokens lie in running pods: whoever gets into such a pod is them. Users are not: who is an administrator
is another check's list. What only Kubernetes' own grants or a known addon's give is by design, and what lives in the
namespaces of the platform counts low.

The cut is the one grant that ends most of the paths, if one grant ends them; else the fewest that were found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import Hop, Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.access.gains import ADMIN, NODE, Edge, Gains
from kubewitness.posture.access.removal import removal
from kubewitness.posture.access.restoring import mended
from kubewitness.posture.access.running import Running
from kubewitness.posture.access.search import Search, Way
from kubewitness.posture.access.state import (
    ACCOUNTS,
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    Grant,
    State,
    Who,
    state_of,
)
from kubewitness.posture.access.words import MEANS, OVER_NODE, filled, listed, steps, there
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.places import where_of
from kubewitness.posture.platforms import is_platform

_ANYBODY: Final = (Who("User", ANONYMOUS), Who("Group", UNAUTHENTICATED), Who("Group", AUTHENTICATED))
_EVERY_ACCOUNT: Final = Who("Group", ACCOUNTS)
_TOLD: Final = 200  # paths with all their steps
_INDIRECT: Final = frozenset({"webhook"})  # what others must do something for
_NEAR: Final = 2  # steps


def attack_paths(snapshot: Snapshot) -> Iterator[Result]:
    """A path of everybody who has one and should not."""
    state = state_of(snapshot)
    if state is None:
        return
    running = Running(state, snapshot.components)
    search = Search(Gains(state, running))
    counts = _by_somebody(state)
    found = [(who, way) for who in _starts(running) if (way := search.way(who, counts))]
    rated = sorted(found, key=lambda one: (-SEVERITIES.index(_severity(one[0], one[1], running)), one[0]))
    told = rated[:_TOLD]
    # What Kubernetes or an addon makes is no cut, though it lies on every way to a controller.
    single = {who: [one for one in search.single_cuts(who, way, counts) if not state.maker(one)] for who, way in told}
    ending = Counter(grant for some in single.values() for grant in some)
    for who, way in told:
        cut = [max(single[who], key=lambda one: ending[one])] if single[who] else search.cut(who, way, counts)
        yield _result(state, running, who, way, cut)
    if len(rated) > _TOLD:
        yield not_evaluated(CLUSTER, "attack paths", _more(len(rated) - _TOLD))
    if not search.complete:
        yield not_evaluated(CLUSTER, "attack paths", _TOO_MANY)


def _by_somebody(state: State) -> Callable[[Edge], bool]:
    def counts(edge: Edge) -> bool:
        return any(not state.maker(grant) for grant in edge.grants)

    return counts


def _starts(running: Running) -> Iterator[Who]:
    yield from _ANYBODY
    yield _EVERY_ACCOUNT
    inside = {who for some in running.mounted.values() for who in some}
    yield from sorted(inside)
    yield from sorted({Who("Group", f"{ACCOUNTS}:{who.namespace}") for who in inside})


def _severity(who: Who, way: Way, running: Running) -> Severity:
    if who in _ANYBODY:
        return "critical"
    if who == _EVERY_ACCOUNT:
        return "high"
    if is_platform(who.namespace):
        return "low"
    taken = sum(edge.means != "of" for _, edge in way)
    near = way[-1][1].target == ADMIN and taken <= _NEAR and not any(edge.means in _INDIRECT for _, edge in way)
    return "high" if near or who in running.exposed else "medium"


def _result(state: State, running: Running, who: Who, way: Way, cut: list[Grant]) -> Result:
    hops = tuple(_hops(state, way))
    end = way[-1][1].target
    goal = Text("cluster-admin", " cluster-admin") if end == ADMIN else Text("a node", "节点")
    count = steps(len(hops))
    observed = Text(f"{who} gets to {goal.en} in {count.en}", f"{who} 经 {count.zh}可到达{goal.zh}")
    expected = Text("there is no way from it to cluster-admin or to a node", "不存在通往 cluster-admin 或节点的路径")
    cut = list(dict.fromkeys(one for grant in cut for one in state.fellows(grant)))
    names = listed([Text(one, one) for one in dict.fromkeys(f"{grant.binding.key} → {grant.who}" for grant in cut)], 4)
    altered = next((one.role for one in cut if state.is_default(one)), None)  # not the binding is at fault
    remedy = mended(state, altered) if altered else None
    remedy = remedy or removal(cut, Text(f"Cut the path: take back {names.en}", f"切断路径：收回 {names.zh}"))
    where = tuple(dict.fromkeys(one for hop in hops for one in hop.where))
    return Result(
        "fail", CLUSTER, str(who), observed, expected, where, _reason(who, running, end == NODE),
        _severity(who, way, running), remedy, hops,
    )  # fmt: skip


def _reason(who: Who, running: Running, node: bool) -> Text:
    if who in _ANYBODY[:2]:
        return Text("nobody needs a credential to be this", "无需任何凭据即为该身份")
    if who == _ANYBODY[2]:
        return Text(
            "every valid credential is this, also any pod's token", "任何有效凭据（包括任意 Pod 的令牌）都属于该身份"
        )
    if who.kind == "Group":
        return Text("the token of any pod there is this", "其中任意 Pod 的令牌都属于该身份")
    if is_platform(who.namespace):
        return Text("it lives in a namespace of the platform", "位于平台自身的命名空间")
    if who in running.exposed:
        return Text("its pods can be reached from outside the cluster", "其 Pod 可从集群外访问")
    pod = Text("its token lies in a running pod", "其令牌位于运行中的 Pod 内")
    if node:
        return Text(f"{pod.en}; unless a webhook refuses such pods", f"{pod.zh}；除非有 webhook 拒绝此类 Pod")
    return pod


def _hops(state: State, way: Way) -> Iterator[Hop]:
    at = 0
    while at < len(way):
        source, edge = way[at]
        seen = [edge.seen] if edge.seen else []
        target = edge.target
        while at + 1 < len(way) and way[at + 1][1].means == "of":
            at += 1
            target = way[at][1].target
            seen += [one] if (one := way[at][1].seen) else []
        at += 1
        where = dict.fromkeys(one for grant in edge.grants for one in _grant_where(state, grant))
        where.update(dict.fromkeys(where_of(one) for one in seen))
        said = filled(MEANS[edge.means], there=there(edge.scope))
        if target == NODE and edge.means not in {"nodes_proxy", "csr_kubelet", "volume"}:
            said = Text(said.en + OVER_NODE.en, said.zh + OVER_NODE.zh)
        yield Hop(str(source), str(target), edge.means, said, tuple(where))


def _grant_where(state: State, grant: Grant) -> Iterator[Where]:
    yield state.where(grant.binding.key, f"subjects[{grant.position}]", str(grant.who))
    if grant.role is not None:
        yield state.where(grant.role)


def _more(count: int) -> Text:
    return Text(
        f"{count} further paths, no worse than those told, are not told one by one",
        f"另有 {count} 条同级或更轻的路径未逐条列出",
    )


_TOO_MANY: Final = Text(
    "there are too many grants to follow every one of them: paths may be missing",
    "授权过多，无法逐一追踪，可能遗漏路径",
)
