"""Claims about duplicates and about work shared by processes: nothing counts twice, and nobody can tell who read it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kubewitness.detect.detection import detections
from kubewitness.detect.run import Scan
from kubewitness.detect.seen import Exact, Recent, Seen, meet
from kubewitness.rules.loader import RuleSet, shipped_rules
from tests.detect.scanning import scan_bytes, scan_paths
from tests.incident.logs import DOOR, Log, account, binding, write_lines

NOW: dict[str, Any] = {"by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8.5.0", "reason": DOOR}


def long_log() -> Log:
    """A few thousand lines, with bursts, writes to bindings, watches, and requests that were never answered."""
    log = Log()
    log.quiet_day(6, 12)
    for number in range(60):
        log.request("list", "secrets", at=f"10:{number // 2:02}:{number % 60:02}", namespace=f"ns-{number}", **NOW)
        log.request("get", "pods", at=f"10:{number // 2:02}:{number % 60:02}", by=account("shop", "web"), code=403,
                    namespace="shop", name=f"p-{number}")  # fmt: skip
    for number in range(12):
        watch = {"takes": 1500, "stages": ("ResponseStarted", "ResponseComplete"), **NOW}
        log.request("watch", "secrets", at=f"08:{number:02}", **watch)
        body = binding(f"b-{number}", "cluster-admin", "User eve")
        log.request("create", "clusterrolebindings", at=f"09:{number:02}", name=f"b-{number}", body=body)
        log.request("delete", "pods", at=f"11:{number:02}", name=f"q-{number}", stages=("RequestReceived",), **NOW)
        slow = {"takes": 400, "stages": ("RequestReceived", "ResponseComplete"), **NOW}
        log.request("delete", "pods", at=f"11:{number:02}:30", name=f"r-{number}", **slow)
    return log


LINES = long_log().lines()


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return shipped_rules()


def outcome(scan: Scan, rules: RuleSet) -> bytes:
    """Everything pass 1 tells, in one form."""
    profiles = sorted((key, sorted(p.allowed.items()), sorted(p.refused.items()), p.first, p.last)
                      for key, p in scan.profiles.by_key.items())  # fmt: skip
    found = [(d.rule.id, d.identity, d.address, d.count, d.first, d.last, sorted(d.audit_ids), d.objects, d.places)
             for d in detections(scan, rules.rules)]  # fmt: skip
    return msgspec.json.encode(
        [scan.events, scan.duplicates, scan.first, scan.last, scan.items, scan.failures, scan.notes, profiles, found,
         scan.fired, [scan.ledger.of_kind("clusterrolebindings").items()]],
        enc_hook=repr,
    )  # fmt: skip


def plain(folder: Path) -> None:
    (folder / "audit.log").write_bytes(b"\n".join(LINES) + b"\n")


def many(folder: Path) -> None:
    for number in range(5):
        name = f"audit-{number}.log" + (".gz" if number == 2 else "")
        write_lines(folder / name, LINES[number * len(LINES) // 5 : (number + 1) * len(LINES) // 5])


def overlapping(folder: Path) -> None:
    half = len(LINES) // 2
    (folder / "audit-1.log").write_bytes(b"\n".join(LINES[: half + 300]) + b"\n")
    (folder / "audit-2.log").write_bytes(b"\n".join(LINES[half - 300 :]) + b"\n")


def twice(folder: Path) -> None:
    (folder / "audit.log").write_bytes((b"\n".join(LINES) + b"\n") * 2)


def damaged(folder: Path) -> None:
    lines = list(LINES)
    for number in range(0, len(lines), 97):
        lines[number] = (lines[number][:150], b"", b"garbage \xff", b"\0\0" + lines[number])[number % 4]
    (folder / "audit.log").write_bytes(b"\r\n".join(lines))


def listed(folder: Path) -> None:
    lines = [b'{"kind":"EventList","items":[' + b",".join(LINES[n : n + 7]) + b"]}" for n in range(0, len(LINES), 7)]
    (folder / "audit.log").write_bytes(b"\n".join(lines))


@pytest.mark.parametrize("make", [plain, many, overlapping, twice, damaged, listed])
def test_two_or_three_workers_tell_what_one_tells(make: Callable[[Path], None], tmp_path: Path, rules: RuleSet) -> None:
    make(tmp_path)
    alone = outcome(scan_paths([tmp_path], rules, workers=1), rules)
    for workers in (2, 3):
        assert outcome(scan_paths([tmp_path], rules, workers=workers), rules) == alone


@pytest.mark.parametrize("make", [plain, many, overlapping, twice])
def test_each_event_counts_once(make: Callable[[Path], None], tmp_path: Path, rules: RuleSet) -> None:
    make(tmp_path)
    (tmp_path / "one").mkdir()
    plain(tmp_path / "one")
    once = scan_paths([tmp_path / "one"], rules)
    result = scan_paths([path for path in sorted(tmp_path.iterdir()) if path.is_file()], rules)
    assert result.events == once.events == len(LINES)
    assert (result.duplicates > 0) == (make in (overlapping, twice))
    tallies = [{key: (p.requests, p.refusals) for key, p in scan.profiles.by_key.items()} for scan in (result, once)]
    assert tallies[0] == tallies[1]
    counts = [{(d.rule.id, d.identity, d.address): d.count for d in detections(s, rules.rules)} for s in (result, once)]
    assert counts[0] == counts[1]


def test_without_fork_one_process_reads_all(tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    plain(tmp_path)
    assert scan_paths([tmp_path], rules, workers=2).events == len(LINES)


def test_a_batch_sent_twice_counts_once() -> None:
    """A webhook that did not hear the answer sends its EventList again."""
    batch = b'{"kind":"EventList","items":[' + b",".join(LINES[:9]) + b"]}"
    part = scan_bytes(b"\n".join((batch, LINES[9], batch, LINES[3])))
    assert (part.events, part.duplicates) == (10, 10)


def test_events_without_an_id_are_all_different() -> None:
    event = msgspec.json.decode(LINES[0])
    del event["auditID"]
    nameless = msgspec.json.encode(event)
    assert scan_bytes(b"\n".join([nameless] * 3)).events == 3
    assert scan_bytes(b"\n".join([LINES[0], nameless, LINES[0], nameless])).duplicates == 1


MEMORIES: dict[str, Callable[[], Seen]] = {
    "recent": lambda: Recent(limit=8, frozen=1_000),
    "exact": lambda: Exact(start=16, most=1 << 12, room=4),
}


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.integers(1, 60), max_size=4), max_size=60), st.sampled_from(sorted(MEMORIES)))
@example([[1, 2, 6, 8], [3, 4, 5, 7], [7, 8], [1, 2, 6], [3, 4, 5], [1]], "recent")  # seen again in the next set
def test_a_memory_knows_every_duplicate_or_says_that_it_missed_one(batches: list[list[int]], kind: str) -> None:
    memory, known, missed = MEMORIES[kind](), set[int](), False
    for batch in batches:
        again = set()
        for index, value in enumerate(batch):
            if value in known:
                again.add(index)
            known.add(value)
        found = memory.add_all(batch)
        assert found <= again
        missed = missed or found != again
    if kind == "exact":
        assert not missed
    else:
        memory.close()
        assert memory.late == missed
    held = {value for part in memory.parts() for value in part if value}
    assert held == known
    assert memory.common({1_000, *known}) == known


@given(st.sets(st.integers(1, 50)), st.sets(st.integers(1, 50)))
def test_two_memories_meet_exactly_if_they_share_something(one: set[int], other: set[int]) -> None:
    first, second = Recent(limit=8, frozen=10), Exact(start=16, most=1 << 12, room=4)
    for memory, values in ((first, one), (second, other)):
        for value in sorted(values):
            memory.add_all([value])
    assert meet(first, second) == bool(one & other)
