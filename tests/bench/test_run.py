"""Measuring and writing it down."""

import os
import sys
from pathlib import Path

from bench import hkerma, readme
from bench.measure import Cost, machine, run
from bench.peers import decode, loop
from bench.run import Peer, _fresh, render
from tests.corpus import CORPUS, needs_corpus


def test_cpu_and_memory_of_children_count() -> None:
    inner = "x = b'x' * 80_000_000; sum(range(3_000_000))"
    work = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    cost = run([sys.executable, "-c", work])
    assert cost.code == 0
    assert cost.cpu > 0.03
    assert cost.peak > 70


def test_a_failed_command_is_seen_as_failed() -> None:
    assert run([sys.executable, "-c", "raise SystemExit(3)"]).code == 3


def test_the_machine_is_described_without_its_name() -> None:
    assert "cores of" in machine()
    node = Path("/proc/sys/kernel/hostname").read_text().strip()
    assert node not in machine()


def test_the_decode_floor_reads_lines_over_chunk_borders(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    line = b'{"auditID":"x","verb":"get","user":{"username":"a"},"annotations":{"k":"' + b"v" * 900 + b'"}}\n'
    path.write_bytes(line * 400)
    assert decode(path) == 400
    assert loop(path) == 0


def test_a_table_is_replaced_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    readme.put("speed", "old figures", page)
    readme.put("benign", r"other \1", page)
    readme.put("speed", "new figures", page)
    text = page.read_text()
    assert "old figures" not in text
    assert "<!-- speed -->\nnew figures\n<!-- /speed -->" in text
    assert r"other \1" in text
    assert text.startswith("# Benchmarks")


def test_a_skipped_peer_is_a_row_with_its_reason(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * 1_000_000)
    floor = Peer("msgspec decode alone", [], log, 1000, costs=[Cost(0.5, 0.5, 20, 0), Cost(0.4, 0.6, 21, 0)])
    absent = Peer("jq, one predicate", [], log, 1000, skipped="no `jq` on this machine")
    text = render([floor, floor, floor, absent, floor], 1000, 200, repeats=2, command="make bench", load=0.1)
    assert "| jq, one predicate |  |  |  |  |  |  | skipped: no `jq` on this machine |" in text
    assert "| msgspec decode alone | 0.40 | 0.50 | 21 | 2,500 | 2 | 1.00 |" in text


def test_a_projected_row_becomes_an_event_again() -> None:
    row = ['{"name":"m"}', "2023-01-27T18:28:08.129781Z", "system:node:n1", "patch", "nodes", "status", "n1", "",
           "/api/v1/nodes/n1/status?timeout=10s", "id", "ResponseComplete", "403", "", "", ""]  # fmt: skip
    event = hkerma.event(row)
    assert event["user"] == {"username": "system:node:n1", "groups": ["system:nodes", "system:authenticated"]}
    assert event["objectRef"] == {"resource": "nodes", "name": "n1", "apiVersion": "v1", "subresource": "status"}
    assert event["annotations"] == {"authorization.k8s.io/decision": "forbid"}
    assert hkerma.object_ref("/apis/apps/v1/namespaces/x/deployments", "deployments", "", "") == {
        "resource": "deployments", "namespace": "x", "apiGroup": "apps", "apiVersion": "v1",
    }  # fmt: skip


@needs_corpus
def test_the_whole_projection_converts(tmp_path: Path) -> None:
    assert CORPUS is not None
    rows = CORPUS / "hkerma__kubernetes-event-dataset" / "audit-logs.csv"
    assert hkerma.convert(rows, tmp_path / "hkerma.log") == 8001


def test_a_kept_log_is_written_again_once_the_generator_is_newer(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"")
    assert _fresh(log)
    os.utime(log, (0, 0))
    assert not _fresh(log)
    assert not _fresh(tmp_path / "none.log")
