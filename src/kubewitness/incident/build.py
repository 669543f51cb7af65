"""Puts an incident together: cluster → all its events → requests → steps → cause, effects, words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from kubewitness.correlate.links import edge
from kubewitness.detect.collect import Collector
from kubewitness.detect.run import Scan
from kubewitness.incident.advice import advice
from kubewitness.incident.before_entry import before_entry
from kubewitness.incident.blast import Touched, exposed, lives
from kubewitness.incident.cascade import Effect, cascades, entity_of, roots_of
from kubewitness.incident.cause import entry_point, opens, root_causes
from kubewitness.incident.certificates import issued
from kubewitness.incident.citing import Citer
from kubewitness.incident.identity.nodes import nodes_gained
from kubewitness.incident.identity.standing import standing
from kubewitness.incident.identity.suspects import Cluster, Suspects
from kubewitness.incident.requests import TURNED_AWAY, Request, credential_ids, requests_of
from kubewitness.incident.step_rules import StepRules, poses
from kubewitness.incident.steps import StepDraft, drafts, worst
from kubewitness.incident.story import headline, status, story
from kubewitness.incident.verdicts.pace import verdict
from kubewitness.model.event import Event
from kubewitness.model.incident import Actor, Edge, Entity, Incident, ObjectName, Step
from kubewitness.model.judgement import SEVERITIES, Confidence
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.compile import Matcher
from kubewitness.rules.ir import Rule
from kubewitness.sources.duplicates import repeated_keys

_ROUNDS = 4  # of growth over credentials; each joins at least one accessor
_OBJECTS = 30  # named in one step
_EDGES = 2_000  # from requests to what they wrote
_KUBELET_COMMAND = re.compile(r"/proxy/(?:run|exec|attach|portForward)/([^/]+)/([^/]+)")  # kubelet's own API


def gather(scan: Scan, suspects: Suspects, clusters: list[Cluster]) -> list[tuple[Cluster, list[Request]]]:
    """Every cluster grown to its end, with all its requests; those that nobody let in are dropped."""
    out: list[tuple[Cluster, list[Request]]] = []
    collector = Collector(scan)
    collector.of(key for cluster in clusters for key in cluster.accessors)
    for cluster in clusters:
        if not cluster.pairs:
            continue
        requests = suspects.attributed(cluster, requests_of(collector.of(cluster.accessors)))
        for _ in range(_ROUNDS):
            if not suspects.grow(cluster, requests, clusters):
                break
            requests = suspects.attributed(cluster, requests_of(collector.of(cluster.accessors)))
        out.append((cluster, requests))
    return [(c, requests) for c, requests in out if c.pairs and any(opens(request) for request in requests)]


class Chain:
    """The requests of one cluster in steps, and the workloads whose effects are looked for."""

    def __init__(self, cluster: Cluster, requests: Sequence[Request]) -> None:
        self.cluster, self.requests = cluster, requests
        self.steps = drafts(requests)
        self.roots = roots_of(self.steps)


def build(
    scan: Scan,
    matcher: Matcher,
    chain: Chain,
    caused: Sequence[Event],
    *,
    name: str,
    citer: Citer,
    removed: Collection[ObjectName] = (),
) -> Incident:
    """The incident of one cluster and its requests.

    `caused`: what controllers did because of any incident; `removed`: objects that others deleted.
    """
    cluster, requests, steps = chain.cluster, chain.requests, chain.steps
    asker = StepRules(scan, matcher)
    matched = [asker.of(draft) for draft in steps]
    effects = cascades(caused, steps, chain.roots)
    accustomed = cluster.accustomed
    causes = root_causes(requests, scan.ledger, citer, accustomed)
    touched = Touched(requests, removed)
    entry = entry_point(steps, citer)
    made = tuple(
        _step(number, draft, rules, effects.get(number - 1), citer, accustomed=accustomed)
        for number, (draft, rules) in enumerate(zip(steps, matched, strict=True), 1)
    )
    secrets = exposed(requests, citer)
    pods = tuple(sorted({pod for effect in effects.values() for pod in effect.pods} | set(touched_pods(requests))))
    nodes = tuple(sorted({node for effect in effects.values() for node in effect.nodes}))
    techniques = dict[str, set[ObjectName]]()
    for draft, found in zip(steps, matched, strict=True):
        objects = {request.object for request in draft.requests}
        for rule in found:
            for one in rule.techniques:
                # A place where few look is no disguise by itself; there a name like those of Kubernetes' own parts is.
                place = one.startswith("T1036") and not poses(rule.id)
                on = {thing for thing in objects if thing.name.startswith("kube-")} if place else objects
                techniques.setdefault(one, set()).update(on)
    actor = _actor(cluster, requests)
    top = max((SEVERITIES.index(d.rule.severity) for d in cluster.detections), default=2)
    severity = SEVERITIES[min(max(top, 2 if not touched.created else 3), 4)]
    return Incident(
        id=name,
        severity=severity,
        confidence=_confidence(cluster),
        title=headline(requests, causes, touched, techniques, accustomed),
        story=story(steps, effects, causes, [step.severity for step in made]),
        first=requests[0].time,
        last=max(request.time for request in requests),
        actors=(actor,),
        entry_point=entry,
        root_causes=causes,
        steps=made,
        status=(*status(causes, touched, secrets, effects, scan.last), *standing(requests, scan.last)),
        lives=lives(steps, causes),
        created=touched.created,
        changed=touched.changed,
        deleted=touched.deleted,
        read=touched.read,
        pods=pods,
        nodes=nodes,
        secrets=secrets,
        verdict=verdict(requests, steps, touched_pods(requests)),
        actions=advice(
            causes=causes,
            touched=touched,
            pods=pods,
            nodes=nodes,
            secrets=secrets,
            addresses=actor.addresses,
            identities=actor.identities,
            certificates=issued(requests),
            shared=_others_at(scan, cluster),
            machines=nodes_gained(requests),
        ),
        limitations=(*before_entry(scan, entry), *_limitations(requests, accustomed)),
        audit_ids=tuple(dict.fromkeys(request.audit_id for request in requests if request.audit_id)),
        edges=(*_edges(requests, citer), *(one for effect in effects.values() for one in effect.edges(citer))),
    )


def _edges(requests: Sequence[Request], citer: Citer) -> list[Edge]:
    """From requests to the objects that they wrote and the pods that they entered."""
    out = dict[tuple[str, Entity], Edge]()
    for request in requests:
        if len(out) >= _EDGES:
            break
        if not request.audit_id or not (request.succeeded or request.resource == "nodes"):
            continue
        source, place = Entity("request", request.audit_id), citer.place(request.final.place, request.audit_id)
        for pod in touched_pods((request,)):
            if request.subresource:
                keys = {"namespace": pod.namespace, "pod": pod.name}
                out[request.audit_id, entity_of(pod)] = edge(
                    "request_enters_pod", source, entity_of(pod), keys, (place,)
                )
        if request.verb in ("create", "update", "patch") and request.name and not request.subresource:
            name = request.object
            keys = {"resource": name.kind, "namespace": name.namespace, "name": name.name}
            out[request.audit_id, entity_of(name)] = edge(
                "request_names_object", source, entity_of(name), keys, (place,)
            )
    return list(out.values())


def _confidence(cluster: Cluster) -> Confidence:
    strong = [d for d in cluster.detections if d.rule.kind == "intrusion"]
    if any(d.rule.confidence == "high" for d in strong):
        return "high"
    return "medium" if strong else "low"


def touched_pods(requests: Sequence[Request]) -> list[ObjectName]:
    """Pods entered or made directly: through the API server, or by commands it passed on to a kubelet."""
    out = list[ObjectName]()
    for request in requests:
        if not request.succeeded and request.resource != "nodes":
            continue
        entered = request.subresource in ("exec", "attach", "portforward")
        made = request.verb == "create" and not request.subresource and request.name
        named = _KUBELET_COMMAND.search(request.path) if request.subresource == "proxy" else None
        if request.resource == "pods" and (entered or made):
            out.append(ObjectName("pods", request.namespace, request.name))
        elif request.resource == "nodes" and named and not request.refused and request.code not in TURNED_AWAY:
            out.append(ObjectName("pods", named[1], named[2]))
    return out


def _actor(cluster: Cluster, requests: Sequence[Request]) -> Actor:
    def ordered(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value for value in values if value))

    return Actor(
        addresses=ordered([request.address for request in requests]),
        identities=ordered([request.identity for request in requests]),
        credentials=ordered([c for request in requests for c in credential_ids(request.final)])[:50],
        agents=ordered([request.agent for request in requests])[:50],
        claimed_addresses=ordered([ip for request in requests for ip in request.final.source_ips[:-1]])[:50],
        why=tuple(cluster.why),
        requests=len(requests),
        first=requests[0].time,
        last=max(request.time for request in requests),
        impersonated=ordered([request.impersonated for request in requests if not request.refused])[:50],
    )


def _others_at(scan: Scan, cluster: Cluster) -> dict[str, list[str]]:
    """Who else came from the addresses of an intruder: others, and an owner who works there too."""
    addresses = {address for _, address in cluster.pairs}
    out = dict[str, set[str]]()
    for key in scan.profiles.by_key:
        if key.identity and key.address in addresses and (key not in cluster.accessors or key in cluster.partial):
            out.setdefault(key.address, set()).add(key.identity)
    return {address: sorted(names) for address, names in sorted(out.items())}


def _step(
    number: int, draft: StepDraft, rules: Sequence[Rule], effect: Effect | None, citer: Citer, *, accustomed: bool
) -> Step:
    first, requests = draft.first, draft.requests
    objects = tuple(dict.fromkeys(r.object for r in requests if r.resource))[:_OBJECTS]
    agents: Mapping[str, None] = dict.fromkeys(r.agent for r in requests)
    return Step(
        number=number,
        time=first.time,
        last=requests[-1].time,
        act=draft.deed.act,
        identity=first.identity,
        address=first.address,
        agent=next(iter(agents)),
        description=draft.phrase(),
        why=_why(first, rules, accustomed),
        techniques=tuple(technique(t) for t in draft.technique_ids(rules)),
        severity=worst(rules, draft.deed.act == "refused"),
        objects=objects,
        requests=len(requests),
        succeeded=sum(r.succeeded for r in requests),
        rules=tuple(rule.id for rule in rules),
        effects=effect.texts() if effect else (),
        effect_events=len(effect.events) if effect else 0,
        command=first.command,
        evidence=citer.requests(requests, rules),
    )


def _why(first: Request, rules: Sequence[Rule], accustomed: bool) -> Text:
    by, by_zh = first.identity or "(rejected credential)", first.identity or "被拒凭据"
    at = first.address or "?"
    who = (
        Text(
            f"By {by} from {at}, where it always works: its owner or a thief",
            f"{at} 的 {by_zh}（其惯用地址）所为：可能是本人，也可能被盗用",
        )
        if accustomed
        else Text(f"By the intruder ({by} from {at})", f"入侵者（{at} 的 {by_zh}）所为")
    )
    titles = [rule for rule in rules if rule.kind != "context"]
    en = "".join(f"; {rule.title.en}" for rule in titles[:3])
    zh = "".join(f"；{rule.title.zh}" for rule in titles[:3])
    return Text(f"{who.en}{en}.", f"{who.zh}{zh}。")


def _limitations(requests: Sequence[Request], accustomed: bool) -> tuple[Text, ...]:
    out = []
    if accustomed:
        out.append(
            Text(
                "The identity worked from this address all along: the log cannot tell its owner from somebody "
                "who took over "
                "the owner's machine or credential. Ask the owner first.",
                "该身份一直在此地址正常工作：日志无法区分是其本人，还是其机器或凭据被他人控制。请先向本人核实。",
            )
        )
    ids = Counter(request.audit_id for request in requests if request.audit_id)
    borrowed = sum(n > 1 for n in ids.values())
    if borrowed:
        out.append(
            Text(
                f"{borrowed} auditIDs stand for more than one request. A client may choose the id (header "
                "Audit-ID): tools that "
                "take it for unique lose such requests. Here they are told apart by time and path.",
                f"有 {borrowed} 个 auditID 对应多个请求。客户端可自定该 id（Audit-ID 请求头），"
                "把它当作唯一值的工具会漏掉这些请求；"
                "此处按时间与路径区分。",
            )
        )
    doubled = [event for r in requests for event in r.events if repeated_keys(event.original)]
    if doubled:
        place = doubled[0].place
        out.append(
            Text(
                f"{len(doubled)} events name a field twice (first: {place.item}, line {place.line}): the API "
                "server never "
                "writes that, so they were changed on the way or by hand. The last value was taken.",
                f"有 {len(doubled)} 条事件的字段重复出现（首条：{place.item} 第 {place.line} 行）：API server "
                "不会这样写，"
                "说明记录在传输中或被人改动过。此处取最后一个值。",
            )
        )
    if any(len(r.final.source_ips) > 1 for r in requests):
        out.append(
            Text(
                "Some requests name earlier addresses (X-Forwarded-For): the client can invent those, only the "
                "last is fact.",
                "部分请求带有更早的地址（X-Forwarded-For）：可由客户端伪造，只有最后一个是事实。",
            )
        )
    return tuple(out)
