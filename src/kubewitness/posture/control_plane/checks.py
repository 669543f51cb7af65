"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.check import Check, ClusterCheck
from kubewitness.posture.control_plane import admission, anonymous, api_server, audit, etcd, serving
from kubewitness.posture.control_plane.agreement import started_otherwise
from kubewitness.posture.control_plane.judging import check

_API: Final = "kube-apiserver"
_MANAGER: Final = "kube-controller-manager"
_SCHEDULER: Final = "kube-scheduler"

CHECKS: Final[tuple[Check, ...]] = (
    check("insecure_port", api_server.insecure_port, _API),
    check("anonymous_auth", anonymous.anonymous_auth, _API),
    check("authorization_mode", api_server.authorization_mode, _API),
    check("token_file", api_server.token_file, _API),
    check("service_account_lookup", api_server.account_lookup, _API),
    check("front_proxy", api_server.front_proxy, _API),
    check("node_restriction", admission.node_restriction, _API),
    check("admission_plugins", admission.admission_plugins, _API),
    check("client_ca", api_server.client_ca, _API),
    check("kubelet_ca", api_server.kubelet_ca, _API),
    check("encryption_at_rest", api_server.encryption, _API),
    ClusterCheck("checks/control_plane/audit_log", audit.audit_log),
    check("audit_policy", audit.audit_policy, _API),
    check("audit_losses", audit.audit_losses, _API),
    check("etcd_servers", api_server.etcd_servers, _API),
    check("etcd_client_auth", etcd.client_auth, "etcd"),
    check("etcd_peer_auth", etcd.peer_auth, "etcd"),
    check("etcd_auto_tls", etcd.auto_tls, "etcd"),
    check("etcd_own_authority", etcd.own_authority, "etcd"),
    check("etcd_data_mode", etcd.data_mode, "etcd"),
    check("insecure_metrics_port", serving.insecure_metrics_port, _MANAGER, _SCHEDULER),
    check("bind_address", serving.bind_address, _MANAGER, _SCHEDULER),
    check("service_account_credentials", serving.own_credentials, _MANAGER),
    check("profiling", serving.profiling, _API, _MANAGER, _SCHEDULER),
    ClusterCheck("checks/control_plane/proxy_metrics", serving.proxy_metrics),
    ClusterCheck("checks/control_plane/started_otherwise", started_otherwise),
)
