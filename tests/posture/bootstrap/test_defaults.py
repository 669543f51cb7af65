"""The defaults of each version, beside what Kubernetes publishes, and what addons make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kubewitness.posture.bootstrap.addons import addon_of
from kubewitness.posture.bootstrap.covering import covers, joined, pieces, uncovered
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.escalating import escalates
from kubewitness.posture.bootstrap.known import Version, known, version_of
from kubewitness.posture.rbac.evaluate import Policy, evaluate
from kubewitness.posture.rbac.nouns import Attributes, Binding, Key, PolicyRule, Role, Subject
from kubewitness.rules.loader import content_folder
from tests.corpus import CORPUS

BINDINGS = (CORPUS or Path()).parent / "rbac_defaults/default_bindings_by_version.json"
ANONYMOUS = Subject("User", "system:anonymous")
GROUP = "system:unauthenticated"
INFO = "kubeadm:bootstrap-signer-clusterinfo"


def asked(version: Version | None, verb: str, path: str = "", **more: str) -> bool:
    policy = Policy(defaults(version).objects.values())
    return evaluate(policy, Attributes("system:anonymous", (GROUP,), verb, path=path, **more)).allowed


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.28", (1, 28)),
        ("v1.28.3", (1, 28)),
        (" v1.28.3+k3s1 ", (1, 28)),
        ("v1.20.4-aliyun.1", (1, 20)),
        ("1.21+", (1, 21)),
        ("1", None),
        ("1.28.3 (linux/amd64)", None),
        ("1.x", None),
        ("v1.٣", None),
        ("1." + "9" * 5000, None),
        ("v1.28.3" + "-a" * 5000, None),
        ("", None),
    ],
)
def test_a_version_is_read_however_it_is_written(text: str, version: tuple[int, int] | None) -> None:
    assert version_of(text) == version


def test_anonymous_may_ask_only_how_the_server_is_since_1_14() -> None:
    assert asked(Version(1, 34), "get", "/version")
    assert not asked(Version(1, 34), "get", "/apis")
    assert not asked(Version(1, 34), "get", resource="secrets", namespace="shop")
    assert asked(Version(1, 12), "get", "/apis")


@pytest.mark.parametrize(
    ("version", "minor", "exact"),
    [
        (Version(1, 34), 34, True),
        (Version(1, 20), 20, True),
        (Version(1, 25), 25, True),
        (Version(1, 12), 12, False),  # known as it was before its release
        (Version(1, 15), 14, False),
        (Version(1, 40), 36, False),
        (Version(1, 3), 8, False),
        (None, 36, True),
    ],
)
def test_the_nearest_known_version_stands_in_and_says_so(version: Version | None, minor: int, exact: bool) -> None:
    found = defaults(version)
    assert (found.minor, found.exact) == (minor, exact)
    assert found.told


def test_an_aggregated_role_grants_what_it_selects() -> None:
    policy = Policy(defaults(Version(1, 28)).objects.values())
    rules = policy.rules_of(Key("clusterroles", "", "admin")) or ()
    assert uncovered([PolicyRule(("create",), ("",), ("pods/exec",))], rules) == []
    assert uncovered([PolicyRule(("update",), ("",), ("nodes",))], rules)


@pytest.mark.skipif(not BINDINGS.is_file(), reason="no list of the bindings of each version here")
@pytest.mark.parametrize(
    ("listed", "minor"),
    [("v1.12-beta_2018-09-07", 12), ("v1.14.10_fork", 14), ("v1.19.1_fork", 19), ("v1.28.0_fork", 28)],
)
def test_the_bindings_are_those_that_others_counted(listed: str, minor: int) -> None:
    told = json.loads(BINDINGS.read_text())["versions"][listed]
    wanted = {
        name: (one["role"], {(each["kind"], each["name"]) for each in one.get("subjects") or ()})
        for part in ("clusterRoleBindings", "controllerRoleBindings")
        for name, one in told[part].items()
    }
    objects = known().objects[minor].values()
    bindings = [one for one in objects if isinstance(one, Binding) and not one.namespace]
    assert {one.name: (one.role_name, {(each.kind, each.name) for each in one.subjects}) for one in bindings} == wanted
    roles = {one.name for one in objects if isinstance(one, Role) and not one.namespace}
    assert roles == {*told["clusterRoles"], *told["controllerRoles"]}


def test_the_content_says_where_each_version_is_from_and_has_no_row_twice() -> None:
    folder = content_folder() / "bootstrap"
    content: dict[str, Any] = json.loads((folder / "rbac.json").read_text())
    minors = [one["minor"] for one in content["versions"]]
    assert minors == sorted(set(minors))
    assert all(one["from"] for one in content["versions"])
    rows = [json.dumps(one) for one in content["rows"]]
    assert len(rows) == len(set(rows))
    assert all(one["since"] in minors and one["until"] in minors for one in content["rows"])
    assert not Path(folder / "rbac.json").read_text().count("/root/")


def info_role(*names: str, verb: str = "get") -> Role:
    return Role("kube-public", INFO, (PolicyRule((verb,), ("",), ("configmaps",), names),))


def test_an_addon_is_known_by_what_it_grants_to_whom() -> None:
    assert addon_of(info_role("cluster-info")) == "kubeadm"
    assert addon_of(Binding("kube-public", INFO, "Role", INFO, (ANONYMOUS,))) == "kubeadm"


@pytest.mark.parametrize(
    "near",
    [
        info_role(),  # every ConfigMap
        info_role("cluster-info", "kubeadm-config"),
        info_role("cluster-info", verb="*"),
        replace(info_role("cluster-info"), namespace="kube-system"),
        replace(info_role("cluster-info"), selectors=()),
        Binding("kube-public", INFO, "ClusterRole", INFO, (ANONYMOUS,)),
        Binding("kube-public", INFO, "Role", INFO, (ANONYMOUS, Subject("User", "eve"))),
        Binding("", "kubeadm:cluster-admins", "ClusterRole", "cluster-admin", (Subject("Group", GROUP),)),
        Role("", "shop"),
    ],
)
def test_what_grants_more_than_an_addon_is_not_the_addon(near: Role | Binding) -> None:
    assert addon_of(near) == ""


def test_a_name_may_end_in_the_version_the_addon_was_of() -> None:
    def role(name: str, config: str) -> Role:
        return Role("kube-system", name, (PolicyRule(("get",), ("",), ("configmaps",), (config,)),))

    assert addon_of(role("kubeadm:kubelet-config-1.20", "kubelet-config-1.20")) == "kubeadm"
    assert addon_of(role("kubeadm:kubelet-config", "kubelet-config")) == "kubeadm"
    assert addon_of(role("kubeadm:kubelet-config-1.20", "kubelet-config-1.21")) == ""
    assert addon_of(role("kubeadm:kubelet-config-1.20", "anything")) == ""


NAMES = st.lists(st.sampled_from(["a", "b", "c/x", "*", "*/x"]), min_size=1, max_size=3, unique=True).map(tuple)
RULES = st.lists(
    st.builds(PolicyRule, NAMES, NAMES, NAMES, st.one_of(st.just(()), NAMES)).filter(lambda rule: rule.verbs),
    max_size=4,
)


@settings(max_examples=40)
@given(RULES)
def test_taking_rules_apart_and_together_changes_nothing(rules: list[PolicyRule]) -> None:
    parts = pieces(rules)
    assert uncovered(parts, rules) == []
    assert uncovered(rules, parts) == []
    assert set(pieces(joined(parts))) == set(parts)


@settings(max_examples=40)
@given(RULES, RULES)
def test_what_is_uncovered_is_what_no_rule_covers(wanted: list[PolicyRule], having: list[PolicyRule]) -> None:
    left = uncovered(wanted, having)
    assert left == [piece for piece in pieces(wanted) if not any(covers(rule, piece) for rule in having)]


def test_a_rule_of_far_too_many_parts_stays_as_it_is() -> None:
    huge = PolicyRule(tuple(map(str, range(1000))), ("",), tuple(map(str, range(1000))))
    assert pieces([huge]) == [huge]
    assert uncovered([huge], []) == [huge]


@pytest.mark.parametrize(
    ("rule", "yes"),
    [
        (PolicyRule(("get",), ("",), ("secrets",)), True),
        (PolicyRule(("*",), ("*",), ("*",)), True),
        (PolicyRule(("create",), ("",), ("*/exec",)), True),
        (PolicyRule(("bind",), ("rbac.authorization.k8s.io",), ("clusterroles",)), True),
        (PolicyRule(("*",), ("shop.example.com",), ("*",)), False),
        (PolicyRule(("get",), ("",), ("configmaps",)), False),
        (PolicyRule(("get",), ("rbac.authorization.k8s.io",), ("clusterroles",)), False),
        (PolicyRule(("get",), urls=("*",)), False),
    ],
)
def test_rights_with_which_one_gains_others(rule: PolicyRule, yes: bool) -> None:
    assert escalates(rule) is yes
