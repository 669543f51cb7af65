"""Every check there is. A new one is a line in its group's `checks` and a file in `content/checks`."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.access.checks import CHECKS as ACCESS
from kubewitness.posture.check import Check
from kubewitness.posture.control_plane.checks import CHECKS as CONTROL_PLANE
from kubewitness.posture.credentials.checks import CHECKS as CREDENTIALS
from kubewitness.posture.fleet.checks import CHECKS as FLEET
from kubewitness.posture.nodes.checks import CHECKS as NODES
from kubewitness.posture.workloads.checks import CHECKS as WORKLOADS

CHECKS: Final[tuple[Check, ...]] = (*ACCESS, *CONTROL_PLANE, *NODES, *FLEET, *WORKLOADS, *CREDENTIALS)
