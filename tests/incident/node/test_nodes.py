"""Claims about nodes: an incident the audit log cannot hold, and processes joined to one that it does hold."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.document import Document
from kubewitness.model.incident import Incident
from kubewitness.rules.loader import RuleSet

RECORDED = Path(__file__).parents[3] / "scenarios" / "recorded"
FAN_OUT = [
    ("apt", "apt update --fix-missing"),
    ("apk", "apk update"),
    ("yum", "yum install -y bash"),
    ("apk", "apk add bash"),
]
CONTAINER = "f60d2ba54be6b158d86f9059c02781477fc272483727776306e9a9a58c5aa5e1"
UNIT = """[Service]
ExecStart=/usr/bin/kubelet
"""
DROP_IN = """[Service]
{mark}Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
ExecStart=
ExecStart=/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf $KUBELET_CONFIG_ARGS
"""
CONFIG = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}}
authorization: {mode: Webhook}
"""


def recorded(name: str, rules: RuleSet) -> Document:
    """The recorded scenario `name`, investigated."""
    return investigate([str(RECORDED / name / "evidence")], rules=rules, options=Options())


def node(folder: Path, *, mark: str = "#", fan_out: bool = True, miner: bool = True) -> Path:
    """A machine's folder: kubelet unit and log, process list."""
    machine = folder / "nodes" / "worker-3"
    for path, text in (
        ("etc/systemd/system/kubelet.service", UNIT),
        ("etc/systemd/system/kubelet.service.d/10-kubeadm.conf", DROP_IN.format(mark=mark)),
        ("var/lib/kubelet/config.yaml", CONFIG),
    ):
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_text(text)
    config = " --config=/var/lib/kubelet/config.yaml" if not mark else ""
    kubelet = "/usr/bin/kubelet --kubeconfig=/etc/kubernetes/kubelet.conf"
    rows = ["USER         PID    PPID                  STARTED COMMAND",
            "root           1       0 Sun Nov 22 03:00:00 2026 /sbin/init",
            f"root         700       1 Sun Nov 22 03:00:05 2026 {kubelet}{config}"]  # fmt: skip
    if miner:
        wallet = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCV"
        rows.append(
            f"root        4411    1200 Sun Nov 22 03:59:54 2026 ./.system -o pool.supportxmr.com:3333 -u {wallet}"
        )
    (machine / "ps.txt").write_text("\n".join(rows) + "\n")
    log = ['I1122 03:00:05.100000     700 server.go:529] "Kubelet version" kubeletVersion="v1.34.4"']
    for second, (program, command) in enumerate(FAN_OUT if fan_out else []):
        words = ",".join(f'"{word}"' for word in command.split())
        log.append(
            f'E1122 03:59:{49 + second}.622104     700 log.go:32] "ExecSync cmd from runtime service failed" '
            f'err="rpc error: code = Unknown desc = failed to exec in container: exec: \\"{program}\\": executable '
            f'file not found in $PATH: unknown" containerID="{CONTAINER}" cmd=[{words}]'
        )
    (machine / "kubelet.log.gz").write_bytes(gzip.compress("\n".join(log).encode() + b"\n", mtime=0))
    return folder


def only(document: Document) -> Incident:
    assert len(document.incidents) == 1, [incident.title.en for incident in document.incidents]
    return document.incidents[0]


def test_the_second_incident_is_proven_from_node_evidence_alone(tmp_path: Path, rules: RuleSet) -> None:
    document = investigate([str(node(tmp_path))], rules=rules, options=Options())
    incident = only(document)
    assert incident.nodes == ("worker-3",)
    assert "through its kubelet" in incident.title.en
    assert "miner" in incident.title.en
    (cause,) = incident.root_causes
    assert (cause.kind, cause.name) == ("Setting", "authentication.anonymous.enabled")
    cited = {(Path(one.item).name, one.line) for one in cause.evidence}
    assert ("10-kubeadm.conf", 2) in cited, "the line that is commented out is cited"
    assert incident.audit_ids == ()
    assert {"host/kubelet_exec_fan_out", "host/miner_process"} <= {
        rule for step in incident.steps for rule in step.rules
    }
    assert all(step.evidence for step in incident.steps)
    assert [step.number for step in incident.steps] == list(range(1, len(incident.steps) + 1))
    assert document.complete


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_sentence_is_said_in_both_languages(lang: str, tmp_path: Path, rules: RuleSet) -> None:
    incident = only(investigate([str(node(tmp_path))], rules=rules, options=Options()))
    texts = [incident.title, *incident.story, *incident.limitations, *(step.description for step in incident.steps)]
    assert all(getattr(text, lang).strip() for text in texts)


def test_a_node_whose_configuration_is_read_and_who_runs_nothing_foreign_is_no_incident(
    tmp_path: Path, rules: RuleSet
) -> None:
    document = investigate([str(node(tmp_path, mark="", fan_out=False, miner=False))], rules=rules, options=Options())
    assert not document.incidents
    assert not [finding for finding in document.findings if finding.severity in ("high", "critical", "medium")]


def test_an_open_kubelet_that_nobody_used_is_a_finding_and_no_incident(tmp_path: Path, rules: RuleSet) -> None:
    document = investigate([str(node(tmp_path, fan_out=False, miner=False))], rules=rules, options=Options())
    assert not document.incidents
    assert "posture/kubelet_anonymous_always_allow" in {finding.rule for finding in document.findings}


def test_a_miner_is_followed_from_the_request_to_the_process_on_every_node(rules: RuleSet) -> None:
    incident = only(recorded("anonymous_cluster_admin", rules))
    seen = [step for step in incident.steps if "host/miner_process" in step.rules]
    assert sorted(step.identity for step in seen) == ["root@node1", "root@node2"]
    created = next(
        step
        for step in incident.steps
        if any(thing.kind == "daemonsets" for thing in step.objects) and step.act == "create"
    )
    assert all(step.number > created.number for step in seen)
    assert [step.number for step in incident.steps] == list(range(1, len(incident.steps) + 1))
    assert [step.time for step in incident.steps] == sorted(step.time for step in incident.steps)


def test_a_file_that_the_intruders_command_names_is_theirs(rules: RuleSet) -> None:
    incident = only(recorded("pod_token_theft", rules))
    (step,) = [step for step in incident.steps if "host/cron_persistence" in step.rules]
    assert "names this very file" in step.why.en
    assert not step.inferred


def test_commands_through_the_api_servers_proxy_are_the_same_intruders(rules: RuleSet) -> None:
    incident = only(recorded("nodes_proxy", rules))
    assert any("host/exec_download" in step.rules for step in incident.steps)


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(RECORDED.glob("*_twin"))] + ["benign_day_busy", "benign_day_ugly"]
)
def test_ordinary_machines_make_no_incident(name: str, rules: RuleSet) -> None:
    document = recorded(name, rules)
    assert not document.incidents
    assert not [
        f.rule
        for f in document.findings
        if f.rule.startswith(("host/", "posture/")) and f.severity not in ("low", "informational")
    ]


def test_every_finding_of_the_intruder_stands_in_the_incident_however_many_there_are(
    tmp_path: Path, rules: RuleSet
) -> None:
    listing = node(tmp_path) / "nodes/worker-3/ps.txt"
    with listing.open("a") as more:
        more.writelines(
            f"root {5000 + n} 1200 Sun Nov 22 03:59:54 2026 ./.m{n} -o pool.supportxmr.com:{3333 + n} --coin=monero "
            "--donate-level=1\n"
            for n in range(20)
        )
    document = investigate([str(tmp_path)], rules=rules, options=Options())
    miners = [finding for finding in document.findings if finding.rule == "host/miner_process"]
    assert len(miners) > 8, "more than are cited in a step"
    assert {finding.incident for finding in miners} == {only(document).id}
