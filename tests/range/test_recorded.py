"""What is recorded and committed: labels and evidence belong together, every intruder's step left a trace or the reason
is here, and nothing of the machine it was recorded on is in it.
"""

from __future__ import annotations

import functools
import gzip
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from range.score_recording import Recording, read

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"
NAMES = sorted(path.parent.name for path in RECORDED.glob("*/labels.json"))
each = pytest.mark.parametrize("name", NAMES)

# Steps of intruders that no request, process or log line shows, and why.
READ = "the kubelet logs neither requests for what it knows nor commands that succeed"
SILENT = {
    **{
        (name, step): READ
        for name in ("kubelet_config_commented_out", "kubelet_config_commented_out_1_20")
        for step in ("finds the kubelet's port", "asks for the running pods", "looks after its miner")
    },
    ("pod_token_theft", "reads the pod's token"): "it happens inside the container and leaves nothing",
    ("impersonating_controller", "reads the token"): "it happens inside the container and leaves nothing",
    ("ci_debug_node", "makes a kubeconfig of it"): "it happens on the intruder's own machine",
}
# Of the machine that records: work folder, cache, home folders, checkout; what nodes tell of kernel and hardware.
MACHINE = re.compile(
    rb"/var/tmp/kubewitness|kubewitness-range|\.cache/|/work/|/home/|/root/(?!\.ssh|ca)|/tmp/pytest|building-\w+/"
    rb'|"(?:kernelVersion|machineID|systemUUID|bootID)":"[^"]+"|' + re.escape(platform.release()).encode()
)


@functools.cache
def recording(name: str) -> Recording:
    """Raises if script, labels and audit log contradict each other."""
    return read(RECORDED / name)


def files(name: str) -> Iterator[tuple[str, bytes]]:
    """Path below the evidence folder and unpacked content of everything recorded."""
    evidence = RECORDED / name / "evidence"
    for path in sorted(evidence.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield str(path.relative_to(evidence)), gzip.decompress(content) if path.suffix == ".gz" else content


@each
def test_audit_ids_steps_and_actors_of_labels_script_and_evidence_agree(name: str) -> None:
    labels = recording(name).labels
    assert labels.scenario == name
    assert labels.requests


@each
def test_no_request_is_labelled_twice(name: str) -> None:
    ids = [request.audit_id for request in recording(name).labels.requests]
    assert len(ids) == len(set(ids))


@each
def test_an_actors_requests_come_from_their_address_as_the_last_one(name: str) -> None:
    found = recording(name)
    whose = {request.audit_id: request.actor for request in found.labels.requests}
    addresses = {actor: known.addresses for actor, known in found.labels.actors.items() if known.role != "system"}
    for path, content in files(name):
        if not re.search(r"control-plane/audit.*\.log", path):
            continue
        for line in content.splitlines():
            event = msgspec.json.decode(line, type=AuditEvent)
            own = addresses.get(whose[event.auditID], ())
            assert not own or event.sourceIPs[-1] in own, event


class AuditEvent(msgspec.Struct):
    """What these tests need of an event."""

    auditID: str
    sourceIPs: tuple[str, ...] = ("",)


@each
def test_every_labelled_line_exists_and_every_labelled_process_is_in_ps(name: str) -> None:
    labels = recording(name).labels
    content = dict(files(name))
    for line in labels.lines:
        if line.file in content:  # else it is left out on purpose
            assert line.line <= content[line.file].count(b"\n")
    for process in labels.processes:
        ps = content.get(f"nodes/{process.node}/ps.txt", b"").decode()
        assert not ps or re.search(rf"^\S+ +{process.pid} .*{re.escape(process.command)}", ps, re.M), process


@each
def test_every_step_of_an_intruder_has_a_request_a_process_or_a_line(name: str) -> None:
    labels, gap = recording(name).labels, recording(name).script.keeping.gap
    shown = {(one.actor, one.step) for one in labels.requests}
    shown |= {(one.actor, one.step) for one in labels.processes}
    shown |= {(one.actor, one.step) for one in labels.lines}
    intruders = {actor for actor, known in labels.actors.items() if known.role == "intruder"}
    missing = {
        step.step
        for step in labels.steps
        if step.actor in intruders
        and (step.actor, step.step) not in shown
        and not (gap and gap.phase == step.phase)  # what is cut out is gone on purpose
    }
    assert missing == {step for scenario, step in SILENT if scenario == name}


@each
def test_steps_are_the_scripts_and_in_the_order_they_began(name: str) -> None:
    found = recording(name)
    played = {(step.actor, step.step) for phase in found.script.phases for step in phase.steps if step.step}
    assert played <= {(step.actor, step.step) for step in found.labels.steps}
    starts = [step.started for step in found.labels.steps]
    assert starts == sorted(starts)


@each
def test_nothing_of_the_machine_it_was_recorded_on_is_in_it(name: str) -> None:
    for path, content in files(name):
        assert not (found := MACHINE.search(content)), (path, found)
    assert not MACHINE.search((RECORDED / name / "labels.json").read_bytes())


@each
def test_what_is_kept_poor_is_poor(name: str) -> None:
    found = recording(name)
    there = {path for path, _ in files(name)}
    keeping = found.script.keeping
    assert keeping.host == any(path.startswith("nodes/") for path in there)
    assert keeping.webhook == ("control-plane/webhook.jsonl.gz" in there)
    assert (len([path for path in there if path.startswith("control-plane/audit")]) > 1) == bool(keeping.rotate_kib)
    for pattern in keeping.leave_out:
        assert not [path for path in there if Path(path).match(pattern)]


@each
def test_the_recording_ran_on_the_kubernetes_its_script_names(name: str) -> None:
    found = recording(name)
    assert found.labels.kubernetes.startswith(f"v{found.script.kubernetes}.")
    agents = re.compile(rb'"userAgent":"kubectl/(v[0-9.]+) ')
    said = {version for path, content in files(name) if "/audit" in path for version in agents.findall(content)}
    assert found.labels.kubernetes.encode() in said


def test_recordings_are_small_enough_to_be_kept() -> None:
    assert sum(path.stat().st_size for path in RECORDED.rglob("*") if path.is_file()) < 25_000_000
