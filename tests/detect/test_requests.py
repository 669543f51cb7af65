"""Claims about requests: whatever stages were logged, in whatever order and parts, each is judged once."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.collect import Collector
from kubewitness.detect.detection import detections
from kubewitness.detect.ledger import Ledger
from kubewitness.detect.profile import AccessorKey, Profile, Profiles, RequestKind
from kubewitness.incident.requests import requests_of
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.rules.ir import Negate
from tests.detect.scanning import equals, rule, rule_set, scan_bytes, scan_paths
from tests.detect.test_workers import long_log
from tests.incident.logs import Log, write_lines
from tests.rules.features.events import from_line

ANY = rule("any", equals("objectRef.resource", "pods"))
NOT_REFUSED = rule("not_refused", equals("objectRef.resource", "pods"), Negate(equals("responseStatus.code", "403")))
EVERY = ("RequestReceived", "ResponseStarted", "ResponseComplete")


def counts(log: Log, folder: Path, *rules: Any) -> dict[str, int]:
    made = rule_set(*(rules or (ANY,)))
    scan = scan_paths([log.write(folder / "audit.log")], made)
    return {d.rule.id: d.count for d in detections(scan, made.rules)}


@pytest.mark.parametrize(
    "stages",
    [("RequestReceived",), ("ResponseStarted",), ("ResponseComplete",), ("Panic",), EVERY[:2], EVERY[1:], EVERY,
     ("RequestReceived", "Panic")],
)  # fmt: skip
def test_a_request_counts_once_whatever_stages_were_logged(stages: tuple[str, ...], tmp_path: Path) -> None:
    log = Log()
    log.request("get", "pods", at="12:00", name="web", subresource="exec", stages=stages, code=200)
    assert counts(log, tmp_path) == {"any": 1}


def test_a_rejected_credential_is_kept_though_only_its_start_was_logged(tmp_path: Path) -> None:
    log = Log()
    log.request("list", "pods", at="12:00", by="", address="203.0.113.7", code=401, stages=("ResponseStarted",))
    scan = scan_paths([log.write(tmp_path / "audit.log")], rule_set(rule("r", equals("responseStatus.code", "401"))))
    (profile,) = scan.profiles.by_key.values()
    assert (profile.key.identity, profile.key.address, profile.refusals) == ("", "203.0.113.7", 1)
    assert len(scan.matches) == 1


def test_the_answer_decides_and_not_the_question(tmp_path: Path) -> None:
    """When a request arrives nobody knows yet that it will be refused."""
    log = Log()
    log.request("get", "pods", at="12:00", name="web", code=403, stages=EVERY[::2])
    assert counts(log, tmp_path, NOT_REFUSED) == {}


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_the_answer_decides_though_it_stands_in_another_file(order: tuple[int, ...], tmp_path: Path) -> None:
    log = Log()
    log.request("get", "pods", at="12:00", name="web", code=403, stages=EVERY[::2])
    log.request("get", "pods", at="12:05", name="web", stages=EVERY[::2])
    log.request("get", "pods", at="12:06", name="web", stages=EVERY[:1])
    lines = [[line for line in log.lines() if stage in line] for stage in (b"RequestReceived", b"ResponseComplete")]
    for number, half in enumerate(order):
        write_lines(tmp_path / f"audit-{number}.log", lines[half])
    made = rule_set(NOT_REFUSED)
    for workers in (1, 2):
        (found,) = detections(scan_paths([tmp_path], made, workers=workers), made.rules)
        assert found.count == 2


def test_a_profile_counts_requests_and_not_lines(tmp_path: Path) -> None:
    log = Log()
    for stages in (("ResponseComplete",), EVERY, EVERY[1:], ("RequestReceived", "Panic")):
        log.request("watch", "pods", at="12:00", stages=stages)
    log.request("watch", "pods", at="12:01", code=403, stages=EVERY)
    (profile,) = scan_paths([log.write(tmp_path / "audit.log")]).profiles.by_key.values()
    assert (profile.requests, profile.refusals) == (5, 1)
    assert profile.tally("verb") == {"watch": 5}


def test_the_last_stage_tells_how_a_request_ended_and_the_first_when_it_came() -> None:
    log = Log()
    log.request("get", "pods", at="12:00", name="web", subresource="exec", code=101, stages=EVERY, takes=60)
    events = [from_line(line) for line in log.lines()]
    for order in permutations(events):
        (request,) = requests_of(order)
        assert request.final.stage == "ResponseComplete"
        assert request.code == 101
        assert request.time == "2026-03-02T12:00:00.000000Z"
        assert len(request.events) == 3


def test_requests_without_an_id_stand_alone() -> None:
    log = Log()
    log.request("get", "pods", at="12:00", name="web")
    line = log.lines()[0].replace(b"00000001-0000-4000-8000-000000000000", b"")
    events = [Event(from_line(line).record, Place("log", number, 0), line) for number in (1, 2)]
    assert len(requests_of(events)) == 2


# -- what parts hand back adds up ----------------------------------------------------------------------------------

KINDS = st.builds(RequestKind, st.sampled_from(("get", "list")), st.just("pods"), st.just(""), st.just(""),
                  st.just("Metadata"), st.sampled_from(EVERY))  # fmt: skip
TALLIES = st.dictionaries(KINDS, st.integers(1, 9), max_size=5)
KEY = AccessorKey("jane", "10.0.0.5", "kubectl")


def profile(allowed: dict[RequestKind, int], refused: dict[RequestKind, int], first: str, last: str) -> Profile:
    made = Profile(KEY)
    made.allowed, made.refused, made.first, made.last = dict(allowed), dict(refused), first, last
    return made


@given(st.lists(st.tuples(TALLIES, TALLIES, st.sampled_from("123"), st.sampled_from("456")), min_size=1, max_size=4))
def test_profiles_add_up(parts: list[tuple[dict[RequestKind, int], dict[RequestKind, int], str, str]]) -> None:
    whole = Profile(KEY)
    for number, part in enumerate(parts):
        one = profile(*part)
        one.granules.append(0)
        whole.absorb(one, 10 * number)
    assert whole.allowed == sum((Counter(part[0]) for part in parts), Counter())
    assert whole.refused == sum((Counter(part[1]) for part in parts), Counter())
    # A request whose stages are in two parts is one.
    assert whole.requests <= sum(profile(*part).requests for part in parts)
    assert whole.refusals <= whole.requests
    assert (whole.first, whole.last) == (min(part[2] for part in parts), max(part[3] for part in parts))
    assert list(whole.granules) == [10 * number for number in range(len(parts))]


def test_an_inventor_of_agents_fills_a_bounded_number_of_profiles() -> None:
    profiles = Profiles(limit=20)
    for number in range(100):
        profiles.of(AccessorKey("mallory", f"192.0.2.{number}", f"agent-{number}"))
        profiles.of(AccessorKey(f"user-{number}", "192.0.2.1", "x"))
    assert len(profiles.by_key) <= 41
    assert AccessorKey("user-99", "192.0.2.1", "x") not in profiles.by_key
    assert profiles.of(AccessorKey("user-99", "192.0.2.1", "x")).key.address == "(many)"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 59), st.sampled_from(("create", "delete", "patch"))), max_size=60),
       st.lists(st.booleans(), min_size=60, max_size=60))  # fmt: skip
def test_the_ledger_keeps_first_and_last_writes_whoever_read_them(
    writes: list[tuple[int, str]], side: list[bool]
) -> None:
    log = Log()
    for second, verb in writes:
        log.request(verb, "clusterrolebindings", at=f"12:00:{second:02}", name="b")
    events = [from_line(line) for line in log.lines()]
    whole, left, right = Ledger(), Ledger(), Ledger()
    for event, first in zip(events, side, strict=False):
        whole.add(event, "b")
        (left if first else right).add(event, "b")
    left.absorb(right)
    told = left.of("clusterrolebindings", "", "b")
    assert told == whole.of("clusterrolebindings", "", "b")
    ordered = sorted((e.record.requestReceivedTimestamp, e.audit_id) for e in events)
    expected = ordered if len(ordered) <= 40 else ordered[:20] + ordered[-20:]
    assert sorted((entry.time, entry.audit_id) for entry in told) == expected


def test_forgetting_what_is_remembered_for_speed_changes_nothing() -> None:
    data = long_log().bytes()
    made = rule_set(ANY, rule("secrets", equals("objectRef.resource", "secrets")))
    one, other = scan_bytes(data, made), scan_bytes(data, made, memory=3)
    assert one.matches.keys() == other.matches.keys()
    assert [g.count for g in one.matches.values()] == [g.count for g in other.matches.values()]
    tables = [
        {k: (p.allowed, p.refused, p.first, p.last) for k, p in p_.profiles.by_key.items()} for p_ in (one, other)
    ]
    assert tables[0] == tables[1]


def test_the_second_pass_finds_every_event_of_an_accessor_also_behind_damaged_bytes(tmp_path: Path) -> None:
    log = Log()
    for number in range(9):
        log.request("get", "pods", at=f"12:00:{number:02}", name=f"p{number}", by="eve")
    lines = log.lines()
    lines[4] = lines[4].replace(b"kubectl", b"kube\xffctl")
    lines[6] = lines[6].replace(b'"name":"p6"', b'"name":"p6\xff"')
    write_lines(tmp_path / "audit.log", lines)
    made = rule_set()
    result = scan_paths([tmp_path], made)
    keys = list(result.profiles.by_key)
    assert {key.identity for key in keys} == {"eve"}
    assert len(Collector(result).of(keys)) == 9
