"""The three aspects of an event that vary little: who asked, what was asked, how it ended.

Each is known by its undecoded bytes, worked out once for each distinct value and remembered: the rules that this
aspect does not refute (`rules.compile`), the accessor's profile, the kind of request, the status. The memory is
bounded, because whoever writes agents, addresses and paths chooses their number; what is forgotten is worked out
again.
"""

from __future__ import annotations

from kubewitness.detect.profile import AccessorKey, Profile, Profiles, RequestKind, Spell, counts
from kubewitness.model.event import Event, User
from kubewitness.rules.compile import Matcher

_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_LONGEST = 200
_WRITES = frozenset(("create", "update", "patch", "delete"))
_REVIEWS = frozenset(("authentication.k8s.io", "authorization.k8s.io"))
WORKLOADS = frozenset(
    ("pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs")
)


def traced(kind: RequestKind) -> bool:
    """Whether a controller's or node's work on behalf of somebody can show in such a request.

    It writes pods and workloads, reports Events about them, and what it creates may name its owner in the body. Reviews
    are answered and not kept, so they have none.
    """
    if kind.verb not in _WRITES or kind.stage == "RequestReceived" or kind.group in _REVIEWS:
        return False
    return (
        kind.resource in WORKLOADS or kind.resource == "events" or (kind.verb == "create" and kind.level != "Metadata")
    )


class Who:
    """An accessor as one set of bytes tells it, with what it asked for since it was last settled."""

    __slots__ = ("counts", "credential", "first", "granule", "last", "mask", "profile")

    def __init__(self, mask: int, profile: Profile, credential: str) -> None:
        self.mask, self.profile, self.credential = mask, profile, credential
        self.counts: dict[int, int] = {}  # `What.slot` + `End.refused` → requests
        self.first, self.last = "~", ""
        self.granule = -1


class What:
    """A request line."""

    __slots__ = ("kind", "makes_pods", "mask", "slot", "traced")

    def __init__(self, mask: int, kind: RequestKind, slot: int) -> None:
        self.mask, self.kind, self.slot = mask, kind, slot
        self.traced = traced(kind)
        self.makes_pods = self.traced and (kind.verb, kind.resource, kind.subresource) == ("create", "pods", "")


class End:
    """An outcome."""

    __slots__ = ("code", "mask", "refused")

    def __init__(self, mask: int, refused: bool, code: int) -> None:
        self.mask, self.refused, self.code = mask, int(refused), code


class Aspects:
    """The memory of one scanner. At most `limit` of each aspect are kept."""

    def __init__(self, matcher: Matcher, profiles: Profiles, limit: int) -> None:
        self._facets = matcher.facets
        self._profiles = profiles
        self._limit = limit
        self._kinds: list[RequestKind] = []  # by slot // 2
        self.who: dict[tuple[bytes, str], Who] = {}
        self.what: dict[tuple[str, ...], What] = {}
        self.end: dict[bytes, End] = {}

    def add_who(self, key: tuple[bytes, str], event: Event) -> Who:
        """Work out an accessor."""
        if len(self.who) >= self._limit:
            self.settle()
            self.who.clear()
        facets = self._facets
        mask = facets["user"].mask(event) & facets["source"].mask(event) & facets["agent"].mask(event)
        profile = self._profiles.of(AccessorKey(event.identity, event.address, event.record.userAgent))
        who = self.who[key] = Who(mask, profile, _credential(event.user))
        return who

    def add_what(self, key: tuple[str, ...], event: Event) -> What:
        """Work out a request line. Without a resource the path is part of it: paths repeat there."""
        if len(self.what) >= self._limit:
            self.settle()  # slots begin anew
            self.what.clear()
            self._kinds.clear()
        facets, record, ref = self._facets, event.record, event.object_ref
        mask = facets["request"].mask(event) & facets["stage"].mask(event)
        if record.objectRef is None:
            mask &= facets["path"].mask(event)
        kind = RequestKind(event.verb, ref.resource, ref.subresource, ref.apiGroup, record.level, event.stage)
        what = self.what[key] = What(mask, kind, 2 * len(self._kinds))
        self._kinds.append(kind)
        return what

    def add_end(self, key: bytes, event: Event) -> End:
        """Work out an outcome."""
        if len(self.end) >= self._limit:
            self.end.clear()
        end = self.end[key] = End(self._facets["outcome"].mask(event), event.decision == "forbid", event.code)
        return end

    def settle(self) -> None:
        """Move what was counted to the profiles."""
        for who in self.who.values():
            profile = who.profile
            for slot, count in who.counts.items():
                table = profile.refused if slot & 1 else profile.allowed
                kind = self._kinds[slot >> 1]
                table[kind] = table.get(kind, 0) + count
            if who.credential and who.counts:
                ended = sum(count for slot, count in who.counts.items() if counts(self._kinds[slot >> 1]))
                profile.used(who.credential, Spell(ended, who.first, who.last))
            who.counts.clear()
            profile.first, profile.last = min(profile.first, who.first), max(profile.last, who.last)


def _credential(user: User) -> str:
    """The credential the API server says was used: "X509SHA256=…", "JTI=…"."""
    named = user.extra.get(_CREDENTIAL) if user.extra else None
    one = named[0] if isinstance(named, list) and named else None
    return one if isinstance(one, str) and len(one) <= _LONGEST else ""
