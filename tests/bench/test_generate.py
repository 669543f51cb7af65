"""The benchmark's log: what the figures in bench/README.md rest on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bench.generate import SMALLEST, main, write
from kubewitness.model.event import AuditRecord

# Field order of Event in k8s.io/apiserver/pkg/apis/audit/v1/types.go.
ORDER = (
    "kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser", "sourceIPs",
    "userAgent", "objectRef", "responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp",
    "stageTimestamp", "annotations",
)  # fmt: skip


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "audit.log"
    write(path, SMALLEST, 42)
    return path


@pytest.fixture(scope="module")
def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


def test_it_has_exactly_as_many_events_as_asked(events: list[dict[str, Any]]) -> None:
    assert len(events) == SMALLEST


def test_keys_come_in_the_api_servers_order(events: list[dict[str, Any]]) -> None:
    orders = {tuple(event) for event in events}
    assert orders
    assert all(list(order) == [key for key in ORDER if key in order] for order in orders)


def test_lines_are_compact_and_escaped_as_go_writes_them(log: Path) -> None:
    data = log.read_bytes()
    assert b"&" not in data
    assert b"\\u0026" in data
    assert b'": ' not in data.split(b"\n")[0]


def test_lines_stand_in_the_order_their_stage_ended(events: list[dict[str, Any]]) -> None:
    times = [event["stageTimestamp"] for event in events]
    assert times == sorted(times)


def test_the_same_seed_gives_the_same_bytes(log: Path, tmp_path: Path) -> None:
    write(tmp_path / "again.log", SMALLEST, 42)
    assert hashlib.sha256((tmp_path / "again.log").read_bytes()).digest() == hashlib.sha256(log.read_bytes()).digest()


def test_every_label_names_an_event_of_the_log(log: Path, events: list[dict[str, Any]]) -> None:
    labels = [json.loads(line) for line in (log.parent / "audit.labels.jsonl").read_text().splitlines()]
    ids = {event["auditID"] for event in events}
    assert len(labels) > 200
    assert {label["audit_id"] for label in labels} <= ids


def test_the_mix_is_that_of_a_cluster(log: Path, events: list[dict[str, Any]]) -> None:
    size = log.stat().st_size / len(events)
    watches = sum(event["verb"] == "watch" for event in events) / len(events)
    bodies = sum("requestObject" in event for event in events) / len(events)
    assert 1200 < size < 1700
    assert 0.03 < watches < 0.1
    assert 0.12 < bodies < 0.2


def test_every_event_fits_the_typed_record(log: Path) -> None:
    import msgspec

    records = msgspec.json.Decoder(AuditRecord).decode_lines(log.read_bytes())
    assert len(records) == SMALLEST


def test_too_small_a_log_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--events", "100"])
    assert "at least" in capsys.readouterr().err
