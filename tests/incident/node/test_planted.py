"""Claims about keys on a machine: those that an intruder's command wrote are theirs, others are nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Incident, Verdict
from kubewitness.rules.loader import RuleSet
from tests.incident.logs import DOOR, Log
from tests.incident.node.test_joined import BEFORE, machine
from tests.incident.node.test_nodes import only, recorded
from tests.incident.test_intrusions import open_the_door

THEIRS, OURS = "AAAAC3NzaC1lZDI1NTE5AAAAIIntruder0", "AAAAC3NzaC1lZDI1NTE5AAAAIAdministrator0"
FILE = "root/.ssh/authorized_keys"


def looked_at(folder: Path, rules: RuleSet, command: str, *keys: str) -> Incident:
    """The incident of a command in a pod and of a machine whose root has these keys."""
    log = Log()
    log.quiet_day()
    open_the_door(log)
    query = "?" + "&".join(f"command={word}" for word in command.replace("+", "%2B").split())
    log.request("create", "pods", subresource="exec", namespace="shop", name="web-0", at="13:10", query=query, code=101,
                by="system:anonymous", address="203.0.113.77", agent="python-requests/2.31", reason=DOOR)  # fmt: skip
    log.write(folder / "audit.log")
    machine(folder, BEFORE, "/app/web")
    keys_of_root = folder / "nodes" / "node-a" / FILE
    keys_of_root.parent.mkdir(parents=True)
    keys_of_root.write_text("".join(f"ssh-ed25519 {key} x\n" for key in keys))
    (incident,) = investigate([str(folder)], rules=rules, options=Options()).incidents
    return incident


def planted(incident: Incident) -> list[str]:
    return [step.severity for step in incident.steps if "host/planted_key" in step.rules]


def ending(incident: Incident) -> Verdict:
    return next(one for one in incident.verdicts if one.question == "contained_or_active")


def test_a_key_that_the_intruders_command_wrote_is_told_in_state_verdict_and_advice(rules: RuleSet) -> None:
    incident = only(recorded("pod_token_theft", rules))
    assert planted(incident) == ["high"]
    (step,) = [step for step in incident.steps if "host/planted_key" in step.rules]
    assert "authorized_keys" in step.command  # one act with the command that wrote it
    assert any(one.item.endswith(FILE) for one in step.evidence)
    assert "A key of the intruder may log in" in {a.en: b.en for a, b in incident.status}["Effect"]
    assert any("A key of the intruder may log in" in reason.en for reason in ending(incident).reasons)
    (action,) = [one for one in incident.actions if "brings the intruder back" in one.title.en]
    assert action.phase == "stop"
    copy, edit = "cp -a --parents /root/.ssh/authorized_keys .", "# then take out of /root/.ssh/authorized_keys: line 1"
    lines = action.command.splitlines()
    assert lines.index(copy) < lines.index(edit)


def test_only_the_intruders_own_key_is_to_be_taken_out(tmp_path: Path, rules: RuleSet) -> None:
    incident = looked_at(tmp_path, rules, f"sh -c echo {THEIRS} >> /host/{FILE}", OURS, THEIRS)
    assert len(planted(incident)) == 1
    (action,) = [one for one in incident.actions if "brings the intruder back" in one.title.en]
    assert action.command.endswith("/root/.ssh/authorized_keys: line 2")


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (f"cat /host/{FILE}", (OURS,)),  # who looks at keys writes none
        (f"sh -c echo {THEIRS} >> /host/{FILE}", (OURS,)),  # it is gone
        ("id", (OURS, THEIRS)),
    ],
)
def test_keys_that_no_command_wrote_are_not_the_intruders(
    command: str, keys: tuple[str, ...], tmp_path: Path, rules: RuleSet
) -> None:
    incident = looked_at(tmp_path, rules, command, *keys)
    assert planted(incident) == []
    assert not [one for one in incident.actions if "brings the intruder back" in one.title.en]


def test_a_file_written_from_elsewhere_is_told_without_naming_a_key(tmp_path: Path, rules: RuleSet) -> None:
    incident = looked_at(tmp_path, rules, f"cp /tmp/keys /host/{FILE}", OURS)
    (reason,) = [text.en for step in incident.steps if "host/planted_key" in step.rules for text in step.effects]
    assert "may log in" in reason
    assert not [one for one in incident.actions if "brings the intruder back" in one.title.en]
