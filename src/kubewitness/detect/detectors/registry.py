"""All typed detectors, named one by one."""

from __future__ import annotations

from kubewitness.detect.detection import Detection, in_order
from kubewitness.detect.detectors.audit_silence import audit_silence
from kubewitness.detect.detectors.audit_weakened import audit_weakened
from kubewitness.detect.detectors.borrowed_account import borrowed_account
from kubewitness.detect.detectors.interface import Detector
from kubewitness.detect.detectors.opened_by_grant import opened_by_grant
from kubewitness.detect.detectors.role_raised import role_raised
from kubewitness.detect.detectors.shared_address import shared_address
from kubewitness.detect.detectors.stolen_token import stolen_token
from kubewitness.detect.detectors.unaccustomed import unaccustomed
from kubewitness.detect.run import Scan

DETECTORS: tuple[Detector, ...] = (
    audit_silence, audit_weakened, borrowed_account, opened_by_grant, role_raised, shared_address, stolen_token,
    unaccustomed,
)  # fmt: skip


def typed_detections(scan: Scan) -> list[Detection]:
    """What all of them find, by time."""
    return sorted((found for detector in DETECTORS for found in detector(scan)), key=in_order)
