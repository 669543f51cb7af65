"""What runs decides what a right leads to, and access sees in a pod what the checks of workloads see in it."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.posture.access.running import Running
from kubewitness.posture.access.state import Who, state_of
from kubewitness.posture.check import Snapshot
from tests.posture.access.cluster import cluster, made
from tests.posture.made import results
from tests.posture.workloads.parts import (
    ingress,
    mounting,
    of,
    pod,
    privileged,
    route,
    service,
    space,
)

DEFAULT = Who("ServiceAccount", "web/default")
INTERNAL = {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}


def running(snapshot: Snapshot) -> Running:
    state = state_of(snapshot)
    assert state is not None
    return Running(state, snapshot.components)


# -- what is reached from outside ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ways", "reached"),
    [
        ([service()], True),
        ([service("LoadBalancer")], True),
        ([service("LoadBalancer", annotations=INTERNAL)], False),  # those of its own network are not outside
        ([service("LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"])], False),
        ([service("LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8", "0.0.0.0/0"])], True),
        ([service("LoadBalancer", annotations=INTERNAL), ingress()], True),
        ([service("ClusterIP")], False),
        ([service("ClusterIP"), ingress()], True),
        ([service("ClusterIP"), route()], True),
        ([service("ClusterIP"), route("other")], False),
        ([service("ClusterIP", externalIPs=["198.51.100.7"])], True),
        ([service(selector={"app": "other"})], False),
        ([service(selector={})], False),
        ([service(namespace="other")], False),
    ],
)
def test_what_is_reached_from_outside_is_what_the_checks_of_workloads_say(ways: list[Any], reached: bool) -> None:
    snapshot = of(privileged(), *ways)
    assert running(snapshot).exposed == ({DEFAULT} if reached else set())
    [told] = results("workloads/node_takeover", snapshot, "fail")
    assert (told.severity == "high") is reached


def test_a_port_of_the_node_given_to_a_container_opens_it_too() -> None:
    box = {"name": "c", "ports": [{"containerPort": 80, "hostPort": 8080}]}
    assert running(of(pod(containers=[box]))).exposed == {DEFAULT}
    box = {"name": "c", "ports": [{"containerPort": 80}]}
    assert running(of(pod(containers=[box]))).exposed == set()


def test_a_service_chooses_by_the_labels_of_the_pods_not_of_what_makes_them() -> None:
    template = {"metadata": {"labels": {"app": "app"}}, "spec": pod()["spec"]}
    made_by = made("Deployment", "d", "web", "apps/v1", labels={"app": "other"}, spec={"template": template})
    assert running(of(made_by, service(), whole=())).exposed == {DEFAULT}
    assert running(of(made_by, service(selector={"app": "other"}), whole=())).exposed == set()


# -- what holds its node ---------------------------------------------------------------------------------------------


def beside(**init: Any) -> Any:
    return pod(initContainers=[{"name": "i", **init}])


def by_expression(expression: str, *env: dict[str, Any], folder: str = "/") -> Any:
    mount = {"name": "v", "mountPath": "/v", "subPathExpr": expression}
    box = {"name": "c", "volumeMounts": [mount], "env": list(env)}
    return pod(containers=[box], volumes=[{"name": "v", "hostPath": {"path": folder}}])


NAME = {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
PRIVILEGED = {"securityContext": {"privileged": True}}


@pytest.mark.parametrize(
    ("one", "holds"),
    [
        (privileged(), True),
        (pod(), False),
        (mounting("/"), True),
        (mounting("/", read_only=True), False),
        (mounting("/var/log"), False),
        (mounting("/etc/systemd/system"), True),
        (mounting("/sys/"), True),
        (mounting("/etc", part="localtime"), False),
        (mounting("/etc", part="cron.d"), True),
        (mounting("/opt", part="cni/bin"), True),  # the folder of the volume alone is harmless
        (mounting("/opt", part="app"), False),
        (mounting("/run/k3s/containerd/containerd.sock"), True),
        (mounting("/var/run/docker.sock", read_only=True), True),  # a socket is talked to all the same
        (mounting("/var/run", part="docker.sock"), True),
        (mounting("/var", part="run/docker.sock"), True),
        (mounting("/run", part="xtables.lock"), False),
        (beside(**PRIVILEGED), False),  # it has ended before anybody can be in the pod
        (beside(**PRIVILEGED, restartPolicy="Always"), True),
        (pod(ephemeralContainers=[{"name": "e", **PRIVILEGED}]), True),
        (by_expression("$(NAME)", NAME), False),
        (by_expression("$(X)", {"name": "X", "value": "."}), True),
        (by_expression("$(Y)", {"name": "X", "value": "et"}, {"name": "Y", "value": "$(X)c"}), True),
        (by_expression("$(X)", {"name": "X", "value": "data"}), False),
        (by_expression("cron.d", folder="/etc"), True),
    ],
)
def test_what_holds_its_node_is_what_the_checks_of_workloads_say(one: Any, holds: bool) -> None:
    snapshot = of(one)
    assert (running(snapshot).holding != {}) is holds
    checks = ("workloads/node_takeover", "workloads/runtime_socket")
    told = [found for check in checks for found in results(check, snapshot, "fail") if "starts" not in found.reason.en]
    assert bool(told) is holds


def test_variables_that_grow_cost_neither_time_nor_memory() -> None:
    env = [{"name": f"V{n}", "value": f"$(V{n - 1})" * 1000 if n else "x" * 4000} for n in range(200)]
    assert running(of(by_expression("$(V199)" * 1000, *env))).holding == {}


# -- what admits pods ------------------------------------------------------------------------------------------------


def server(*words: str, name: str = "kube-apiserver-n1") -> Any:
    box = {"name": "s", "image": "registry.example/kube-apiserver:v1.34.0", "command": ["kube-apiserver", *words]}
    one = pod(name, "kube-system", ("Node", "n1"), containers=[box])
    one["metadata"]["labels"] = {"tier": "control-plane"}
    return one


OPTION = "--admission-control-config-file"


@pytest.mark.parametrize(
    ("servers", "admits"),
    [
        ([server()], True),
        ([server(f"{OPTION}=/etc/kubernetes/admission.yaml")], False),
        ([server(OPTION, "/etc/kubernetes/admission.yaml")], False),
        ([server(f"{OPTION}=")], True),
        ([], True),
    ],
)
def test_without_a_level_a_namespace_admits_what_no_configuration_of_the_server_may_refuse(
    servers: list[Any], admits: bool
) -> None:
    assert running(of(space(), *servers)).admits("web") is admits
    assert running(of(space(enforce="privileged"), *servers)).admits("web") is True
    assert running(of(space(enforce="baseline"), *servers)).admits("web") is False


def test_command_lines_of_the_control_plane_tell_of_a_configuration_too() -> None:
    snapshot = of(space())
    assert snapshot.cluster is not None
    snapshot.cluster.command_lines.append((f"kube-apiserver {OPTION}=/a.yaml", snapshot.cluster.objects[0].place))
    assert running(snapshot).admits("web") is False


@pytest.mark.parametrize(
    ("sign", "is_openshift"),
    [
        (space("openshift-etcd"), True),
        (made("ClusterVersion", "version", version="config.openshift.io/v1"), True),
        (made("Widget", "openshift-x", version="openshift.io.example.org/v1"), False),
        (space("my-openshift-tests"), False),
    ],
)
def test_openshift_is_known_by_the_same_signs_in_every_check(sign: Any, is_openshift: bool) -> None:
    snapshot = cluster(space(), sign, privileged(), start=())
    assert running(snapshot).admits("web") is not is_openshift
    for check in ("workloads/baseline", "workloads/pod_security_level"):
        assert ([one.status for one in results(check, snapshot)] == ["not_applicable"]) is is_openshift
