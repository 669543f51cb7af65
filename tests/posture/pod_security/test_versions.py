"""A check holds from the version in which upstream put it, and as that version had it."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.posture.pod_security import NEWEST, Level, LevelVersion, evaluate
from tests.posture.pod_security.made_up import changed, failed

_SC = "spec.containers[0].securityContext"
_POD = "spec.securityContext"
_SYSCTL = f"{_POD}.sysctls[0].name"
_PROBE = ("spec.containers[0].livenessProbe.httpGet.host", "a")
_USERS = ("spec.hostUsers", False)
_SECCOMP = 'metadata.annotations["container.seccomp.security.alpha.kubernetes.io/app"]'


@pytest.mark.parametrize(
    ("change", "level", "check", "since"),
    [
        ((f"{_SC}.allowPrivilegeEscalation", True), "restricted", "allowPrivilegeEscalation", 8),
        ((f"{_SC}.seccompProfile.type", "Unconfined"), "baseline", "seccompProfile_baseline", 19),
        ((f"{_SC}.seccompProfile", ...), "restricted", "seccompProfile_restricted", 19),
        ((f"{_SC}.capabilities.drop", []), "restricted", "capabilities_restricted", 22),
        ((f"{_SC}.runAsUser", 0), "restricted", "runAsUser", 23),
        (_PROBE, "baseline", "hostProbesAndHostLifecycle", 34),
        (_PROBE, "restricted", "hostProbesAndHostLifecycle", 34),
        ((f"{_SC}.procMount", "Unmasked"), "restricted", "procMount_restricted", 35),
    ],
)
def test_a_check_begins_with_its_version(change: tuple[str, Any], level: Level, check: str, since: int) -> None:
    assert check not in failed(changed(change), level, (1, since - 1))
    assert check in failed(changed(change), level, (1, since))


@pytest.mark.parametrize(
    ("changes", "level", "check", "until"),
    [
        ([(_SYSCTL, "net.ipv4.ip_local_reserved_ports")], "baseline", "sysctls", 27),
        ([(_SYSCTL, "net.ipv4.tcp_fin_timeout")], "baseline", "sysctls", 29),
        ([(_SYSCTL, "net.ipv4.tcp_wmem")], "baseline", "sysctls", 32),
        ([(_SYSCTL, "net.ipv4.tcp_slow_start_after_idle")], "baseline", "sysctls", 37),
        ([(f"{_POD}.seLinuxOptions.type", "container_engine_t")], "baseline", "seLinuxOptions", 31),
        ([(_SECCOMP, "unconfined")], "baseline", "seccompProfile_baseline", 19),
        ([(f"{_SC}.capabilities.add", ["NET_RAW"])], "restricted", "capabilities_baseline", 22),
        ([(f"{_SC}.seccompProfile.type", "Unconfined")], "restricted", "seccompProfile_baseline", 19),
        ([_USERS, (f"{_SC}.procMount", "Unmasked")], "baseline", "procMount", 35),
        ([_USERS, (f"{_SC}.runAsNonRoot", False)], "restricted", "runAsNonRoot", 35),
        ([_USERS, (f"{_SC}.runAsUser", 0)], "restricted", "runAsUser", 35),
    ],
)
def test_a_check_is_relaxed_or_replaced_with_a_version(
    changes: list[tuple[str, Any]], level: Level, check: str, until: int
) -> None:
    before = check in failed(changed(*changes), level, (1, until - 1))
    assert before == (changes[0][0] != f"{_SC}.seccompProfile.type")  # before 1.19 only annotations counted
    assert check not in failed(changed(*changes), level, (1, until))


def test_users_of_its_own_relax_nothing_where_they_are_not_or_are_the_nodes() -> None:
    for value in (True, None, "false", 0):
        assert failed(changed(("spec.hostUsers", value), (f"{_SC}.runAsUser", 0)), "restricted") == {"runAsUser"}


def test_restricted_forbids_unmasked_proc_even_to_users_of_its_own() -> None:
    pod = changed(_USERS, (f"{_SC}.procMount", "Unmasked"))
    assert failed(pod, "baseline", (1, 35)) == set()
    assert failed(pod, "restricted", (1, 35)) == {"procMount_restricted"}
    assert failed(pod, "restricted", (1, 34)) == {"procMount"}


def test_a_windows_pod_needs_no_linux_fields_from_1_25_on() -> None:
    pod = changed(("spec.os.name", "windows"), (_SC, {"runAsNonRoot": True}))
    linux_only = {"allowPrivilegeEscalation", "capabilities_restricted", "seccompProfile_restricted"}
    assert failed(pod, "restricted", (1, 24)) == linux_only
    assert failed(pod, "restricted", (1, 25)) == set()
    for name in ("linux", "Windows", "", None):
        assert failed(changed(("spec.os.name", name), pod=pod), "restricted", (1, 25)) == linux_only
    assert failed(changed(("spec.os.name", "windows"), (_SC, {}), pod=pod), "restricted") == {"runAsNonRoot"}


def test_a_version_beyond_those_known_is_the_newest_and_none_below_1_0_is_open() -> None:
    pod = changed(_PROBE, ("spec.hostPID", True))
    assert evaluate(pod, "baseline", (1, 99)) == evaluate(pod, "baseline", NEWEST) == evaluate(pod, "baseline")
    assert failed(pod, "baseline", (0, 9)) == {"hostNamespaces"}


@pytest.mark.parametrize(
    ("version", "cluster", "judged"),
    [(None, (1, 34), (1, 34)), ((1, 40), (1, 34), (1, 34)), ((1, 25), (1, 34), (1, 25)), (None, None, None)],
)
def test_a_cluster_judges_by_no_version_newer_than_itself(
    version: tuple[int, int] | None, cluster: tuple[int, int] | None, judged: tuple[int, int] | None
) -> None:
    assert LevelVersion("baseline", version).within(cluster) == judged
