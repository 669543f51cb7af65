"""What would have stopped an intruder, said in text and on the page, in both languages, and inert."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.incident import Cut, ObjectName
from kubewitness.model.text import Language
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
            "(a 9, b 6, c 3 and 2 more). That is no remedy. "
            "Uncertain: it rests on roles or bindings that the evidence does not show.",
            "入侵者 9 个请求中的 3 个会被拒绝；至多 20 个正常请求也会被拒绝（a 9、b 6、c 3，另有 2 个身份）。"
            "这不是可行的补救。不确定：涉及证据中看不到内容的角色或绑定。",
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


def test_what_is_taken_away_is_named_as_in_kubernetes() -> None:
    assert cut_words.taken(Cut((BINDING, OTHER), 1, 1, 0)) == (
        "ClusterRoleBinding cluster-system-anonymous + RoleBinding shop/web"
    )


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
