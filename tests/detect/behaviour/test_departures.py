"""A departure is the coarsest thing that never occurred otherwise; what occurred, or cannot be told, is none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from kubewitness.detect.behaviour.departures import departures, is_sensitive
from kubewitness.detect.behaviour.detail import Detail
from kubewitness.detect.behaviour.habits import Habits
from kubewitness.detect.behaviour.use import Use
from kubewitness.detect.profile import MANY
from tests.detect.behaviour.test_habits import profiles

DANA = "dana"


def use(**more: Any) -> Use:
    fields = {
        "identity": DANA,
        "address": "10.1.1.1",
        "agent": "kubectl/v1",
        "verb": "list",
        "resource": "pods",
        **more,
    }
    return Use(**fields)


USUAL = [
    *[use()] * 50,
    use(verb="get", resource="secrets"),
    use(identity="lee", address="203.0.113.5", agent="helm/3", verb="list", resource="secrets"),
]


def found(**more: Any) -> set[tuple[str, str, bool]]:
    """What, which and whether nobody else does it."""
    return {(one.what, one.value, one.rare) for one in departures(DANA, [use(**more)], Habits(profiles(USUAL)))}


def test_what_is_usual_is_no_departure() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.1.200", set()),
        ("10.1.9.9", set()),
        ("10.2.1.1", {("site", "10.2.0.0/16", True)}),
        ("203.0.113.9", {("scope", "public", False)}),
        ("127.0.0.1", {("scope", "loopback", True)}),
        ("", set()),
        ("not an address", set()),
        (MANY, set()),
    ],
    ids=["same network", "other desk of the site", "other site", "public", "the machine itself", "none", "odd", "many"],
)
def test_networks(address: str, expected: set[tuple[str, str, bool]]) -> None:
    assert found(address=address) == expected


def test_a_new_network_of_a_public_site_is_told_by_its_network() -> None:
    usual = [use(address="203.0.113.5")] * 9
    (one,) = departures(DANA, [use(address="203.0.200.5")], Habits(profiles(usual)))
    assert (one.what, one.value, one.shown) == ("network", "203.0.200.0/24", "203.0.200.5")


def test_clients() -> None:
    assert found(agent="helm/3.1") == {("family", "helm", False)}
    assert found(agent="curl/8") == {("family", "curl", True)}
    assert found(agent="kubectl.exe/v2") == set()
    assert found(agent="") == set()


def test_acts() -> None:
    assert found(verb="list", resource="secrets") == {("act", "list secrets", False)}
    assert found(verb="delete", resource="secrets") == {("act", "delete secrets", True)}
    assert found(verb="get", resource="") == set()


def test_several_new_acts_on_what_was_never_touched_are_one_departure() -> None:
    uses = [use(verb=verb, resource="jobs", succeeded=verb == "get") for verb in ("get", "list", "create")]
    (one,) = departures(DANA, uses, Habits(profiles(USUAL)))
    assert (one.what, one.value, one.succeeded, one.sensitive) == ("resource", "jobs", True, True)


def test_of_whom_only_a_shared_profile_is_known_no_place_and_no_client_is_told() -> None:
    usual = [*USUAL, use(address=MANY, agent=MANY)]
    told = departures(DANA, [use(address="203.0.113.9", agent="curl/8", verb="get")], Habits(profiles(usual)))
    assert [one.what for one in told] == ["act"]


def test_namespaces_are_told_if_they_were_read_and_hours_after_a_week() -> None:
    week = frozenset(f"2026-03-0{day}" for day in range(1, 8))
    detail = Detail(Counter({"shop": 9}), Counter({9: 5, 16: 4}), week)
    habits = Habits(profiles(USUAL))

    def told(detail: Detail | None, hour: int, namespace: str) -> list[tuple[str, str]]:
        uses = [use(namespace=namespace, time=f"2026-03-09T{hour:02}:10:00.000000Z")]
        return [(one.what, one.value) for one in departures(DANA, uses, habits, detail)]

    assert told(detail, 3, "kube-system") == [("hour", "03"), ("namespace", "kube-system")]
    assert told(detail, 10, "shop") == told(detail, 15, "shop") == [], "an hour before or after is no departure"
    assert told(detail._replace(days=frozenset(list(week)[:6])), 3, "shop") == []
    assert told(None, 3, "kube-system") == []
    assert told(detail._replace(namespaces=Counter()), 9, "shop") == [], "nothing was read of namespaces"


def test_what_an_intruder_is_after() -> None:
    assert is_sensitive("get", "secrets")
    assert is_sensitive("create", "pods/exec")
    assert is_sensitive("patch", "clusterrolebindings")
    assert not is_sensitive("list", "clusterrolebindings")
    assert not is_sensitive("create", "events")
    assert not is_sensitive("get", "pods")


def test_a_flood_of_hostile_names_stays_bounded() -> None:
    uses = [use(verb="v" * 10_000, resource="\x1b[31m" + "r" * 10_000), use(agent="a" * 10_000)]
    assert all(len(one.value) < 300 for one in departures(DANA, uses, Habits(profiles(USUAL))))
