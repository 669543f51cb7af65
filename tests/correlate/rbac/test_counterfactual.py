"""Without a binding exactly those requests are refused that rested on it, and what followed from them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.correlate.rbac import counterfactual
from kubewitness.correlate.rbac.counterfactual import (
    Asked,
    Replay,
    Support,
    broken,
    candidates,
    effect,
    least,
    reason_key,
)
from kubewitness.correlate.rbac.state import History
from kubewitness.posture.rbac.nouns import Attributes, Key
from kubewitness.posture.rbac.objects import Dump
from tests.correlate.rbac.made_up import ask, binding, role, rule

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OBJECTS = (
    role("pods", rule("get", "pods")),
    role("all", rule("*", "*", groups=("*",))),
    binding("eve-pods", "ClusterRole pods", "User eve"),
    binding("eve-all", "ClusterRole all", "User eve"),
    binding("n/jane", "ClusterRole pods", "User jane"),
)
WHOLE = Dump(
    {one.key: one for one in OBJECTS},
    dict.fromkeys(one.key for one in OBJECTS),
    set(),
    {"roles", "clusterroles", "rolebindings", "clusterrolebindings"},
)
REPLAY = Replay(History([], [WHOLE]))


def crb(name: str) -> Key:
    return Key("clusterrolebindings", "", name)


def asked(*questions: Attributes, reason: str = "", **more: tuple[str, ...] | tuple[Key, ...]) -> Asked:
    return Asked(NOW, questions[-1].user, questions, reason, **more)  # type: ignore[arg-type]


def needs(*names: str, uncertain: bool = False) -> Support:
    return Support((frozenset(crb(name) for name in names),), uncertain)


def test_a_request_rests_on_every_binding_that_allows_it() -> None:
    assert REPLAY.support(asked(ask("get", "pods"))) == needs("eve-pods", "eve-all")
    assert REPLAY.support(asked(ask("get", "secrets"))) == needs("eve-all")
    assert REPLAY.support(asked(ask("get", "secrets", groups=("system:masters",)))).needs == ()
    assert REPLAY.support(asked(ask("get", "secrets", user="mallory"))).needs == ()


def test_it_falls_only_with_all_of_them() -> None:
    support = REPLAY.support(asked(ask("get", "pods")))
    assert not support.falls({crb("eve-all")})
    assert support.falls({crb("eve-all"), crb("eve-pods")})


def test_to_act_as_somebody_else_both_rights_are_needed() -> None:
    support = REPLAY.support(
        asked(ask("impersonate", "users", name="jane"), ask("get", "pods", user="jane", namespace="n"))
    )
    assert support.falls({crb("eve-all")})
    assert support.falls({Key("rolebindings", "n", "jane")})


def test_a_reason_is_proof_even_of_a_binding_that_is_not_seen() -> None:
    unseen = 'RBAC: allowed by ClusterRoleBinding "gone" of ClusterRole "x" to User "mallory"'
    assert REPLAY.support(asked(ask("get", "secrets", user="mallory"), reason=unseen)) == needs("gone", uncertain=True)
    seen = 'RBAC: allowed by ClusterRoleBinding "eve-all" of ClusterRole "all" to User "eve"'
    assert REPLAY.support(asked(ask("get", "secrets"), reason=seen)) == needs("eve-all")
    assert REPLAY.support(asked(ask("get", "secrets"), reason="webhook said so")).needs == ()


def test_reasons_are_read_as_the_api_server_writes_them() -> None:
    assert reason_key('RBAC: allowed by ClusterRoleBinding "a/b" of ClusterRole "x" to User "y"') == crb("a/b")
    assert reason_key('RBAC: allowed by RoleBinding "a/n" of Role "x" to User "y"') == Key("rolebindings", "n", "a")
    assert reason_key('RBAC: allowed by RoleBinding "a" of Role "x" to User "y"') is None
    assert reason_key("") is None


def test_once_too_much_was_looked_at_only_the_logs_own_reasons_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterfactual, "_WORK", 2)
    replay, reason = (
        Replay(REPLAY.history),
        'RBAC: allowed by ClusterRoleBinding "eve-all" of ClusterRole "all" to User',
    )
    assert replay.support(asked(ask("get", "pods", user="jane", namespace="n"))).needs
    late = replay.support(asked(ask("get", "pods"), reason=reason))
    assert late == needs("eve-all", uncertain=True)


def test_without_a_dump_or_the_beginning_of_the_log_it_is_uncertain() -> None:
    reason = 'RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "x" to User "eve"'
    assert Replay(History([])).support(asked(ask("get", "pods"), reason=reason)) == needs("a", uncertain=True)


def test_what_a_refused_request_made_or_gained_is_not_there_later() -> None:
    question = ask("get", "pods")
    requests = [
        asked(question, made=(crb("own"),), gave=("JTI=1",)),
        asked(question),
        asked(question, shown=("JTI=1",)),
        asked(question, shown=("JTI=2",)),
    ]
    supports = [needs("in"), needs("own"), needs("other"), needs("other")]
    assert effect({crb("in")}, requests, supports).refused == {0, 1, 2}
    assert effect({crb("own")}, requests, supports).refused == {1}
    assert effect(set(), requests, supports).refused == set()


def test_what_the_intruder_had_before_or_gained_otherwise_it_keeps() -> None:
    question = ask("get", "pods")
    had = [asked(question, shown=("x",)), asked(question, gave=("x",)), asked(question, shown=("x",))]
    assert effect({crb("in")}, had, [needs("a"), needs("in"), needs("a")]).refused == {1}
    again = [asked(question, gave=("x",)), asked(question, gave=("x",)), asked(question, shown=("x",))]
    assert effect({crb("in")}, again, [needs("in"), needs("a"), needs("a")]).refused == {0}


def test_candidates_are_neither_the_intruders_own_nor_everybodys() -> None:
    requests = [asked(ask("get", "pods"), made=(crb("own"),))] * 2
    found = candidates(requests, [needs("own", "in"), needs("system:discovery")], {"system:discovery"})
    assert found == (frozenset({crb("in")}),)


def test_the_least_set_refuses_as_much_as_all_and_has_nothing_needless() -> None:
    question = ask("get", "pods")

    def found(*supports: Support) -> set[str] | None:
        requests = [asked(question)] * len(supports)
        singles = {one: effect(one, requests, supports) for one in candidates(requests, supports, ())}
        small = least(singles, requests, supports)
        return {key.name for key in small[0]} if small else None

    assert found(needs("a"), needs("a")) is None, "one does it alone"
    assert found(needs("a"), needs("b")) == {"a", "b"}
    assert found(needs("a", "b")) == {"a", "b"}, "each covers for the other"
    assert found(needs("a"), needs("a"), needs("b"), needs("a", "c")) == {"a", "b", "c"}


def test_legitimate_use_that_breaks_is_counted_by_identity() -> None:
    others = [
        asked(ask("get", "pods", user="jane", namespace="n")),
        asked(ask("get", "pods", user="jane", namespace="n")),
        asked(ask("get", "secrets")),
    ]
    assert broken({Key("rolebindings", "n", "jane")}, others, REPLAY) == ({"jane": 2}, False)
    assert broken({crb("eve-all")}, others, REPLAY) == ({"eve": 1}, False)
    assert broken({crb("eve-pods")}, others, REPLAY) == ({}, False)


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=8), st.sets(st.sampled_from("abcd")))
def test_taking_more_away_never_refuses_less(supports: list[set[str]], cut: set[str]) -> None:
    requests = [asked(ask("get", "pods"))] * len(supports)
    wanted = [needs(*sorted(names)) for names in supports]
    less = effect({crb(name) for name in cut}, requests, wanted).refused
    for other in "abcd":
        assert less <= effect({crb(name) for name in {*cut, other}}, requests, wanted).refused
