"""Departures read as sentences in both languages, and say with what they were compared."""

from __future__ import annotations

from kubewitness.detect.behaviour.departures import Departure
from kubewitness.detect.behaviour.wording import sentences

SECRETS = Departure("act", "list secrets", "list secrets", 9, rare=True, sensitive=True)
TRIED = Departure("act", "create pods/exec", "create pods/exec", 9, rare=False, succeeded=False)
JOBS = Departure("resource", "jobs", "create jobs", 9, rare=False)
PUBLIC = Departure("scope", "public", "203.0.113.9", 9, rare=True)
NETWORK = Departure("network", "203.0.113.0/24", "203.0.113.9", 9, rare=False)
CURL = Departure("family", "curl", "curl", 9, rare=False)
WGET = Departure("family", "wget", "wget", 9, rare=False)
SYSTEM = Departure("namespace", "kube-system", "kube-system", 1, rare=False)
NIGHT = Departure("hour", "03", "03", 1, rare=False)
WEB = "system:serviceaccount:shop:web"


def test_nothing_unusual_is_not_told() -> None:
    assert sentences(WEB, [], 10, 3) == []


def test_an_identity_and_its_like() -> None:
    own, others = sentences(WEB, [SECRETS, TRIED, JOBS, PUBLIC, CURL, WGET, SYSTEM, NIGHT], 1_200, 3)
    assert own.en == (
        f"{WEB} had otherwise never listed secrets, tried to run commands in pods or touched jobs, never come from a "
        "public address (203.0.113.9), never used curl or wget, never worked in namespace kube-system, never worked at "
        "03:00 UTC (1,200 other requests compared)."
    )
    assert own.zh == (
        f"{WEB} 此外从未列出 secrets、尝试在 Pod 中执行命令、接触 jobs，从未来自公网地址（203.0.113.9），"
        "从未使用 curl、wget，从未在 namespace kube-system 中操作，从未在 03:00（UTC）活动（已对比其余 1,200 个请求）。"
    )
    assert others.en == (
        "The 3 other service accounts have never listed secrets, never come from a public address (203.0.113.9) either."
    )
    assert others.zh == "其余 3 个服务账号也都从未列出 secrets，从未来自公网地址（203.0.113.9）。"


def test_anonymous_callers_have_no_name() -> None:
    (own,) = sentences("system:anonymous", [SECRETS, NETWORK], 1, 0)
    assert own.en.startswith("A caller without any credential had otherwise never listed secrets, never come from 203.")
    assert own.en.endswith("(1 other request compared).")
    assert own.zh.startswith("匿名访问（不带凭据）此外从未列出 secrets，从未来自 203.0.113.0/24（203.0.113.9）")


def test_without_requests_of_its_own_its_kind_is_what_it_is_compared_with() -> None:
    (only,) = sentences(WEB, [SECRETS, CURL], 0, 3)
    assert only.en == (
        f"{WEB} has no other requests to compare with; of its kind (service account), the 3 others have never listed "
        "secrets."
    )
    assert sentences(WEB, [SECRETS], 0, 0) == []


def test_several_others_are_told_as_several() -> None:
    asked = Departure("act", "create selfsubjectreviews", "", 9, rare=True)
    own, others = sentences(WEB, [asked], 5, 3)
    assert "never asked who it is (" in own.en
    assert others.en == "The 3 other service accounts have never asked who they are either."
    (_, one) = sentences(WEB, [asked], 5, 1)
    assert one.en == "The one other service account has never asked who it is either."


def test_no_more_is_named_than_can_be_read() -> None:
    many = [SECRETS._replace(value=f"list thing{n}") for n in range(30)]
    (own, _) = sentences("x" * 10_000, many, 5, 2)
    assert own.en.count("thing") == 4
    assert len(own.en) < 400
