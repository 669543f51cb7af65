"""Who belongs to one intruder: from detections to clusters of accessors.

A *seed* is an identity at an address whose acts betray an intruder (a rule of kind `intrusion`), or one that came new
into the log and did several unlike suspicious things. Seeds at one address are one intruder. From there a cluster
grows over what cannot be chance: other names and agents used from the same address after it turned bad, and
credentials the intruder made, minted or armed with rights that are then used from an unaccustomed place.

What is *established* never joins: an accessor that was there long before the first suspicious act, and gave no cause
itself, is somebody else (a health probe behind the same balancer, the administrator in the same office). Addresses
that many identities share (`hub`) glue nobody together. Nothing joins by nearness in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

from kubewitness.detect.detection import Detection
from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.reading import event_of
from kubewitness.detect.run import Scan
from kubewitness.incident.requests import Request, credential_ids, issued_credential_id
from kubewitness.incident.when import moment
from kubewitness.model.event import parse_time
from kubewitness.model.judgement import Confidence, Severity
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.csr import signing_requests
from kubewitness.rules.features.identity import kind_of_name, service_account
from kubewitness.rules.features.rbac import grant_of

_HUB = 6  # identities at one address that make it shared
_POINTS: dict[Severity, float] = {"informational": 0, "low": 1, "medium": 3, "high": 6, "critical": 10}
_TRUST: dict[Confidence, float] = {"low": 0.5, "medium": 0.75, "high": 1.0}
_SEED_POINTS, _SEED_TACTICS = 9.0, 3
_ACCUSTOMED = timedelta(minutes=30)
_HANDS = ("kubectl", "curl", "wget", "python", "go-http-client", "peirates", "helm", "k9s")

Pair = tuple[str, str]  # identity, address


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
    def identities(self) -> list[str]:
        """Names used, sorted."""
        return sorted({identity for identity, _ in self.pairs})


class Suspects:
    """Finds clusters. Holds the views over all profiles that the rules above need."""

    def __init__(self, scan: Scan, detections: Sequence[Detection]) -> None:
        self._scan = scan
        self._detections = detections
        self._by_pair: dict[Pair, list[Profile]] = {}
        self._at: dict[str, set[str]] = {}
        for key, profile in scan.profiles.by_key.items():
            self._by_pair.setdefault((key.identity, key.address), []).append(profile)
            self._at.setdefault(key.address, set()).add(key.identity)
        self._detected: dict[Pair, list[Detection]] = {}
        for detection in detections:
            self._detected.setdefault((detection.identity, detection.address), []).append(detection)
        start, end = parse_time(scan.first), parse_time(scan.last)
        self._start = start
        self._span = end - start if start and end else timedelta(0)

    # -- views -------------------------------------------------------------------------------------------------------

    def is_hub(self, address: str) -> bool:
        """Shared by many identities, or a machine of the cluster itself: proves nothing about who is behind it."""
        identities = self._at.get(address, set())
        return not address or len(identities) >= _HUB or any(self._is_part(name, address) for name in identities)

    def _is_part(self, identity: str, address: str) -> bool:
        """A part of the cluster at work there: its name with another client than a person's hands."""
        return kind_of_name(identity) in ("node", "controlPlane") and not all(
            profile.key.agent.lower().startswith(_HANDS) for profile in self._by_pair[identity, address]
        )

    def _since(self, pair: Pair) -> str:
        return min((profile.first for profile in self._by_pair.get(pair, ())), default="~")

    def _established(self, first: str, bad_since: str) -> bool:
        """Was there well before things turned bad, or from the log's beginning."""
        then, bad = parse_time(first), parse_time(bad_since)
        if not (then and bad and self._start):
            return False
        if bad - then > max(_ACCUSTOMED, self._span / 20):
            return True
        return then - self._start < self._span / 10 and bad - then > _ACCUSTOMED / 3

    def _is_new(self, pair: Pair) -> bool:
        """Came late, from a network its identity never used: the mark of a credential in other hands.

        People change desks and VPN addresses within their networks every day, so for a person the network must be new
        and public; a service account's token worked by hand is out of place wherever it comes from.
        """
        identity, address = pair
        if service_account(identity):
            return self._by_hand(pair)
        first = parse_time(self._since(pair))
        if first is None or self._start is None or first - self._start <= max(timedelta(minutes=5), self._span / 50):
            return False
        network = address.rpartition(".")[0].rpartition(".")[0] or address[:9]
        familiar = any(
            other != address
            and other.startswith(network)
            and self._established(self._since((name, other)), self._since(pair))
            for name, other in self._by_pair
        )
        return scope_of(address) == "public" and not familiar

    def _by_hand(self, pair: Pair) -> bool:
        return any(profile.key.agent.lower().startswith(_HANDS) for profile in self._by_pair.get(pair, ()))

    # -- seeds -------------------------------------------------------------------------------------------------------

    def _is_seed(self, pair: Pair, found: Sequence[Detection]) -> bool:
        if kind_of_name(pair[0]) in ("controlPlane", "node") and not self._by_hand(pair):
            return False  # it speaks for others: a kubelet asks whether an anonymous caller may pass
        if any(
            d.rule.kind == "intrusion" and d.rule.confidence != "low" and _POINTS[d.rule.severity] >= 3 for d in found
        ):
            return True
        rules = {d.rule.id: d.rule for d in found if d.rule.kind != "context"}
        points = sum(_POINTS[rule.severity] * _TRUST[rule.confidence] for rule in rules.values())
        tactics = {tactic for rule in rules.values() for t in rule.techniques for tactic in technique(t).tactics}
        return points >= _SEED_POINTS and len(tactics) >= _SEED_TACTICS and self._is_new(pair)

    def clusters(self) -> list[Cluster]:
        """Clusters before growth over credentials: seeds joined by address, with their agents and companions."""
        seeds = [pair for pair, found in sorted(self._detected.items()) if self._is_seed(pair, found)]
        clusters: list[Cluster] = []
        by_address: dict[str, Cluster] = {}
        for pair in seeds:
            shared = self.is_hub(pair[1])
            home = None if shared else by_address.get(pair[1])
            if home is None:
                home = Cluster([pair])
                clusters.append(home)
                if not shared:
                    by_address[pair[1]] = home
            home.pairs.add(pair)
        for cluster in clusters:
            cluster.first = self._turned_bad(cluster)
            self._companions(cluster)
            self._fill(cluster)
        return clusters

    def _turned_bad(self, cluster: Cluster) -> str:
        return min(
            (d.first for pair in cluster.pairs for d in self._detected.get(pair, ()) if _tells(d)),
            default="~",
        )

    def _companions(self, cluster: Cluster) -> None:
        """Other identities at the intruder's own addresses that came when, or after, things turned bad there."""
        for address in sorted({address for _, address in cluster.pairs}):
            if self.is_hub(address):
                continue
            for identity in sorted(self._at.get(address, ())):
                pair = (identity, address)
                if pair in cluster.pairs or self._established(self._since(pair), cluster.first):
                    continue
                cluster.pairs.add(pair)
            names = [identity or "(rejected credential)" for identity, a in sorted(cluster.pairs) if a == address]
            if len(names) > 1:
                listed = ", ".join(names)
                cluster.why.append(
                    Text(
                        en=f"Same address {address}: {listed}. Nobody else uses it, and none was there long before.",
                        zh=f"同一来源地址 {address}：{listed}。没有其他人使用该地址，且此前均未出现过。",
                    )
                )

    def _fill(self, cluster: Cluster) -> None:
        """The accessors (with agents) of the cluster's pairs, without established bystanders under the same name."""
        cluster.accessors, cluster.partial = set(), set()
        for pair in sorted(cluster.pairs):
            accused = {key for d in self._detected.get(pair, ()) for key in d.accessors if _tells(d)}
            for profile in self._by_pair.get(pair, ()):
                established = self._established(profile.first, cluster.first)
                if profile.key in accused or not established:
                    cluster.accessors.add(profile.key)
                if profile.key in accused and established and kind_of_name(pair[0]) != "anonymous":
                    cluster.partial.add(profile.key)
        cluster.detections = [d for d in self._detections if cluster.accessors.intersection(d.accessors)]
        for identity, address in sorted({(key.identity, key.address) for key in cluster.partial}):
            sentence = Text(
                en=f"{identity} from {address} was at work long before: only the acts that rules matched are "
                "attributed.",
                zh=f"{address} 的 {identity} 此前长期正常使用：仅归因于规则命中的操作。",
            )
            if sentence not in cluster.why:
                cluster.why.append(sentence)

    def attributed(self, cluster: Cluster, requests: Sequence[Request]) -> list[Request]:
        """Of the accessors' requests, the intruder's: all, or the matched ones where the owner works there too."""
        matched = {audit_id for d in cluster.detections if _tells(d) for audit_id in d.audit_ids}
        return [
            request
            for request in requests
            if request.audit_id in matched
            or AccessorKey(request.identity, request.address, request.agent) not in cluster.partial
        ]

    # -- growth over credentials -------------------------------------------------------------------------------------

    def grow(self, cluster: Cluster, requests: Sequence[Request], others: Sequence[Cluster]) -> bool:
        """Join accessors that use what the intruder made; True if any joined. `others` it meets are absorbed."""
        grown = False
        for identity, since, why in credentials_gained(requests):
            usual = {a for (i, a) in self._by_pair if i == identity and self._established(self._since((i, a)), since)}
            for pair in sorted(self._by_pair):
                if pair[0] != identity or pair in cluster.pairs or pair[1] in usual:
                    continue
                if self._since(pair) >= since and (self._by_hand(pair) or not self.is_hub(pair[1])):
                    cluster.pairs.add(pair)
                    cluster.why.append(why(pair[1]))
                    grown = True
        for pair, sentence in self._minters({name for request in requests for name in credential_ids(request.final)}):
            if pair not in cluster.pairs and service_account(pair[0]) and self._by_hand(pair):
                cluster.pairs.add(pair)
                cluster.why.append(sentence)
                grown = True
        for other in others:
            if other is not cluster and other.pairs & cluster.pairs:
                cluster.pairs |= other.pairs
                other.pairs = set()
                grown = True
        if grown:
            cluster.first = min(cluster.first, self._turned_bad(cluster))
            self._companions(cluster)
            self._fill(cluster)
        return grown

    def _minters(self, used: set[str]) -> Iterator[tuple[Pair, Text]]:
        """Who asked for the tokens in `used`, as far as rules matched the asking: the id of a token is in both events.

        It proves that the token is the same, not that who asked for it is the thief: an administrator's may be stolen,
        and kubelets ask for those of all pods. The caller decides.
        """
        for detection in self._detections:
            if not any(thing.kind == "serviceaccounts/token" for thing in detection.objects):
                continue
            for place, original in detection.places:
                event = event_of(original, place) if original else None
                issued = issued_credential_id(event) if event else ""
                if issued and issued in used:
                    identity, address = detection.identity, detection.address
                    sentence = Text(
                        en=f"{identity} from {address} asked for the very token that was used afterwards ({issued}).",
                        zh=f"{address} 的 {identity} 申请了随后被使用的同一个令牌（{issued}）。",
                    )
                    yield (identity, address), sentence


def _tells(detection: Detection) -> bool:
    """A detection strong enough to attribute its requests by itself."""
    return detection.rule.kind == "intrusion" or _POINTS[detection.rule.severity] >= _POINTS["medium"]


def credentials_gained(requests: Sequence[Request]) -> list[tuple[str, str, Callable[[str], Text]]]:
    """Identities whose credentials these requests made, minted or armed: name, since when, sentence for an address."""
    gained: dict[str, tuple[str, Callable[[str], Text]]] = {}

    def gain(identity: str, request: Request, en: str, zh: str, *, parts_too: bool = False) -> None:
        kind = kind_of_name(identity)
        if kind in ("anonymous", "rejected") or (kind in ("node", "controlPlane") and not parts_too):
            return

        def sentence(address: str) -> Text:
            return Text(
                en=f"{identity} from {address}: the intruder had {en} at {moment(request.time)}.",
                zh=f"{address} 使用 {identity}：入侵者于 {moment(request.time)} {zh}。",
            )

        gained.setdefault(identity, (request.time, sentence))

    for request in requests:
        if not request.succeeded:
            continue
        account = f"system:serviceaccount:{request.namespace}:{request.name}"
        if request.resource == "serviceaccounts" and request.verb == "create":
            if request.subresource == "token":
                gain(account, request, "minted a token for it", "为其签发了令牌")
            elif not request.subresource:
                gain(account, request, "created it", "创建了它")
        elif request.resource == "certificatesigningrequests" and request.verb == "create" and not request.subresource:
            for signing in signing_requests(request.final):
                said = "asked for a certificate in its name", "以其名义申请了证书"
                gain(signing.subject.common_name, request, *said, parts_too=True)
        elif request.resource in ("clusterrolebindings", "rolebindings") and request.verb in (
            "create",
            "update",
            "patch",
        ):
            for subject in grant_of(request.final).subjects:
                if subject.kind == "User":
                    gain(subject.name, request, f"given it rights ({request.name})", f"授予其权限（{request.name}）")
                elif subject.kind == "ServiceAccount":
                    name = f"system:serviceaccount:{subject.namespace}:{subject.name}"
                    gain(name, request, f"given it rights ({request.name})", f"授予其权限（{request.name}）")
        elif request.resource == "secrets" and request.verb == "get" and "-token-" in request.name:
            owner = request.name.rpartition("-token-")[0]
            name = f"system:serviceaccount:{request.namespace}:{owner}"
            gain(name, request, f"read its token secret {request.name}", f"读取了其令牌 Secret {request.name}")
    return sorted(((i, since, why) for i, (since, why) in gained.items()), key=lambda g: (g[1], g[0]))
