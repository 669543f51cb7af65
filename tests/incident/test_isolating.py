"""Shutting an intruder out takes nobody else along: neither pods of a like name nor people behind the same address."""

from __future__ import annotations

import re

import pytest

from kubewitness.incident.isolating import isolate, pods_of
from kubewitness.model.incident import Action, Incident, ObjectName
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, anonymous, only
from tests.incident.logs import KUBECTL, MASTERS, OFFICE, Log, daemonset


def matches(kind: str, name: str, pod: str) -> bool:
    return re.search(pods_of(ObjectName(kind, "shop", name)), f"pod/{pod}") is not None


@pytest.mark.parametrize(
    ("kind", "name", "own", "other"),
    [
        ("daemonsets", "kube-controller", "kube-controller-t7rfz", "kube-controller-manager-node1"),
        ("daemonsets", "web", "web-x2k4z", "web-front"),
        ("daemonsets", "web", "web-x2k4z", "my-web-x2k4z"),
        ("deployments", "web", "web-7d9f8b6c5d-x2k4z", "web-api-7d9f8b6c5d-x2k4z"),
        ("statefulsets", "db", "db-0", "db-0-x2k4z"),
        ("jobs", "init", "init-4t7rf", "init-db-4t7rf"),
        ("jobs", "init", "init-3-4t7rf", "init-x-4t7rf"),
        ("cronjobs", "sync", "sync-29921940-x2k4z", "sync-x2k4z"),
        ("pods", "web.1", "web.1", "web-1"),
        ("replicasets", "w" * 63, "w" * 58 + "x2k4z", "v" + "w" * 62),
    ],
)
def test_the_pods_of_a_workload_and_no_others_are_cut_off(kind: str, name: str, own: str, other: str) -> None:
    assert matches(kind, name, own)
    assert not matches(kind, name, other)


def shut_out(*addresses: str) -> Action:
    (action,) = isolate([], addresses, {})
    return action


def test_each_address_is_dropped_by_the_filter_of_its_version() -> None:
    commands = shut_out("203.0.113.9", "2001:db8::9", "::ffff:203.0.113.10", "10.0.0.1").command.splitlines()
    assert [(line.split()[0], line.split()[4]) for line in commands] == [
        ("iptables", "203.0.113.9"), ("ip6tables", "2001:db8::9"), ("iptables", "203.0.113.10"),
    ]  # fmt: skip


def test_what_was_cut_off_is_let_in_again_in_its_own_namespace() -> None:
    (action,) = isolate([ObjectName("daemonsets", "shop", "x", "apps")], [], {})
    assert action.undo.en.startswith("kubectl -n shop delete networkpolicy ")
    assert action.undo.en.endswith("kubectl -n shop label pods -l kubewitness/quarantine=true kubewitness/quarantine-")


def keep_out(incident: Incident) -> Action:
    (found,) = [one for one in incident.actions if one.title.en.startswith("Keep the intruder's addresses")]
    return found


def test_an_address_of_the_intruder_alone_is_safe_to_drop(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    anonymous(log)
    assert keep_out(only(judged(log))).safe


def test_an_address_where_others_work_is_not_safe_to_drop_and_they_are_named(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    for hour in range(6, 20):
        log.request("list", "pods", at=f"{hour:02}:05", by="jane", namespace="shop", address=INTRUDER)
    anonymous(log)
    action = keep_out(only(judged(log)))
    assert not action.safe
    assert action.breaks.en == "Work of others from there: jane"
    assert "ask first whom it locks out" in action.detail.en


def test_the_desk_of_an_owner_whose_credential_may_be_stolen_is_not_safe_to_drop(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    log.request("create", "daemonsets", at="15:00", groups=MASTERS, address=OFFICE, agent=KUBECTL,
                namespace="kube-system", name="kube-controller",
                body=daemonset("kube-controller", "docker.io/kubrnetesio/kube-controller:1.0.1"))  # fmt: skip
    action = keep_out(only(judged(log)))
    assert not action.safe
    assert "kubernetes-admin" in action.breaks.en
