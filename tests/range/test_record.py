"""The recorder, on a cluster that is only pretended: whose each request, process and log line is."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from range.cluster import Cluster
from range.labels import LabelledRequest, Labels
from range.play import Deed
from range.record import NODE_COMMANDS, Recorder, _log_time, _rotated, _without, labelled_steps
from range.script import Actor, Expected, Gap, Keeping, Script, Words

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
THIEF, OPS, NODE, POD = "203.0.113.9", "10.77.20.5", "10.77.0.11", "10.244.1.7"
CONTAINER = "4f" * 32
ACTORS = {
    "thief": Actor("intruder", THIEF),
    "inside": Actor("intruder", pod="shop/web*"),
    "ops": Actor("administrator", OPS),
    "idle": Actor("benign", "10.77.30.1"),
}
WORDS = Words("made up", "虚构")
SCRIPT = Script(WORDS, WORDS, ACTORS, (), Expected())


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def deed(actor: str, step: str, first: float, last: float, phase: str = "theft", **more: Any) -> Deed:
    return Deed(actor, step, phase, at(first), at(last), **more)


def event(audit_id: str, seconds: float, *addresses: str, **more: Any) -> bytes:
    """A line of an audit log."""
    time = at(seconds).isoformat(timespec="microseconds").replace("+00:00", "Z")
    known = {"auditID": audit_id, "verb": "get", "requestReceivedTimestamp": time, "stageTimestamp": time}
    return json.dumps({**known, "sourceIPs": addresses, **more}).encode() + b"\n"


class PretendedNode:
    """A node that prints what it is told to."""

    name, address = "node1", NODE

    def __init__(self, root: Path, printed: dict[str, str], logs: dict[str, str]) -> None:
        self.root, self._printed, self._logs = root, printed, logs

    def run(self, words: list[str]) -> CompletedProcess[str]:
        name = next(name for name, command in NODE_COMMANDS.items() if command == words[-1])
        return CompletedProcess(words, 0, self._printed.get(name, ""), "")

    def log(self, service: str) -> str:
        return self._logs.get(service, "")


def recorded(
    folder: Path,
    lines: list[bytes],
    *deeds: Deed,
    script: Script = SCRIPT,
    pods: tuple[dict[str, Any], ...] = (),
    printed: dict[str, str] | None = None,
    logs: dict[str, str] | None = None,
) -> Labels:
    """What the recorder writes for an audit log and what was done."""
    work = folder / "work"
    (work / "node1/etc").mkdir(parents=True)
    (work / "audit.log").write_bytes(b"".join(lines))

    def get(path: str) -> dict[str, object]:
        return {"items": list(pods) if path == "/api/v1/pods" else []}

    plane = SimpleNamespace(get=get, audit_log=work / "audit.log", flags={"etcd": ["--data-dir", f"{work}/pki"]})
    node = PretendedNode(work / "node1", printed or {}, logs or {})
    cluster = SimpleNamespace(plane=plane, nodes={"node1": node}, webhook=None, work=work)
    recorder = Recorder(cast("Cluster", cluster), script, ACTORS, folder)
    recorder.collect()
    return recorder.write("made_up", deeds)


def whose(labels: Labels) -> dict[str, tuple[str, str]]:
    return {request.audit_id: (request.actor, request.step) for request in labels.requests}


# -- requests ----------------------------------------------------------------------------------------------------------


def test_a_request_is_its_peers_whatever_the_client_claims_to_be(tmp_path: Path) -> None:
    lines = [event("honest", 1, THIEF), event("lying", 2, "10.77.20.5", THIEF), event("framed", 3, THIEF, OPS)]
    labels = recorded(tmp_path, lines, deed("thief", "steals", 0, 9), deed("ops", "", 0, 9))
    assert whose(labels) == {"honest": ("thief", "steals"), "lying": ("thief", "steals"), "framed": ("ops", "")}


def test_a_request_from_a_pod_is_the_actors_only_if_its_answer_was_and_else_the_clusters(tmp_path: Path) -> None:
    lines = [event("deed", 1, POD), event("the pod's own", 1, POD)]
    labels = recorded(tmp_path, lines, deed("inside", "looks", 0, 9, audit_ids=("deed",)))
    assert whose(labels) == {"deed": ("inside", "looks"), "the pod's own": ("cluster", "")}


def test_an_audit_id_that_a_client_saw_does_not_outweigh_the_peers_address(tmp_path: Path) -> None:
    labels = recorded(tmp_path, [event("1", 1, OPS)], deed("inside", "looks", 0, 9, audit_ids=("1",)))
    assert whose(labels) == {"1": ("ops", "")}


def test_the_time_tells_the_step_and_a_request_between_steps_has_none(tmp_path: Path) -> None:
    lines = [event("1", 1, THIEF), event("2", 5, THIEF), event("3", 8, THIEF)]
    labels = recorded(tmp_path, lines, deed("thief", "looks", 0, 2), deed("thief", "steals", 7, 9))
    assert [step for _, step in whose(labels).values()] == ["looks", "", "steals"]


def test_events_of_one_request_are_one_label(tmp_path: Path) -> None:
    lines = [event("1", 1, THIEF, stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]
    assert recorded(tmp_path, lines).requests == (LabelledRequest("1", "thief"),)


def test_an_event_without_addresses_is_the_clusters(tmp_path: Path) -> None:
    assert whose(recorded(tmp_path, [event("1", 1)])) == {"1": ("cluster", "")}


def test_intruders_are_always_labelled_as_actors_and_others_if_they_did_something(tmp_path: Path) -> None:
    labels = recorded(tmp_path, [event("1", 1, OPS)])
    assert set(labels.actors) == {"thief", "inside", "ops", "cluster"}
    assert labels.actors["cluster"].addresses == (NODE,)


# -- processes and lines -----------------------------------------------------------------------------------------------

PS = """\
USER PID PPID STARTED COMMAND
root 1 0 Mon Mar 2 11:00:00 2026 /sbin/init
root 50 1 Mon Mar 2 12:00:01 2026 /var/tmp/.system -o 203.0.113.80:3333
root 51 50 Mon Mar 2 12:00:02 2026 sh -c scan
root 52 1 Mon Mar 2 12:00:02 2026 [kworker/0:1]
root 60 1 Mon Mar 2 12:00:03 2026 /kube-controller -o 203.0.113.80:3333
root 61 1 Mon Mar 2 11:00:03 2026 nginx
"""
UID = "12345678-1234-1234-1234-1234567890ab"


def processes(labels: Labels) -> dict[int, tuple[str, str]]:
    return {process.pid: (process.actor, process.step) for process in labels.processes}


def test_what_a_step_left_running_is_its_actors_with_children_but_kernel_threads_are_nobodys(tmp_path: Path) -> None:
    left = (("node1", 50), ("node1", 52))
    labels = recorded(tmp_path, [], deed("thief", "mines", 0, 9, processes=left), printed={"ps.txt": PS})
    assert processes(labels) == {50: ("thief", "mines"), 51: ("thief", "mines")}
    assert labels.processes[0].command == "/var/tmp/.system -o 203.0.113.80:3333"


def test_processes_of_a_pod_are_those_of_who_made_what_owns_it(tmp_path: Path) -> None:
    made = event(
        "1", 1, THIEF, verb="create", responseStatus={"code": 201},
        objectRef={"resource": "pods", "namespace": "shop", "name": "miner"},
    )  # fmt: skip
    pod = {"metadata": {"uid": UID, "namespace": "shop", "name": "miner"}}
    printed = {"ps.txt": PS, "cgroups.txt": f"60 9:memory:/kubepods/pod{UID}/abc\n61 9:memory:/system\n"}
    labels = recorded(tmp_path, [made], deed("thief", "mines", 0, 9), pods=(pod,), printed=printed)
    assert processes(labels) == {60: ("thief", "mines")}


def test_a_refused_creation_owns_nothing(tmp_path: Path) -> None:
    refused = event(
        "1", 1, THIEF, verb="create", responseStatus={"code": 409},
        objectRef={"resource": "pods", "namespace": "shop", "name": "miner"},
    )  # fmt: skip
    pod = {"metadata": {"uid": UID, "namespace": "shop", "name": "miner"}}
    printed = {"ps.txt": PS, "cgroups.txt": f"60 9:memory:/kubepods/pod{UID}/abc\n"}
    labels = recorded(tmp_path, [refused], deed("thief", "mines", 0, 9), pods=(pod,), printed=printed)
    assert processes(labels) == {}


def test_a_log_line_is_a_steps_if_it_names_the_container_at_that_time(tmp_path: Path) -> None:
    year = datetime.now(UTC).year  # klog writes none
    start = datetime(year, 3, 2, 12, 0, 0, tzinfo=UTC)
    into = Deed("thief", "runs", "theft", start, start + timedelta(seconds=5), containers=(CONTAINER,))
    kubelet = (
        f'E0302 12:00:01.000000     7 x.go:1] "ExecSync failed" containerID="{CONTAINER}"\n'
        f'E0302 12:00:01.000000     7 x.go:1] "ExecSync failed" containerID="{"aa" * 32}"\n'
        f'E0302 12:00:09.000000     7 x.go:1] "ExecSync failed" containerID="{CONTAINER}"\n'
        f"not a line of a log, with {CONTAINER}\n"
    )
    containerd = f'time="{year}-03-02T12:00:02.123456789Z" level=error msg="ExecSync for \\"{CONTAINER}\\" failed"\n'
    labels = recorded(tmp_path, [], into, logs={"kubelet": kubelet, "containerd": containerd})
    assert [(one.file, one.line, one.actor, one.step) for one in labels.lines] == [
        ("nodes/node1/kubelet.log.gz", 1, "thief", "runs"),
        ("nodes/node1/containerd.log.gz", 1, "thief", "runs"),
    ]


# -- what is handed over -----------------------------------------------------------------------------------------------


def test_a_gap_is_in_neither_log_nor_labels(tmp_path: Path) -> None:
    lines = [event("before", 1, THIEF), event("inside", 5, THIEF), event("others", 5, OPS), event("after", 9, THIEF)]
    script = replace(SCRIPT, keeping=Keeping(gap=Gap("theft")))
    labels = recorded(tmp_path, lines, deed("thief", "steals", 4, 6), deed("ops", "", 0, 1, "setup"), script=script)
    log = gzip.decompress((tmp_path / "evidence/control-plane/audit.log.gz").read_bytes())
    assert log.splitlines(keepends=True) == [lines[0], lines[3]]
    assert set(whose(labels)) == {"before", "after"}


def test_what_is_left_out_is_not_there_and_the_rest_is(tmp_path: Path) -> None:
    script = replace(SCRIPT, keeping=Keeping(leave_out=("nodes/*/kubelet.log.gz",)))
    recorded(tmp_path, [], script=script)
    assert not (tmp_path / "evidence/nodes/node1/kubelet.log.gz").exists()
    assert (tmp_path / "evidence/nodes/node1/containerd.log.gz").exists()


def test_without_host_evidence_there_is_no_nodes_folder_and_no_label_of_it(tmp_path: Path) -> None:
    script = replace(SCRIPT, keeping=Keeping(host=False))
    into = deed("thief", "runs", 0, 5, containers=(CONTAINER,), processes=(("node1", 50),))
    labels = recorded(tmp_path, [], into, script=script, printed={"ps.txt": PS}, logs={"kubelet": CONTAINER})
    assert not (tmp_path / "evidence/nodes").exists()
    assert not labels.processes
    assert not labels.lines


def test_flags_bear_the_usual_paths_and_not_this_machines(tmp_path: Path) -> None:
    recorded(tmp_path, [])
    assert (tmp_path / "evidence/control-plane/flags.txt").read_text() == "etcd --data-dir /etc/kubernetes/pki\n"


# -- functions ---------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=20), st.integers(0, 3000))
def test_rotation_loses_no_line_keeps_order_and_exceeds_its_size_only_for_one_long_line(
    lengths: list[int], size: int
) -> None:
    lines = [event(str(number), number, THIEF, pad="x" * length) for number, length in enumerate(lengths)]
    files = list(_rotated(lines, size))
    names = [name for name, _ in files]
    assert b"".join(content for _, content in files) == b"".join(lines)
    assert names[-1] == "audit.log.gz"
    assert names[:-1] == sorted(set(names[:-1]))
    for _, content in files:
        assert not size or len(content) <= size or len(content.splitlines()) == 1


def test_a_rotated_file_bears_the_time_of_its_last_line() -> None:
    lines = [event("1", 1.25, THIEF), event("2", 2, THIEF)]
    assert [name for name, _ in _rotated(lines, 10)] == ["audit-2026-03-02T12-00-01.250.log.gz", "audit.log.gz"]


def test_a_gap_of_a_phase_nobody_played_removes_nothing() -> None:
    lines = [event("1", 1, THIEF)]
    assert _without(lines, Gap("lunch"), (deed("thief", "steals", 0, 9),)) == lines


def test_steps_are_in_the_order_they_began_and_deeds_of_one_name_are_one_step() -> None:
    deeds = (deed("thief", "steals", 5, 6), deed("thief", "looks", 1, 2), deed("thief", "looks", 7, 8, "later"))
    first, second = labelled_steps((*deeds, deed("ops", "", 0, 9)))
    assert (first.step, first.phase, first.started[17:], first.ended[17:]) == (
        "looks", "theft", "01.000000Z", "08.000000Z",
    )  # fmt: skip
    assert second.step == "steals"


def test_two_actors_steps_of_one_name_are_two() -> None:
    assert len(list(labelled_steps((deed("thief", "looks", 1, 2), deed("inside", "looks", 1, 2))))) == 2


def test_both_logs_times_are_read_and_anything_else_has_none() -> None:
    year = datetime.now(UTC).year
    assert _log_time("I0302 12:00:00.000001     7 a.go:1] b") == datetime(year, 3, 2, 12, 0, 0, 1, tzinfo=UTC)
    assert _log_time('time="2026-03-02T12:00:00.123456789Z" level=info') == NOON.replace(microsecond=123456)
    assert _log_time("Flag --node-ip has been deprecated") is None
    assert _log_time("") is None
