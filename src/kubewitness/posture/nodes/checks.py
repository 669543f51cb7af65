"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.check import Check
from kubewitness.posture.nodes import docker, files, firewall, kubelet_settings, kubelet_start, layers, ports

CHECKS: Final[tuple[Check, ...]] = (
    *layers.CHECKS,
    *kubelet_settings.CHECKS,
    *kubelet_start.CHECKS,
    *firewall.CHECKS,
    *ports.CHECKS,
    *docker.CHECKS,
    *files.CHECKS,
)
