"""What we believe: findings, incidents and the coverage behind them. Frozen; part of the published JSON contract.

Times are RFC 3339 UTC with microseconds, as text; empty where unknown. Texts carry English and Chinese.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from kubewitness.model.evidence import ArchiveProof, EvidenceItem, Note
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text

LifeRole = Literal["cause", "backdoor", "workload", "secret", "other"]  # what an object is to the chain
# How a step touches its object; drawn and worded differently (see the picture's legend).
Act = Literal["read", "create", "change", "delete", "execute", "refused", "effect"]


class Evidence(Struct, frozen=True):
    """A citation: one original event."""

    audit_id: str
    item: str
    line: int
    offset: int
    time: str
    stage: str = ""
    sha256: str = ""  # of the item
    summary: str = ""  # "delete clusterrolebindings/x by system:anonymous from 203.0.113.7: 200"
    decisive: tuple[str, ...] = ()  # JSON paths in `original` that carry the claim
    original: str = ""  # the event's JSON text as found; empty where it is only cited
    masked: bool = False  # values of Secrets and tokens were left out of `original`


class Technique(Struct, frozen=True):
    """An ATT&CK technique."""

    id: str
    name: str
    tactics: tuple[str, ...] = ()


class ObjectName(Struct, frozen=True, order=True):
    """A Kubernetes object."""

    kind: str  # resource in the plural as in the API, "daemonsets"; subresources as "pods/exec"
    namespace: str
    name: str
    group: str = ""


class Entity(Struct, frozen=True, order=True):
    """Something that the chain runs through, one name the world over."""

    # Names are an auditID, resource/namespace/name, namespace/name of a pod, a node's name, node/id of a container,
    # node/pid, node/protocol local → peer, node:path, an address, an identity as the log has it, incident/number of a
    # step, machine:name of a setting, namespace/name-* of many pods that one object made.
    kind: Literal[
        "request", "object", "pod", "node", "container", "process", "socket", "file", "address", "identity", "step",
        "setting", "pods",
    ]  # fmt: skip
    name: str


class Edge(Struct, frozen=True):
    """Two entities joined by a link: the link, the values that joined them, and the evidence of them."""

    link: str  # "links/cgroup_process"
    source: Entity
    target: Entity
    keys: dict[str, str]
    confidence: float
    why: Text
    inferred: bool = False
    evidence: tuple[Evidence, ...] = ()


class Actor(Struct, frozen=True):
    """Who acted in an incident: every address, identity, credential and agent attributed to the same intruder."""

    addresses: tuple[str, ...]
    identities: tuple[str, ...]
    credentials: tuple[str, ...] = ()  # credential-id values (JTI=…, X509SHA256=…)
    agents: tuple[str, ...] = ()
    claimed_addresses: tuple[str, ...] = ()  # earlier sourceIPs: set by the client or a proxy, not fact
    why: tuple[Text, ...] = ()  # why these belong together, one sentence a join
    requests: int = 0
    first: str = ""
    last: str = ""
    servers: tuple[str, ...] = ()  # hosts its commands fetched from: indicators, not where it came from
    departures: tuple[Text, ...] = ()  # what the identities never did otherwise, in words
    impersonated: tuple[str, ...] = ()  # in whose names its identities acted; these did nothing themselves


class EntryPoint(Struct, frozen=True):
    """The first thing the intruder was allowed to do."""

    time: str
    identity: str
    address: str
    description: Text
    techniques: tuple[Technique, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class RootCause(Struct, frozen=True):
    """What made it possible: a binding, a setting, a credential."""

    kind: str  # "ClusterRoleBinding", "RoleBinding", "Credential", "Setting"
    name: str
    namespace: str = ""
    role: str = ""  # "ClusterRole cluster-admin"
    subject: str = ""  # "User system:anonymous"
    description: Text = Text("", "")
    requests_authorised: int = 0  # intruder requests it allowed
    requests_total: int = 0  # intruder requests allowed by anything
    created: str = ""  # when and by whom, if in the evidence
    created_by: str = ""
    deleted: str = ""
    deleted_by: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def place(self) -> str:
        """Its name, of something in a namespace behind that: `payroll/reader`."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Step(Struct, frozen=True):
    """One action in an attack chain; like requests in a row fold into one step."""

    number: int
    time: str  # first request
    last: str  # last request
    act: Act
    identity: str
    address: str
    agent: str
    description: Text
    why: Text  # why this is in the chain
    techniques: tuple[Technique, ...] = ()
    severity: Severity = "informational"
    inferred: bool = False
    confidence: float = 1.0  # of attribution; 1.0 = cited
    objects: tuple[ObjectName, ...] = ()
    requests: int = 1
    succeeded: int = 0
    rules: tuple[str, ...] = ()
    effects: tuple[Text, ...] = ()  # folded controller cascade: "4 pods on 4 nodes by daemon-set-controller"
    effect_events: int = 0
    command: str = ""  # decoded exec command
    evidence: tuple[Evidence, ...] = ()
    entities: tuple[Entity, ...] = ()  # processes, containers and files of a node that the step is about
    path: tuple[Entity, ...] = ()  # over `Incident.edges`, from the intruder's request to the first of `entities`


class ObjectLife(Struct, frozen=True):
    """An object of the chain over time: a bar in the picture."""

    object: ObjectName
    created: str = ""  # empty: before the evidence begins
    created_step: int = 0
    deleted: str = ""  # empty: not deleted in the evidence
    deleted_step: int = 0
    changed_steps: tuple[int, ...] = ()
    read_steps: tuple[int, ...] = ()
    missing_steps: tuple[int, ...] = ()  # named by a request that found nothing (404)
    role: LifeRole = "other"
    grants: str = ""  # identity whose power this object is ("system:anonymous"), for bindings


class Secret(Struct, frozen=True):
    """A credential to be rotated, and how sure it is that it was read."""

    namespace: str
    name: str  # "" = all in the namespace; namespace "" = whole cluster
    description: Text
    evidence: tuple[Evidence, ...] = ()


class Action(Struct, frozen=True):
    """Advice: one thing to do, in order. Nothing has been run."""

    phase: Literal["snapshot", "isolate", "dump", "stop", "revoke", "fix", "verify"]
    title: Text
    detail: Text
    command: str = ""  # copyable shell, comments on their own lines
    safe: bool = False  # changes nothing that anybody relies on
    breaks: Text = Text("", "")
    undo: Text = Text("", "")


class Verdict(Struct, frozen=True):
    """An answer to one question about an incident; with reasons and what speaks against."""

    verdict: Literal["worm", "hands_on", "undetermined", "insider", "intruder", "contained", "active"]
    confidence: Confidence
    reasons: tuple[Text, ...] = ()
    against: tuple[Text, ...] = ()
    question: Literal["worm_or_hands_on", "insider_or_intruder", "contained_or_active"] = "worm_or_hands_on"


class Exposure(Struct, frozen=True):
    """Data that the intruder got or could get at, in what detail the evidence can tell."""

    object: ObjectName  # name "" = all of the namespace; namespace "" = of the whole cluster
    # "content": the answer carried the values; "likely_content": a read that succeeded at a level without bodies;
    # "names": existence and names alone; "mounted": lies in a pod the intruder ran or entered; "possible": a right
    # that the intruder had and is not seen to have used
    detail: Literal["content", "likely_content", "names", "mounted", "possible"]
    description: Text
    first: str = ""
    last: str = ""
    requests: int = 0
    evidence: tuple[Evidence, ...] = ()


class CampaignStep(Struct, frozen=True):
    """One step of a known campaign, and whether this incident shows it."""

    title: Text
    # "not_visible": the evidence holds nothing that would show it; "out_of_order": it is there, but not where the
    # campaign has it
    state: Literal["seen", "not_seen", "not_visible", "out_of_order"]
    technique: str = ""
    distinctive: bool = False
    evidence: tuple[Evidence, ...] = ()


class CampaignMatch(Struct, frozen=True):
    """A known campaign that an incident runs like."""

    id: str  # "campaigns/rbac_buster"
    name: Text
    seen: int  # steps
    visible: int  # steps that this evidence could show
    total: int
    steps: tuple[CampaignStep, ...]
    confidence: Confidence
    active: str = ""  # "2021-02 – 2021-08"
    sources: tuple[str, ...] = ()


class CutPart(Struct, frozen=True, order=True):
    """One thing that a cut takes away or sets."""

    # "subject": out of a binding; "right": out of a role; "credential": revoked; the others are settings
    kind: Literal["binding", "subject", "right", "credential", "api_server", "kubelet", "pod_security"]
    object: ObjectName = ObjectName("", "", "")  # the binding, role, identity ("users"), node or namespace
    # Such as "User system:anonymous", "create pods/exec", "JTI=…" (empty: all of the identity's credentials),
    # "--anonymous-auth=false", "authorization.mode=Webhook", "enforce=baseline".
    what: str = ""


class Cut(Struct, frozen=True):
    """What could have been taken away or set so that the intruder is refused, and what else would have been.

    All requests were replayed against the roles and bindings of their time without `parts`.
    """

    objects: tuple[ObjectName, ...]  # of `parts`; not of credentials and the API server
    refused: int  # requests of the intruder
    total: int  # requests of the intruder that were let through, without what everybody may ask
    broken: int  # requests of everybody else that would have been refused too, in the whole log
    by: dict[str, int] = {}  # whose, most first, at most ten
    identities: int = 0  # how many they are in all
    at_most: bool = False  # some of these were counted and not replayed
    uncertain: bool = False  # rests on roles or bindings that the evidence does not show
    parts: tuple[CutPart, ...] = ()
    of: Literal["requests", "commands", "pods"] = "requests"  # what `refused`, `total` and `broken` count
    unknown: bool = False  # what others did is not recorded, or not all of it: `broken` proves nothing


class Incident(Struct, frozen=True):
    """Findings judged to be one intrusion."""

    id: str  # "INC-20221023-01"
    severity: Severity
    confidence: Confidence
    title: Text
    story: tuple[Text, ...]  # sentences in order
    first: str
    last: str
    actors: tuple[Actor, ...]
    entry_point: EntryPoint | None
    root_causes: tuple[RootCause, ...]
    steps: tuple[Step, ...]
    status: tuple[tuple[Text, Text], ...] = ()  # label, state: effect, way in, credentials
    lives: tuple[ObjectLife, ...] = ()
    created: tuple[ObjectName, ...] = ()
    changed: tuple[ObjectName, ...] = ()
    deleted: tuple[ObjectName, ...] = ()
    read: tuple[ObjectName, ...] = ()
    pods: tuple[ObjectName, ...] = ()
    nodes: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    verdict: Verdict | None = None
    actions: tuple[Action, ...] = ()
    limitations: tuple[Text, ...] = ()
    findings: tuple[str, ...] = ()  # ids of findings that belong to it
    audit_ids: tuple[str, ...] = ()  # every auditID attributed to the intruder, and no other
    edges: tuple[Edge, ...] = ()  # what joins requests, objects, pods, nodes, containers, processes and sockets
    campaigns: tuple[CampaignMatch, ...] = ()  # known ones that it runs like, the likeliest first
    cuts: tuple[Cut, ...] = ()  # what would have stopped it, the most effective and least harmful first
    verdicts: tuple[Verdict, ...] = ()  # on the other questions than `verdict`
    exposures: tuple[Exposure, ...] = ()  # the surest first


class Finding(Struct, frozen=True):
    """A detection, or several alike by the same actor, worth a person's look."""

    id: str  # "F-0001"
    rule: str
    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[Technique, ...]
    identity: str
    address: str
    count: int  # requests
    first: str
    last: str
    objects: tuple[ObjectName, ...] = ()
    matched: dict[str, Any] = {}  # the why: field → value in the first event
    falsepositives: tuple[Text, ...] = ()
    runbook: Text = Text("", "")
    incident: str = ""  # id of the incident it belongs to
    evidence: tuple[Evidence, ...] = ()
    reasons: tuple[Text, ...] = ()  # the why in words, one a sign, where a rule looks at more than fields


class Accessor(Struct, frozen=True):
    """One identity from one address: what it did in the whole log."""

    identity: str
    address: str
    agents: tuple[str, ...]
    requests: int
    refused: int
    first: str
    last: str
    verbs: dict[str, int]
    resources: dict[str, int]  # most used first, at most ten
    incident: str = ""


class Gap(Struct, frozen=True):
    """A silence in the log longer than its rhythm explains."""

    first: str
    last: str
    seconds: float


class ClockSkew(Struct, frozen=True):
    """How far a node's clock is ahead of the API server's, in seconds: at least `low`, at most `high`."""

    node: str
    low: float | None  # None: nothing tells
    high: float | None
    pairs: int  # of times that were compared
    moved: float = 0.0  # what was taken from times of this node before they were put in order with the audit log's


class SourceCoverage(Struct, frozen=True):
    """One kind of evidence: whether there is any, and what its absence hides."""

    source: str  # "k8s_audit", "node_archive", "kubelet_log", ...
    name: Text
    state: Literal["present", "partial", "absent"]
    detail: Text = Text("", "")  # what is there, or why it is only a part
    would_show: Text = Text("", "")  # what the missing part would have shown


class Coverage(Struct, frozen=True):
    """What was looked at, and what could not be seen."""

    first: str
    last: str
    events: int
    requests: int
    duplicates: int
    levels: dict[str, int]
    stages: dict[str, int]
    formats: dict[str, int]
    items: tuple[EvidenceItem, ...]
    gaps: tuple[Gap, ...] = ()
    limitations: tuple[Text, ...] = ()  # what the evidence cannot show, and what it would have shown
    notes: tuple[Note, ...] = ()
    clocks: tuple[ClockSkew, ...] = ()
    archives: tuple[ArchiveProof, ...] = ()  # our own, proved against their manifests
    rules_loaded: int = 0
    rules_failed: tuple[str, ...] = ()  # "path:line: reason"
    indicators_loaded: int = 0
    indicators_failed: tuple[str, ...] = ()  # lines of lists that could not be used, "path:line: reason"
    sources: tuple[SourceCoverage, ...] = ()

    @property
    def understood(self) -> bool:
        """Whether there was anything to judge: an audit event, or an item of a machine."""
        return self.events > 0 or any(item.format and not item.failures and not item.skipped for item in self.items)
