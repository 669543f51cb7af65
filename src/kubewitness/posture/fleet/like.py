"""Is any other machine like this one? The question of the night on which one machine was taken.

What fails on the named machine is held against every other: the same check, of the same thing, failing there too. What
matters is not that machines look alike, but that they share what let somebody in; so informational and low failures,
which most machines have, do not make a machine "like" another, unless the named one has nothing worse.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import FLEET, Machine, Snapshot, run
from kubewitness.posture.nodes.checks import CHECKS

_WEIGHTY: Final = SEVERITIES.index("medium")
_MOST: Final = 12

Key = tuple[str, str, str]  # check, subject, aspect


def like(snapshot: Snapshot, name: str) -> list[Result]:
    """How far each other machine is like the one of this name, the likest first."""
    named = next((machine for machine in snapshot.machines if machine.host.name == name), None)
    if named is None:
        reason = Text(f"there is no machine {name[:200]} in the evidence", f"证据中没有机器 {name[:200]}")
        return [Result("not_evaluated", FLEET, name[:200], reason=reason)]
    others = [machine for machine in snapshot.machines if machine is not named]
    if not others:
        reason = Text("there is no other machine in the evidence", "证据中没有其他机器")
        return [Result("not_applicable", FLEET, name, reason=reason)]
    failing = _weighty([one for one in _results(named, snapshot) if one.status == "fail"])
    if not failing:
        text = Text(f"nothing above informational fails on {name}", f"{name} 上没有信息级别以上的失败项")
        return [Result("pass", FLEET, name, text)]
    held = [_held(machine, name, failing, snapshot) for machine in others]
    return [result for _, result in sorted(held, key=lambda one: (-one[0], one[1].target))]


def _weighty(failing: list[Result]) -> list[Result]:
    heavy = [one for one in failing if _rank(one) >= _WEIGHTY]
    return heavy or [one for one in failing if one.severity != "informational"]


def _results(machine: Machine, snapshot: Snapshot) -> tuple[Result, ...]:
    """Of the checks of nodes, for one machine."""
    return run(CHECKS, catalogue(), _alone(snapshot, machine))


def _alone(snapshot: Snapshot, machine: Machine) -> Snapshot:
    """The same evidence with one machine in it."""
    return Snapshot(snapshot.cluster, (machine,), snapshot.usage, snapshot.now)


def _held(machine: Machine, name: str, failing: list[Result], snapshot: Snapshot) -> tuple[int, Result]:
    results = {_key(one): one for one in _results(machine, snapshot)}
    unknown = {one.check for one in results.values() if one.status == "not_evaluated"}
    shared = [one for one in failing if (there := results.get(_key(one))) and there.status == "fail"]
    blind = [one for one in failing if one not in shared and one.check in unknown]
    subject, on_named = f"like {name}", _titles(failing)
    reason = Text(f"what fails on {name}: {on_named.en}", f"{name} 上的失败项：{on_named.zh}")
    if shared:
        theirs = [results[_key(one)] for one in shared]
        titles = _titles(shared)
        where = tuple(place for one in theirs for place in one.where[:2])[:_MOST]
        severity: Severity = max((one.severity or "low" for one in theirs), key=SEVERITIES.index)
        made = Result(
            "fail",
            machine.target,
            subject,
            Text(
                f"{len(shared)} of {len(failing)} fail here too: {titles.en}",
                f"{len(failing)} 项中有 {len(shared)} 项在此同样失败：{titles.zh}",
            ),
            Text(f"nothing of what fails on {name}", f"没有 {name} 上的失败项"),
            tuple(dict.fromkeys(where)),
            reason,
            severity,
        )
        return len(shared), made
    if blind:
        titles = _titles(blind)
        text = Text(
            f"none fails here as far as the evidence tells; not evaluated: {titles.en}",
            f"就证据所及，此处没有失败项；未评估：{titles.zh}",
        )
        return 0, Result("not_evaluated", machine.target, subject, reason=text)
    text = Text(f"none of the {len(failing)} fails here", f"{len(failing)} 项在此均未失败")
    return -1, Result("pass", machine.target, subject, text, reason=reason)


def _key(one: Result) -> Key:
    return one.check, one.subject, one.aspect


def _rank(one: Result) -> int:
    return SEVERITIES.index(one.severity) if one.severity else 0


def _titles(results: Iterable[Result]) -> Text:
    infos = catalogue()
    titles = list(dict.fromkeys(infos[one.check].title for one in results))[:_MOST]
    return Text("; ".join(title.en for title in titles), "；".join(title.zh for title in titles))
