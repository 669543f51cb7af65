"""A made-up scenario of seven requests and the report that answers it perfectly."""

from __future__ import annotations

from collections.abc import Sequence

from kubewitness.model.document import SCHEMA_VERSION, Document
from kubewitness.model.incident import Actor, Coverage, EntryPoint, Evidence, Finding, Incident, RootCause, Step
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text
from range.labels import LabelledActor, LabelledLine, LabelledRequest, LabelledStep, Labels
from range.script import Actor as ScriptActor
from range.script import Expected, ExpectedIncident, Script, Words

THIEF, CI, OFFICE = "203.0.113.9", "10.77.30.5", "10.77.20.5"
USER = "jane"
WORDS, NOTHING = Words("made up", "虚构"), Text("", "")

LABELS = Labels(
    scenario="made_up",
    recorded="2026-03-02T12:00:00.000000Z",
    kubernetes="v1.34.4",
    actors={
        "thief": LabelledActor("intruder", (THIEF,)),
        "ci": LabelledActor("benign", (CI,)),
        "admin": LabelledActor("administrator", (OFFICE,)),
        "cluster": LabelledActor("system", ("10.77.0.10",)),
    },
    steps=(
        LabelledStep("thief", "looks", "attack", "2026-03-02T11:00:00.000000Z", "2026-03-02T11:00:01.000000Z"),
        LabelledStep("thief", "steals", "attack", "2026-03-02T11:00:02.000000Z", "2026-03-02T11:00:03.000000Z"),
        LabelledStep("thief", "escapes", "attack", "2026-03-02T11:00:04.000000Z", "2026-03-02T11:00:05.000000Z"),
        LabelledStep("thief", "deploys", "attack", "2026-03-02T11:00:06.000000Z", "2026-03-02T11:00:07.000000Z"),
    ),  # "escapes" leaves no request
    requests=(
        LabelledRequest("t1", "thief", "looks"),
        LabelledRequest("t2", "thief", "looks"),
        LabelledRequest("t3", "thief", "steals"),
        LabelledRequest("t4", "thief", "deploys"),
        LabelledRequest("b1", "ci"),
        LabelledRequest("a1", "admin"),
        LabelledRequest("s1", "cluster"),
    ),
    lines=(LabelledLine("nodes/node1/kubelet.log", 7, "thief", "escapes"),),
)
WANTED = ExpectedIncident(("thief",), USER, THIEF, ("ClusterRoleBinding/open", "Credential/jane"), (USER,), (THIEF,))


def script(*expected: ExpectedIncident, kind: str = "attack", silent: bool = False) -> Script:
    """A script that expects these incidents; of everything else only what has no default."""
    actors = {
        "thief": ScriptActor("intruder", THIEF),
        "ci": ScriptActor("benign", CI),
        "admin": ScriptActor("administrator", OFFICE),
    }
    wanted = Expected(expected, audit_log_silent=silent)
    return Script(WORDS, WORDS, actors, (), wanted, kind="benign" if kind == "benign" else "attack")


def cited(*audit_ids: str) -> tuple[Evidence, ...]:
    """Citations, each with a line of its own."""
    log = "evidence/control-plane/audit.log.gz"
    return tuple(Evidence(one, log, sum(map(ord, one)), 0, "2026-03-02T11:00:00.000000Z") for one in audit_ids)


def step(number: int, *audit_ids: str) -> Step:
    """A step that cites these requests."""
    return Step(number, "", "", "read", USER, THIEF, "curl", NOTHING, NOTHING, evidence=cited(*audit_ids))


def incident(
    audit_ids: Sequence[str] = ("t1", "t2", "t3", "t4"),
    *,
    steps: Sequence[Sequence[str]] = (("t1", "t2"), ("t3",), ("t4",)),
    identities: Sequence[str] = (USER,),
    addresses: Sequence[str] = (THIEF,),
    entry: tuple[str, str] | None = (USER, THIEF),
    cause: tuple[str, str] | None = ("Credential", "jane"),
) -> Incident:
    """The right incident, but for what is given."""
    return Incident(
        id="INC-20260302-01",
        severity="high",
        confidence="high",
        title=Text("An intrusion", "一次入侵"),
        story=(),
        first="",
        last="",
        actors=(Actor(tuple(addresses), tuple(identities)),),
        entry_point=EntryPoint("", *entry, NOTHING, evidence=cited("t1")) if entry else None,
        root_causes=(RootCause(*cause, evidence=cited("t1")),) if cause else (),
        steps=tuple(step(number, *ids) for number, ids in enumerate(steps, 1)),
        audit_ids=tuple(audit_ids),
    )


def finding(severity: Severity, *audit_ids: str) -> Finding:
    """A finding of the rule "made_up_rule" that cites these requests."""
    return Finding(
        "F-0001", "made_up_rule", NOTHING, NOTHING, severity, "high", "intrusion", (), USER, THIEF, 1, "", "",
        evidence=cited(*audit_ids),
    )  # fmt: skip


def report(*incidents: Incident, findings: Sequence[Finding] = ()) -> Document:
    """A report with these."""
    coverage = Coverage("", "", 7, 7, 0, {}, {}, {}, ())
    return Document(
        SCHEMA_VERSION, "kubewitness", "", "made_up", None, incidents, tuple(findings), (), coverage, ()
    )  # fmt: skip
