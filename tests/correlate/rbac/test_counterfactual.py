"""Without a binding exactly those requests are refused that rested on it, and what followed from them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.correlate.rbac import counterfactual
from kubewitness.correlate.rbac.counterfactual import (
    Asked,
    Effect,
    Part,
    Replay,
    Support,
    Use,
    Way,
    broken,
    candidates,
    effect,
    least,
    narrower,
    reason_key,
    taking,
    without_needless,
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


def gone(*names: str) -> set[Part]:
    return {taking(crb(name)) for name in names}


def through(support: Support) -> list[set[str]]:
    """The bindings of each question."""
    return [
        {part.key.name for way in need for part in way if part.kind == "binding" and isinstance(part.key, Key)}
        for need in support.needs
    ]


def asked(*questions: Attributes, reason: str = "", **more: tuple[str, ...] | tuple[Key, ...]) -> Asked:
    return Asked(NOW, questions[-1].user, questions, reason, **more)  # type: ignore[arg-type]


def needs(*names: str, uncertain: bool = False) -> Support:
    return Support((frozenset(way(name) for name in names),), uncertain)


def way(name: str) -> Way:
    return frozenset(gone(name))


def test_a_request_rests_on_every_binding_that_allows_it() -> None:
    assert through(REPLAY.support(asked(ask("get", "pods")))) == [{"eve-pods", "eve-all"}]
    assert through(REPLAY.support(asked(ask("get", "secrets")))) == [{"eve-all"}]
    assert REPLAY.support(asked(ask("get", "secrets", groups=("system:masters",)))).needs == ()
    assert REPLAY.support(asked(ask("get", "secrets", user="mallory"))).needs == ()


def test_it_falls_only_with_all_of_them() -> None:
    support = REPLAY.support(asked(ask("get", "pods")))
    assert not support.falls(gone("eve-all"))
    assert support.falls(gone("eve-all", "eve-pods"))


def test_to_act_as_somebody_else_both_rights_are_needed() -> None:
    support = REPLAY.support(
        asked(ask("impersonate", "users", name="jane"), ask("get", "pods", user="jane", namespace="n"))
    )
    assert support.falls(gone("eve-all"))
    assert support.falls({taking(Key("rolebindings", "n", "jane"))})


def test_a_reason_is_proof_even_of_a_binding_that_is_not_seen() -> None:
    unseen = 'RBAC: allowed by ClusterRoleBinding "gone" of ClusterRole "x" to User "mallory"'
    assert REPLAY.support(asked(ask("get", "secrets", user="mallory"), reason=unseen)) == needs("gone", uncertain=True)
    seen = 'RBAC: allowed by ClusterRoleBinding "eve-all" of ClusterRole "all" to User "eve"'
    known = REPLAY.support(asked(ask("get", "secrets"), reason=seen))
    assert (through(known), known.uncertain) == ([{"eve-all"}], False)
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
    assert effect(gone("in"), requests, supports).refused == {0, 1, 2}
    assert effect(gone("own"), requests, supports).refused == {1}
    assert effect(set(), requests, supports).refused == set()


def test_what_the_intruder_had_before_or_gained_otherwise_it_keeps() -> None:
    question = ask("get", "pods")
    had = [asked(question, shown=("x",)), asked(question, gave=("x",)), asked(question, shown=("x",))]
    assert effect(gone("in"), had, [needs("a"), needs("in"), needs("a")]).refused == {1}
    again = [asked(question, gave=("x",)), asked(question, gave=("x",)), asked(question, shown=("x",))]
    assert effect(gone("in"), again, [needs("in"), needs("a"), needs("a")]).refused == {0}


def test_candidates_are_neither_the_intruders_own_nor_everybodys() -> None:
    requests = [asked(ask("get", "pods"), made=(crb("own"),))] * 2
    found = candidates(requests, [needs("own", "in"), needs("system:discovery")], {"system:discovery"})
    assert found == (frozenset(gone("in")),)


def test_the_least_set_refuses_as_much_as_all_and_has_nothing_needless() -> None:
    question = ask("get", "pods")

    def found(*supports: Support) -> set[str] | None:
        requests = [asked(question)] * len(supports)
        singles = {one: effect(one, requests, supports) for one in candidates(requests, supports, ())}
        small = least(singles, requests, supports)
        return {part.key.name for part in small[0] if isinstance(part.key, Key)} if small else None

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
    use = Use.of(others, REPLAY)
    assert broken({taking(Key("rolebindings", "n", "jane"))}, use) == ({"jane": 2}, False)
    assert broken(gone("eve-all"), use) == ({"eve": 1}, False)
    assert broken(gone("eve-pods"), use) == ({}, False)


# -- less than a binding ----------------------------------------------------------------------------------------------

SHARED = (
    role(
        "work", rule("get list", "pods"), rule("create", "pods/exec"), rule("*", "nodes/proxy"), rule("get", urls="/x")
    ),
    role("one", rule("*", "secrets")),
    role("system:thing", rule("get", "leases")),
    binding("shared", "ClusterRole work", "User eve", "User jane", "Group staff"),
    binding("single", "ClusterRole one", "User eve"),
    binding("things", "ClusterRole system:thing", "User eve"),
)
SHARED_REPLAY = Replay(
    History([], [Dump({one.key: one for one in SHARED}, dict.fromkeys(one.key for one in SHARED), set(), WHOLE.whole)])
)
WORK = Key("clusterroles", "", "work")


def subject(name: str, kind: str = "User") -> Part:
    return Part("subject", crb("shared"), (kind, name, ""))


def right(*what: str) -> Part:
    return Part("right", WORK, what)


def test_without_a_subject_only_that_one_is_refused() -> None:
    eve = SHARED_REPLAY.support(asked(ask("get", "pods")))
    jane = SHARED_REPLAY.support(asked(ask("get", "pods", user="jane")))
    assert eve.falls({subject("eve")})
    assert not jane.falls({subject("eve")})
    both = SHARED_REPLAY.support(asked(ask("get", "pods", groups=("staff",))))
    assert not both.falls({subject("eve")}), "it is one of the staff as well"
    assert both.falls({subject("eve"), subject("staff", "Group")})


@pytest.mark.parametrize(
    ("question", "taken"),
    [
        (ask("get", "pods"), right("get", "", "pods")),
        (ask("create", "pods/exec"), right("create/get", "", "pods/exec")),
        (ask("create", "nodes/proxy"), right("*", "", "nodes/proxy")),
        (ask("get", "/x"), right("get", "/x")),
    ],
)
def test_without_a_right_exactly_what_needs_it_is_refused(question: Attributes, taken: Part) -> None:
    assert SHARED_REPLAY.support(asked(question)).falls({taken})
    assert not SHARED_REPLAY.support(asked(ask("list", "pods"))).falls({taken})


def test_no_right_is_taken_out_of_a_role_of_one_wildcard_or_of_kubernetes_own() -> None:
    for question in (ask("get", "secrets"), ask("get", "leases")):
        parts = SHARED_REPLAY.support(asked(question)).parts
        assert {part.kind for part in parts} == {"binding", "subject"}


def test_what_of_a_binding_was_used_is_known() -> None:
    supports = [SHARED_REPLAY.support(asked(ask(verb, "pods"))) for verb in ("get", "list")]
    used = narrower(taking(crb("shared")), supports)
    assert used == (frozenset({subject("eve")}), frozenset({right("get", "", "pods"), right("list", "", "pods")}))
    assert narrower(taking(crb("single")), supports) == (frozenset(), frozenset())


def test_a_doubtful_binding_is_only_taken_as_a_whole() -> None:
    doubt = Dump(WHOLE.objects, WHOLE.documents, set(), WHOLE.whole)
    history = History([], [doubt])
    history.at(NOW).policy.doubts = frozenset({crb("eve-all")})
    parts = Replay(history).support(asked(ask("get", "secrets"))).parts
    assert parts == gone("eve-all")


def test_without_a_credential_all_that_comes_with_it_is_refused_and_what_it_gained() -> None:
    question = ask("get", "pods", groups=("system:masters",))
    requests = [
        asked(question, shown=("JTI=1", "identity eve"), gave=("JTI=2",)),
        asked(question, shown=("JTI=2", "identity eve")),
        asked(question, shown=("JTI=3", "identity eve")),
    ]
    supports = [SHARED_REPLAY.support(one) for one in requests]
    assert effect({Part("credential", (), ("JTI=1",))}, requests, supports) == Effect(frozenset({0, 1}), False)
    assert effect({Part("credential", (), ("identity eve",))}, requests, supports).refused == {0, 1, 2}
    use = Use.of(requests, SHARED_REPLAY)
    assert broken({Part("credential", (), ("JTI=3",))}, use) == ({"eve": 1}, False)


def test_what_adds_nothing_is_left_out_in_the_order_given() -> None:
    requests = [asked(ask("get", "pods"))] * 2
    supports = [needs("a"), needs("a")]
    cut = frozenset(gone("a", "b"))
    assert without_needless(cut, sorted(cut), requests, supports) == gone("a")


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=8), st.sets(st.sampled_from("abcd")))
def test_taking_more_away_never_refuses_less(supports: list[set[str]], cut: set[str]) -> None:
    requests = [asked(ask("get", "pods"))] * len(supports)
    wanted = [needs(*sorted(names)) for names in supports]
    less = effect(gone(*cut), requests, wanted).refused
    for other in "abcd":
        assert less <= effect(gone(*cut, other), requests, wanted).refused
