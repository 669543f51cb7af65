"""Who belongs to one intruder: from detections to clusters of accessors.

A *seed* is an identity at an address whose acts betray an intruder (a rule of kind `intrusion`), or one that came new
into the log and did several unlike suspicious things. Seeds at one address are one intruder. From there a cluster
grows over what cannot be chance: other names and agents used from the same address after it turned bad, and
credentials the intruder made, minted or armed with rights that are then used from an unaccustomed place.

What is *established* never joins: an accessor that was there long before the first suspicious act, and gave no cause
itself, is somebody else (a health probe behind the same balancer, the administrator in the same office). Addresses
that many identities share (`hub`), or where somebody else works too (address translation), glue nobody together: two
intruders behind one are two. A private address may be the outside of any number of machines (a gateway, a virtual
machine's host), so there a person's credential needs more than the address (`one_hand`). Nothing joins by nearness in
time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from kubewitness.detect.detection import Detection
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.reading import event_of
from kubewitness.detect.run import Scan
from kubewitness.incident.identity.behind import Behind, is_nobodys_name
from kubewitness.incident.identity.crowd import IdentityCrowd, Pair
from kubewitness.incident.identity.gained import Gained, gained, impersonated
from kubewitness.incident.identity.joins import Joins, gained_sentence, impersonation_sentences
from kubewitness.incident.requests import Request, credential_ids, issued_credential_id
from kubewitness.model.event import Event
from kubewitness.model.judgement import Confidence, Severity
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.features.identity import kind_of_name, service_account
from kubewitness.rules.ir import Rule

_POINTS: dict[Severity, float] = {"informational": 0, "low": 1, "medium": 3, "high": 6, "critical": 10}
_TRUST: dict[Confidence, float] = {"low": 0.5, "medium": 0.75, "high": 1.0}
_SEED_POINTS, _SEED_TACTICS = 9.0, 3
_CONTENT = frozenset(("podSpec", "rbac", "requestObject", "webhook", "csr", "secret", "configmap", "service", "volume"))
_IMPERSONATED = 10  # told of one cluster


class Cluster:
    """The accessors of one intruder, why each joined, and the detections among them."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = set(pairs)
        self.accessors: set[AccessorKey] = set()
        self.partial: set[AccessorKey] = set()  # shared with their owner: only what rules matched is attributed
        self.why: list[Text] = []
        self.detections: list[Detection] = []
        self.first = "~"

    @property
    def accustomed(self) -> bool:
        """Whether all of it came from where somebody always works, whose doing it may be as well as a thief's.

        A service account worked from that very place is no sign of a stranger: it was taken along.
        """
        homes = {key.address for key in self.partial}
        rest = self.accessors - self.partial
        return bool(homes) and all(key.address in homes and service_account(key.identity) for key in rest)

    def explain(self, sentence: Text) -> None:
        """Say why something belongs to it, once."""
        if sentence not in self.why:
            self.why.append(sentence)

    @property
    def identities(self) -> list[str]:
        """Names used, sorted."""
        return sorted({identity for identity, _ in self.pairs})


class Suspects:
    """Finds clusters: seeds, their companions, and what they grow by."""

    def __init__(self, scan: Scan, detections: Sequence[Detection]) -> None:
        self._crowd = IdentityCrowd(scan)
        self._joins = Joins(self._crowd)
        self._detections = detections
        self._detected: dict[Pair, list[Detection]] = {}
        for detection in detections:
            self._detected.setdefault((detection.identity, detection.address), []).append(detection)

    # -- seeds -------------------------------------------------------------------------------------------------------

    def _is_seed(self, pair: Pair, found: Sequence[Detection]) -> bool:
        if kind_of_name(pair[0]) in ("controlPlane", "node") and not self._crowd.by_hand(pair):
            return False  # it speaks for others: a kubelet asks whether an anonymous caller may pass
        if any(
            d.rule.kind == "intrusion" and d.rule.confidence != "low" and _POINTS[d.rule.severity] >= 3 for d in found
        ):
            return True
        unlike = _unlike(found)
        points = sum(map(_weight, unlike))
        tactics = {tactic for d in unlike for t in d.rule.techniques for tactic in technique(t).tactics}
        return points >= _SEED_POINTS and len(tactics) >= _SEED_TACTICS and self._is_out_of_place(pair)

    def _is_out_of_place(self, pair: Pair) -> bool:
        """Whether it came new; a pipeline that had long deployed from there with a hand tool did not."""
        settled = self._crowd.established(self._crowd.since(pair), self._turned_bad([pair]))
        return self._crowd.is_new(pair) and not (settled and service_account(pair[0]))

    def clusters(self) -> list[Cluster]:
        """Clusters before growth over credentials: seeds joined by address, with their agents and companions."""
        seeds = [pair for pair, found in sorted(self._detected.items()) if self._is_seed(pair, found)]
        clusters: list[Cluster] = []
        by_address: dict[str, list[Cluster]] = {}
        for pair in seeds:
            shared = self._crowd.is_hub(pair[1]) or self._has_strangers(pair[1], seeds)
            here = [] if shared else by_address.setdefault(pair[1], [])
            home = next((one for one in here if self._crowd.one_hand(pair, one.pairs, self._turned_bad([pair]))), None)
            if home is None:
                home = Cluster([pair])
                clusters.append(home)
                here.append(home)
            home.pairs.add(pair)
        for cluster in clusters:
            cluster.first = self._turned_bad(cluster.pairs)
            self._companions(cluster, seeds)
            self._fill(cluster)
        return clusters

    def _turned_bad(self, pairs: Iterable[Pair]) -> str:
        return min((d.first for pair in pairs for d in self._detected.get(pair, ()) if _tells(d)), default="~")

    def _has_strangers(self, address: str, suspects: Iterable[Pair]) -> bool:
        """Whether others work at the address too, and did before anybody misbehaved there: a translated one (NAT)."""
        here = {pair for pair in suspects if pair[1] == address}
        return self._crowd.strangers(address, {identity for identity, _ in here}, self._turned_bad(here))

    def _companions(self, cluster: Cluster, seeds: Collection[Pair]) -> None:
        """Other identities at the intruder's own addresses that came when, or after, things turned bad there.

        Where strangers work too, only a service account worked by hand is out of place, and only if it is plain whose
        it is: with two intruders behind one address it is not.
        """
        for address in sorted({address for _, address in cluster.pairs}):
            if self._crowd.is_hub(address):
                continue
            mine = {identity for identity, other in cluster.pairs if other == address}
            alone = not self._crowd.strangers(address, mine, cluster.first)
            contested = any(pair[1] == address and pair not in cluster.pairs for pair in seeds)
            for identity in self._crowd.at(address):
                pair = (identity, address)
                if pair in cluster.pairs or self._crowd.established(self._crowd.since(pair), cluster.first):
                    continue
                by_hand = service_account(identity) is not None and self._crowd.by_hand(pair)
                tied = self._crowd.one_hand(pair, cluster.pairs, cluster.first)
                if not contested and tied and (alone or by_hand):
                    cluster.pairs.add(pair)
            names = [identity or "(rejected credential)" for identity, a in sorted(cluster.pairs) if a == address]
            if len(names) > 1:
                listed = ", ".join(names)
                listed_zh = "、".join(i or "被拒凭据" for i, a in sorted(cluster.pairs) if a == address)
                nobody = Text("Nobody else uses it, and none", "没有其他人使用该地址，且")
                others = Text("Others work there too, but none of these", "该地址另有他人使用，但上述身份")
                whose = nobody if alone and self._crowd.all_of(address, cluster.pairs) else others
                cluster.explain(
                    Text(
                        en=f"Same address {address}: {listed}. {whose.en} was there long before.",
                        zh=f"同一来源地址 {address}：{listed_zh}。{whose.zh}此前均未出现过。",
                    )
                )

    def _fill(self, cluster: Cluster) -> None:
        """The accessors (with agents) of the cluster's pairs, without established bystanders under the same name."""
        cluster.accessors, cluster.partial = set(), set()
        for pair in sorted(cluster.pairs):
            accused = {key for d in self._detected.get(pair, ()) for key in d.accessors if _tells(d)}
            for profile in self._crowd.profiles(pair):
                established = self._crowd.established(profile.first, cluster.first) or (
                    self._is_shared(pair[1], cluster) and self._crowd.at_work(profile.first, cluster.first)
                )
                if accused and profile.key not in accused and self._is_anybodys(pair, cluster):
                    cluster.explain(_anybodys_sentence(pair[1]))
                elif profile.key not in accused and self._crowd.is_own_program(profile, cluster.first):
                    cluster.explain(_own_program_sentence(profile.key))
                elif profile.key in accused or not established:
                    cluster.accessors.add(profile.key)
                if profile.key in accused and established and kind_of_name(pair[0]) != "anonymous":
                    cluster.partial.add(profile.key)
        cluster.detections = [d for d in self._detections if cluster.accessors.intersection(d.accessors)]
        for identity, address in sorted({(key.identity, key.address) for key in cluster.partial}):
            sentence = Text(
                en=f"{identity} from {address} was at work there before: only the acts that rules matched are "
                "attributed.",
                zh=f"{address} 的 {identity} 此前一直在正常使用：仅归因于规则命中的操作。",
            )
            cluster.explain(sentence)

    def _is_anybodys(self, pair: Pair, cluster: Cluster) -> bool:
        """Whether a name that stands for nobody is used at an address that stands for nobody."""
        return is_nobodys_name(pair[0]) and self._is_shared(pair[1], cluster)

    def _is_shared(self, address: str, cluster: Cluster) -> bool:
        """Whether others than the cluster's names are behind an address."""
        mine = {name for name, other in cluster.pairs if other == address}
        return self._crowd.is_hub(address) or self._crowd.strangers(address, mine, cluster.first)

    def attributed(self, cluster: Cluster, requests: Sequence[Request]) -> list[Request]:
        """Of the accessors' requests, the intruder's: all, or the matched ones where the owner works there too."""
        matched = {audit_id for d in cluster.detections if _tells(d) for audit_id in d.audit_ids}
        shared = {pair for pair in cluster.pairs if self._is_shared(pair[1], cluster)}
        behind = Behind(self._crowd, shared, matched, requests)
        out = []
        for request in requests:
            told = behind.told(request)
            if told is None:
                partial = AccessorKey(request.identity, request.address, request.agent) in cluster.partial
                told = not (partial or behind.is_anybodys(request))
            if told or request.audit_id in matched:
                out.append(request)
        return out

    # -- growth over credentials -------------------------------------------------------------------------------------

    def grow(self, cluster: Cluster, requests: Sequence[Request], others: Sequence[Cluster]) -> bool:
        """Join accessors that use what the intruder made; True if any joined. `others` it meets are absorbed."""
        grown = False
        for join in self._joins.of(cluster.pairs, cluster.first, requests):
            cluster.explain(join.why)
            grown = grown or join.pair not in cluster.pairs
            cluster.pairs.add(join.pair)
        for sentence in impersonation_sentences(impersonated(requests)[:_IMPERSONATED]):
            cluster.explain(sentence)
        for pair, sentence in self._minters(requests, cluster.first):
            if pair not in cluster.pairs and service_account(pair[0]) and self._crowd.by_hand(pair):
                cluster.pairs.add(pair)
                cluster.explain(sentence)
                grown = True
        for other in others:
            if other is not cluster and other.pairs & cluster.pairs:
                cluster.pairs |= other.pairs
                other.pairs = set()
                grown = True
        if grown:
            cluster.first = min(cluster.first, self._turned_bad(cluster.pairs))
            self._companions(cluster, [pair for one in others for pair in one.pairs])
            self._fill(cluster)
        return grown

    def _minters(self, requests: Sequence[Request], bad_since: str) -> Iterator[tuple[Pair, Text]]:
        """Who asked for the tokens that `requests` use, as far as rules matched the asking.

        The id of a token is in both events. It proves that the token is the same, not that who asked for it is the
        thief: an administrator's may be stolen, and kubelets ask for those of all pods. The caller decides. Where the
        log lacks the id of either (older servers, annotations left out) it is the account's only token that is known
        of, if whoever asked came new and the account was used after that.
        """
        used, uses = set[str](), dict[str, Request]()  # ids; an account's first use, those without id
        for request in sorted(requests, key=lambda one: one.time):
            used.update(credential_ids(request.final))
            if service_account(request.identity):
                uses.setdefault(request.identity, request)
        for detection in self._detections:
            if not any(thing.kind == "serviceaccounts/token" for thing in detection.objects):
                continue
            came_new = any(
                profile.key in detection.accessors and not self._crowd.established(profile.first, bad_since)
                for profile in self._crowd.profiles((detection.identity, detection.address))
            )
            for place, original in detection.places:
                event = event_of(original, place) if original else None
                if event is None or event.resource != "serviceaccounts" or event.subresource != "token":
                    continue
                issued, account = issued_credential_id(event), f"system:serviceaccount:{event.namespace}:{event.name}"
                use = uses.get(account)
                untold = use is not None and not (issued and credential_ids(use.final))
                if issued and issued in used:
                    yield (detection.identity, detection.address), _minted_sentence(detection, issued)
                elif use is not None and untold and came_new and event.succeeded and _asked(event) <= use.time:
                    yield (detection.identity, detection.address), _minted_before_sentence(detection, account, use)


def _asked(event: Event) -> str:
    return event.record.requestReceivedTimestamp


def _minted_sentence(detection: Detection, issued: str) -> Text:
    identity, address = detection.identity, detection.address
    return Text(
        en=f"{identity} from {address} asked for the very token that was used afterwards ({issued}).",
        zh=f"{address} 的 {identity} 申请了随后被使用的同一个令牌（{issued}）。",
    )


def _minted_before_sentence(detection: Detection, account: str, use: Request) -> Text:
    identity, address = detection.identity, detection.address
    return Text(
        en=f"{identity} from {address} asked for a token of {account} before it was used from {use.address}. The log "
        "has no ids of tokens: that it is the same one is likely, not proven.",
        zh=f"{address} 的 {identity} 申请了 {account} 的令牌，其后该账号在 {use.address} 被使用。日志未记录令牌 ID："
        "很可能是同一个令牌，但未经证实。",
    )


def _weight(detection: Detection) -> float:
    return _POINTS[detection.rule.severity] * _TRUST[detection.rule.confidence]


def _unlike(found: Sequence[Detection]) -> list[Detection]:
    """One detection a rule, the heaviest first; of rules on what an object holds, those on an object not yet told.

    Who installs one privileged DaemonSet does one thing, however many rules have something to say of its content. Who
    asked, from where and with what are other matters.
    """
    told, out = dict[str, set[str]](), list[Detection]()
    for one in sorted(found, key=lambda d: (-_weight(d), d.first, d.rule.id)):
        if one.rule.kind == "context" or one.rule.id in told:
            continue
        holds = one.audit_ids if isinstance(one.rule, Rule) and _is_of_content(one.rule) else frozenset[str]()
        if not holds or not holds <= set[str]().union(*told.values()):
            told[one.rule.id] = set(holds)
            out.append(one)
    return out


def _is_of_content(rule: Rule) -> bool:
    return any(name.partition(".")[0] in _CONTENT for name in rule.fields)


def _anybodys_sentence(address: str) -> Text:
    return Text(
        en=f"Many share {address}: of those without a credential there, only the clients that rules matched are "
        "attributed.",
        zh=f"{address} 由多方共用：其中未带凭据的请求，仅归因于规则命中的客户端。",
    )


def _own_program_sentence(key: AccessorKey) -> Text:
    name = key.agent.partition(" ")[0][:80]
    return Text(
        en=f"{key.identity} from {key.address} with {name} was at work before and gave no cause: taken for the "
        "account's own program and not attributed. A client names itself as it likes.",
        zh=f"{key.address} 的 {key.identity} 使用 {name} 的请求此前已有，且无可疑之处：视为该账号自身的程序，"
        "不归因于入侵者。客户端名称由客户端自报。",
    )


def _tells(detection: Detection) -> bool:
    """A detection strong enough to attribute its requests by itself."""
    return detection.rule.kind == "intrusion" or _POINTS[detection.rule.severity] >= _POINTS["medium"]


def credentials_gained(requests: Sequence[Request]) -> list[tuple[str, str, Callable[[str], Text]]]:
    """Identities whose credentials these requests made, minted or armed: name, since when, sentence for an address."""
    first: dict[str, Gained] = {}
    for one in gained(requests):
        first.setdefault(one.identity, one)
    ordered = sorted(first.values(), key=lambda one: (one.since, one.identity))
    return [(one.identity, one.since, partial(gained_sentence, one)) for one in ordered]
