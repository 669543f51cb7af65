"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.check import Check, ClusterCheck
from kubewitness.posture.workloads import entrances, node_access, pod_security, tokens, webhooks

_PODS: Final = ("Pod",)
_WAYS: Final = ("Service", "Ingress", "Pod")

CHECKS: Final[tuple[Check, ...]] = (
    ClusterCheck("checks/workloads/exposed_service", entrances.services, _WAYS),
    ClusterCheck("checks/workloads/dashboard", entrances.dashboards, (*_PODS, "ClusterRoleBinding")),
    ClusterCheck("checks/workloads/external_addresses", entrances.external_addresses, ("Service",)),
    ClusterCheck("checks/workloads/node_takeover", node_access.takeovers, _PODS),
    ClusterCheck("checks/workloads/runtime_socket", node_access.sockets, _PODS),
    ClusterCheck("checks/workloads/baseline", pod_security.baseline, _PODS),
    ClusterCheck("checks/workloads/pod_security_level", pod_security.namespaces, ("Namespace", *_PODS)),
    ClusterCheck("checks/workloads/pod_security_policy", pod_security.policies),
    ClusterCheck("checks/workloads/static_pod", tokens.static_pods, _PODS),
    ClusterCheck("checks/workloads/useless_token", tokens.useless, tokens.NEEDS),
    ClusterCheck("checks/workloads/network_policy", entrances.without_policy, (*_PODS, "NetworkPolicy")),
    ClusterCheck("checks/workloads/webhook_outside", webhooks.outside, webhooks.NEEDS),
    ClusterCheck("checks/workloads/webhook_ignored", webhooks.unguarded, webhooks.NEEDS),
)
