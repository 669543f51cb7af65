"""What `kubewitness check` says: checks, their results, and the document of them. Part of the published contract."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.evidence import EvidenceItem, Note, ParseFailure
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text

SCHEMA_VERSION: Final = "1.0"

Status = Literal["pass", "fail", "not_applicable", "not_evaluated"]
Scope = Literal["cluster", "node", "fleet"]
Group = Literal["access", "control_plane", "nodes", "fleet", "workloads", "credentials"]


class Where(Struct, frozen=True):
    """Where a value was read."""

    item: str = ""
    line: int = 0
    object: str = ""  # "ClusterRoleBinding anonymous-admin"
    path: str = ""  # JSON path in the object, or the path of the file on its machine
    text: str = ""  # what stands there, short


class Remedy(Struct, frozen=True):
    """What to do. Nothing has been run."""

    title: Text
    detail: Text = Text("", "")
    command: str = ""  # copyable shell or a manifest, comments on their own lines
    safe: bool = False  # breaks nothing that anybody relies on, as far as can be known from this evidence
    breaks: Text = Text("", "")  # what it may break, where not safe
    fix: str = ""  # results with the same word here are mended by doing this once; empty: the check's id
    comments: tuple[Text, ...] = ()  # comments of the command, which itself has the English ones
    blanks: tuple[str, ...] = ()  # words of the command that stand for what is not known: not to be run as it is


class Hop(Struct, frozen=True):
    """One step of an attack path: who gets to be what, by which right."""

    source: str  # "User system:anonymous"
    target: str  # "Secret kube-system/*", "Node *", "Group system:masters"
    means: str  # id of the means, "pods_exec"
    description: Text
    where: tuple[Where, ...] = ()  # the binding and role that allow it


class Waiver(Struct, frozen=True):
    """Why a failure is accepted, by whom and until when."""

    owner: str
    reason: str
    expires: str  # "2027-01-31"
    line: int = 0  # of the file of waivers


class CheckInfo(Struct, frozen=True):
    """A check: data, one a file in `content/checks`."""

    id: str  # "checks/access/anonymous_grant"
    title: Text
    why: Text  # in terms of the two incidents and of what an intruder does with it
    severity: Severity
    group: Group
    scope: Scope
    remedy: Remedy
    techniques: tuple[str, ...] = ()  # ATT&CK
    frameworks: dict[str, tuple[str, ...]] = {}  # "CIS" → ("5.1.1",), "NSA/CISA", "PSS", "MS threat matrix"


class Result(Struct, frozen=True):
    """What a check found of one thing. Checks leave `check`, `key` and `waiver` to the engine."""

    status: Status
    target: str  # "cluster", "node/NAME", "fleet"
    subject: str  # what is judged, stable from run to run: "ClusterRoleBinding anonymous-admin"
    observed: Text = Text("", "")
    expected: Text = Text("", "")
    where: tuple[Where, ...] = ()
    reason: Text = Text("", "")  # of not_applicable and not_evaluated: why; of a failure: what makes it that severe
    severity: Severity | None = None  # None: the check's own
    remedy: Remedy | None = None  # None: the check's own
    hops: tuple[Hop, ...] = ()  # of an attack path
    aspect: str = ""  # tells several failures of one subject apart, stable from run to run
    check: str = ""
    key: str = ""  # check, target, subject and aspect: what a baseline and waivers go by
    waiver: Waiver | None = None
    known: bool = False  # in the baseline already
    includes: tuple[str, ...] = ()  # keys of failures that this one tells too: a person needs to read it alone


class Credential(Struct, frozen=True):
    """One line of the inventory of credentials: never the credential itself."""

    kind: str  # "client certificate", "kubeconfig", "token Secret", "bootstrap token", "CSR", "token file"
    name: str  # of the file, object or user
    target: str  # "cluster", "node/NAME"
    identity: str = ""  # whom it makes
    groups: tuple[str, ...] = ()
    issuer: str = ""
    not_before: str = ""
    not_after: str = ""
    fingerprint: str = ""  # SHA-256 of the certificate
    last_used: str = ""  # from an audit log
    last_from: str = ""
    requests: int = -1  # -1: no audit log was given, or it cannot tell
    where: tuple[Where, ...] = ()


class PostureReport(Struct, frozen=True):
    """Everything one `kubewitness check` found."""

    schema_version: str
    tool: str
    generated: str
    targets: tuple[str, ...]
    cluster: str
    version: str  # of the API server; empty: not known
    checks: tuple[CheckInfo, ...]  # those that were run
    results: tuple[Result, ...]  # worst first
    credentials: tuple[Credential, ...] = ()
    items: tuple[EvidenceItem, ...] = ()
    notes: tuple[Note, ...] = ()
    parse_failures: tuple[ParseFailure, ...] = ()
    complete: bool = True
    baseline: str = ""  # the report that `known` speaks of
    waivers_expired: tuple[str, ...] = ()
    gone: tuple[Result, ...] = ()  # failures of the baseline that were looked for and are no more
    unseen: int = 0  # failures of the baseline of which this evidence tells nothing
