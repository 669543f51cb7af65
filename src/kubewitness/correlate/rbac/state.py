"""Roles and bindings at any moment: dumps of the cluster and the writes in its audit log, laid along one time line.

Of each object the log and the dumps tell facts: it is this, it is gone, it is something unknown. What it was at a
moment is the last fact before; if there is none, the next one after tells it too: what is then created was not there,
what a dump shows and nobody had written until then was the same before. An object that changed to something unknown is
kept as it was last known, and is a doubt of every answer it could turn.

Where neither a dump nor the log tells of everything, the defaults of the cluster's version may be what stood before:
of Kubernetes' own objects what they are made as, unless something tells otherwise. Of others nothing is known then.

A dump says nowhere when it was taken. It is not older than the youngest time in it, nor than the last logged write
whose resourceVersion it reaches; there it is put. Writes repeated after it do no harm.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from kubewitness.correlate.rbac.changes import Change
from kubewitness.correlate.rbac.patches import patched
from kubewitness.posture.bootstrap.defaults import Defaults, document_of
from kubewitness.posture.rbac.evaluate import Policy
from kubewitness.posture.rbac.nouns import RESOURCES, Binding, Key, Role
from kubewitness.posture.rbac.objects import Dump, object_of

Base = Literal["dump", "log", "defaults", "none"]
_START = datetime.min.replace(tzinfo=UTC)
_NEAR = 50  # versions between two states of which the later is made of the earlier
_BUDGET = 400_000  # objects laid out, over all versions: some seconds
# What an API server makes first in an empty cluster: a log that tells of it tells of everything.
_FIRST = Key("clusterroles", "", "cluster-admin")


class _Fact(NamedTuple):
    """What is known of an object from a moment on. `before`: what the same source says of it until then."""

    time: datetime
    object: Role | Binding | None
    known: bool  # False: changed to something; `object` is what it was
    before: Literal["absent", "present", "same", ""] = ""


class State(NamedTuple):
    """The roles and bindings of a moment.

    `base`: where those come from that the log does not tell of; `defaults`: with that base, the version's.
    """

    time: datetime
    policy: Policy
    base: Base
    defaults: Defaults | None = None

    @property
    def partial(self) -> bool:
        """Whether objects may have stood of which nothing tells."""
        return self.base in {"defaults", "none"}


class History:
    """All that the evidence tells of roles and bindings over time."""

    def __init__(self, changes: Iterable[Change], dumps: Iterable[Dump] = (), defaults: Defaults | None = None) -> None:
        self.changes = sorted(changes, key=lambda change: (change.time, change.key))
        self._dumps = sorted(((_placed(dump, self.changes), dump) for dump in dumps), key=lambda pair: pair[0])
        whole = any(dump.whole.issuperset(RESOURCES) for _, dump in self._dumps)
        born = any(change.key == _FIRST and change.verb == "create" for change in self.changes)
        self.base: Base = "dump" if whole else "log" if born else "defaults" if defaults else "none"
        self._defaults = defaults if self.base == "defaults" else None
        made = self._defaults.objects if self._defaults else {}
        self._facts = {key: _facts(key, some, self._dumps, made.get(key)) for key, some in self._by_key(made).items()}
        times = {fact.time for facts in self._facts.values() for fact in facts}
        self._times = sorted(times)
        self._stride = 1 + len(times) * len(self._facts) // _BUDGET
        self._last: tuple[int, Policy] | None = None
        self._touched: dict[datetime, list[Key]] = {}  # by a fact of this time
        for key, facts in self._facts.items():
            for time in {fact.time for fact in facts}:
                self._touched.setdefault(time, []).append(key)

    def _by_key(self, made: Iterable[Key]) -> dict[Key, list[Change]]:
        out: dict[Key, list[Change]] = {key: [] for _, dump in self._dumps for key in (*dump.objects, *dump.unreadable)}
        out |= {key: [] for key in made}
        for change in self.changes:
            if change.key.name:
                out.setdefault(change.key, []).append(change)
        for change in self.changes:
            if change.key.name:
                continue
            # Any of them may be gone.
            for key, some in out.items():
                if key[:2] == change.key[:2] or (key.resource == change.key.resource and not change.key.namespace):
                    some.append(change)
        for some in out.values():
            some.sort(key=lambda change: change.time)
        return out

    def version(self, when: datetime) -> int:
        """The same for all moments between which nothing changed."""
        return bisect_right(self._times, when)

    def near(self, when: datetime) -> int:
        """As `version`, but of no more versions than can be asked one after another in a few seconds."""
        version = self.version(when)
        return version - version % self._stride

    @property
    def coarse(self) -> bool:
        """Whether `near` leaves versions out: there are very many writes of very many objects."""
        return self._stride > 1

    def at(self, when: datetime) -> State:
        """What stood at a moment."""
        return State(when, self._of(self.version(when)), self.base, self._defaults)

    def around(self, when: datetime) -> State:
        """What stood at a moment or, if the history is coarse, shortly before."""
        return State(when, self._of(self.near(when)), self.base, self._defaults)

    def _of(self, version: int) -> Policy:
        if self._last is None or self._last[0] != version:
            when = self._times[version - 1] if version else _START
            self._last = (version, self._next(version, when) or self._policy(when))
        return self._last[1]

    def _next(self, version: int, when: datetime) -> Policy | None:
        """Made of the state that was asked for last, if little lies between; None if that would save nothing."""
        if self._last is None or not 0 < version - self._last[0] <= _NEAR or not self._last[0]:
            return None
        before = self._last[1]
        changed, doubts = dict[Key, Binding | None](), set(before.doubts)
        for time in self._times[self._last[0] : version]:
            for key in self._touched[time]:
                found, known = _standing(self._facts[key], when)
                if isinstance(found, Role) or key.resource in {"roles", "clusterroles"}:
                    return None
                changed[key] = found
                (doubts.discard if known else doubts.add)(key)
        return before.with_bindings(changed, doubts)

    def _policy(self, when: datetime) -> Policy:
        objects, doubts = list[Role | Binding](), list[Key]()
        for key, facts in self._facts.items():
            found, known = _standing(facts, when)
            if found is not None:
                objects.append(found)
            if not known:
                doubts.append(key)
        return Policy(objects, doubts, whole=self.base in {"dump", "log"})


def _placed(dump: Dump, changes: Sequence[Change]) -> datetime:
    """The earliest moment at which the dump can have been taken."""
    reached = [change.time for change in changes if 0 < change.version <= dump.version]
    placed = max([*reached, dump.latest or _START])
    for change in changes:
        if change.time <= placed:
            continue
        lacks = change.key.resource in dump.whole and change.key not in dump.objects
        if change.version > dump.version or (change.verb == "create" and lacks):
            break
        if change.verb == "delete" and lacks:  # it was still there until then
            placed = change.time
    return placed


def _facts(
    key: Key, changes: Sequence[Change], dumps: Sequence[tuple[datetime, Dump]], made: Role | Binding | None = None
) -> list[_Fact]:
    """`made`: what Kubernetes makes of it by itself, if that is all that is known of the time before."""
    out, waiting, current = list[_Fact](), list(dumps), made
    document: object = document_of(made) if made else None
    for change in changes:
        while waiting and waiting[0][0] <= change.time:
            fact, document = _dumped(key, *waiting.pop(0), document)
            out += fact
            current = fact[0].object if fact else current
        if change.missed and out:
            out.append(_Fact(out[-1].time + timedelta(microseconds=1), current, False))
        fact_of_change, document = _changed(key, change, current, document)
        out.append(fact_of_change)
        current = fact_of_change.object
    for when, dump in waiting:
        fact, document = _dumped(key, when, dump, document)
        out += fact
    # What a dump lacks and the log then still has: the dump was taken later than it was put.
    lacks = [fact.before == "same" and fact.known and fact.object is None for fact in out]
    there = [*(fact.before == "present" for fact in out[1:]), False]
    out = [fact for fact, absent, still in zip(out, lacks, there, strict=False) if not (absent and still)]
    # What is then created was not there, what a dump shows was as it shows: these say themselves what was before.
    if made is not None and not (out and out[0].before in {"absent", "same"}):
        out.insert(0, _Fact(_START, made, True))
    return out


def _dumped(key: Key, when: datetime, dump: Dump, document: object) -> tuple[list[_Fact], object]:
    if key in dump.objects:
        return [_Fact(when, dump.objects[key], True, "same")], dump.documents[key]
    if key in dump.unreadable:
        return [_Fact(when, None, False, "same")], None
    if key.resource in dump.whole:
        return [_Fact(when, None, True, "same")], None
    return [], document


def _changed(key: Key, change: Change, current: Role | Binding | None, document: object) -> tuple[_Fact, object]:
    before: Literal["absent", "present", ""] = "present"
    if not change.key.name:
        return _Fact(change.time, current, False), None
    if change.verb == "create":
        before = "absent"
    if change.verb == "delete":
        return _Fact(change.time, None, True, before), None
    after = change.document
    if after is None and change.patch is not None:
        after = patched(document, change.patch, change.uri)
    read = None if after is None else object_of(after, key)
    if read is None:
        return _Fact(change.time, current, False, before), None
    return _Fact(change.time, read, True, before), after


def _standing(facts: Sequence[_Fact], when: datetime) -> tuple[Role | Binding | None, bool]:
    """The object at a moment and whether that is known."""
    index = bisect_right([fact.time for fact in facts], when)
    after = facts[index] if index < len(facts) else None
    if index:
        last = facts[index - 1]
        # The log has no word of how it came back: a write is missing.
        surprised = after is not None and after.before == "present" and last.object is None
        if not last.known and after is not None and after.before == "same":
            return after.object, after.known  # nobody wrote it in between
        return last.object, last.known and not surprised
    if after is None or after.before == "absent":
        return None, True
    if after.before == "same":
        return after.object, after.known
    return None, False
