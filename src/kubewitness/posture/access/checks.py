"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.access.altered import altered_defaults, disguised, injected_rights
from kubewitness.posture.access.dangling import dangling
from kubewitness.posture.access.grants import to_anonymous, to_everybody
from kubewitness.posture.access.paths import attack_paths
from kubewitness.posture.access.state import NEEDS
from kubewitness.posture.access.strength import administrators, default_accounts, escalation, masters, wildcards
from kubewitness.posture.check import Check, ClusterCheck

_ID: Final = "checks/access"

CHECKS: Final[tuple[Check, ...]] = (
    ClusterCheck(f"{_ID}/attack_path", attack_paths, (*NEEDS, "ServiceAccount", "Pod")),
    ClusterCheck(f"{_ID}/anonymous_grant", to_anonymous, NEEDS),
    ClusterCheck(f"{_ID}/everybody_grant", to_everybody, NEEDS),
    ClusterCheck(f"{_ID}/altered_default", altered_defaults, NEEDS),
    ClusterCheck(f"{_ID}/injected_rights", injected_rights, ("ClusterRole",)),
    ClusterCheck(f"{_ID}/disguised", disguised, NEEDS),
    ClusterCheck(f"{_ID}/escalation", escalation, NEEDS),
    ClusterCheck(f"{_ID}/wildcard", wildcards, NEEDS),
    ClusterCheck(f"{_ID}/default_account", default_accounts, NEEDS),
    ClusterCheck(f"{_ID}/dangling", dangling, (*NEEDS, "ServiceAccount")),
    ClusterCheck(f"{_ID}/masters", masters, ("ClusterRoleBinding", "RoleBinding")),
    ClusterCheck(f"{_ID}/administrators", administrators, ("ClusterRole", "ClusterRoleBinding")),
)
