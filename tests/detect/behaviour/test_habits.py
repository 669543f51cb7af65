"""Habits add up whatever the order, and what is judged is taken out without a trace."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.behaviour.habits import ALL, Habits, groups
from kubewitness.detect.behaviour.use import Use, family, places
from kubewitness.detect.profile import MANY, AccessorKey, Profile, RequestKind

USES = st.builds(
    Use,
    identity=st.sampled_from(["dana", "system:serviceaccount:a:b", "system:anonymous"]),
    address=st.sampled_from(["10.0.0.1", "10.0.1.1", "203.0.113.9", "::1", ""]),
    agent=st.sampled_from(["kubectl/v1 (linux)", "curl/8", ""]),
    verb=st.sampled_from(["get", "list"]),
    resource=st.sampled_from(["pods", "secrets", ""]),
    counted=st.just(True),
)


def profiles(uses: Sequence[Use]) -> list[Profile]:
    """As pass 1 would keep them."""
    out: dict[AccessorKey, Profile] = {}
    for use in uses:
        profile = out.setdefault(use.accessor, Profile(use.accessor))
        kind = RequestKind(use.verb, use.resource, "", "", "Metadata", "ResponseComplete")
        profile.allowed[kind] = profile.allowed.get(kind, 0) + 1
    return list(out.values())


def told(habits: Habits) -> list[object]:
    """All that can be asked."""
    names = ["dana", "system:serviceaccount:a:b", "system:anonymous"]
    values = [
        "get pods",
        "list pods",
        "get secrets",
        "list secrets",
        "pods",
        "secrets",
        "10.0.0.0/24",
        "public",
        "curl",
    ]
    return [
        (habits.requests(name), habits.peers(name), group, dimension, habits.extent(group, dimension),
         [habits.count(group, dimension, value) for value in values])
        for name in names for group in groups(name)
        for dimension in ("act", "resource", "network", "site", "scope", "family")
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(USES, max_size=30).flatmap(lambda uses: st.tuples(st.just(uses), st.permutations(uses))))
def test_the_order_of_what_is_learnt_does_not_matter(both: tuple[list[Use], list[Use]]) -> None:
    uses, mixed = both
    assert told(Habits(profiles(uses))) == told(Habits(profiles(mixed))) == told(Habits(reversed(profiles(uses))))


@settings(max_examples=40, deadline=None)
@given(st.lists(USES, max_size=20), st.lists(USES, max_size=20))
def test_without_some_uses_it_is_as_if_they_never_were(kept: list[Use], accused: list[Use]) -> None:
    habits = Habits(profiles([*kept, *accused]))
    habits.without(accused)
    assert told(habits) == told(Habits(profiles(kept)))


@settings(max_examples=40, deadline=None)
@given(st.lists(USES, max_size=10), st.lists(USES, max_size=10))
def test_more_taken_out_than_was_learnt_leaves_nothing_below_zero(kept: list[Use], accused: list[Use]) -> None:
    habits = Habits(profiles(kept))
    habits.without([*kept, *accused])
    assert habits.extent(ALL, "act") == (0, 0)
    assert habits.requests("dana") == 0


def test_of_who_shares_a_profile_with_many_it_is_not_known_where_from() -> None:
    shared = Profile(AccessorKey("dana", MANY, MANY))
    shared.allowed[RequestKind("get", "pods", "", "", "Metadata", "ResponseComplete")] = 3
    habits = Habits([shared])
    assert habits.blurred == {"dana"}
    assert habits.count(("who", "dana"), "network", "") == 3
    assert habits.count(("who", "dana"), "act", "get pods") == 3


def test_addresses_have_a_network_a_site_and_a_scope() -> None:
    assert places("10.1.2.3") == ("10.1.2.0/24", "10.1.0.0/16", "private")
    assert places("203.0.113.9") == ("203.0.113.0/24", "203.0.0.0/16", "public")
    assert places("2001:db8:1:2::5")[0] == "2001:db8:1::/48"
    assert places("127.0.0.1") == places("::1") == ("loopback", "loopback", "loopback")
    assert places("") == places("x\0\x1b[31m") == places(MANY) == ("", "", "")


def test_an_agent_is_known_by_its_first_product() -> None:
    assert family("kubectl.exe/v1.31.0 (windows/amd64) kubernetes/1") == "kubectl"
    assert family("Mozilla/5.0 zgrab/0.x") == "mozilla"
    assert family("") == family(MANY) == ""
    assert len(family("x" * 10_000)) == 60
