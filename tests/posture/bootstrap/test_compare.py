"""What differs from Kubernetes' own roles and bindings is told once; what some version made itself is no finding."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kubewitness.posture.bootstrap.compare import compare
from kubewitness.posture.bootstrap.covering import pieces
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.difference import Difference
from kubewitness.posture.bootstrap.known import Version, known
from kubewitness.posture.rbac.nouns import RESOURCES, Binding, Key, PolicyRule, Requirement, Role, Selector, Subject
from kubewitness.posture.rbac.objects import read_dump

RECORDED = Path(__file__).parents[3] / "scenarios/recorded"
State = dict[Key, Role | Binding]
V = Version(1, 34)
SECRETS = PolicyRule(("get",), ("",), ("secrets",))
EVERYTHING = PolicyRule(("*",), ("*",), ("*",))
NOBODY = Subject("Group", "system:unauthenticated")
NODE = Key("clusterroles", "", "system:node")
DISCOVERY = Key("clusterroles", "", "system:discovery")
OPEN_DOOR = Key("clusterrolebindings", "", "system:basic-user")
INFO = Key("clusterrolebindings", "", "system:public-info-viewer")
SIGNER = Key("roles", "kube-system", "system:controller:bootstrap-signer")


def fresh(version: Version = V) -> State:
    return dict(defaults(version).objects)


def role(state: State, key: Key) -> Role:
    found = state[key]
    assert isinstance(found, Role)
    return found


def binding(state: State, key: Key) -> Binding:
    found = state[key]
    assert isinstance(found, Binding)
    return found


def foreign(*rules: PolicyRule, name: str = "shop", **labels: str) -> Role:
    return Role("", name, rules, tuple((f"rbac.authorization.k8s.io/{to}", value) for to, value in labels.items()))


def more_rules(state: State) -> None:
    state[DISCOVERY] = replace(role(state, DISCOVERY), rules=(*role(state, DISCOVERY).rules, SECRETS))


def more_rules_in_a_namespace(state: State) -> None:
    state[SIGNER] = replace(role(state, SIGNER), rules=(*role(state, SIGNER).rules, EVERYTHING))


def wider_rule(state: State) -> None:
    first, *rest = role(state, NODE).rules
    state[NODE] = replace(role(state, NODE), rules=(replace(first, verbs=("*",)), *rest))


def fewer_rules(state: State) -> None:
    state[NODE] = replace(role(state, NODE), rules=role(state, NODE).rules[1:])


def more_subjects(state: State) -> None:
    state[INFO] = replace(binding(state, INFO), subjects=(*binding(state, INFO).subjects, Subject("User", "eve")))


def fewer_subjects(state: State) -> None:
    state[INFO] = replace(binding(state, INFO), subjects=binding(state, INFO).subjects[:1])


def other_role(state: State) -> None:
    state[INFO] = replace(binding(state, INFO), role_name="cluster-admin")


def gone(state: State) -> None:
    del state[INFO]


def first_role_gone(state: State) -> None:
    del state[Key("clusterroles", "", "cluster-admin")]


def selects_more(state: State) -> None:
    key = Key("clusterroles", "", "view")
    wide = Selector((Requirement("team", "Exists"),))
    state[key] = replace(role(state, key), selectors=(*(role(state, key).selectors or ()), wide))


def selects_nothing(state: State) -> None:
    key = Key("clusterroles", "", "view")
    state[key] = replace(role(state, key), selectors=None)


def subject_of_the_node_role(state: State) -> None:
    key = Key("clusterrolebindings", "", "system:node")
    state[key] = replace(binding(state, key), subjects=(Subject("Group", "system:nodes"),))


def label_on_a_stranger(state: State) -> None:
    made = Role("", "system:controller:kube-controller", (), (("kubernetes.io/bootstrapping", "rbac-defaults"),))
    state[made.key] = made


def secrets_into_view(state: State) -> None:
    made = replace(foreign(SECRETS), labels=(("rbac.authorization.k8s.io/aggregate-to-view", "true"),))
    state[made.key] = made


def everything_into_admin(state: State) -> None:
    made = replace(foreign(EVERYTHING), labels=(("rbac.authorization.k8s.io/aggregate-to-admin", "true"),))
    state[made.key] = made


def own_role_into_view(state: State) -> None:
    labels = (*role(state, NODE).labels, ("rbac.authorization.k8s.io/aggregate-to-view", "true"))
    state[NODE] = replace(role(state, NODE), labels=labels)


@pytest.mark.parametrize(
    ("tamper", "kind", "said"),
    [
        (more_rules, "extra_rule", "get: secrets"),
        (more_rules_in_a_namespace, "extra_rule", "*: *.*"),
        (wider_rule, "extra_rule", "*: serviceaccounts/token"),
        (fewer_rules, "missing_rule", "create: serviceaccounts/token"),
        (more_subjects, "extra_subject", "User eve"),
        (fewer_subjects, "missing_subject", "Group system:unauthenticated"),
        (other_role, "swapped_role", "ClusterRole cluster-admin"),
        (gone, "missing_object", "ClusterRoleBinding system:public-info-viewer"),
        (first_role_gone, "missing_object", "ClusterRole cluster-admin"),
        (selects_more, "altered_aggregation", "team Exists"),
        (selects_nothing, "altered_aggregation", "aggregate-to-view"),
        (subject_of_the_node_role, "extra_subject", "Group system:nodes"),
        (label_on_a_stranger, "foreign_label", "kubernetes.io/bootstrapping=rbac-defaults"),
        (secrets_into_view, "injected_rule", "get: secrets"),
        (everything_into_admin, "injected_rule", "*: *.*"),
        (own_role_into_view, "injected_rule", "secrets"),
    ],
)
def test_each_way_to_alter_an_object_is_told_once(tamper: Callable[[State], None], kind: str, said: str) -> None:
    state = fresh()
    tamper(state)
    (only,) = compare(state, V)
    assert only.kind == kind
    assert only.finding
    assert said in "\n".join((*only.before, *only.after))
    assert str(only.key) in only.text.en
    assert str(only.key) in only.text.zh


def documents(key: Key, **meta: Any) -> dict[Key, object]:
    return {key: {"metadata": {"name": key.name, **meta}}}


def test_an_object_shut_off_from_repair_is_told() -> None:
    note = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    (only,) = compare(fresh(), V, documents=documents(INFO, annotations=note))
    assert (only.kind, only.key, only.before, only.after) == ("protected", INFO, ("true",), ("false",))


@pytest.mark.parametrize("value", ["true", "False", "", 0, None, ["false"]])
def test_any_other_annotation_leaves_it_to_repair(value: object) -> None:
    note = {"rbac.authorization.kubernetes.io/autoupdate": value}
    assert list(compare(fresh(), V, documents=documents(INFO, annotations=note))) == []


@pytest.mark.parametrize("meta", [None, [], {"labels": 3}, {"annotations": ["x"]}])
def test_documents_of_other_types_are_passed_over(meta: object) -> None:
    assert list(compare(fresh(), V, documents={INFO: {"metadata": meta}, NODE: meta})) == []


def test_a_foreign_bindings_label_is_in_its_document() -> None:
    made = Binding("", "door", "ClusterRole", "view", (NOBODY,))
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    (only,) = compare(fresh() | {made.key: made}, V, documents=documents(made.key, labels=labels))
    assert (only.kind, only.key) == ("foreign_label", made.key)
    assert list(compare(fresh() | {made.key: made}, V)) == [], "a binding without it is none of Kubernetes' own"


@pytest.mark.parametrize("source", known().sources, ids=lambda source: source.told)
def test_every_known_versions_own_objects_do_not_differ(source: Any) -> None:
    assert list(compare(known().objects[source.minor], Version(1, source.minor))) == []


@pytest.mark.parametrize("minor", range(14, 35))
def test_a_version_between_two_known_ones_may_be_as_either(minor: int) -> None:
    every = known()
    for one in every.accepted(Version(1, minor)):
        found = [each for each in compare(every.objects[one], Version(1, minor)) if each.finding]
        # What the newer one has and the older had not is not wanted of either.
        assert found == []


@pytest.mark.parametrize("minor", [12, 14, 19, 20, 21, 28])
def test_what_an_upgrade_leaves_is_explained(minor: int) -> None:
    """An API server adds what is missing and takes nothing away."""
    old, state = known().objects[minor], fresh()
    for key, was in old.items():
        now = state.get(key)
        if isinstance(was, Role) and isinstance(now, Role) and now.selectors is None:
            state[key] = replace(now, rules=(*was.rules, *pieces(now.rules)))
        elif isinstance(was, Binding) and isinstance(now, Binding):
            state[key] = replace(now, subjects=tuple(dict.fromkeys((*was.subjects, *now.subjects))))
        else:
            state.setdefault(key, was)
    found = list(compare(state, V))
    assert found
    assert [one for one in found if one.finding] == []
    assert all(minor <= one.minor < 34 for one in found)


def test_discovery_by_everybody_is_left_from_1_13_or_older() -> None:
    state = fresh()
    state[OPEN_DOOR] = replace(binding(state, OPEN_DOOR), subjects=(*binding(state, OPEN_DOOR).subjects, NOBODY))
    (only,) = compare(state, V)
    assert (only.kind, only.explained, only.minor, only.finding) == ("extra_subject", "older", 13, False)
    assert "1.13 or older" in only.text.en
    assert "1.13 或更早" in only.text.zh


def test_what_is_left_from_before_and_what_was_added_are_told_apart() -> None:
    state = fresh()
    key = Key("clusterroles", "", "system:controller:expand-controller")
    old = role(dict(known().objects[28]), key)
    state[key] = replace(old, rules=(*role(state, key).rules, *old.rules, EVERYTHING))
    left, added = sorted(compare(state, V), key=lambda one: one.finding)
    assert (left.explained, left.minor) == ("older", 31)
    assert added.after == ("*: *.*",)


def test_rules_written_otherwise_grant_the_same() -> None:
    state = {
        key: replace(one, rules=tuple(reversed(pieces(one.rules)))) if isinstance(one, Role) else one
        for key, one in fresh().items()
    }
    assert list(compare(state, V)) == []


def test_roles_of_addons_over_their_own_resources_are_ordinary() -> None:
    own = PolicyRule(("*",), ("certificates.example.com",), ("*",))
    usual = PolicyRule(("get", "list", "watch"), ("",), ("pods", "services"))
    labels = tuple((f"rbac.authorization.k8s.io/aggregate-to-{to}", "true") for to in ("admin", "edit", "view"))
    made = replace(foreign(own, usual), labels=labels)
    assert list(compare(fresh() | {made.key: made}, V)) == []


def test_what_admin_may_anyhow_is_no_gain_and_what_view_may_not_is() -> None:
    to_admin = replace(foreign(SECRETS), labels=(("rbac.authorization.k8s.io/aggregate-to-admin", "true"),))
    assert list(compare(fresh() | {to_admin.key: to_admin}, V)) == []
    unselected = replace(foreign(SECRETS), labels=(("rbac.authorization.k8s.io/aggregate-to-view", "false"),))
    assert list(compare(fresh() | {unselected.key: unselected}, V)) == []


def test_only_kinds_the_evidence_has_whole_can_lack_an_object() -> None:
    state = {key: one for key, one in fresh().items() if key.resource != "roles"}
    assert {one.kind for one in compare(state, V)} == {"missing_object"}
    assert list(compare(state, V, whole={"clusterroles", "clusterrolebindings", "rolebindings"})) == []


def test_rules_a_controller_put_into_an_aggregated_role_need_their_origin_only_if_it_must_be_there() -> None:
    state, key = fresh(), Key("clusterroles", "", "admin")
    addon = PolicyRule(("get",), ("shop.example.com",), ("orders",))
    state[key] = replace(role(state, key), rules=(addon,))
    assert [one.kind for one in compare(state, V)] == ["extra_rule"]
    assert list(compare(state, V, whole={"clusterrolebindings"})) == []
    made = replace(foreign(addon), labels=(("rbac.authorization.k8s.io/aggregate-to-admin", "true"),))
    assert list(compare(state | {made.key: made}, V)) == []


def test_a_cluster_without_rbac_lacks_nothing() -> None:
    made = foreign(SECRETS)
    assert list(compare({made.key: made}, V)) == []


def test_what_feature_gates_add_is_no_finding() -> None:
    state = fresh()
    gated = PolicyRule(("get", "list", "watch"), ("certificates.k8s.io",), ("clustertrustbundles",))
    state[NODE] = replace(role(state, NODE), rules=(*role(state, NODE).rules, gated))
    (only,) = compare(state, V)
    assert (only.explained, only.finding) == ("gated", False)


def test_of_a_version_nobody_knows_yet_only_what_it_is_known_to_add_is_explained() -> None:
    state = fresh(Version(1, known().minors[-1]))
    newer = PolicyRule(("get", "list", "watch"), ("coordination.k8s.io",), ("evictionrequests",))
    state[DISCOVERY] = replace(role(state, DISCOVERY), rules=(*role(state, DISCOVERY).rules, newer, SECRETS))
    explained = {one.explained: one.after for one in compare(state, Version(1, 60))}
    assert explained == {"newer": ("get, list, watch: evictionrequests.coordination.k8s.io",), "": ("get: secrets",)}
    there = fresh()
    there[DISCOVERY] = replace(role(there, DISCOVERY), rules=(*role(there, DISCOVERY).rules, SECRETS))
    (all_of_it,) = compare(there, V)
    assert all_of_it.finding


def test_a_huge_foreign_role_costs_little() -> None:
    many = tuple(PolicyRule((f"v{one}",), ("",), tuple(f"r{two}" for two in range(200))) for one in range(500))
    labels = (("rbac.authorization.k8s.io/aggregate-to-view", "true"),)
    made = replace(foreign(*many, SECRETS), labels=labels)
    state = fresh() | {made.key: made}
    state[NODE] = replace(role(state, NODE), rules=many)
    kinds = {one.kind for one in compare(state, V)}
    assert kinds == {"injected_rule", "extra_rule", "missing_rule"}


def test_the_result_does_not_depend_on_the_order_of_the_objects() -> None:
    state = fresh()
    for tamper in (more_rules, more_subjects, secrets_into_view, label_on_a_stranger):
        tamper(state)
    there: list[Difference] = list(compare(state, V))
    back = list(compare(dict(reversed(state.items())), V))
    assert there == back
    assert json.dumps([one.text.en for one in there]) == json.dumps([one.text.en for one in back])


@pytest.mark.parametrize(
    ("recording", "version"),
    [
        ("anonymous_cluster_admin/evidence/control-plane/rbac-before", V),
        ("anonymous_cluster_admin_1_20/evidence/control-plane/rbac-before", Version(1, 20)),
        ("kubelet_config_commented_out_1_20/evidence/control-plane/rbac-after", Version(1, 20)),
        ("benign_day_quiet/evidence/control-plane/rbac-after", V),
        ("benign_day_ugly/evidence/control-plane/rbac-after", V),
        ("benign_day_ugly/evidence/control-plane/rbac-after", None),
    ],
)
def test_real_clusters_whose_own_objects_nobody_touched_have_no_difference(
    recording: str, version: Version | None
) -> None:
    dump = read_dump(json.loads(gzip.decompress((RECORDED / f"{recording}.json.gz").read_bytes())))
    assert dump.whole == set(RESOURCES)
    assert len(dump.objects) > 100
    assert list(compare(dump.objects, version, documents=dump.documents)) == []
