"""Pod Security Standards, judged away from the cluster, as the API server's own admission plugin judges them.

`evaluate` answers for a pod what k8s.io/pod-security-admission answers, version by version, in the same words; a test
on the range holds the two against each other (tests/range_live/test_pod_security_agreement.py). `levels_of` says
what a namespace asks for, `pod_of` finds the pod in a workload.
"""

from kubewitness.posture.pod_security.levels import (
    Configuration,
    Enforced,
    Exemptions,
    LevelVersion,
    configuration_of,
    levels_of,
)
from kubewitness.posture.pod_security.nouns import NEWEST, Level, Version, Violation
from kubewitness.posture.pod_security.policy import evaluate, sentence
from kubewitness.posture.pod_security.workloads import pod_of

__all__ = [
    "NEWEST",
    "Configuration",
    "Enforced",
    "Exemptions",
    "Level",
    "LevelVersion",
    "Version",
    "Violation",
    "configuration_of",
    "evaluate",
    "levels_of",
    "pod_of",
    "sentence",
]
