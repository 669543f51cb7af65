"""What would have been refused without a binding: the same requests asked of a cluster that lacks it.

Each request that was let through is asked once in which ways it was allowed, each sufficient by itself; that is its
support. A way runs through a binding, a subject of it that the asker fits, and a rule of its role: whatever of these is
taken away, the way is gone. A request falls when all its ways are, so any number of cuts costs set arithmetic and no
further question. What the API server wrote as its reason is support too, even where the evidence does not show that
binding otherwise.

A right can be taken out of a role where a rule names it; RBAC cannot forbid, so of a rule that says `*` only the whole
can go. What an aggregated role or one that Kubernetes brings has is put back by the cluster itself.

A refused request has consequences: bindings it made are not there later, and what it gained (a token, a certificate's
identity, a pod whose token lies in it) is not used later. So an intruder's requests are gone through in their order.
What the intruder had before, or also gained by a request that was not refused, it keeps. A credential that is taken
away refuses all that comes with it, whoever allowed it.

A request that no binding supports was let through by something else (system:masters, the Node authorizer, another
authorizer): only without its credential is it refused. An answer is uncertain where objects of unknown content could
turn it, or where the evidence does not show all that stood before the log began.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from kubewitness.correlate.rbac.state import History
from kubewitness.posture.rbac.evaluate import Policy, allows, evaluate, fits
from kubewitness.posture.rbac.nouns import MASTERS, Attributes, Binding, Key, PolicyRule, Role

_REASON = re.compile(r'RBAC: allowed by (ClusterRoleBinding|RoleBinding) "([^"]{1,600})" of ')
_SETS: Final = 4  # bindings in one set
_CANDIDATES: Final = 40
_WORK: Final = 300_000  # bindings looked at, over all requests
_RULES: Final = 20  # as much work as one binding
_MEMORY: Final = 100_000
_WAYS: Final = 200  # through one binding; beyond that only the binding itself can be taken away
_LONG: Final = 300  # characters of a list in a rule
_EVERY: Final = "*"
_STREAMS: Final = frozenset(("exec", "attach", "portforward"))
_SHIPPED: Final = frozenset(("cluster-admin", "admin", "edit", "view"))  # and "system:..."


class Part(NamedTuple):
    """Something that can be taken away.

    Attributes:
        kind: A binding; a subject out of one; a right out of a role; a credential, under one of its names.
        key: The binding or role.
        what: Of a subject its kind, name and namespace; of a right its verb, group and resource, or those of the
            rule (verb and path for what is no resource); of a credential the name.
    """

    kind: Literal["binding", "credential", "right", "subject"]
    key: Key | tuple[()] = ()
    what: tuple[str, ...] = ()


Way = frozenset[Part]


def taking(key: Key) -> Part:
    """A binding as something to take away."""
    return Part("binding", key)


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
    """For each question of a request the ways in which it was allowed; no entry for what needs none."""

    needs: tuple[frozenset[Way], ...]
    uncertain: bool = False

    def falls(self, gone: Collection[Part]) -> bool:
        """Whether the request is refused without these."""
        return any(all(not way.isdisjoint(gone) for way in need) for need in self.needs)

    @property
    def parts(self) -> set[Part]:
        """All that it rests on in any way."""
        return {part for need in self.needs for way in need for part in way}


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
        needs, uncertain = list[frozenset[Way]](), False
        for number, question in enumerate(asked.questions, 1):
            if MASTERS in question.groups:
                continue
            ways = self._ways(state.policy, question)
            if ways is None:
                uncertain, ways = True, set()
            named = reason_key(asked.reason) if number == len(asked.questions) else None
            if named is not None:
                seen = any(taking(named) in way for way in ways)
                uncertain = uncertain or not seen
                ways |= set() if seen else {frozenset({taking(named)})}
            elif number == len(asked.questions) and asked.reason:
                continue  # another authorizer's reason
            if not ways:
                continue
            needs.append(frozenset(ways))
            if not uncertain and state.policy.doubts:
                through = {one.key for way in ways for one in way if one.kind == "binding" and isinstance(one.key, Key)}
                uncertain = evaluate(state.policy.without(through), question).uncertain
        return Support(tuple(needs), uncertain or (bool(needs) and (state.base == "none" or self.history.coarse)))

    def _ways(self, policy: Policy, question: Attributes) -> set[Way] | None:
        """The ways in which it is allowed; None once too much was looked at: then only the log's own reasons count."""
        bindings = policy.bindings_for(question.user, question.groups, question.namespace)
        self._work += 1 + len(bindings)
        if self._work > _WORK:
            return None
        rights: dict[Key, tuple[Part | None, ...]] = {}  # of each role, of its rules that allow it
        out = set[Way]()
        for binding in bindings:
            if (key := binding.role) is None:
                continue
            if key not in rights:
                rules = policy.rules_of(key) or ()
                self._work += len(rules) // _RULES
                fit = [rule for rule in rules if allows(rule, question)]
                role = policy.objects.get(key)
                rights[key] = tuple(dict.fromkeys(_right(role, rule, question) for rule in fit))
            if not rights[key]:
                continue
            own = taking(binding.key)
            if not policy.doubts.isdisjoint((binding.key, key)):
                out.add(frozenset({own}))  # what else it says is not known
                continue
            subjects = [
                Part("subject", binding.key, (one.kind, one.name, one.namespace))
                for one in binding.subjects if fits(one, binding.namespace, question)
            ]  # fmt: skip
            if len(subjects) * len(rights[key]) > _WAYS:
                out.add(frozenset({own}))
                continue
            out.update(
                frozenset({own, subject} if right is None else {own, subject, right})
                for subject in subjects for right in rights[key]
            )  # fmt: skip
        return out

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


def _right(role: object, rule: PolicyRule, asked: Attributes) -> Part | None:
    """What a rule says by name of the request, else the whole rule; None if it cannot be taken out of the role."""
    if not isinstance(role, Role) or role.selectors is not None or role.name in _SHIPPED:
        return None
    if role.name.startswith("system:"):
        return None
    if not _wild((*rule.verbs, *rule.groups, *rule.resources, *rule.urls)):
        if asked.path:
            return Part("right", role.key, (asked.verb, asked.path))
        # A stream is opened by POST or, as WebSocket, by GET: to take one away takes nothing away.
        streams = asked.subresource in _STREAMS and asked.verb in {"create", "get"}
        return Part("right", role.key, ("create/get" if streams else asked.verb, asked.group, asked.combined))
    if len(role.rules) == 1:
        return None  # to take it away is to take the role away
    said = (rule.verbs, rule.urls) if asked.path else (rule.verbs, rule.groups, rule.resources)
    return Part("right", role.key, tuple(",".join(one)[:_LONG] for one in said))


def _wild(names: tuple[str, ...]) -> bool:
    return any(_EVERY in name for name in names)


class Effect(NamedTuple):
    """What a cut does to a row of requests. `refused` are their numbers."""

    refused: frozenset[int]
    uncertain: bool


def effect(cut: Collection[Part], requests: Sequence[Asked], supports: Sequence[Support]) -> Effect:
    """The requests of an intruder, in time order, in a cluster without `cut`, with all that follows from it."""
    gone, dead, had = set(cut), set[str](), set[str]()
    revoked = names_of(cut)
    refused, uncertain = set[int](), False
    for number, (asked, support) in enumerate(zip(requests, supports, strict=True)):
        without = not revoked.isdisjoint(asked.shown) or not dead.isdisjoint(asked.shown)
        if without or support.falls(gone):
            refused.add(number)
            gone.update(taking(key) for key in asked.made)
            dead.update(one for one in asked.gave if one not in had)
            uncertain = uncertain or (support.uncertain and not without)
        else:
            had.update(asked.shown, asked.gave)
            dead.difference_update(asked.gave)
    return Effect(frozenset(refused), uncertain)


def names_of(cut: Iterable[Part]) -> frozenset[str]:
    """The names of credentials that are taken away."""
    return frozenset(name for part in cut if part.kind == "credential" for name in part.what)


class Use(NamedTuple):
    """What others asked, each kind once with how often: by whom, on what it rested and with what it came."""

    kinds: Mapping[tuple[str, Support, frozenset[str]], int]

    @classmethod
    def of(cls, requests: Iterable[Asked], replay: Replay) -> Use:
        """Gather them."""
        return cls(Counter((asked.who, replay.support(asked), frozenset(asked.shown)) for asked in requests))


def broken(cut: Collection[Part], use: Use) -> tuple[dict[str, int], bool]:
    """Requests of everybody else that would have been refused, by identity, and whether that is uncertain."""
    out, uncertain, revoked = dict[str, int](), False, names_of(cut)
    for (who, support, shown), count in use.kinds.items():
        without = not revoked.isdisjoint(shown)
        if without or support.falls(cut):
            out[who] = out.get(who, 0) + count
            uncertain = uncertain or (support.uncertain and not without)
    return out, uncertain


def candidates(
    requests: Sequence[Asked], supports: Sequence[Support], everybody: Collection[str]
) -> tuple[frozenset[Part], ...]:
    """Bindings that let an intruder in, each alone; but none it made itself, and none that is everybody's."""
    own = {key for asked in requests for key in asked.made}
    found = Counter(part for support in supports for part in support.parts if part.kind == "binding")
    fit = [
        one for one in sorted(found) if isinstance(one.key, Key) and not (one.key in own or one.key.name in everybody)
    ]
    fit.sort(key=lambda one: -found[one])
    return tuple(frozenset({one}) for one in sorted(fit[:_CANDIDATES]))


def narrower(cut: Part, supports: Sequence[Support]) -> tuple[frozenset[Part], frozenset[Part]]:
    """What of a binding the intruder used: its subjects, and rights of its role; each empty if that is not known."""
    through = [way for support in supports for need in support.needs for way in need if cut in way]
    out = []
    for kind in ("subject", "right"):
        used = [part for way in through for part in way if part.kind == kind]
        out.append(frozenset(used))
    return out[0], out[1]


def least(
    singles: Mapping[frozenset[Part], Effect], requests: Sequence[Asked], supports: Sequence[Support]
) -> tuple[frozenset[Part], Effect] | None:
    """A small set that refuses as much as all candidates together; None if one candidate does, or none is there."""
    if not singles:
        return None
    together = effect(frozenset().union(*singles), requests, supports).refused
    chosen: frozenset[Part] = frozenset()
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
                for one in singles for other in singles if sorted(one) < sorted(other)
            ]  # fmt: skip
            best = max(pairs, key=lambda pair: len(pair[1].refused), default=None)
            if best is None or best[1].refused == done.refused:
                break
            step, after = best
        chosen, done = step, after
    chosen = without_needless(chosen, sorted(chosen), requests, supports)
    return (chosen, effect(chosen, requests, supports)) if len(chosen) > 1 else None


def without_needless(
    cut: frozenset[Part], order: Iterable[Part], requests: Sequence[Asked], supports: Sequence[Support]
) -> frozenset[Part]:
    """The cut without the parts, tried in `order`, that add nothing to what it refuses."""
    done = effect(cut, requests, supports).refused
    for part in order:
        without = cut - {part}
        if without and effect(without, requests, supports).refused == done:
            cut = without
    return cut
