"""The evaluator answers as the API server's RBAC authorizer does."""

from __future__ import annotations

import pytest

from kubewitness.posture.rbac.evaluate import Policy, evaluate, grants
from kubewitness.posture.rbac.nouns import Attributes, Binding, Disguise, Requirement, Role, Selector, impersonations
from tests.correlate.rbac.made_up import ask, binding, role, rule


def _bound(*rules: object, to: str = "User eve") -> Policy:
    made = role("r", *rules)  # type: ignore[arg-type]
    return Policy([made, binding("b", "ClusterRole r", to)])


@pytest.mark.parametrize(
    ("made", "asked", "allowed"),
    [
        (rule("get", "pods"), ask("get", "pods"), True),
        (rule("get", "pods"), ask("list", "pods"), False),
        (rule("get", "pods"), ask("get", "pods/log"), False),
        (rule("get", "pods"), ask("get", "pods", group="metrics.k8s.io"), False),
        (rule("*", "pods"), ask("anything", "pods"), True),
        (rule("get", "pods", groups=("*",)), ask("get", "pods", group="metrics.k8s.io"), True),
        (rule("get", "*"), ask("get", "pods/exec"), True),
        (rule("get", "pods/exec"), ask("get", "pods/exec"), True),
        (rule("get", "pods/exec"), ask("get", "pods"), False),
        (rule("get", "*/scale"), ask("get", "deployments/scale"), True),
        (rule("get", "*/scale"), ask("get", "deployments"), False),
        (rule("get", "*/scale"), ask("get", "deployments/rescale"), False),
        (rule("get", "pods/*"), ask("get", "pods/exec"), False),
        (rule("get", "pods/*"), ask("get", "pods"), False),
        (rule("get", "secrets", names="a b"), ask("get", "secrets", name="b"), True),
        (rule("get", "secrets", names="a"), ask("get", "secrets", name="aa"), False),
        (rule("list", "secrets", names="a"), ask("list", "secrets"), False),
        (rule("list", "secrets", names="a"), ask("list", "secrets", name="a"), True),
        (rule("get", urls="/metrics"), ask("get", "/metrics"), True),
        (rule("get", urls="/metrics"), ask("get", "/metrics/x"), False),
        (rule("get", urls="/apis/*"), ask("get", "/apis/x/y"), True),
        (rule("get", urls="/apis/*"), ask("get", "/apis"), False),
        (rule("get", urls="/a**"), ask("get", "/ab"), True),
        (rule("get", urls="*"), ask("get", "/any"), True),
        (rule("get", urls="/a*/b"), ask("get", "/ax/b"), False),
        (rule("get", urls="*"), ask("get", "pods"), False),
        (rule("get", "*", groups=("*",)), ask("get", "/metrics"), False),
    ],
)
def test_a_rule_allows_what_it_names_and_nothing_beside_it(made: object, asked: Attributes, allowed: bool) -> None:
    assert evaluate(_bound(made), asked).allowed is allowed


@pytest.mark.parametrize(
    ("subject", "where", "user", "groups", "allowed"),
    [
        ("User eve", "", "eve", (), True),
        ("User eve", "", "Eve", (), False),
        ("User staff", "", "eve", ("staff",), False),
        ("Group staff", "", "eve", ("staff",), True),
        ("Group staff", "", "staff", (), False),
        ("User system:serviceaccount:a:x", "", "system:serviceaccount:a:x", (), True),
        ("ServiceAccount a/x", "", "system:serviceaccount:a:x", (), True),
        ("ServiceAccount b/x", "", "system:serviceaccount:a:x", (), False),
        ("ServiceAccount x", "", "system:serviceaccount:a:x", (), False),
        ("ServiceAccount x", "", "", (), False),
        ("ServiceAccount x", "a", "system:serviceaccount:a:x", (), True),
        ("ServiceAccount x", "a", "system:serviceaccount:b:x", (), False),
        ("ServiceAccount b/x", "a", "system:serviceaccount:b:x", (), True),
        ("Robot eve", "", "eve", (), False),
    ],
)
def test_a_subject_is_whom_it_names(
    subject: str, where: str, user: str, groups: tuple[str, ...], allowed: bool
) -> None:
    name = f"{where}/b" if where else "b"
    policy = Policy([role("r", rule("get", "pods")), binding(name, "ClusterRole r", subject)])
    asked = ask("get", "pods", user=user, groups=groups, namespace=where)
    assert evaluate(policy, asked).allowed is allowed


def test_a_role_binding_holds_in_its_namespace_only() -> None:
    policy = Policy([role("r", rule("get", "pods", urls="/x")), binding("a/b", "ClusterRole r", "User eve")])
    assert evaluate(policy, ask("get", "pods", namespace="a")).allowed
    assert not evaluate(policy, ask("get", "pods", namespace="b")).allowed
    assert not evaluate(policy, ask("get", "pods")).allowed
    assert not evaluate(policy, ask("get", "/x")).allowed


def test_a_reference_that_leads_nowhere_grants_nothing_and_stops_nothing() -> None:
    policy = Policy(
        [
            binding("a-missing", "ClusterRole gone", "User eve"),
            binding("b-role-of-a-namespace", "Role r", "User eve"),
            binding("n/c-role-elsewhere", "Role s", "User eve"),
            role("n/r", rule("get", "pods")),
            role("m/s", rule("get", "pods")),
            role("r", rule("list", "pods")),
            binding("z", "ClusterRole r", "User eve"),
        ]
    )
    assert not evaluate(policy, ask("get", "pods", namespace="n")).allowed
    assert evaluate(policy, ask("list", "pods", namespace="n")).allowed


def test_the_reason_is_the_one_the_api_server_writes() -> None:
    policy = Policy(
        [
            role("view", rule("watch", "pods"), rule("get", "pods")),
            role("n/r", rule("list", "pods")),
            binding("first", "ClusterRole view", "Group staff", "User eve"),
            binding("n/own", "Role r", "User mallory", "ServiceAccount app"),
        ]
    )
    first = evaluate(policy, ask("get", "pods", groups=("staff",)))
    assert first.grant
    assert first.grant.rule == 1
    assert first.grant.reason == ('RBAC: allowed by ClusterRoleBinding "first" of ClusterRole "view" to Group "staff"')
    second = evaluate(policy, ask("list", "pods", user="system:serviceaccount:n:app", namespace="n"))
    assert second.grant
    assert second.grant.reason == 'RBAC: allowed by RoleBinding "own/n" of Role "r" to ServiceAccount "app/n"'


def test_bindings_of_the_cluster_are_asked_before_those_of_the_namespace() -> None:
    policy = Policy(
        [
            role("r", rule("get", "pods")),
            binding("n/a", "ClusterRole r", "User eve"),
            binding("z", "ClusterRole r", "User eve"),
        ]
    )
    assert [one.binding.name for one in grants(policy, ask("get", "pods", namespace="n"))] == ["z", "a"]


def test_system_masters_needs_no_binding() -> None:
    answer = evaluate(Policy(), ask("delete", "nodes", groups=("system:masters",)))
    assert answer.allowed
    assert answer.grant is None


def test_what_rbac_does_not_grant_a_node_is_not_evaluated() -> None:
    policy = _bound(rule("get", "pods"), to="Group system:nodes")
    node = {"user": "system:node:n1", "groups": ("system:nodes",)}
    assert evaluate(policy, ask("get", "pods", **node)).decision == "allow"  # type: ignore[arg-type]
    assert evaluate(policy, ask("get", "secrets", **node)).decision == "not_evaluated"  # type: ignore[arg-type]
    assert evaluate(policy, ask("get", "secrets", user="system:node:n1")).decision == "deny"


def _selecting(*requirements: Requirement) -> tuple[Selector, ...]:
    return (Selector(requirements),)


@pytest.mark.parametrize(
    ("requirement", "allowed"),
    [
        (Requirement("to", "In", ("view", "edit")), True),
        (Requirement("to", "In", ("edit",)), False),
        (Requirement("to", "NotIn", ("edit",)), True),
        (Requirement("other", "NotIn", ("edit",)), True),
        (Requirement("to", "NotIn", ("view",)), False),
        (Requirement("to", "Exists"), True),
        (Requirement("to", "DoesNotExist"), False),
        (Requirement("other", "DoesNotExist"), True),
        (Requirement("to", "Gt", ("1",)), False),
    ],
)
def test_an_aggregated_role_has_the_rules_of_what_it_selects(requirement: Requirement, allowed: bool) -> None:
    policy = Policy(
        [
            role("piece", rule("get", "pods"), labels={"to": "view"}),
            role("all", rule("get", "secrets"), selectors=_selecting(requirement)),
            binding("b", "ClusterRole all", "User eve"),
        ]
    )
    assert evaluate(policy, ask("get", "pods")).allowed is allowed
    assert not evaluate(policy, ask("get", "secrets")).allowed, "its own rules are overwritten by the controller"


def test_aggregation_goes_through_aggregated_roles_and_ends_in_a_circle() -> None:
    pieces: list[Role | Binding] = [
        role("admin", selectors=_selecting(Requirement("to", "In", ("admin",)))),
        role("edit", selectors=_selecting(Requirement("to", "In", ("edit",))), labels={"to": "admin"}),
        role("piece", rule("get", "pods"), labels={"to": "edit"}),
        role("circle", selectors=_selecting(Requirement("to", "Exists")), labels={"to": "edit"}),
        binding("b", "ClusterRole admin", "User eve"),
    ]
    assert evaluate(Policy(pieces), ask("get", "pods")).allowed
    assert not evaluate(Policy(pieces[:2] + pieces[3:]), ask("get", "pods")).allowed


def test_an_aggregated_role_keeps_what_it_had_if_not_all_roles_are_known() -> None:
    objects: list[Role | Binding] = [
        role("view", rule("get", "pods"), selectors=_selecting()),
        binding("b", "ClusterRole view", "User eve"),
    ]
    assert evaluate(Policy(objects, whole=False), ask("get", "pods")).allowed
    assert not evaluate(Policy(objects), ask("get", "pods")).allowed


def test_impersonation_asks_for_each_thing_taken_on() -> None:
    asked = impersonations("eve", (), Disguise("system:serviceaccount:a:x", ("g",), "u1", (("scopes", "all"),)))
    assert [(one.group, one.combined, one.namespace, one.name) for one in asked] == [
        ("", "serviceaccounts", "a", "x"),
        ("", "groups", "", "g"),
        ("authentication.k8s.io", "uids", "", "u1"),
        ("authentication.k8s.io", "userextras/scopes", "", "all"),
    ]
    assert [one.resource for one in impersonations("eve", (), Disguise("system:serviceaccount:a"))] == ["users"]


def test_an_answer_is_uncertain_only_where_the_unknown_could_turn_it() -> None:
    known: list[Role | Binding] = [role("r", rule("get", "pods")), binding("b", "ClusterRole r", "User eve")]
    lost = binding("c", "ClusterRole r", "User mallory")
    in_namespace = binding("n/d", "ClusterRole r", "User mallory")

    def answer(*doubts: Role | Binding, asked: Attributes, unseen: bool = False) -> tuple[str, bool]:
        objects = known if unseen else {one.key: one for one in (*known, *doubts)}.values()
        found = evaluate(Policy(objects, [one.key for one in doubts]), asked)
        return found.decision, found.uncertain

    assert answer(lost, asked=ask("get", "pods")) == ("allow", False)
    assert answer(known[1], asked=ask("get", "pods")) == ("allow", True)
    assert answer(known[0], asked=ask("get", "pods")) == ("allow", True)
    assert answer(known[0], asked=ask("get", "secrets")) == ("deny", True)
    assert answer(lost, asked=ask("get", "pods", user="x")) == ("deny", True)
    assert answer(lost, asked=ask("get", "secrets", user="x")) == ("deny", False), "its role cannot be another"
    assert answer(lost, asked=ask("get", "secrets", user="x"), unseen=True) == ("deny", True)
    assert answer(in_namespace, asked=ask("get", "pods", user="x", namespace="m")) == ("deny", False)
    assert answer(in_namespace, asked=ask("get", "pods", user="x", namespace="n")) == ("deny", True)


def test_without_an_object_the_rest_stays() -> None:
    policy = Policy(
        [
            role("r", rule("get", "pods")),
            binding("b", "ClusterRole r", "User eve"),
            binding("c", "ClusterRole r", "Group staff"),
        ]
    )
    cut = policy.without([binding("b", "ClusterRole r").key])
    assert not evaluate(cut, ask("get", "pods")).allowed
    assert evaluate(cut, ask("get", "pods", groups=("staff",))).allowed
    assert evaluate(policy, ask("get", "pods")).allowed
