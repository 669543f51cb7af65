"""Which check is part of which level in which version of the policy, and a pod judged by them.

A check has versions, each from a minor on until the next. The level restricted runs baseline's checks as well, but for
those that a stricter check of its own overrides, from the version in which that one appears: a capability is refused
once, by capabilities_restricted, and before 1.22 by capabilities_baseline. Checks answer in upstream's order, those of
baseline by id and then those of restricted, so that the answer is the API server's own sentence.

One way to differ is left to clusters: from 1.29 to 1.34 the feature gate UserNamespacesPodSecurityStandards (off unless
somebody turned it on) relaxed older versions of the policy too, for pods with `hostUsers: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from kubewitness.posture.pod_security import baseline, restricted
from kubewitness.posture.pod_security.baseline import Run, unless_own_users
from kubewitness.posture.pod_security.nouns import NEWEST, OLDEST, Level, Version, Violation
from kubewitness.posture.pod_security.reading import read_pod
from kubewitness.posture.pod_security.restricted import unless_windows


class Check(NamedTuple):
    """One check; `overrides` is the check of baseline that it replaces wherever it runs."""

    name: str
    level: Level
    versions: tuple[tuple[Version, Run], ...]
    overrides: str = ""


CHECKS: Final = (
    Check("appArmorProfile", "baseline", ((OLDEST, baseline.app_armor),)),
    Check("capabilities_baseline", "baseline", ((OLDEST, baseline.capabilities),)),
    Check("hostNamespaces", "baseline", ((OLDEST, baseline.host_namespaces),)),
    Check("hostPathVolumes", "baseline", ((OLDEST, baseline.host_path_volumes),)),
    Check("hostPorts", "baseline", ((OLDEST, baseline.host_ports),)),
    Check("hostProbesAndHostLifecycle", "baseline", (((1, 34), baseline.host_probes),)),
    Check("privileged", "baseline", ((OLDEST, baseline.privileged),)),
    Check(
        "procMount",
        "baseline",
        ((OLDEST, baseline.proc_mount), ((1, 35), unless_own_users(baseline.proc_mount))),
    ),
    Check(
        "seLinuxOptions",
        "baseline",
        ((OLDEST, baseline.selinux(baseline.SELINUX_1_0)), ((1, 31), baseline.selinux(baseline.SELINUX_1_31))),
    ),
    Check(
        "seccompProfile_baseline",
        "baseline",
        ((OLDEST, baseline.seccomp_annotations), ((1, 19), baseline.seccomp)),
    ),
    Check(
        "sysctls",
        "baseline",
        (
            (OLDEST, baseline.sysctls(baseline.SYSCTLS_1_0)),
            ((1, 27), baseline.sysctls(baseline.SYSCTLS_1_27)),
            ((1, 29), baseline.sysctls(baseline.SYSCTLS_1_29)),
            ((1, 32), baseline.sysctls(baseline.SYSCTLS_1_32)),
            ((1, 37), baseline.sysctls(baseline.SYSCTLS_1_37)),
        ),
    ),
    Check("windowsHostProcess", "baseline", ((OLDEST, baseline.windows_host_process),)),
    Check(
        "allowPrivilegeEscalation",
        "restricted",
        (
            ((1, 8), restricted.privilege_escalation),
            ((1, 25), unless_windows(restricted.privilege_escalation)),
        ),
    ),
    Check(
        "capabilities_restricted",
        "restricted",
        (((1, 22), restricted.capabilities), ((1, 25), unless_windows(restricted.capabilities))),
        overrides="capabilities_baseline",
    ),
    Check("procMount_restricted", "restricted", (((1, 35), baseline.proc_mount),), overrides="procMount"),
    Check("restrictedVolumes", "restricted", ((OLDEST, restricted.volumes),), overrides="hostPathVolumes"),
    Check(
        "runAsNonRoot",
        "restricted",
        ((OLDEST, restricted.run_as_non_root), ((1, 35), unless_own_users(restricted.run_as_non_root))),
    ),
    Check(
        "runAsUser",
        "restricted",
        (((1, 23), restricted.run_as_user), ((1, 35), unless_own_users(restricted.run_as_user))),
    ),
    Check(
        "seccompProfile_restricted",
        "restricted",
        (((1, 19), restricted.seccomp), ((1, 25), unless_windows(restricted.seccomp))),
        overrides="seccompProfile_baseline",
    ),
)
"""In the order in which upstream runs them."""


def evaluate(pod: Mapping[str, object], level: Level, version: Version | None = None) -> list[Violation]:
    """What `pod` does that `level` of the policy's `version` forbids; empty if the pod is admitted.

    Args:
        pod: `{"metadata": …, "spec": …}`, a pod or a template (`pod_of`); fields of a wrong type count as absent.
        level: `privileged` forbids nothing.
        version: None is `latest`, the newest version known here. A cluster's own `latest` is the cluster's version.
    """
    if level == "privileged":
        return []
    seen = read_pod(pod)
    found = ((check, run(seen)) for check, run in _plan(level, min(max(version or NEWEST, OLDEST), NEWEST)))
    return [Violation(check.name, check.level, *failure) for check, failure in found if failure]


@cache  # as many entries as there are versions
def _plan(level: Level, version: Version) -> tuple[tuple[Check, Run], ...]:
    running = [
        (check, run)
        for check in CHECKS
        if check.level == "baseline" or level == "restricted"
        for run in [next((run for since, run in reversed(check.versions) if since <= version), None)]
        if run is not None
    ]
    overridden = {check.overrides for check, _ in running}
    return tuple((check, run) for check, run in running if check.name not in overridden)


def sentence(violations: list[Violation]) -> str:
    """The violations as the API server tells them after `violates PodSecurity "baseline:latest": `."""
    return ", ".join(f"{one.reason} ({one.detail})" if one.detail else one.reason for one in violations)
