"""What the configuration opens, and the chain of reasons that is told."""

from __future__ import annotations

import pytest

from kubewitness.model.host import Host
from kubewitness.posture.exposed import judge
from kubewitness.posture.exposure import Exposure
from kubewitness.posture.kubelet import effective
from tests.posture.machine import COMMENTED, CONFIG, DROP_IN, NODE, host, listening, process

WITH = "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml"
WITHOUT = "/usr/bin/kubelet --kubeconfig=/k"
OPEN = "kubelet_anonymous_always_allow"


def judged(machine: Host) -> dict[str, Exposure]:
    return {exposure.id: exposure for exposure in judge(machine, effective(machine))}


def test_the_commented_line_yields_a_critical_exposure_that_tells_the_whole_chain() -> None:
    found = judged(host(COMMENTED, WITHOUT, listening(10250), listening(10255)))
    assert set(found) == {OPEN, "kubelet_read_only_port"}
    exposure = found[OPEN]
    assert (exposure.severity, exposure.confidence, exposure.observed) == ("critical", "high", "true + AlwaysAllow")
    for part in (
        "system:anonymous",
        "without --config",
        f"line 4 of {DROP_IN}",
        "KUBELET_CONFIG_ARGS",
        CONFIG,
        "never read",
    ):
        assert part in exposure.description.en
    for part in ("system:anonymous", "没有指定 --config", f"{DROP_IN} 第 4 行", "注释", "从未被读取"):
        assert part in exposure.description.zh
    assert [(place.item, place.line) for place, _ in exposure.places] == [
        ("node" + DROP_IN, 4),
        ("ps.txt", 60),
        ("node" + CONFIG, 5),
        ("node" + CONFIG, 9),
        ("ss.txt", 10250),
    ]
    assert exposure.places[0][1].startswith("#Environment")
    assert [technique.id for technique in exposure.techniques] == ["T1133", "T1609"]
    assert f"line 4 of {DROP_IN}" in exposure.remediation.en


def test_a_node_that_reads_its_configuration_exposes_nothing() -> None:
    assert judged(host(NODE, WITH, listening(10250))) == {}


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        ("--anonymous-auth=false --authorization-mode=Webhook --read-only-port=0", set()),
        ("--anonymous-auth=false --read-only-port=0", {"kubelet_always_allow"}),
        ("--authorization-mode=Webhook --read-only-port=0", {"kubelet_anonymous_access"}),
        ("--read-only-port=0", {OPEN}),
    ],
)
def test_old_kubelets_configured_by_flags(flags: str, ids: set[str]) -> None:
    assert set(judged(host({}, f"{WITHOUT} {flags}"))) == ids


def test_anonymous_with_webhook_is_only_a_note() -> None:
    found = judged(host(NODE, WITH + " --anonymous-auth=true"))
    assert [exposure.severity for exposure in found.values()] == ["low"]


def test_a_change_on_disk_that_waits_for_a_restart_is_latent() -> None:
    found = judged(host(COMMENTED, WITH, listening(10250)))
    assert set(found) == {OPEN + "_after_restart"}
    (exposure,) = found.values()
    assert (exposure.latent, exposure.severity) == (True, "high")


def test_files_put_right_without_a_restart_leave_it_open_and_say_so() -> None:
    exposure = judged(host(NODE, WITHOUT))[OPEN]
    assert "only a restart" in exposure.description.en
    assert "restart the kubelet" in exposure.remediation.en


def test_unit_files_alone_are_believed_less() -> None:
    exposure = judged(host(COMMENTED))[OPEN]
    assert exposure.confidence == "medium"
    assert "does not show how" in exposure.description.en


def test_a_process_line_that_was_cut_is_no_proof_that_the_running_kubelet_is_safe() -> None:
    machine = host(COMMENTED)
    machine.processes.append(process(WITHOUT, truncated=True))
    (exposure,) = judged(machine).values()
    assert (exposure.id, exposure.latent, exposure.confidence) == (OPEN, False, "medium")


def test_a_kubelet_that_does_not_run_is_no_open_door_yet() -> None:
    machine = host(COMMENTED)
    machine.processes.append(process("/usr/sbin/sshd -D", pid=5))
    assert set(judged(machine)) == {OPEN + "_after_restart"}


def test_a_kubelet_that_only_the_node_reaches_is_less_severe() -> None:
    found = judged(host(COMMENTED, WITHOUT, listening(10250, "127.0.0.1"), listening(10255, "127.0.0.1")))
    assert {exposure.severity for exposure in found.values()} == {"medium", "low"}


def test_the_read_only_port_is_seen_from_the_socket_alone() -> None:
    machine = Host("node1", sockets=[listening(10255)])
    assert set(judged(machine)) == {"kubelet_read_only_port"}


def test_another_program_on_that_port_is_not_the_kubelet() -> None:
    assert judged(host(NODE, WITH, listening(10255, owner="nginx"))) == {}


def test_a_read_only_port_that_no_socket_shows_is_believed_less() -> None:
    assert judged(host(COMMENTED, WITHOUT, listening(10250)))["kubelet_read_only_port"].confidence == "low"


def test_texts_stay_short_whatever_the_evidence_holds() -> None:
    text = (
        "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1\nauthorization: {mode: "
        + "x" * 90_000
        + "}\n"
    )
    long = COMMENTED | {CONFIG: text}
    for exposure in judged(host(long, WITHOUT)).values():
        assert len(exposure.description.en) < 3000
        assert all(len(text) <= 1000 for _, text in exposure.places)


def test_judging_twice_says_the_same() -> None:
    machine = host(COMMENTED, WITHOUT, listening(10250))
    assert judged(machine) == judged(machine)
