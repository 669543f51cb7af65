"""The checks of this group, in the order of the report."""

from __future__ import annotations

from typing import Final

from kubewitness.posture.check import Check
from kubewitness.posture.fleet import odd

CHECKS: Final[tuple[Check, ...]] = (*odd.CHECKS,)
