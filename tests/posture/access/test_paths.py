"""Attack paths: every means is a way, what lacks a part of it is none, and a way is as bad as it is easy to begin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from kubewitness.posture.check import Snapshot
from tests.posture.access.cluster import (
    WHOLE,
    Document,
    Rule,
    account,
    binding,
    cluster,
    fails,
    made,
    namespace,
    pod,
    role,
)
from tests.posture.made import results

RBAC = "rbac.authorization.k8s.io"
CSR = "certificates.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
SHOP = (namespace("shop"), account("shop/web"), pod("shop/web", "web"))
VICTIM = (
    account("ops/boss"),
    namespace("ops", "restricted"),
    binding("boss", "cluster-admin", "ServiceAccount ops/boss"),
)
WEB = "ServiceAccount shop/web"


def with_rules(*rules: Rule, inside: str = "", more: Sequence[Document] = (), version: str = "v1.34.4") -> Snapshot:
    """A running account of the shop with these rights."""
    return cluster(
        *SHOP,
        *more,
        role("web", *rules),
        binding("web", "web", WEB, namespace=inside),
        version=version,
    )


def means(of: Snapshot) -> list[list[tuple[str, str]]]:
    return [[(hop.means, hop.target) for hop in one.hops] for one in results("access/attack_path", of, "fail")]


ADMIN = "ClusterRole cluster-admin"
CLUSTER_WIDE: dict[str, tuple[Sequence[Rule], list[tuple[str, str]]]] = {
    "everything": ([("*", "*", "*")], [("everything", ADMIN)]),
    "escalate": ([("escalate update", RBAC, "clusterroles")], [("escalate", ADMIN)]),
    "bind": (
        [("bind", RBAC, "clusterroles", "cluster-admin"), ("create", RBAC, "clusterrolebindings")],
        [("bind", ADMIN)],
    ),
    "impersonate users": ([("impersonate", "", "users")], [("impersonate", ADMIN)]),
    "impersonate masters": (
        [("impersonate", "", "users", "me"), ("impersonate", "", "groups", "system:masters")],
        [("impersonate", ADMIN)],
    ),
    "certificates": (
        [
            ("create", CSR, "certificatesigningrequests"),
            ("update", CSR, "certificatesigningrequests/approval"),
            ("approve", CSR, "signers", "kubernetes.io/kube-apiserver-client"),
        ],
        [("csr", ADMIN)],
    ),
    "certificates of kubelets": (
        [
            ("create", CSR, "certificatesigningrequests"),
            ("update", CSR, "certificatesigningrequests/approval"),
            ("approve", CSR, "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        ],
        [("csr_kubelet", "Node *")],
    ),
    "webhooks": ([("patch", ADMISSION, "mutatingwebhookconfigurations")], [("webhook", ADMIN)]),
    "nodes/proxy": ([("get", "", "nodes/proxy")], [("nodes_proxy", "Node *")]),
    "pods": (
        [("create", "apps", "daemonsets")],
        [("create_pods", "ServiceAccount ops/boss"), ("everything", ADMIN)],
    ),
    "tokens": (
        [("create", "", "serviceaccounts/token", "boss")],
        [("token", "ServiceAccount ops/boss"), ("everything", ADMIN)],
    ),
    "an impersonated account": (
        [("impersonate", "", "serviceaccounts", "boss")],
        [("impersonate", "ServiceAccount ops/boss"), ("everything", ADMIN)],
    ),
    "a Secret made and read": (
        [("create get", "", "secrets")],
        [("token_secret", "ServiceAccount ops/boss"), ("everything", ADMIN)],
    ),
}


@pytest.mark.parametrize("name", CLUSTER_WIDE)
def test_each_right_leads_where_it_leads(name: str) -> None:
    rules, hops = CLUSTER_WIDE[name]
    found = means(with_rules(*rules, more=VICTIM))
    assert found == [hops]


NO_WAY: dict[str, Sequence[Rule]] = {
    "escalate without changing roles": [("escalate", RBAC, "clusterroles")],
    "changing roles without escalate": [("update create", RBAC, "clusterroles")],
    "bind without writing bindings": [("bind", RBAC, "clusterroles")],
    "binding a harmless role": [("bind", RBAC, "clusterroles", "view"), ("create", RBAC, "clusterrolebindings")],
    "writing bindings without bind": [("create update patch", RBAC, "clusterrolebindings rolebindings")],
    "impersonating a group without a user": [("impersonate", "", "groups")],
    "impersonating somebody harmless": [("impersonate", "", "users", "me")],
    "certificates without approval": [
        ("create", CSR, "certificatesigningrequests"),
        ("approve", CSR, "signers"),
    ],
    "certificates of another signer": [
        ("create", CSR, "certificatesigningrequests"),
        ("update", CSR, "certificatesigningrequests/approval"),
        ("approve", CSR, "signers", "shop.example/web"),
    ],
    "reading webhooks": [("get list watch", ADMISSION, "mutatingwebhookconfigurations")],
    "webhooks that only validate": [("patch", ADMISSION, "validatingwebhookconfigurations")],
    "other subresources of nodes": [("get", "", "nodes nodes/metrics nodes/stats nodes/pods nodes/configz nodes/*")],
    "reading pods": [("get list watch", "", "pods pods/log")],
    "creating pods by name, which names none": [("create", "", "pods", "web")],
    "reading Secrets that hold no token": [("get list watch", "", "secrets")],
    "creating Secrets without reading": [("create", "", "secrets")],
    "the status of pods": [("update patch", "", "pods/status")],
    "volumes without pods": [("create", "", "persistentvolumes persistentvolumeclaims")],
    "resources of others": [("*", "shop.example", "*")],
}


@pytest.mark.parametrize("name", NO_WAY)
def test_what_lacks_a_part_is_no_way(name: str) -> None:
    assert means(with_rules(*NO_WAY[name], more=VICTIM)) == []


@pytest.mark.parametrize(
    ("version", "level", "found"),
    [
        ("v1.34.4", "", True),
        ("v1.34.4", "privileged", True),
        ("v1.34.4", "baseline", False),
        ("v1.34.4", "restricted", False),
        ("v1.20.2", "restricted", True),  # before 1.23 the label means nothing
    ],
)
def test_pods_of_a_namespace_take_a_node_unless_pod_security_forbids(version: str, level: str, found: bool) -> None:
    objects = (namespace("shop", level), account("shop/web"), pod("shop/web", "web"))
    of = cluster(*objects, binding("web", "edit", WEB, namespace="shop"), version=version)
    assert means(of) == ([[("create_pods", "Node *")]] if found else [])


@pytest.mark.parametrize("missing", ["", "persistentvolumes", "persistentvolumeclaims", "pods"])
def test_a_volume_of_a_hosts_folder_passes_pod_security(missing: str) -> None:
    inside = " ".join({"persistentvolumeclaims", "pods"} - {missing})
    of = cluster(
        namespace("shop", "restricted"), *SHOP[1:],
        role("volumes", ("get" if missing == "persistentvolumes" else "create", "", "persistentvolumes")),
        role("claims", ("create", "", inside)),
        binding("volumes", "volumes", WEB), binding("claims", "claims", WEB, namespace="shop"),
    )  # fmt: skip
    assert means(of) == ([] if missing else [[("volume", "Node *")]])


def test_where_the_namespace_was_not_seen_nothing_is_claimed_of_it() -> None:
    assert means(cluster(*SHOP[1:], binding("web", "edit", WEB, namespace="shop"))) == []


@pytest.mark.parametrize(
    "judge",
    [
        made("PodSecurityPolicy", "restricted", version="policy/v1beta1"),
        made("SecurityContextConstraints", "restricted", version="security.openshift.io/v1"),
        pod(
            "kube-system/kube-apiserver-cp",
            containers=[{"name": "a", "command": ["kube-apiserver", "--admission-control-config-file=/etc/x.yaml"]}],
        ),
    ],
    ids=lambda one: one["kind"],
)
def test_what_else_may_judge_pods_is_not_taken_for_leave(judge: Document) -> None:
    assert means(cluster(*SHOP, judge, binding("web", "edit", WEB, namespace="shop"))) == []


def test_a_label_that_may_be_changed_does_not_forbid() -> None:
    objects = (namespace("shop", "restricted"), *SHOP[1:])
    web = role("namespaces", ("patch", "", "namespaces"))
    of = cluster(
        *objects, web, binding("n", "namespaces", WEB), binding("web", "edit", WEB, namespace="shop"), account("shop/x")
    )
    assert means(of) == [[("relabel", "Node *")]]


def exec_into(*pods: Document, verb: str = "create", version: str = "v1.34.4") -> Snapshot:
    return cluster(
        namespace("shop", "restricted"), *SHOP[1:], *VICTIM, *pods, role("exec", (verb, "", "pods/exec")),
        binding("exec", "exec", WEB), version=version,
    )  # fmt: skip


def test_a_command_in_a_pod_has_the_token_that_lies_in_it() -> None:
    assert means(exec_into(pod("ops/boss", "boss")))[1:] == [
        [("exec", "ServiceAccount ops/boss"), ("everything", ADMIN)]
    ]


@pytest.mark.parametrize(
    "pods",
    [
        [],
        [pod("ops/boss", "boss", automountServiceAccountToken=False)],
        [made("Pod", "boss", "ops", spec={"serviceAccountName": "boss"}, status={"phase": "Succeeded"})],
        [pod("ops/boss", "nobody")],
    ],
)
def test_where_the_token_does_not_lie_there_is_no_way(pods: list[Document]) -> None:
    found = means(exec_into(*pods))
    assert [one for one in found if one[0] != ("everything", ADMIN)] == []
    assert all(one[0] == ("everything", ADMIN) for one in found)


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"containers": [{"name": "c", "securityContext": {"privileged": True}}]}, True),
        (
            {
                "containers": [{"name": "c", "volumeMounts": [{"name": "host", "mountPath": "/host"}]}],
                "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
            },
            True,
        ),
        (
            {
                "containers": [{"name": "c", "volumeMounts": [{"name": "host", "mountPath": "/h", "readOnly": True}]}],
                "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
            },
            False,
        ),
        (
            {
                "containers": [{"name": "c", "volumeMounts": [{"name": "host", "mountPath": "/h"}]}],
                "volumes": [{"name": "host", "hostPath": {"path": "/var/log/shop"}}],
            },
            False,
        ),
    ],
)
def test_a_command_in_a_pod_that_holds_its_node_has_the_node(spec: Document, found: bool) -> None:
    of = exec_into(pod("ops/agent", "default", **spec))
    assert means(of) == ([[("exec", "Node *")]] if found else [])


@pytest.mark.parametrize(("version", "found"), [("v1.34.4", True), ("v1.35.0", False)])
def test_get_was_enough_for_a_command_until_1_34(version: str, found: bool) -> None:
    of = exec_into(pod("ops/boss", "boss", automountServiceAccountToken=True), verb="get", version=version)
    assert (("exec", "ServiceAccount ops/boss") in [one[0] for one in means(of)]) is found


def test_a_token_in_a_secret_is_found_by_its_owner_and_by_its_made_name() -> None:
    kind = "kubernetes.io/service-account-token"
    by_owner = made("Secret", "x", "ops", type=kind, annotations={"kubernetes.io/service-account.name": "boss"})
    by_name = made("Secret", "boss-token-x7k2p", "ops", type=kind)
    for secret in (by_owner, by_name):
        found = means(with_rules(("list", "", "secrets"), more=(*VICTIM, secret)))
        assert [("secrets", "ServiceAccount ops/boss"), ("everything", ADMIN)] in found
    other = made("Secret", "boss-token-x7k2p", "ops", type="Opaque")
    assert means(with_rules(("list", "", "secrets"), more=(*VICTIM, other))) == []


def test_until_1_23_every_account_has_a_secret_where_none_were_listed() -> None:
    parts = [*SHOP, *VICTIM, role("web", ("list", "", "secrets")), binding("web", "web", WEB)]
    whole = [kind for kind in WHOLE if kind != "Secret"]
    assert means(cluster(*parts, version="v1.20.2", whole=whole))
    assert not means(cluster(*parts, version="v1.28.2", whole=whole))


# -- who is asked of, and how bad it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "severity"),
    [
        ("User system:anonymous", "critical"),
        ("Group system:unauthenticated", "critical"),
        ("Group system:authenticated", "critical"),
        ("Group system:serviceaccounts", "high"),
        ("ServiceAccount shop/web", "high"),
        ("Group system:serviceaccounts:shop", "high"),
    ],
)
def test_a_way_is_as_bad_as_it_is_easy_to_begin(subject: str, severity: str) -> None:
    of = cluster(*SHOP, binding("x", "cluster-admin", subject))
    assert fails("attack_path", of) == [(subject, "", severity)]


@pytest.mark.parametrize("subject", ["User eve", "Group ops", "Group system:nodes", "ServiceAccount shop/idle"])
def test_users_and_accounts_of_no_pod_are_no_beginning(subject: str) -> None:
    assert fails("attack_path", cluster(*SHOP, account("shop/idle"), binding("x", "cluster-admin", subject))) == []


def test_a_pod_that_can_be_reached_from_outside_makes_it_worse() -> None:
    parts = [*SHOP, binding("web", "edit", WEB, namespace="shop")]
    service = made("Service", "web", "shop", spec={"type": "NodePort", "selector": {"app": "web"}})
    inner = made("Service", "web", "shop", spec={"type": "ClusterIP", "selector": {"app": "web"}})
    other = made("Service", "web", "shop", spec={"type": "NodePort", "selector": {"app": "other"}})
    assert [one[2] for one in fails("attack_path", cluster(*parts, service))] == ["high"]
    assert [one[2] for one in fails("attack_path", cluster(*parts, inner, other))[:1]] == ["medium"]


def test_components_of_the_platform_are_low_and_kubernetes_own_controllers_nothing() -> None:
    mine = [account("kube-system/cni"), pod("kube-system/cni", "cni")]
    own = [
        account("kube-system/clusterrole-aggregation-controller"),
        pod("kube-system/x", "clusterrole-aggregation-controller"),
    ]
    of = cluster(*mine, *own, binding("cni", "cluster-admin", "ServiceAccount kube-system/cni"))
    assert fails("attack_path", of) == [("ServiceAccount kube-system/cni", "", "low")]


def test_the_way_of_a_group_is_told_of_the_group_alone() -> None:
    of = cluster(
        *SHOP, account("shop/b"), pod("shop/b", "b"), binding("x", "cluster-admin", "Group system:authenticated")
    )
    assert [one[0] for one in fails("attack_path", of)] == ["Group system:authenticated"]


def test_two_rights_by_two_bindings_make_one_way() -> None:
    parts = [
        *SHOP,
        role("a", ("bind", RBAC, "clusterroles")),
        role("b", ("create", RBAC, "clusterrolebindings")),
    ]
    both = cluster(*parts, binding("a", "a", WEB), binding("b", "b", "Group system:serviceaccounts"))
    assert means(both) == [[("bind", ADMIN)]]
    assert means(cluster(*parts, binding("a", "a", WEB), binding("b", "b", "User other"))) == []


# -- size ------------------------------------------------------------------------------------------------------------


def crowd(count: int, pods: int) -> list[Document]:
    """Roles and bindings of every sort over many namespaces."""
    rules: list[Sequence[Rule]] = [found[0] for found in CLUSTER_WIDE.values()]
    rules += [[("get list watch", "", "pods")], [("create", "", "pods/exec")], [("get", "", "secrets")]]
    out: list[Document] = []
    for number in range(count):
        space = f"n{number % 200}"
        out.append(role(f"r{number}", *rules[number % len(rules)]))
        out.append(
            binding(
                f"b{number}", f"r{number}", f"ServiceAccount {space}/a{number}", namespace=space if number % 3 else ""
            )
        )
        out.append(account(f"{space}/a{number}"))
    out += [namespace(f"n{number}") for number in range(200)]
    out += [pod(f"n{number % 200}/p{number}", f"a{number % count}") for number in range(pods)]
    return out


def test_many_roles_bindings_and_pods_take_little_time() -> None:
    of = cluster(*crowd(1_000, 4_000))
    begun = time.process_time()
    found: list[Any] = results("access/attack_path", of)
    assert time.process_time() - begun < 8
    assert sum(one.status == "fail" for one in found) == 200
    assert any(one.status == "not_evaluated" for one in found)
