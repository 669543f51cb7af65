"""What would have stopped an intruder, said in text and on the page, in both languages, and inert."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.incident import Cut, CutPart, ObjectName
from kubewitness.model.text import Language, Text
from kubewitness.report import cut_words, text
from kubewitness.report.document import Document
from kubewitness.report.html import page
from tests.report.small import INTRUSION

BINDING = ObjectName("clusterrolebindings", "", "cluster-system-anonymous")
OTHER = ObjectName("rolebindings", "shop", "web")


def _with(*cuts: Cut) -> Document:
    return replace(INTRUSION, incidents=(replace(INTRUSION.incidents[0], cuts=cuts), *INTRUSION.incidents[1:]))


@pytest.mark.parametrize(
    ("cut", "en", "zh"),
    [
        (
            Cut((BINDING,), 51, 51, 0),
            "all 51 requests of the intruder would have been refused; nobody else's in this log.",
            "入侵者的全部 51 个请求都会被拒绝；本日志中其他人不受影响。",
        ),
        (
            Cut((BINDING,), 1, 1, 1, {"ci": 1}, 1),
            "the intruder's one request would have been refused; so would 1 legitimate request (ci 1).",
            "入侵者的唯一请求会被拒绝；1 个正常请求也会被拒绝（ci 1）。",
        ),
        (
            Cut((BINDING,), 3, 9, 20, {"a": 9, "b": 6, "c": 3, "d": 1, "e": 1}, 5, at_most=True, uncertain=True),
            "3 of the intruder's 9 requests would have been refused; so would at most 20 legitimate requests "
            "(a 9, b 6, c 3 and 2 more). It would have broken more than it stopped. "
            "Uncertain: it rests on roles or bindings that the evidence does not show.",
            "入侵者 9 个请求中的 3 个会被拒绝；至多 20 个正常请求也会被拒绝（a 9、b 6、c 3，另有 2 项）。"
            "它影响的正常使用比阻止的更多。不确定：涉及证据中看不到内容的角色或绑定。",
        ),
        (
            Cut((ObjectName("clusterrolebindings", "", "system:coredns"),), 2, 2, 0),
            "all 2 requests of the intruder would have been refused; nobody else's in this log. "
            "It is part of Kubernetes itself: leave it, and take the credential away.",
            "入侵者的全部 2 个请求都会被拒绝；本日志中其他人不受影响。它属于 Kubernetes 自身：请保留，应收回的是凭据。",
        ),
    ],
)
def test_a_cut_is_told_with_what_it_refuses_and_what_it_breaks(cut: Cut, en: str, zh: str) -> None:
    assert cut_words.effect(cut).en == en
    assert cut_words.effect(cut).zh == zh


NODE = ObjectName("nodes", "", "node1")
WHO = ObjectName("users", "", "wei.chen")
CLUSTER_ROLE = ObjectName("clusterroles", "", "ops")


@pytest.mark.parametrize(
    ("parts", "en", "zh"),
    [
        (
            (CutPart("binding", BINDING), CutPart("binding", OTHER)),
            "ClusterRoleBinding cluster-system-anonymous + RoleBinding shop/web",
            "ClusterRoleBinding cluster-system-anonymous + RoleBinding shop/web",
        ),
        (
            (CutPart("subject", BINDING, "User system:anonymous"),),
            "User system:anonymous in ClusterRoleBinding cluster-system-anonymous",
            "ClusterRoleBinding cluster-system-anonymous 中的 User system:anonymous",
        ),
        (
            (CutPart("right", CLUSTER_ROLE, "create/get pods/exec"), CutPart("right", CLUSTER_ROLE, "list nodes")),
            "the right to create/get pods/exec, list nodes in ClusterRole ops",
            "ClusterRole ops 中的权限 create/get pods/exec、list nodes",
        ),
        (
            tuple(CutPart("right", CLUSTER_ROLE, f"get x{number}") for number in range(8)),
            "the right to get x0, get x1, get x2, get x3, get x4, get x5 and 2 more in ClusterRole ops",
            "ClusterRole ops 中的权限 get x0、get x1、get x2、get x3、get x4、get x5 等另外 2 项",
        ),
        ((CutPart("credential", WHO),), "the credential of wei.chen", "wei.chen 的凭据"),
        ((CutPart("credential", WHO, "JTI=1"),), "the credential of wei.chen (JTI=1)", "wei.chen 的凭据（JTI=1）"),
        (
            (CutPart("api_server", what="--anonymous-auth=false"),),
            "API server with --anonymous-auth=false",
            "API server 设置 --anonymous-auth=false",
        ),
        (
            (CutPart("api_server", what="anonymous.conditions=/livez,/readyz"),),
            "API server whose AuthenticationConfiguration lets anonymous requests in at /livez, /readyz alone "
            "(Kubernetes 1.32)",
            "API server 用 AuthenticationConfiguration 只允许匿名访问 /livez、/readyz（Kubernetes 1.32 起）",
        ),
        (
            (CutPart("kubelet", NODE, "authorization.mode=Webhook"),),
            "kubelet of node1 with authorization.mode=Webhook",
            "node1 的 kubelet 设置 authorization.mode=Webhook",
        ),
        (
            (CutPart("pod_security", ObjectName("namespaces", "", "kube-system"), "enforce=baseline"),),
            "Pod Security enforce=baseline for namespace kube-system",
            "命名空间 kube-system 设置 Pod Security enforce=baseline",
        ),
    ],
)
def test_what_is_taken_away_or_set_is_named(parts: tuple[CutPart, ...], en: str, zh: str) -> None:
    assert cut_words.taken(Cut((), 1, 1, 0, parts=parts)) == Text(en, zh)


def test_a_cut_of_an_older_document_is_its_bindings() -> None:
    said = "ClusterRoleBinding cluster-system-anonymous + RoleBinding shop/web"
    assert cut_words.taken(Cut((BINDING, OTHER), 1, 1, 0)) == Text(said, said)


@pytest.mark.parametrize(
    ("cut", "en", "zh"),
    [
        (
            Cut((), 2, 2, 9, {"a": 9}, 1, parts=(CutPart("credential", WHO, "X509SHA256=1"),)),
            "all 2 requests of the intruder would have been refused; so would 9 legitimate requests (a 9). "
            "Its owner needs a new one first. "
            "Kubernetes cannot revoke a certificate: take the bindings of its name away, or replace the CA.",
            "入侵者的全部 2 个请求都会被拒绝；9 个正常请求也会被拒绝（a 9）。须先为其所有者换发新的凭据。"
            "Kubernetes 无法吊销证书：请删除授予该名称的绑定，或更换 CA。",
        ),
        (
            Cut(
                (NODE,), 3, 3, 0, uncertain=True, parts=(CutPart("kubelet", NODE, "x=y"),), of="commands", unknown=True
            ),
            "all 3 commands of the intruder would have been refused; whose work else it would have broken is not "
            "recorded. Uncertain: a kubelet's log names no caller, so one with a credential may have sent them.",
            "入侵者的全部 3 条命令都会被拒绝；证据没有记录其他人是否会受影响。"
            "不确定：kubelet 日志不记录调用方，也可能由持有凭据者发出。",
        ),
        (
            Cut((), 1, 1, 2, {"a": 2}, 1, parts=(CutPart("pod_security", NODE, "x"),), of="pods", unknown=True),
            "the intruder's one pod specification would have been refused; so would at least 2 legitimate pod "
            "specifications (a 2). It would have broken more than it stopped. "
            "Enforcement refuses pods, not the workloads that make them.",
            "入侵者的唯一 Pod 规格会被拒绝；至少 2 个正常 Pod 规格也会被拒绝（a 2）。它影响的正常使用比阻止的更多。"
            "强制级别拒绝的是 Pod，而不是创建 Pod 的工作负载。",
        ),
    ],
)
def test_what_is_no_binding_is_told_with_its_own_remarks(cut: Cut, en: str, zh: str) -> None:
    assert cut_words.effect(cut) == Text(en, zh)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_and_page_have_the_section_only_if_there_is_something_to_say(language: Language) -> None:
    heading, document = cut_words.HEADING.in_(language), _with(Cut((BINDING,), 51, 51, 0))
    assert heading in text.render(document, language, 100)
    assert heading in page.render(document, language)
    assert heading not in text.render(_with(), language, 100)
    assert heading not in page.render(_with(), language)


def test_hostile_names_stay_text() -> None:
    evil = Cut((ObjectName("clusterrolebindings", "", "<script>x\x1b[31m"),), 1, 2, 1, {"<img src=x>\x1b[0m": 1}, 1)
    shown, said = page.render(_with(evil), "en"), text.render(_with(evil), "en", 100)
    assert "<script>x" not in shown
    assert "<img src=x" not in shown
    assert "\x1b" not in shown + said
