"""What to do about a workload is a command for this one: its own names, or none at all."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.posture import Remedy
from tests.posture.made import results
from tests.posture.workloads.parts import (
    account,
    binding,
    cluster_role,
    ingress,
    of,
    pod,
    privileged,
    running,
    service,
    space,
    webhook,
)


def remedy(check: str, *objects: Any) -> Remedy | None:
    """That of the only failure."""
    [found] = results(f"workloads/{check}", of(*objects), "fail")
    return found.remedy


def ready(check: str, *objects: Any) -> str:
    """Its command, in which nothing has to be filled in."""
    made = remedy(check, *objects)
    assert made is not None
    assert not made.blanks
    return made.command


def test_commands_name_the_namespace_and_the_account() -> None:
    assert "ns web pod-security" in ready("baseline", privileged())
    assert "-n web -f deny-by-default.yaml" in ready("network_policy", space(), pod())
    assert ready("useless_token", pod(), account()) == (
        "kubectl patch serviceaccount default -n web -p '{\"automountServiceAccountToken\": false}'"
    )


def test_every_account_of_the_namespace_has_its_command() -> None:
    other = pod("b-x", serviceAccountName="other")
    command = ready("useless_token", pod(), account(), account("other"), other)
    assert [line.split()[3] for line in command.split("\n")] == ["default", "other"]


@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ({"type": "NodePort"}, 'kubectl patch service s -n web -p \'{"spec":{"type":"ClusterIP"}}\''),
        ({"externalIPs": ["192.0.2.1"]}, 'kubectl patch service s -n web --type=json -p \'[{"op":"remove"'),
    ],
)
def test_a_way_in_is_closed_by_what_makes_it_one(kind: dict[str, Any], begins: str) -> None:
    made = remedy("exposed_service", running("mysql"), exposing(**kind))
    assert made is not None
    assert made.command.startswith(begins)
    assert not made.blanks


def test_of_a_load_balancer_the_networks_are_the_readers_to_name() -> None:
    made = remedy("exposed_service", running("mysql"), exposing(type="LoadBalancer"))
    assert made is not None
    first, _, last = made.command.split("\n")
    assert first.startswith("kubectl patch service s -n web ")
    assert last.startswith("# kubectl patch service s -n web ")
    assert made.blanks == ("NETWORK",)


def test_an_ingress_is_no_service_to_be_patched() -> None:
    made = remedy("exposed_service", running("mysql"), service("ClusterIP"), ingress())
    assert made is not None
    assert made.command.startswith("kubectl get ingress ")
    assert "patch service" not in made.command


def exposing(**spec: Any) -> Any:
    made = service("ClusterIP")
    made["spec"] |= spec
    return made


def test_a_webhook_is_named_with_its_kind() -> None:
    command = ready("webhook_outside", webhook("https://8.8.8.8/x"))
    assert command.startswith("kubectl get mutatingwebhookconfiguration w -o yaml")


def test_the_binding_that_makes_a_dashboard_an_administrator_is_named() -> None:
    dashboard = running("kubernetesui/dashboard:v2.0.0", account="d")
    admin = cluster_role("cluster-admin", ["*"], ["*"])
    bound = binding("cluster-admin", {"kind": "ServiceAccount", "name": "d", "namespace": "web"})
    assert f"# kubectl delete clusterrolebinding {bound['metadata']['name']}" in ready(
        "dashboard", dashboard, bound, admin
    )
    skipping = running("kubernetesui/dashboard:v2.0.0", "--enable-skip-login", account="d")
    assert remedy("dashboard", skipping) is None  # no binding to take away: the check's own advice


@pytest.mark.parametrize("name", ["-A", "a\x1b[2Jb", "a\nb"])
@pytest.mark.parametrize("check", ["baseline", "network_policy", "exposed_service"])
def test_a_namespace_that_is_named_to_be_obeyed_stands_in_no_command(check: str, name: str) -> None:
    objects = [space(name), privileged(namespace=name)]
    if check == "exposed_service":
        exposed = exposing(type="NodePort")
        exposed["metadata"]["namespace"] = name
        objects = [running("mysql", namespace=name), exposed]
    assert remedy(check, *objects) is None
