"""What surrounds the sample intrusion: other findings, accessors, coverage."""

from __future__ import annotations

from kubewitness.model.evidence import EvidenceItem, Note, Place
from kubewitness.model.incident import (
    Accessor,
    Coverage,
    Finding,
    Gap,
    ObjectName,
)
from kubewitness.model.text import Text
from tests.report.sample_steps import (
    ADDRESS,
    AGENTS,
    ANONYMOUS,
    CRB,
    LOG,
    OLD_LOG,
    SHA,
    STOLEN,
    TECHNIQUES,
    at,
    cited,
    steps,
)


def findings() -> tuple[Finding, ...]:
    """Two inside the incident, three outside."""
    chain = steps()
    return (
        Finding(
            "F-0001",
            "kubernetes/audit/anonymous-allowed",
            Text("Anonymous request allowed", "匿名请求被放行"),
            Text(
                "A request without credentials reached more than health checks.",
                "不带凭据的请求访问了健康检查以外的资源。",
            ),
            "critical",
            "high",
            "intrusion",
            identity=ANONYMOUS,
            count=4,
            first=chain[0].time,
            last=chain[7].time,
            incident="INC-20221023-01",
            evidence=chain[0].evidence,
            address=ADDRESS,
            techniques=(TECHNIQUES["T1078.001"],),
        ),
        Finding(
            "F-0002",
            "kubernetes/audit/token-from-outside",
            Text("Service account used from a public address", "服务账号从公网使用"),
            Text("A service account token was used from outside the cluster.", "服务账号令牌在集群外被使用。"),
            "high",
            "high",
            "intrusion",
            identity=STOLEN,
            count=59,
            first=chain[3].time,
            last=chain[11].last,
            incident="INC-20221023-01",
            evidence=chain[3].evidence[:3],
            address=ADDRESS,
            techniques=(TECHNIQUES["T1078.001"],),
        ),
        Finding(
            "F-0003",
            "kubernetes/audit/hostpath-daemonset",
            Text("DaemonSet mounts the root of the host", "DaemonSet 挂载宿主机根目录"),
            Text("A node agent was given the whole host file system.", "节点代理获得了整个宿主机文件系统。"),
            "medium",
            "medium",
            "exposure",
            (TECHNIQUES["T1610"],),
            "ops:deployer",
            "198.51.100.60",
            1,
            at("08:14:02.118"),
            at("08:14:02.118"),
            (ObjectName("daemonsets", "monitoring", "node-exporter", "apps"),),
            {"podSpec.hostPath": ["/"], "user.username": "ops:deployer"},
            (Text("A monitoring agent that reads host metrics.", "读取宿主机指标的监控代理。"),),
            Text("Compare the image with the one your manifests name.", "将镜像与清单仓库中的记录比对。"),
            evidence=(
                cited(
                    9,
                    "08:14:02.118",
                    "create",
                    ObjectName("daemonsets", "monitoring", "node-exporter", "apps"),
                    "ops:deployer",
                    "helm/3.10.1",
                    201,
                    "198.51.100.60",
                ),
            ),
        ),
        Finding(
            "F-0004",
            "kubernetes/audit/secret-listed",
            Text("A person listed the Secrets of a namespace", "有人列出了命名空间内的 Secret"),
            Text("`list` answers with values.", "`list` 会返回 Secret 内容。"),
            "low",
            "low",
            "activity",
            (TECHNIQUES["T1552.007"],),
            "alice",
            "10.20.8.15",
            2,
            at("14:02:11.118"),
            at("14:02:40.118"),
            (ObjectName("secrets", "shop", ""),),
            {"verb": "list"},
            (),
            Text("Ask alice.", "向 alice 确认。"),
            evidence=(
                cited(
                    11,
                    "14:02:11.118",
                    "list",
                    ObjectName("secrets", "shop", ""),
                    "alice",
                    "kubectl/v1.25.2",
                    200,
                    "10.20.8.15",
                ),
            ),
        ),
    )


def coverage() -> Coverage:
    """One day of audit log in two items, with a gap."""
    return Coverage(
        first=at("00:00:02.104000"),
        last=at("23:59:57.880000"),
        events=412_906,
        requests=398_120,
        duplicates=214,
        levels={"Metadata": 401_220, "RequestResponse": 9_486, "Request": 2_200},
        stages={"ResponseComplete": 398_120, "ResponseStarted": 14_786},
        formats={"audit.k8s.io/v1 lines": 412_906},
        items=(
            EvidenceItem(OLD_LOG, "775da1735fe6a2d2" * 4, 21_331_870, "gzip", "audit.k8s.io/v1 lines", 206_400, 0, 1),
            EvidenceItem(LOG, SHA, 301_447_002, "", "audit.k8s.io/v1 lines", 206_506, 214, 2),
            EvidenceItem("notes.txt", "5596519bcd9b4f23" * 4, 2_104, skipped="no audit log: plain text"),
        ),
        gaps=(Gap(at("04:11:08.000"), at("04:13:44.000"), 156.0),),
        limitations=(
            Text(
                "The log begins 2022-10-23 00:00:02 UTC: who made what existed before then is not in it.",
                "日志始于 2022-10-23 00:00:02 UTC：此前的对象由谁创建，日志中没有。",
            ),
            Text(
                "Requests made directly to a kubelet (port 10250) never appear in an audit log.",
                "直接访问 kubelet（10250 端口）的请求不会出现在审计日志中。",
            ),
        ),
        notes=(Note(Place(LOG, 312, 88_102), "duplicate key responseStatus, the last one counts"),),
        rules_loaded=163,
        rules_failed=("site-rules/broken.yml:14: unknown field podSpec.privilegd",),
    )


def accessors() -> tuple[Accessor, ...]:
    """Who used the API server."""
    return (
        Accessor(
            ANONYMOUS,
            ADDRESS,
            (AGENTS["python"], AGENTS["curl"]),
            4,
            0,
            at("17:30:24.602"),
            at("17:39:15.761"),
            {"list": 3, "create": 1},
            {"secrets": 3, CRB: 1},
            "INC-20221023-01",
        ),
        Accessor(
            STOLEN,
            ADDRESS,
            (AGENTS["kubectl"],),
            59,
            19,
            at("17:37:48.377"),
            at("17:41:19.020"),
            {"get": 32, "list": 19, "delete": 7, "create": 1},
            {"": 32, "pods": 12},
            "INC-20221023-01",
        ),
        Accessor(
            ANONYMOUS,
            "10.20.0.2",
            ("kube-probe/1.23",),
            8_640,
            0,
            at("00:00:02.1"),
            at("23:59:57.8"),
            {"get": 8_640},
            {"/readyz": 8_640},
        ),
        Accessor(
            "alice",
            "10.20.8.15",
            ("kubectl/v1.25.2",),
            519,
            0,
            at("08:12:40.0"),
            at("18:47:03.0"),
            {"get": 412, "list": 96, "patch": 11},
            {"deployments": 300, "pods": 190},
        ),
        Accessor(
            "system:serviceaccount:argocd:application-controller",
            "10.244.1.30",
            ("argocd/v2.4.14",),
            8_833,
            0,
            at("00:00:04.0"),
            at("23:59:55.0"),
            {"list": 8_122, "watch": 640, "patch": 71},
            {"deployments": 4_000},
        ),
        Accessor(
            "system:node:node-1",
            "10.20.1.11",
            ("kubelet/v1.23.12",),
            13_733,
            0,
            at("00:00:03.0"),
            at("23:59:57.0"),
            {"patch": 9_120, "get": 4_410, "watch": 203},
            {"nodes": 9_120, "pods": 4_100},
        ),
    )
