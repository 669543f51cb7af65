"""`collect` on real nodes, and what an investigation makes of its archives: the second incident from a node alone, the
first joined with the audit log.

Both collectors ran inside the nodes of the clusters that test_kubelet_doors and test_score start.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.range_live.played import REPO, Played

BOTH = ("node2.tar.zst", "node2-script.tar.gz")
ALL = tuple(f"node{number}{ending}" for number in (1, 2, 3) for ending in (".tar.zst", "-script.tar.gz"))
MINER, SCANNER = "/tmp/.system -o 203.0.113.80:3333 --donate-level 1", "/tmp/masscan 10.0.0.0/8 -p10250 --rate=20000"
_SIGNED = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.(?!REDACTED)[A-Za-z0-9_-]{20,}")
_KEY = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s*(?!REDACTED)[A-Za-z0-9+/]{20,}")


def members(path: Path) -> dict[str, bytes]:
    """What is in an archive, by name below its top folder."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {info.name.partition("/")[2]: tar.extractfile(info) for info in tar if info.isfile()}
        return {name: file.read() for name, file in found.items() if file}


def manifest(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in members(path)["manifest.jsonl"].splitlines()]


def investigated(*paths: Path) -> dict[str, Any]:
    """The report, as JSON."""
    command = [sys.executable, "-m", "kubewitness", "investigate", "--quiet", "--format", "json", *map(str, paths)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr  # there is an incident, and all was read
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module", params=BOTH)
def second(request: pytest.FixtureRequest, doors: Played) -> dict[str, Any]:
    """The report made of one node's archive and nothing else."""
    return investigated(doors.archives / request.param)


@pytest.fixture(scope="module", params=[".tar.zst", "-script.tar.gz"])
def first(request: pytest.FixtureRequest, first_incident: Played) -> dict[str, Any]:
    """The report made of the audit log and both nodes' archives."""
    nodes = [first_incident.archives / f"{node}{request.param}" for node in ("node1", "node2")]
    return investigated(first_incident.archives / "audit.log", *nodes)


# -- the archives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_sum_of_the_manifest_is_right_and_nothing_else_is_in_the_archive(doors: Played, name: str) -> None:
    found = members(doors.archives / name)
    text = found.pop("manifest.jsonl")
    records = [json.loads(line) for line in text.splitlines()]
    sums = {record["path"]: record["sha256"] for record in records if record["record"] == "item"}
    assert sums == {path: hashlib.sha256(data).hexdigest() for path, data in found.items()}
    assert records[-1]["sha256"] == hashlib.sha256(text[: text.rstrip(b"\n").rfind(b"\n") + 1]).hexdigest()
    assert records[0]["host"] == name[:5]


@pytest.mark.parametrize("name", ALL)
def test_no_key_of_the_node_no_token_and_no_value_of_a_secret_is_in_the_archive(doors: Played, name: str) -> None:
    found = members(doors.archives / name)
    assert not [path for path, data in found.items() if _KEY.search(data) or _SIGNED.search(data)]
    assert not [path for path, data in found.items() if b"marker-of-a-secret-value" in data]
    assert not [path for path in found if "/var/lib/kubelet/pods/" in path]
    left = [record["path"] for record in manifest(doors.archives / name) if record["record"] == "omitted"]
    assert "/var/lib/kubelet/pki/kubelet.key" in left
    assert b"BEGIN CERTIFICATE" in found["[root]/var/lib/kubelet/pki/kubelet.crt"]


@pytest.mark.parametrize("name", BOTH)
def test_the_intruders_programs_come_along_with_their_sums(doors: Played, name: str) -> None:
    found = members(doors.archives / name)
    rows = [json.loads(line) for line in found["live_response/process/processes.jsonl"].splitlines()]
    (miner,) = [row for row in rows if " ".join(row.get("argv", ())) == MINER]
    assert (miner["exe"], len(miner["sha256"])) == ("/tmp/.system", 64)
    copies = [data for path, data in found.items() if path.endswith(miner["sha256"])]
    assert [hashlib.sha256(data).hexdigest() for data in copies] == [miner["sha256"]]


@pytest.mark.parametrize(("node", "answered"), [("node1", False), ("node2", True), ("node3", False)])
@pytest.mark.parametrize("ending", [".tar.zst", "-script.tar.gz"])
def test_the_kubelet_is_asked_what_it_runs_with_the_nodes_own_certificate(
    doors: Played, node: str, ending: str, answered: bool
) -> None:
    """A hardened kubelet refuses the node's own identity; one that allows everything answers."""
    path = doors.archives / f"{node}{ending}"
    (asked,) = [record for record in manifest(path) if "https://127.0.0.1:10250/configz" in record.get("argv", ())]
    assert (asked["exit_code"] == 0) is answered
    configz = members(path).get("live_response/kubelet/configz.json")
    assert (configz is not None) is answered
    if configz:
        config = json.loads(configz)["kubeletconfig"]
        assert (config["authorization"]["mode"], config["readOnlyPort"]) == ("AlwaysAllow", 10255)


def test_keys_and_tokens_would_be_found() -> None:
    assert _KEY.search(b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIF0000000000000000000000\n")
    assert not _KEY.search(b"-----BEGIN EC PRIVATE KEY-----\nREDACTED-REDACTED-REDACTED-REDACTED\n")
    assert _SIGNED.search(b"token eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsiaHR0cHM6.AAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert not _SIGNED.search(b"eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsiaHR0cHM6.REDACTED-REDACTED-REDACTED")


# -- the second incident, from the node alone --------------------------------------------------------------------------


def test_the_node_alone_yields_the_incident_and_the_line_that_is_the_cause(second: dict[str, Any]) -> None:
    (incident,) = second["incidents"]
    assert (second["coverage"]["events"], second["parse_failures_total"]) == (0, 0)
    cause = incident["root_causes"][0]
    assert (cause["name"], cause["subject"]) == ("authentication.anonymous.enabled", "node2")
    cited = [(one["item"].partition("[root]")[2], one["line"]) for one in cause["evidence"]]
    assert ("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", 3) in cited
    assert "line 3 of /etc/systemd/system/kubelet.service.d/10-kubeadm.conf" in cause["description"]["en"]


def test_the_miner_is_named_with_its_pid_pod_and_container(second: dict[str, Any], doors: Played) -> None:
    pids = {one.command: one.pid for one in doors.labels.processes}
    (step,) = [one for one in second["incidents"][0]["steps"] if "host/miner_process" in one["rules"]]
    path = {one["kind"]: one["name"] for one in step["path"]}
    assert path["pod"] == "default/two"
    assert re.fullmatch("node2/[0-9a-f]{64}", path["container"])
    assert path["process"] == f"node2/{pids[MINER]}"


def test_that_the_victim_attacks_others_is_in_the_headline(second: dict[str, Any]) -> None:
    (incident,) = second["incidents"]
    assert "attacks others" in incident["title"]["en"]
    assert "攻击他人" in incident["title"]["zh"]
    (step,) = [one for one in incident["steps"] if "host/scanner_process" in one["rules"]]
    assert SCANNER in json.dumps(step)


@pytest.mark.parametrize("ending", [".tar.zst", "-script.tar.gz"])
def test_the_nodes_that_refused_are_accused_of_nothing(doors: Played, ending: str) -> None:
    paths = [str(doors.archives / f"{node}{ending}") for node in ("node1", "node3")]
    command = [sys.executable, "-m", "kubewitness", "investigate", "--quiet", "--format", "json", *paths]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=120, check=False)
    report = json.loads(done.stdout)
    assert report["incidents"] == []
    assert {one["severity"] for one in report["findings"]} <= {"informational", "low"}


# -- the first incident, joined ----------------------------------------------------------------------------------------


def test_audit_log_and_nodes_yield_one_chain_from_the_request_to_the_process(first: dict[str, Any]) -> None:
    (incident,) = first["incidents"]
    steps = [one for one in incident["steps"] if "host/miner_process" in one["rules"]]
    assert {one["path"][3]["name"] for one in steps} == {"node1", "node2"}
    edges = {(one["source"]["name"], one["target"]["name"]) for one in incident["edges"]}
    for step in steps:
        path = step["path"]
        assert [one["kind"] for one in path] == ["request", "object", "pod", "node", "container", "process"]
        assert path[0]["name"] in incident["audit_ids"]
        assert path[1]["name"] == "daemonsets/kube-system/kube-controller"
        chained = {(one["name"], other["name"]) for one, other in pairwise(path)}
        joined = edges | {(target, source) for source, target in edges}
        assert chained - {(path[3]["name"], path[4]["name"])} <= joined  # a node and its container: both of the pod


def test_the_first_incidents_cause_stays_what_the_audit_log_says(first: dict[str, Any]) -> None:
    (incident,) = first["incidents"]
    assert incident["root_causes"][0]["name"] == "cluster-system-anonymous"
    assert len(first["coverage"]["clocks"]) <= 2
