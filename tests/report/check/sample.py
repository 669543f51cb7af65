"""A report of a check, made by hand: every kind of result, and names an intruder chose."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kubewitness.model.evidence import EvidenceItem, Note, ParseFailure, Place
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import (
    CheckInfo,
    Credential,
    Group,
    Hop,
    PostureReport,
    Remedy,
    Result,
    Scope,
    Status,
    Waiver,
    Where,
)
from kubewitness.model.text import Text
from kubewitness.posture.check import named, ranked

EVIL = "evil\x1b[2J\u202e<script>alert(1)</script>|`x`\n# head"


def info(
    name: str, severity: Severity = "high", group: Group = "access", scope: Scope = "cluster", **more: object
) -> CheckInfo:
    """A check."""
    remedy = Remedy(
        Text(f"Mend {name}", f"修复 {name}"),
        Text(f"How to mend {name}.", f"修复 {name} 的方法。"),
        f"# look first\nkubectl get {name}",
        safe=True,
    )
    values: dict[str, object] = {
        "remedy": remedy,
        "techniques": ("T1078.001",),
        "frameworks": {"CIS": ("5.1.1", "5.1.10", "5.1.2"), "NSA/CISA": ("Authentication",)},
        **more,
    }
    return CheckInfo(
        f"checks/{group}/{name}",
        Text(f"Title of {name}", f"{name} 的标题"),
        Text(f"Why {name} matters.", f"{name} 为何重要。"),
        severity,
        group,
        scope,
        **values,  # type: ignore[arg-type]
    )


def fail(subject: str, target: str = "cluster", severity: Severity | None = None, **more: object) -> Result:
    """A failure."""
    values: dict[str, object] = {
        "observed": Text("is so", "现状如此"),
        "expected": Text("is not so", "不应如此"),
        "where": (Where("dump.json", 12, subject, "items[3].subjects[0]", "name: system:anonymous"),),
        **more,
    }
    return Result("fail", target, subject, severity=severity, **values)  # type: ignore[arg-type]


def other(status: Status, target: str = "cluster", subject: str = "", reason: str = "") -> Result:
    """A result that is no failure."""
    return Result(status, target, subject, reason=Text(reason, f"{reason}（中文）") if reason else Text("", ""))


ANONYMOUS = info("anonymous_grant", "critical")
KUBELET = info(
    "kubelet_anonymous", "critical", "nodes", "node",
    remedy=Remedy(
        Text("Load the configuration", "加载配置"), command="systemctl restart kubelet", fix="kubelet_config",
        breaks=Text("The kubelet restarts.", "kubelet 会重启。"),
    ),
)  # fmt: skip
MODE = info("kubelet_mode", "high", "nodes", "node", remedy=KUBELET.remedy)
PROFILING = info("profiling", "low", "control_plane")
PATHS = info("paths", "high", frameworks={"MS threat matrix": ("Privilege escalation",)})
INFOS = (ANONYMOUS, KUBELET, MODE, PROFILING, PATHS)
HOPS = (
    Hop("User system:anonymous", "Pod kube-system/x", "pods_exec", Text("runs commands in it", "在其中执行命令"),
        (Where("dump.json", 4, "ClusterRole all"),)),
    Hop("Pod kube-system/x", "Node *", "host_path", Text("writes to its file system", "写入其文件系统")),
)  # fmt: skip


def report(results: Sequence[tuple[CheckInfo, Sequence[Result]]], **more: object) -> PostureReport:
    """A report of these."""
    values: dict[str, object] = {
        "targets": ("node/node1", "node/node2"),
        "cluster": "prod",
        "version": "v1.34.4",
        **more,
    }
    return PostureReport(
        schema_version="1.0",
        tool="kubewitness 0.1.0",
        generated="2026-11-22T01:07:00Z",
        checks=tuple(one for one, _ in results),
        results=ranked(one for about, some in results for one in named(about, some)),
        **values,  # type: ignore[arg-type]
    )


FULL = report(
    [
        (ANONYMOUS, [fail("ClusterRoleBinding a"), fail("ClusterRoleBinding b"), fail(f"ClusterRoleBinding {EVIL}")]),
        (KUBELET, [fail("kubelet", "node/node1"), other("pass", "node/node2", "kubelet")]),
        (MODE, [fail("kubelet", "node/node1"), other("not_evaluated", "node/node2", reason="no command line")]),
        (PROFILING, [fail("kube-apiserver"), other("not_applicable", subject="etcd", reason="managed")]),
        (PATHS, [fail("User system:anonymous", hops=HOPS, reason=Text("reached without a login", "无需登录即可到达"))]),
    ],
    credentials=(
        Credential("client certificate", "admin.conf", "node/node1", "kubernetes-admin", ("system:masters",), "CN=k",
                   "2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "ab" * 32, where=(Where("node1/admin.conf", 3),)),
    ),
    items=(
        EvidenceItem("dump.json", "cd" * 32, 1000, format="Kubernetes objects"),
        EvidenceItem(f"/x/{EVIL}.json", skipped="cannot be opened"),
    ),
    notes=(Note(Place("readme.md", 0, 0), "nothing in it that a check could read"),),
    parse_failures=(ParseFailure(Place("dump.json", 7, 90), "broken", excerpt=EVIL),),
    complete=False,
)  # fmt: skip
CLEAN = report([(ANONYMOUS, [other("pass")])], targets=())
NOTHING = report([], targets=(), cluster="", version="")


def waived(made: PostureReport, subject: str, expires: str = "2027-01-31") -> PostureReport:
    """The report with a waiver on one subject."""
    waiver = Waiver("jane", "it is needed", expires, 3)
    return replace(
        made, results=tuple(replace(one, waiver=waiver) if one.subject == subject else one for one in made.results)
    )
