"""Small result documents for the renderers: one intrusion, none, several, a long one, a hostile one."""

# ruff: noqa: E501, PLR0917 - a sentence stands beside its translation; the makers of samples take what they need

from __future__ import annotations

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
    Exposure,
    Finding,
    Gap,
    Incident,
    ObjectName,
    RootCause,
    Secret,
    SourceCoverage,
    Step,
    Technique,
    Verdict,
)
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text
from kubewitness.report.document import SCHEMA_VERSION, Document

DAY = "2022-10-23T"
ADDRESS = "203.0.113.77"
TOKEN = "system:serviceaccount:kube-system:default"
REASON = (
    'RBAC: allowed by ClusterRoleBinding "cluster-system-anonymous" of ClusterRole "cluster-admin"'
    ' to User "system:anonymous"'
)
LIST_SECRETS = Technique("T1552.007", "Container API", ("credential-access",))
ROLES = Technique("T1098.006", "Additional Container Cluster Roles", ("persistence",))


def evidence(number: int, time: str, verb: str, what: str, who: str, code: int) -> Evidence:
    """A citation whose original event says the same."""
    audit_id = f"c0a1e7d2-41b3-4f6e-8a1b-{number:012d}"
    original = msgspec.json.encode(
        {
            "kind": "Event",
            "auditID": audit_id,
            "verb": verb,
            "user": {"username": who},
            "sourceIPs": [ADDRESS],
            "responseStatus": {"code": code},
            "annotations": {"authorization.k8s.io/reason": REASON},
        }
    ).decode()
    return Evidence(
        audit_id=audit_id, item="audit.log", line=1000 + number, offset=90_000 + number, time=time,
        stage="ResponseComplete", sha256="794e724e5a7a" + "0" * 52,
        summary=f"{verb} {what} by {who} from {ADDRESS}: {code}",
        decisive=("annotations.authorization.k8s.io/reason", "responseStatus.code"), original=original,
    )  # fmt: skip


def step(
    number: int, time: str, act: Act, who: str, description: Text, why: Text, *, technique: Technique = LIST_SECRETS,
    severity: Severity = "high", requests: int = 1, inferred: bool = False, objects: tuple[ObjectName, ...] = (),
    effects: tuple[Text, ...] = (), command: str = "",
) -> Step:  # fmt: skip
    """A step with one citation."""
    return Step(
        number=number, time=DAY + time, last=DAY + time, act=act, identity=who, address=ADDRESS, agent="curl/7.64.0",
        description=description, why=why, techniques=(technique,), severity=severity, inferred=inferred,
        confidence=0.7 if inferred else 1.0, objects=objects, requests=requests,
        succeeded=0 if act == "refused" else requests, rules=("detections/k8s_audit/credential_access/anonymous_secrets",),
        effects=effects, command=command, evidence=(evidence(number, DAY + time, "list", "secrets", who, 200),),
    )  # fmt: skip


STEPS = (
    step(
        1, "17:30:24.602118Z", "read", "system:anonymous",
        Text("Listed every Secret in the cluster without logging in", "未经登录即列出了集群中的全部 Secret"),
        Text("Allowed only because of the binding named in the authorization reason.", "只因授权原因中写明的绑定才获准。"),
        severity="critical", objects=(ObjectName("secrets", "", ""),),
    ),
    step(
        2, "17:37:31.733020Z", "create", "system:anonymous",
        Text("Bound kube-system:default to cluster-admin, under the name of a real component",
             "以真实组件的名字，把 kube-system:default 绑定到 cluster-admin"),
        Text("Same address as step 1.", "与第 1 步来自同一地址。"),
        technique=ROLES, severity="critical", inferred=True,
        objects=(ObjectName("clusterrolebindings", "", "kube-controller-manager", "rbac.authorization.k8s.io"),),
    ),
    step(
        3, "17:38:21.000000Z", "create", TOKEN,
        Text("Created DaemonSet kube-controller: a miner on every node", "创建 DaemonSet kube-controller：每个节点一个挖矿程序"),
        Text("The token was read in step 1.", "令牌在第 1 步被读走。"),
        technique=Technique("T1610", "Deploy Container", ("execution",)), severity="critical",
        objects=(ObjectName("daemonsets", "kube-system", "kube-controller", "apps"),),
        effects=(Text("4 pods on 4 nodes by daemon-set-controller", "daemon-set-controller 在 4 个节点上创建了 4 个 Pod"),),
    ),
    step(
        4, "17:39:49.000000Z", "refused", TOKEN,
        Text("Went on asking, all refused", "继续请求，全部被拒"),
        Text("Its own binding was gone.", "它自己的绑定已不存在。"), severity="low", requests=19,
    ),
)  # fmt: skip

INCIDENT = Incident(
    id="INC-20221023-01", severity="critical", confidence="high",
    title=Text("Anyone on the internet was cluster-admin; a mining worm came in", "互联网上任何人都是 cluster-admin，挖矿蠕虫由此进入"),
    story=(
        Text(f"On 23 October at 17:30:24 UTC a client at {ADDRESS} that never logged in listed every Secret.",
             f"10 月 23 日 17:30:24 UTC，来自 {ADDRESS} 的客户端未经登录，列出了全部 Secret。"),
        Text("Seven minutes later it bound a second admin identity and had a miner running on all four nodes.",
             "七分钟后，它又绑定了第二个管理员身份，并在全部四个节点上运行了挖矿程序。"),
    ),
    first=DAY + "17:30:24.602118Z", last=DAY + "17:39:49.000000Z",
    actors=(
        Actor(
            (ADDRESS,), ("system:anonymous", TOKEN), agents=("python-requests/2.27.1", "curl/7.64.0", "kubectl/v1.22.0"),
            why=(Text("Same address within seven minutes.", "七分钟内来自同一地址。"),), requests=66,
            first=DAY + "17:30:24.602118Z", last=DAY + "17:39:49.000000Z",
        ),
    ),
    entry_point=EntryPoint(
        DAY + "17:30:24.602118Z", "system:anonymous", ADDRESS,
        Text("an unauthenticated request listed Secrets in every namespace", "未认证的请求列出了所有命名空间的 Secret"),
        (LIST_SECRETS,), (evidence(1, DAY + "17:30:24.602118Z", "list", "secrets", "system:anonymous", 200),),
    ),
    root_causes=(
        RootCause(
            "ClusterRoleBinding", "cluster-system-anonymous", role="ClusterRole cluster-admin", subject="User system:anonymous",
            description=Text("Every request without credentials is system:anonymous, so this made each of them cluster-admin.",
                             "没有凭据的请求都是 system:anonymous，此绑定使它们全部成为 cluster-admin。"),
            requests_authorised=4, requests_total=47, created=DAY + "16:50:00.000000Z", created_by="kubernetes-admin",
            deleted=DAY + "17:39:40.748000Z", deleted_by=TOKEN,
        ),
    ),
    steps=STEPS,
    status=(
        (Text("Effect", "后果"), Text("Still active: the DaemonSet was not deleted.", "仍在运行：DaemonSet 未被删除。")),
        (Text("Way in", "入侵入口"), Text("Shut, by the intruder.", "已被入侵者自己关上。")),
        (Text("Credentials", "凭据"), Text("The stolen token is still valid.", "被盗令牌仍然有效。")),
    ),
    created=(ObjectName("daemonsets", "kube-system", "kube-controller", "apps"),),
    deleted=(ObjectName("clusterrolebindings", "", "cluster-system-anonymous", "rbac.authorization.k8s.io"),),
    nodes=("node-1", "node-2", "node-3", "cp-1"),
    secrets=(Secret("", "", Text("every Secret in the cluster", "集群中的全部 Secret")), Secret("kube-system", "", Text("all of them were listed", "全部被列出"))),
    verdict=Verdict(
        "worm", "high", (Text("Three agents in a fixed order.", "三种客户端按固定顺序出现。"),),
        (Text("The pause of seven minutes.", "七分钟的停顿。"),),
    ),
    actions=(
        Action("snapshot", Text("Snapshot etcd and the audit log", "留存 etcd 与审计日志快照"), Text("Before anything else.", "先做这一步。"),
               "# on the control plane\netcdctl snapshot save /var/backups/etcd.db", safe=True),
        Action("stop", Text("Delete DaemonSet kube-controller", "删除 DaemonSet kube-controller"), Text("", ""),
               "kubectl -n kube-system delete daemonset kube-controller",
               breaks=Text("Only the miner.", "仅影响挖矿程序。"), undo=Text("Apply the saved object.", "重新应用已保存的对象。")),
    ),
    limitations=(Text("Level Metadata: bodies of answers were not logged.", "日志级别为 Metadata：响应内容没有记录。"),),
    findings=("F-0001",), audit_ids=tuple(one.audit_id for s in STEPS for one in s.evidence),
    verdicts=(
        Verdict("intruder", "high", (Text("Came without any credential.", "未使用任何凭据。"),), (), "insider_or_intruder"),
        Verdict("undetermined", "low", (), (Text("The log ends at once.", "日志随即结束。"),), "contained_or_active"),
    ),
    exposures=(
        Exposure(ObjectName("secrets", "", ""), "likely_content", Text("listed by a client that is not kubectl", "由非 kubectl 客户端列出"), requests=1),
        Exposure(ObjectName("nodes", "", "node-1"), "mounted", Text("a privileged pod ran there", "曾运行特权 Pod")),
    ),
)  # fmt: skip


def finding(number: int, severity: Severity, title: Text, incident: str = "") -> Finding:
    """A finding with one citation."""
    return Finding(
        id=f"F-{number:04d}", rule="detections/k8s_audit/persistence/cluster_admin_binding", title=title,
        description=Text("A new binding makes somebody cluster-admin.", "新的绑定使某人成为 cluster-admin。"),
        severity=severity, confidence="medium", kind="exposure", techniques=(ROLES,), identity="kubernetes-admin",
        address="10.0.0.5", count=1, first=DAY + "16:50:00.000000Z", last=DAY + "16:50:00.000000Z",
        matched={"verb": "create", "rbac.roleName": "cluster-admin"},
        falsepositives=(Text("An administrator adds a colleague.", "管理员为同事授权。"),),
        runbook=Text("Ask who asked for it.", "询问是谁提出的要求。"), incident=incident,
        evidence=(evidence(90 + number, DAY + "16:50:00.000000Z", "create", "clusterrolebindings/x", "kubernetes-admin", 201),),
    )  # fmt: skip


COVERAGE = Coverage(
    first=DAY + "00:00:02.000000Z", last=DAY + "23:59:58.000000Z", events=412_906, requests=398_120, duplicates=3,
    levels={"Metadata": 400_000, "RequestResponse": 12_906}, stages={"ResponseComplete": 412_906},
    formats={"audit.k8s.io/v1": 412_906},
    items=(
        EvidenceItem("audit.log", "794e724e5a7a" + "0" * 52, 500_000_000, "", "audit.k8s.io/v1", 412_906, 3, 2),
        EvidenceItem("notes.bin", skipped="not a log: binary data"),
    ),
    gaps=(Gap(DAY + "03:00:00.000000Z", DAY + "03:20:00.000000Z", 1200.0),),
    limitations=(Text("Nothing was logged for 20 min from 03:00.", "03:00 起有 20 分钟没有日志。"), Text("No kubelet log: direct access to port 10250 would not be seen.", "没有 kubelet 日志：看不到对 10250 端口的直接访问。"),),
    notes=(Note(Place("audit.log", 77, 9_100), "duplicate key verb, the last one counts"),),
    sources=(
        SourceCoverage("k8s_audit", Text("API server audit log", "API server 审计日志"), "partial", Text("1 gap", "1 处空白"), Text("what happened in the gap", "空白期间发生的事")),
        SourceCoverage("kubelet_log", Text("Kubelet log", "kubelet 日志"), "present", Text("of node-1", "node-1")),
        SourceCoverage("network_flow", Text("Network flow logs", "网络流日志"), "absent", would_show=Text("where data went", "数据流向何处")),
    ),
    rules_loaded=163, rules_failed=("rules/mine.yml:7: unknown modifier 'fuzzy'",),
)  # fmt: skip

INTRUSION = Document(
    schema_version=SCHEMA_VERSION, tool="kubewitness 0.1.0", generated="2022-10-24T03:12:40.000000Z", case="shop-prod",
    label=Text("reconstructed scenario", "重建的场景"), incidents=(INCIDENT,),
    findings=(
        finding(1, "critical", Text("Anonymous read of Secrets", "匿名读取 Secret"), incident="INC-20221023-01"),
        finding(2, "medium", Text("cluster-admin granted to a person", "授予某人 cluster-admin")),
        finding(3, "informational", Text("A namespace was made", "新建了命名空间")),
    ),
    accessors=(
        Accessor("system:anonymous", ADDRESS, ("curl/7.64.0",), 6, 0, DAY + "17:30:24Z", DAY + "17:39:15Z", {"list": 6}, {"secrets": 6}),
        Accessor("kubernetes-admin", "10.0.0.5", ("kubectl/v1.22.0",), 120, 1, DAY + "08:00:00Z", DAY + "17:00:00Z", {"get": 120}, {"pods": 120}),
    ),
    coverage=COVERAGE,
    parse_failures=(
        ParseFailure(Place("audit.log", 512, 700_001), "not JSON: cut off", "verb, user", '{"kind":"Event","verb":"li'),
        ParseFailure(Place("audit.log", 9_001, 9_800_001), "not JSON: cut off", "", "\x00\x00\x00"),
    ),
    parse_failures_total=2, complete=False,
)  # fmt: skip

QUIET = msgspec.structs.replace(
    INTRUSION, label=None, incidents=(), findings=INTRUSION.findings[2:], parse_failures=(), parse_failures_total=0,
    complete=True, coverage=msgspec.structs.replace(COVERAGE, items=COVERAGE.items[:1], gaps=(), rules_failed=(), notes=()),
)  # fmt: skip

SEVERAL = msgspec.structs.replace(
    INTRUSION,
    incidents=tuple(msgspec.structs.replace(INCIDENT, id=f"INC-20221023-{number:02d}") for number in range(1, 6)),
)

LONG = msgspec.structs.replace(
    INTRUSION,
    incidents=(
        msgspec.structs.replace(
            INCIDENT,
            steps=tuple(msgspec.structs.replace(STEPS[n % 4], number=n + 1) for n in range(60)),
            story=INCIDENT.story * 10,
            limitations=tuple(Text(f"Limitation {n}.", f"局限 {n}。") for n in range(40)),
            actions=INCIDENT.actions * 10,
        ),
    ),
    findings=tuple(finding(n, "high", Text(f"Finding {n}", f"发现 {n}")) for n in range(200)),
    parse_failures=tuple(ParseFailure(Place("audit.log", n, n), f"reason {n}") for n in range(1000)),
    parse_failures_total=5000,
)

# What an intruder may put into names: terminal escapes, a window title, bidi override, zero width, HTML, Markdown, a
# fence, a table cell, a link, a mention, a line feed, a stack of marks, a lone surrogate, a very long word.
HOSTILE_TEXT = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u200b<script>alert(1)</script></summary>```\n# own | cell `tick` "
    "[x](http://evil.example) ![i](//evil.example/i.png) @everyone www.evil.example **bold** &amp; Z" + "\u0301" * 40 + "\ud800" + "A" * 500
)  # fmt: skip
_HOSTILE = Text(HOSTILE_TEXT, HOSTILE_TEXT)
_HOSTILE_EVIDENCE = Evidence(
    HOSTILE_TEXT, HOSTILE_TEXT, 1, 0, "not a time", "ResponseComplete", HOSTILE_TEXT, HOSTILE_TEXT, ("user.username", HOSTILE_TEXT),
    '{"user":{"username":"\\u001b[2J\\u202e```"},"x":"```\n</details>\n```"}',
)  # fmt: skip
_HOSTILE_NAME = ObjectName(HOSTILE_TEXT, HOSTILE_TEXT, HOSTILE_TEXT)
HOSTILE = msgspec.structs.replace(
    INTRUSION, case=HOSTILE_TEXT, tool="kubewitness 0.1.0", label=_HOSTILE,
    incidents=(
        msgspec.structs.replace(
            INCIDENT, title=_HOSTILE, story=(_HOSTILE,), status=((_HOSTILE, _HOSTILE),), limitations=(_HOSTILE,),
            actors=(Actor((HOSTILE_TEXT,), (HOSTILE_TEXT,), (HOSTILE_TEXT,), (HOSTILE_TEXT,), (HOSTILE_TEXT,), (_HOSTILE,), 1),),
            root_causes=(RootCause(HOSTILE_TEXT, HOSTILE_TEXT, HOSTILE_TEXT, HOSTILE_TEXT, HOSTILE_TEXT, _HOSTILE),),
            steps=(
                msgspec.structs.replace(
                    STEPS[0], identity=HOSTILE_TEXT, address=HOSTILE_TEXT, agent=HOSTILE_TEXT, description=_HOSTILE, why=_HOSTILE,
                    objects=(_HOSTILE_NAME,), command=HOSTILE_TEXT, effects=(_HOSTILE,), evidence=(_HOSTILE_EVIDENCE,),
                ),
            ),
            created=(_HOSTILE_NAME,), nodes=(HOSTILE_TEXT,), pods=(_HOSTILE_NAME,),
            secrets=(Secret(HOSTILE_TEXT, HOSTILE_TEXT, _HOSTILE),),
            actions=(Action("stop", _HOSTILE, _HOSTILE, HOSTILE_TEXT, breaks=_HOSTILE, undo=_HOSTILE),),
        ),
    ),
    findings=(
        msgspec.structs.replace(
            INTRUSION.findings[1], title=_HOSTILE, identity=HOSTILE_TEXT, address=HOSTILE_TEXT, matched={HOSTILE_TEXT: HOSTILE_TEXT},
            evidence=(_HOSTILE_EVIDENCE,),
        ),
    ),
    accessors=(Accessor(HOSTILE_TEXT, HOSTILE_TEXT, (HOSTILE_TEXT,), 1, 0, "", "", {}, {}),),
    coverage=msgspec.structs.replace(
        COVERAGE, items=(EvidenceItem(HOSTILE_TEXT, format=HOSTILE_TEXT, skipped=HOSTILE_TEXT),),
        notes=(Note(Place(HOSTILE_TEXT, 1, 1), HOSTILE_TEXT),), rules_failed=(HOSTILE_TEXT,), levels={HOSTILE_TEXT: 1},
    ),
    parse_failures=(ParseFailure(Place(HOSTILE_TEXT, 1, 1), HOSTILE_TEXT, "", HOSTILE_TEXT),),
)  # fmt: skip
