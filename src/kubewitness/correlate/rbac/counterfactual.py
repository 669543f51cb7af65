"""What would have been refused without a binding: the same requests asked of a cluster that lacks it.

Each request that was let through is asked once which bindings allow it, each by itself; that is its support. Taking
bindings away refuses exactly the requests whose whole support is taken, so any number of cuts costs set arithmetic and
no further question. What the API server wrote as its reason is support too, even where the evidence does not show that
binding otherwise.

A refused request has consequences: bindings it made are not there later, and what it gained (a token, a certificate's
identity, a pod whose token lies in it) is not used later. So an intruder's requests are gone through in their order.
What the intruder had before, or also gained by a request that was not refused, it keeps.

A request that no binding supports was let through by something else (system:masters, the Node authorizer, another
authorizer) and cannot be refused here. An answer is uncertain where objects of unknown content could turn it, or where
the evidence does not show all that stood before the log began.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from kubewitness.correlate.rbac.state import History
from kubewitness.posture.rbac.evaluate import Policy, evaluate, grants
from kubewitness.posture.rbac.nouns import MASTERS, Attributes, Binding, Key

_REASON = re.compile(r'RBAC: allowed by (ClusterRoleBinding|RoleBinding) "([^"]{1,600})" of ')
_SETS: Final = 4  # bindings in one set
_CANDIDATES: Final = 40
_WORK: Final = 300_000  # bindings looked at, over all requests
_MEMORY: Final = 100_000


class Asked(NamedTuple):
    """A request that was let through.

    Attributes:
        when: When it arrived.
        who: The authenticated identity.
        questions: All that had to be allowed.
        reason: What the API server wrote about the last of them.
        made: Bindings and roles that it created.
        gave: What it gained: names of credentials, of whatever form.
        shown: The same names of what it came with.
    """

    when: datetime
    who: str
    questions: tuple[Attributes, ...]
    reason: str = ""
    made: tuple[Key, ...] = ()
    gave: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


class Support(NamedTuple):
    """For each question of a request the bindings of which any would do; no entry for what needs none."""

    needs: tuple[frozenset[Key], ...]
    uncertain: bool = False

    def falls(self, gone: Collection[Key]) -> bool:
        """Whether the request is refused without these bindings."""
        return any(all(key in gone for key in need) for need in self.needs)


class Replay:
    """Asks what supports requests, in the state of their time. Equal questions in an equal state are asked once."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._known: dict[object, Support] = {}
        self._work = 0

    def support(self, asked: Asked) -> Support:
        """What a request rested on."""
        key = (self.history.near(asked.when), asked.questions, asked.reason)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MEMORY:
                self._known.clear()
            found = self._known[key] = self._support(asked)
        return found

    def _support(self, asked: Asked) -> Support:
        state = self.history.around(asked.when)
        needs, uncertain = list[frozenset[Key]](), False
        for number, question in enumerate(asked.questions, 1):
            if MASTERS in question.groups:
                continue
            found = self._found(state.policy, question)
            if found is None:
                uncertain, found = True, set()
            named = reason_key(asked.reason) if number == len(asked.questions) else None
            if named is not None:
                uncertain = uncertain or named not in found
                found.add(named)
            elif number == len(asked.questions) and asked.reason:
                continue  # another authorizer's reason
            if not found:
                continue
            needs.append(frozenset(found))
            if not uncertain and state.policy.doubts:
                uncertain = evaluate(state.policy.without(found), question).uncertain
        return Support(tuple(needs), uncertain or (bool(needs) and (state.base == "none" or self.history.coarse)))

    def _found(self, policy: Policy, question: Attributes) -> set[Key] | None:
        """The bindings that allow it; None once too many had to be looked at: then only the log's own reasons count."""
        self._work += 1 + len(policy.bindings_for(question.user, question.groups, question.namespace))
        return None if self._work > _WORK else {grant.binding.key for grant in grants(policy, question)}

    def binding(self, key: Key, when: datetime) -> Binding | None:
        """A binding as it stood at a moment."""
        found = self.history.around(when).policy.objects.get(key)
        return found if isinstance(found, Binding) else None


def reason_key(reason: str) -> Key | None:
    """The binding that the API server's reason names."""
    found = _REASON.match(reason)
    if found is None:
        return None
    if found[1] == "ClusterRoleBinding":
        return Key("clusterrolebindings", "", found[2])
    name, _, namespace = found[2].rpartition("/")  # a namespace has no slash
    return Key("rolebindings", namespace, name) if name else None


class Effect(NamedTuple):
    """What a cut does to a row of requests. `refused` are their numbers."""

    refused: frozenset[int]
    uncertain: bool


def effect(cut: Collection[Key], requests: Sequence[Asked], supports: Sequence[Support]) -> Effect:
    """The requests of an intruder, in time order, in a cluster without `cut`, with all that follows from it."""
    gone, dead, had = set(cut), set[str](), set[str]()
    refused, uncertain = set[int](), False
    for number, (asked, support) in enumerate(zip(requests, supports, strict=True)):
        if support.falls(gone) or not dead.isdisjoint(asked.shown):
            refused.add(number)
            gone.update(asked.made)
            dead.update(one for one in asked.gave if one not in had)
            uncertain = uncertain or support.uncertain
        else:
            had.update(asked.shown, asked.gave)
            dead.difference_update(asked.gave)
    return Effect(frozenset(refused), uncertain)


def broken(cut: Collection[Key], requests: Iterable[Asked], replay: Replay) -> tuple[dict[str, int], bool]:
    """Requests of everybody else that would have been refused, by identity, and whether that is uncertain."""
    out, uncertain = dict[str, int](), False
    for asked in requests:
        support = replay.support(asked)
        if support.falls(cut):
            out[asked.who] = out.get(asked.who, 0) + 1
            uncertain = uncertain or support.uncertain
    return out, uncertain


def candidates(
    requests: Sequence[Asked], supports: Sequence[Support], everybody: Collection[str]
) -> tuple[frozenset[Key], ...]:
    """Bindings that let an intruder in, each alone; but none it made itself, and none that is everybody's."""
    own = {key for asked in requests for key in asked.made}
    found = Counter(key for support in supports for need in support.needs for key in need)
    fit = [key for key in sorted(found) if key not in own and key.name not in everybody]
    fit.sort(key=lambda key: -found[key])
    return tuple(frozenset({key}) for key in sorted(fit[:_CANDIDATES]))


def least(
    singles: Mapping[frozenset[Key], Effect], requests: Sequence[Asked], supports: Sequence[Support]
) -> tuple[frozenset[Key], Effect] | None:
    """A small set that refuses as much as all candidates together; None if one candidate does, or none is there."""
    if not singles:
        return None
    together = effect(frozenset().union(*singles), requests, supports).refused
    chosen: frozenset[Key] = frozenset()
    done = Effect(frozenset(), False)
    while len(chosen) < _SETS and done.refused != together:
        trials = [(chosen | one, effect(chosen | one, requests, supports)) for one in singles if not one <= chosen]
        if not trials:
            break
        step, after = max(trials, key=lambda pair: (len(pair[1].refused), [-ord(c) for c in str(sorted(pair[0]))]))
        if after.refused == done.refused:
            # Two that cover for each other: neither alone refuses anything.
            pairs = [
                (chosen | one | other, effect(chosen | one | other, requests, supports))
                for one in singles for other in singles if one < other or sorted(one) < sorted(other)
            ]  # fmt: skip
            best = max(pairs, key=lambda pair: len(pair[1].refused), default=None)
            if best is None or best[1].refused == done.refused:
                break
            step, after = best
        chosen, done = step, after
    for key in sorted(chosen):  # what a later one made needless
        without = chosen - {key}
        if without and effect(without, requests, supports).refused == done.refused:
            chosen = without
    return (chosen, effect(chosen, requests, supports)) if len(chosen) > 1 else None
