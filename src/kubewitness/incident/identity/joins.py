"""Which other accessors are the same intruder: those that use what it gained.

A name is not enough: the account's own pods use it too, and the owner works on. So each join asks for more than the
name, and where the log tells which credential was used (`credential-id`, `pod-name`), that decides:

- a token that was minted is used: its id, if both events tell it; else the name, from an unaccustomed place;
- a certificate was asked for: used with no credential that its name had before;
- a pod was made: its token, wherever; a pod was entered: its token, by hand or from elsewhere than the pod;
- a kubelet's credential was read, or a pod that has the machine was made: that node's name, by hand and elsewhere;
- a credential moves on: the same one in a further new network, with the very agent that only the intruder used.

An account's own program in a new pod is its owner's, even if the intruder gave the account rights. What a request that
impersonates somebody does is the asker's; what the impersonated identity does itself is not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from kubewitness.detect.collect import sampled
from kubewitness.detect.detectors.networks import POD, place_of, values
from kubewitness.detect.profile import AccessorKey
from kubewitness.incident.identity.crowd import IdentityCrowd, Pair, places
from kubewitness.incident.identity.gained import Gained, PodGained, gained, pods_gained
from kubewitness.incident.identity.nodes import NodeGained, nodes_gained
from kubewitness.incident.requests import Request, credential_ids
from kubewitness.incident.when import moment
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name, service_account

_EACH: Final = 20  # events read of an accessor
_ACCESSORS: Final = 300  # of which events are read in one go
_PODS: Final = 200  # looked for


class Join(NamedTuple):
    """An accessor that is the same intruder, and why."""

    pair: Pair
    why: Text


class Marks(NamedTuple):
    """What the events of a pair tell of its credentials; empty where the log does not tell."""

    tokens: frozenset[str]
    pods: frozenset[str]


class Joins:
    """Finds what a cluster of accessors grows by."""

    def __init__(self, crowd: IdentityCrowd) -> None:
        self._crowd = crowd
        self._marks: dict[Pair, Marks] = {}

    def of(self, pairs: Collection[Pair], bad_since: str, requests: Sequence[Request]) -> list[Join]:
        """Accessors that use what `requests` gained, each once, in a fixed order; those of `pairs` for the reason."""
        credentials = self._by_credential(gained(requests))
        pods = self._by_pod(pods_gained(requests)[:_PODS])
        moved = self._moved(pairs, bad_since)
        own = sorted({pair for pair in pairs if moved and pair[0] in {other[0] for other in moved}})
        self._read([*(pair for _, pair in credentials), *(pair for _, pair in pods), *moved, *own])
        found: dict[Pair, Text] = {}
        near = {place_of(address) for _, address in pairs if scope_of(address) == "public"}
        for one, pair in credentials:
            if pair not in found and self._uses(one, pair, near):
                found[pair] = gained_sentence(one, pair[1])
        for pod, pair in pods:
            if pair not in found and (name := self._is_of_pod(pod, pair)):
                found[pair] = _pod_sentence(pod, pair, name)
        for node, pair in self._by_node(nodes_gained(requests)[:_PODS]):
            found.setdefault(pair, _node_sentence(node, pair))
        for pair in moved:
            if pair not in found and self._carries(pair, pairs):
                found[pair] = _moved_sentence(pair)
        return [Join(pair, why) for pair, why in found.items()]

    # -- whom to look at ---------------------------------------------------------------------------------------------

    def _by_credential(self, found: Sequence[Gained]) -> list[tuple[Gained, Pair]]:
        out = []
        for one in sorted(found, key=lambda one: (one.since, one.identity, one.token)):
            usual = self._crowd.usual(one.identity, one.since)
            for pair in self._crowd.pairs_of(one.identity):
                if pair[1] in usual or self._crowd.since(pair) < one.since:
                    continue
                if self._crowd.by_hand(pair) or not self._crowd.is_hub(pair[1]):
                    out.append((one, pair))
        return out

    def _by_pod(self, found: Sequence[PodGained]) -> list[tuple[PodGained, Pair]]:
        return [
            (pod, pair)
            for pod in found
            for account in self._crowd.accounts_in(pod.namespace)
            for pair in self._crowd.pairs_of(account)
            if self._crowd.since(pair) >= pod.since
        ]

    def _by_node(self, found: Sequence[NodeGained]) -> Iterator[tuple[NodeGained, Pair]]:
        """Uses of a node's name by hand elsewhere than on machines; of several gains that it may be, what was read."""
        found = sorted(found, key=lambda one: (not one.read, not one.node, one.request.time))
        for pair in (pair for name in self._crowd.nodes for pair in self._crowd.pairs_of(name) if found):
            if self._crowd.is_hub(pair[1]) or not self._crowd.by_hand(pair):
                continue
            since = self._crowd.since(pair)
            one = next((one for one in found if one.is_of(pair[0]) and one.request.time <= since), None)
            if one is not None and pair[1] not in self._crowd.usual(pair[0], one.request.time):
                yield one, pair

    def _moved(self, pairs: Collection[Pair], bad_since: str) -> list[Pair]:
        """Further new places of the intruder's names, worked with an agent that nobody but the intruder used."""
        out = []
        for identity in sorted({identity for identity, _ in pairs}):
            if kind_of_name(identity) not in ("human", "serviceaccount"):
                continue
            mine = set[str]().union(*(self._crowd.agents(pair) for pair in pairs if pair[0] == identity))
            usual = self._crowd.usual(identity, bad_since)
            for address in usual:
                mine -= self._crowd.agents((identity, address))
            for pair in self._crowd.pairs_of(identity):
                known = pair in pairs or pair[1] in usual or place_of(pair[1]) in places(usual)
                if known or self._crowd.since(pair) < bad_since or self._crowd.is_hub(pair[1]):
                    continue
                if scope_of(pair[1]) == "public" and self._crowd.agents(pair) <= mine and self._crowd.is_new(pair):
                    out.append(pair)
        return out

    def _read(self, pairs: Iterable[Pair]) -> None:
        missing = dict.fromkeys(pair for pair in pairs if pair not in self._marks)
        spans = {
            profile.key: (profile.first, profile.last) for pair in missing for profile in self._crowd.profiles(pair)
        }
        read: dict[Pair, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
        chosen: dict[AccessorKey, tuple[str, str]] = dict(list(spans.items())[:_ACCESSORS])
        for event in sampled(self._crowd.scan, chosen, _EACH) if chosen else ():
            told = credential_ids(event), values(event, POD)
            read.setdefault((event.identity, event.address), []).append(told)
        for pair in missing:
            found = read.get(pair, [])
            self._marks[pair] = Marks(
                frozenset(token for tokens, _ in found for token in tokens),
                frozenset(pod for _, pods in found for pod in pods),
            )

    # -- what decides ------------------------------------------------------------------------------------------------

    def _uses(self, one: Gained, pair: Pair, near: set[str]) -> bool:
        """Whether the pair uses the credential."""
        marks, (identity, address) = self._marks[pair], pair
        if one.token and marks.tokens:
            return one.token in marks.tokens
        if one.how == "created":
            return True
        usual = self._crowd.usual(identity, one.since)
        if one.how == "certificate":
            self._read((identity, other) for other in usual)
            before = frozenset[str]().union(*(self._marks[identity, other].tokens for other in usual))
            if marks.tokens:
                return not marks.tokens <= before
        if place_of(address) in near:
            return True
        if place_of(address) in places(usual):
            return False  # its owner, at another desk or in another pod
        if service_account(identity) is None:
            return not usual or self._crowd.is_new(pair)
        if marks.pods:  # its own pod's token: not the one that was gained, and armed only if it was taken out
            return one.how == "rights" and self._crowd.by_hand(pair) and scope_of(address) == "public"
        earlier = set[str]().union(
            *(self._crowd.agents(p) for p in self._crowd.pairs_of(identity) if self._crowd.since(p) < one.since)
        )
        return self._crowd.by_hand(pair) or not self._crowd.agents(pair) <= earlier

    def _is_of_pod(self, pod: PodGained, pair: Pair) -> str:
        """The name of the pod whose token the pair uses; empty if none of that pod's, or for the pod's own work."""
        names = sorted(name for name in self._marks[pair].pods if pod.is_pod(name))
        if not names or pod.made:
            return names[0] if names else ""
        elsewhere = scope_of(pair[1]) == "public" and not self._crowd.is_hub(pair[1])
        return names[0] if self._crowd.by_hand(pair) or elsewhere else ""

    def _carries(self, pair: Pair, pairs: Collection[Pair]) -> bool:
        """Whether the pair has a credential of the intruder's, or nothing tells which one it has."""
        mine = frozenset[str]().union(*(self._marks[own].tokens for own in pairs if own[0] == pair[0]))
        theirs = self._marks[pair].tokens
        return bool(theirs & mine) if theirs and mine else not theirs and not mine


def gained_sentence(one: Gained, address: str) -> Text:
    """Why an accessor at `address` is the same intruder."""
    return Text(
        en=f"{one.identity} from {address}: the intruder had {one.en} at {moment(one.since)}.",
        zh=f"{address} 使用 {one.identity}：入侵者于 {moment(one.since)} {one.zh}。",
    )


def _pod_sentence(pod: PodGained, pair: Pair, name: str) -> Text:
    when, full = moment(pod.since), f"{pod.namespace}/{name}"
    if pod.made:
        return Text(
            en=f"{pair[0]} from {pair[1]} has the token of pod {full}, which the intruder had made at {when}.",
            zh=f"{pair[1]} 的 {pair[0]} 持有 Pod {full} 的令牌，该 Pod 由入侵者于 {when} 创建。",
        )
    return Text(
        en=f"{pair[0]} from {pair[1]} has the token of pod {full}, which the intruder had entered at {when}.",
        zh=f"{pair[1]} 的 {pair[0]} 持有 Pod {full} 的令牌，入侵者曾于 {when} 进入该 Pod。",
    )


def _node_sentence(one: NodeGained, pair: Pair) -> Text:
    when = moment(one.request.time)
    if one.read:
        where = Text(f" in pod {one.pod}" if one.pod else "", f"在 Pod {one.pod} 中" if one.pod else "经 kubelet ")
        return Text(
            en=f"{pair[0]} from {pair[1]}, by hand: the intruder had read the kubelet's credential{where.en} at "
            f"{when}.",
            zh=f"{pair[1]} 手工使用 {pair[0]}：入侵者于 {when} {where.zh}读取了 kubelet 的凭据。",
        )
    return Text(
        en=f"{pair[0]} from {pair[1]}, by hand: the kubelet's credential was in reach of {one.pod}, which the intruder "
        f"had made at {when}.",
        zh=f"{pair[1]} 手工使用 {pair[0]}：入侵者于 {when} 创建的 {one.pod} 可读取 kubelet 的凭据。",
    )


def _moved_sentence(pair: Pair) -> Text:
    return Text(
        en=f"{pair[0]} from {pair[1]}: the same credential in a further new network, with the agent that only the "
        "intruder uses.",
        zh=f"{pair[1]} 的 {pair[0]}：同一凭据又出现在另一个新网段，且使用了只有入侵者用过的客户端。",
    )


def impersonation_sentences(spoken: Iterable[tuple[str, str]]) -> Iterator[Text]:
    """That acts in another's name are the asker's."""
    for asker, other in spoken:
        yield Text(
            en=f"{asker} acted in the name of {other} (impersonation); what {other} did itself is not attributed.",
            zh=f"{asker} 冒用 {other} 的身份操作（impersonation）；{other} 自己的操作不归因于入侵者。",
        )
