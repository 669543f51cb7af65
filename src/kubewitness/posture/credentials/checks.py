"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.check import Check, ClusterCheck, FleetCheck, NodeCheck
from kubewitness.posture.credentials import in_cluster, on_machines

_SECRET: Final = ("Secret",)

CHECKS: Final[tuple[Check, ...]] = (
    NodeCheck("checks/credentials/administrator", on_machines.administrators),
    NodeCheck("checks/credentials/lifetime", on_machines.lifetimes),
    FleetCheck("checks/credentials/shared", on_machines.shared),
    ClusterCheck("checks/credentials/signing_request", in_cluster.requests, ("CertificateSigningRequest",)),
    ClusterCheck("checks/credentials/token_secret", in_cluster.secrets, _SECRET),
    ClusterCheck("checks/credentials/bootstrap_token", in_cluster.bootstrap, _SECRET),
)
