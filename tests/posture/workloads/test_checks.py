"""What workloads may do on their node, what is reached from outside: told, and ordinary things not accused."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.incident.assess import Options, assess
from kubewitness.posture.pods.gathered import workloads
from kubewitness.posture.workloads.checks import CHECKS
from tests.corpus import CORPUS, needs_corpus
from tests.posture.made import results
from tests.posture.workloads.parts import (
    account,
    binding,
    cluster_role,
    ingress,
    mounting,
    of,
    pod,
    privileged,
    route,
    running,
    service,
    space,
    webhook,
)


def failing(name: str, *objects: Any, version: str = "v1.34.0") -> list[tuple[str, str | None]]:
    return [(one.subject, one.severity) for one in results(f"workloads/{name}", of(*objects, version=version), "fail")]


# -- gathering -------------------------------------------------------------------------------------------------------


def test_replicas_are_one_workload_under_what_makes_them() -> None:
    labels = {"app": "a", "pod-template-hash": "abc12"}
    pods = [pod(f"api-abc12-{n}", owner=("ReplicaSet", "api-abc12")) for n in range(3)]
    for one in pods:
        one["metadata"]["labels"] = labels
    cluster = of(*pods, pod("j-28000000-x", owner=("Job", "j-28000000"))).cluster
    assert cluster is not None
    assert [(str(one), one.pods) for one in workloads(cluster)] == [("CronJob web/j", 1), ("Deployment web/api", 3)]


def test_a_pod_that_got_an_ephemeral_container_is_judged_by_itself() -> None:
    plain = pod("d-1", owner=("DaemonSet", "d"))
    box = {"name": "debug", "image": "b", "securityContext": {"privileged": True}}
    entered = pod("d-2", owner=("DaemonSet", "d"), ephemeralContainers=[box])
    assert failing("node_takeover", plain, entered) == [("DaemonSet web/d", "low")]
    assert failing("node_takeover", plain, pod("d-2", owner=("DaemonSet", "d"))) == []


def test_pods_that_have_ended_do_nothing() -> None:
    ended = privileged()
    ended["status"] = {"phase": "Succeeded"}
    assert failing("node_takeover", ended) == []


def test_a_template_stands_where_no_pod_does() -> None:
    template = {"spec": privileged()["spec"]}
    made = {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d", "namespace": "web"},
        "spec": {"template": template},
    }  # fmt: skip
    [found] = results("workloads/node_takeover", of(made), "fail")
    assert found.subject == "Deployment web/d"
    assert found.where[0].path == "spec.template.spec.containers[0].securityContext.privileged"


# -- the node --------------------------------------------------------------------------------------------------------


def starting(**more: Any) -> Any:
    return pod(initContainers=[{"name": "sysctl", "securityContext": {"privileged": True}, **more}])


def with_right(name: str) -> Any:
    return [{"name": "c", "securityContext": {"capabilities": {"add": [name]}}}]


@pytest.mark.parametrize(
    ("objects", "severity"),
    [
        ([privileged()], "medium"),
        ([privileged(kind="DaemonSet")], "low"),
        ([privileged(), service("LoadBalancer")], "high"),
        ([privileged(), service("LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])], "medium"),
        ([privileged(kind="DaemonSet", namespace="kube-system", name="kube-proxy")], None),
        ([privileged(kind="DaemonSet", namespace="kube-system", name="kube-controller")], "low"),
        ([privileged(kind="Deployment", namespace="kube-system", name="kube-proxy")], "low"),
        ([privileged(kind="DaemonSet", namespace="calico-system", name="calico-node")], None),
        ([mounting("/")], "medium"),
        ([mounting("//etc/./kubernetes/manifests/")], "medium"),
        ([mounting("/", read_only=True)], None),
        ([mounting("/var/log")], None),
        ([mounting("/data/app")], None),
        ([mounting("/etc", part="localtime")], None),
        ([mounting("/etc", part="cron.d")], "medium"),
        ([starting(), service("LoadBalancer")], "low"),  # ended before anybody can reach the pod
        ([starting(restartPolicy="Always"), service("LoadBalancer")], "high"),  # a sidecar
        ([pod(hostPID=True)], None),
        ([pod(hostPID=True, containers=with_right("SYS_PTRACE"))], "medium"),
        ([pod(containers=with_right("SYS_PTRACE"))], None),
        ([pod(containers=with_right("NET_ADMIN"))], None),
    ],
)  # fmt: skip
def test_what_is_as_good_as_root_of_the_node_is_told_by_how_near_it_is(
    objects: list[Any], severity: str | None
) -> None:
    assert [found[1] for found in failing("node_takeover", *objects)] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/var/run/docker.sock", True),
        ("/run/containerd/containerd.sock", True),
        ("/run/k3s/containerd/containerd.sock", True),
        ("/var/run", True),
        ("/run/xtables.lock", False),
        ("/var/run/secrets", False),
        ("/run/systemd", False),
    ],
)
def test_a_socket_of_the_runtime_is_told_read_only_or_not(path: str, told: bool) -> None:
    for read_only in (True, False):
        assert bool(failing("runtime_socket", mounting(path, read_only=read_only))) is told


# -- Pod Security ----------------------------------------------------------------------------------------------------


def test_baseline_is_judged_once_a_workload_and_the_platform_is_left_alone() -> None:
    many = [pod(f"d-{n}", owner=("DaemonSet", "d"), hostNetwork=True) for n in range(3)]
    assert failing("baseline", *many) == [("DaemonSet web/d", "low")]
    static = pod("etcd-n1", "kube-system", ("Node", "n1"), hostNetwork=True)
    assert failing("baseline", static, pod()) == []


def test_the_policy_is_that_of_the_clusters_version() -> None:
    sysctl = [{"name": "net.ipv4.tcp_rmem", "value": "1"}]
    one = pod(securityContext={"sysctls": sysctl})
    assert failing("baseline", one, version="v1.31.0")
    assert failing("baseline", one, version="v1.32.0") == []


def test_a_namespace_without_a_level_is_told_with_what_would_break() -> None:
    [found] = results(
        "workloads/pod_security_level", of(space(), privileged(), space("empty"), space("kube-system")), "fail"
    )
    assert (found.subject, found.severity) == ("Namespace web", "low")
    assert "refused by baseline: 1 (Pod app-x)" in found.observed.en
    assert found.remedy is not None
    assert not found.remedy.safe
    assert "kubectl label --dry-run=server --overwrite ns web" in found.remedy.command


def test_a_name_that_a_shell_would_run_stands_in_no_command() -> None:
    name = "web; rm -rf ~"
    found = results("workloads/pod_security_level", of(space(name), pod(namespace=name)), "fail")
    assert [one.remedy is not None and "rm -rf" in one.remedy.command for one in found] == [False]


def test_a_namespace_that_enforces_is_passed_and_what_runs_against_it_is_said() -> None:
    enforcing = of(space(enforce="baseline"), privileged())
    assert [one.status for one in results("workloads/pod_security_level", enforcing)] == ["pass"]
    [found] = results("workloads/baseline", enforcing, "fail")
    assert "until it is made again" in found.reason.en


def test_a_level_that_harms_nothing_is_safe_to_enforce() -> None:
    secure = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}}
    box = {"name": "c", "securityContext": {**secure, "seccompProfile": {"type": "RuntimeDefault"}}}
    [found] = results("workloads/pod_security_level", of(space(), pod(containers=[box])), "fail")
    assert found.remedy is not None
    assert found.remedy.safe
    assert "enforce=restricted" in found.remedy.command


def test_a_configuration_of_admission_that_was_not_read_leaves_it_open() -> None:
    server = running("kube-apiserver:v1.34.0", namespace="kube-system")
    server["metadata"] |= {"name": "kube-apiserver-n1", "ownerReferences": [{"kind": "Node", "name": "n1"}]}
    server["spec"]["containers"][0]["command"] = ["kube-apiserver", "--admission-control-config-file=/etc/a.yaml"]
    found = results("workloads/pod_security_level", of(space(), pod(), server))
    assert [one.status for one in found] == ["not_evaluated"]


def test_before_1_23_policies_of_the_old_kind_are_what_counts() -> None:
    policy = {"kind": "PodSecurityPolicy", "apiVersion": "policy/v1beta1", "metadata": {"name": "p"}}
    old = "v1.20.2"
    assert [one.status for one in results("workloads/pod_security_level", of(space(), pod(), policy, version=old))] == [
        "pass"
    ]
    assert [one.status for one in results("workloads/pod_security_level", of(space(), pod(), version=old))] == [
        "not_evaluated"
    ]
    assert failing("pod_security_policy", policy, version=old) == []
    assert failing("pod_security_policy", policy, version="v1.24.1") == [("PodSecurityPolicy p", "informational")]
    assert failing("pod_security_policy", policy, version="v1.30.0") == [("PodSecurityPolicy p", "low")]


def test_openshift_judges_pods_itself() -> None:
    found = results("workloads/pod_security_level", of(space("openshift-etcd"), space(), privileged()))
    assert [one.status for one in found] == ["not_applicable"]


# -- outside ---------------------------------------------------------------------------------------------------------

LOGIN = "kubernetesui/dashboard:v2.7.0"
INSIDE = {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}
OF_CONTROLLER = {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
FACING = {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}


def beside_its_exporter() -> Any:
    redis = {"name": "r", "image": "bitnami/redis:7", "ports": [{"containerPort": 6400}]}
    return pod(containers=[redis, {"name": "m", "image": "own/exporter:1", "ports": [{"containerPort": 9121}]}])


def given(*addresses: str) -> Any:
    ingress = [{"ip": address} if address else {"hostname": "x.example"} for address in addresses]
    return service("LoadBalancer") | {"status": {"loadBalancer": {"ingress": ingress}}}


@pytest.mark.parametrize(
    ("objects", "severity"),
    [
        ([running(LOGIN), service()], "high"),
        ([running("docker.io/library/redis:7"), service()], "medium"),
        ([running("registry:5000/own/thing@sha256:00"), service(port=5432)], "medium"),
        ([running("argoproj/argocd:v2"), service("ClusterIP"), ingress()], "low"),
        ([running(LOGIN), service("ClusterIP"), route()], "high"),
        ([running(LOGIN), service("ClusterIP"), route("other")], None),
        ([running(LOGIN), service("LoadBalancer", annotations=INSIDE)], None),
        ([running(LOGIN), service("LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])], None),
        ([running(LOGIN), service("LoadBalancer", loadBalancerSourceRanges=["0.0.0.0/0"])], "high"),
        ([running(LOGIN), service("LoadBalancer", annotations=OF_CONTROLLER)], None),  # internal unless told otherwise
        ([running(LOGIN), service("LoadBalancer", annotations=OF_CONTROLLER | FACING)], "high"),
        ([running(LOGIN), service("LoadBalancer", loadBalancerClass="service.k8s.aws/nlb")], None),
        ([running(LOGIN), given("192.168.7.20")], None),
        ([running(LOGIN), given("203.0.113.20")], "high"),
        ([running(LOGIN), given("192.168.7.20", "203.0.113.20")], "high"),
        ([running(LOGIN), given("")], "high"),  # a name alone
        ([running(LOGIN), service("ClusterIP")], None),
        ([running(LOGIN), service(namespace="other")], None),
        ([running("nginx:1"), service()], None),
        ([running("oliver006/redis_exporter:1"), service(port=9121)], None),
        ([beside_its_exporter(), service(port=9121)], None),
        ([beside_its_exporter(), service(port=6400)], "medium"),
        ([beside_its_exporter(), service(port=7000)], "medium"),  # a port that no container names
        ([running("own/redis-client-app:1"), service()], None),
        ([service(port=10250)], "high"),
    ],
)  # fmt: skip
def test_what_is_reached_from_outside_is_told_by_what_it_is(objects: list[Any], severity: str | None) -> None:
    assert [found[1] for found in failing("exposed_service", *objects)] == ([severity] if severity else [])


def test_ordinary_ways_in_are_listed_as_passed() -> None:
    [found] = results("workloads/exposed_service", of(running("nginx:1"), service()))
    assert (found.status, found.observed.en) == ("pass", "on port 30080 of every node")


def test_addresses_of_others_are_told() -> None:
    assert failing("external_addresses", service("ClusterIP", externalIPs=["198.51.100.7"])) == [
        ("Service web/s", "low")
    ]
    assert failing("external_addresses", service("ClusterIP")) == []


ADMIN = (cluster_role("cluster-admin", ["*"], ["*"]),)
BOUND = binding("cluster-admin", {"kind": "ServiceAccount", "name": "d", "namespace": "web"})


@pytest.mark.parametrize(
    ("objects", "severity"),
    [
        ([running(LOGIN, "--enable-skip-login", account="d"), BOUND, *ADMIN, service()], "critical"),
        ([running(LOGIN, "--enable-skip-login")], "medium"),
        ([running(LOGIN, "--enable-skip-login=false")], None),
        ([running(LOGIN, account="d"), BOUND, *ADMIN], "medium"),
        ([running(LOGIN, account="d"), *ADMIN], None),
        ([running("nginx:1", "--enable-skip-login", account="d"), BOUND, *ADMIN], None),
    ],
)
def test_a_dashboard_is_told_by_login_and_rights(objects: list[Any], severity: str | None) -> None:
    assert [found[1] for found in failing("dashboard", *objects)] == ([severity] if severity else [])


def test_a_namespace_without_a_policy_is_told_once_and_not_where_policies_are_of_another_kind() -> None:
    policy = {
        "kind": "NetworkPolicy",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": "p", "namespace": "web"},
    }
    definition = {"kind": "CustomResourceDefinition", "metadata": {"name": "ciliumnetworkpolicies.cilium.io"}}
    assert failing("network_policy", pod(), pod("b-x")) == [("Namespace web", "low")]
    assert failing("network_policy", pod(), policy) == []
    assert failing("network_policy", pod(namespace="kube-system")) == []
    assert [one.status for one in results("workloads/network_policy", of(pod(), definition))] == ["not_evaluated"]
    unseen = of(pod(), whole=("Pod", "Namespace"))
    assert [one.status for one in results("workloads/network_policy", unseen)] == ["not_evaluated"]


# -- tokens, static pods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([pod(), account()], True),
        ([pod(automountServiceAccountToken=False), account()], False),
        ([pod(), account(automountServiceAccountToken=False)], False),
        ([pod(automountServiceAccountToken=True), account(automountServiceAccountToken=False)], True),
        ([pod(), account(), binding("view", {"kind": "ServiceAccount", "name": "default", "namespace": "web"})], False),
        ([pod(), account(), binding("view", {"kind": "Group", "name": "system:serviceaccounts:web"})], False),
        ([pod(), account(), binding("view", {"kind": "Group", "name": "system:serviceaccounts"})], False),
        ([pod(), account(), binding("view", {"kind": "ServiceAccount", "name": "x", "namespace": "web"})], True),
        ([pod(namespace="kube-system")], False),
    ],
)  # fmt: skip
def test_a_token_that_opens_nothing_is_told_by_namespace(objects: list[Any], told: bool) -> None:
    assert failing("useless_token", *objects, cluster_role("view", ["pods"], ["get"])) == (
        [("Namespace web", "low")] if told else []
    )


@pytest.mark.parametrize(
    ("name", "namespace", "told"),
    [
        ("kube-apiserver-n1", "kube-system", False),
        ("kube-vip-n1", "kube-system", False),
        ("kube-controller-n1", "kube-system", True),
        ("kube-apiserver-n1", "default", True),
        ("static-n1", "openshift-etcd", False),
    ],
)
def test_a_static_pod_that_is_none_of_the_control_plane_is_told(name: str, namespace: str, told: bool) -> None:
    assert bool(failing("static_pod", pod(name, namespace, ("Node", "n1")))) is told
    assert failing("static_pod", pod(name, namespace, ("DaemonSet", "d"))) == []


# -- webhooks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "severity"),
    [
        (webhook("https://8.8.8.8/x"), "high"),
        (webhook("https://8.8.8.8/x", "Validating"), "medium"),
        (webhook("https://hooks.example.org/x"), "medium"),
        (webhook("https://hooks.example.org/x", resource="widgets"), "low"),
        (webhook("https://8.8.8.8/x", name="aks-webhook"), "low"),
        (webhook("https://127.0.0.1:23443/mutate"), None),
        (webhook("https://10.0.0.4/x"), None),
        (webhook("https://s.web.svc:443/x"), None),
        (webhook(""), None),
        (webhook("https://[::1"), None),
    ],
)
def test_a_webhook_is_told_by_whom_it_asks(hook: Any, severity: str | None) -> None:
    assert [found[1] for found in failing("webhook_outside", hook)] == ([severity] if severity else [])


def test_a_guard_that_fails_open_is_information_and_another_webhook_is_nothing() -> None:
    assert [found[1] for found in failing("webhook_ignored", webhook("", name="kyverno", policy="Ignore"))] == [
        "informational"
    ]
    assert failing("webhook_ignored", webhook("", name="kyverno")) == []
    assert failing("webhook_ignored", webhook("", name="sidecar", policy="Ignore")) == []


# -- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [check.id.removeprefix("checks/") for check in CHECKS])
def test_without_evidence_nothing_is_passed(check: str) -> None:
    found = results(check, of(version="v1.24.0", whole=()))
    assert {one.status for one in found} == {"not_evaluated"}


@pytest.mark.parametrize(
    "odd", [None, 3, "x", [], [1, None], {"containers": 3}, {"containers": [1, {"volumeMounts": [3]}]}]
)
@pytest.mark.parametrize("check", [check.id.removeprefix("checks/") for check in CHECKS])
def test_odd_documents_fail_no_check(check: str, odd: Any) -> None:
    kinds = ("Pod", "Service", "Ingress", "Namespace", "ServiceAccount", "MutatingWebhookConfiguration", "Deployment")
    objects = [
        {"kind": kind, "metadata": {"name": "a", "namespace": "web"}, "spec": odd, "webhooks": odd} for kind in kinds
    ]
    found = results(check, of(*objects, {**pod(), "spec": odd}))
    assert not [one for one in found if "itself failed" in one.reason.en]


@needs_corpus
def test_a_real_cluster_of_kind_and_its_agents_give_nothing_above_low() -> None:
    assert CORPUS is not None
    place = CORPUS / "vmware-tanzu__sonobuoy/pkg/discovery/testdata/healthsummary"
    report = assess([str(place)], Options(groups=("workloads", "credentials")))
    loud = [one for one in report.results if one.status == "fail" and one.severity not in {"low", "informational"}]
    assert loud == []
    agents = [one.subject for one in report.results if one.check == "checks/workloads/node_takeover"]
    assert [one.partition("-daemon-set")[0] for one in agents] == ["DaemonSet sonobuoy/sonobuoy-systemd-logs"]
