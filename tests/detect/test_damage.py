"""Claims about damaged logs: the readable rest is read exactly, each unreadable piece is one failure in its place."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.part import Part
from kubewitness.model.evidence import ParseFailure
from tests.detect.scanning import scan_bytes, scan_paths
from tests.incident.logs import Log

LOG = Log()
for number in range(12):
    LOG.request("delete", "pods", at=f"12:00:{number:02}", namespace="shop", name=f"web-{number}")
GOOD = LOG.lines()


def changed(line: bytes, **fields: object) -> bytes:
    event = msgspec.json.decode(line) | fields
    return msgspec.json.encode({key: value for key, value in event.items() if value is not None})


OLD = changed(GOOD[1], auditID=None, requestReceivedTimestamp=None, stageTimestamp=None,
              apiVersion="audit.k8s.io/v1alpha1", timestamp="2026-03-02T12:00:01Z")  # fmt: skip
LISTED = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s,%s]}' % (GOOD[2], GOOD[3])

# name → (the piece, events it holds, reasons of its failures)
PIECES: dict[str, tuple[bytes, int, list[str]]] = {
    "sound": (GOOD[0], 1, []),
    "truncated": (GOOD[4][:200], 1, ["ends too early"]),
    "garbage": (b"%%% not a log $$$", 0, ["no JSON"]),
    "NULs": (b"\0" * 40 + GOOD[5], 1, ["NUL bytes"]),
    "only NULs": (b"\0" * 40, 0, ["NUL bytes"]),
    "invalid UTF-8": (GOOD[6].replace(b"kubectl", b"kube\xff\xfectl"), 1, ["invalid UTF-8"]),
    "wrong type": (changed(GOOD[7], userAgent=5, stageTimestamp=7, verb=["delete"]), 1, ["verb is no text"]),
    "wrong type in the reference": (
        changed(GOOD[7], auditID="r", objectRef={"resource": "pods", "name": 5}),
        1,
        ["objectRef.name"],
    ),
    "wrong type in the user": (changed(GOOD[7], auditID="u", user={"username": 5}), 1, ["user.username has the wrong"]),
    "wrong type among groups": (changed(GOOD[7], auditID="g", user={"username": "a", "groups": [5]}), 1, ["groups"]),
    "wrong type of an address": (changed(GOOD[7], auditID="a", sourceIPs=[5]), 1, ["sourceIPs holds something"]),
    "wrong type made good": (changed(GOOD[7], auditID="c", responseStatus={"code": "200"}), 1, []),
    "duplicate keys": (GOOD[8][:-1] + b',"verb":"delete"}', 1, []),
    "another JSON object": (b'{"hello":"world"}', 0, ["no audit event"]),
    "a number": (b"42", 0, ["no JSON"]),
    "EventList": (LISTED, 2, []),
    "old version": (OLD, 1, []),
    "two in one line": (GOOD[9] + GOOD[10], 2, []),
    "blank": (b"", 0, []),
    "spaces": (b"  \t ", 0, []),
    "carriage return": (GOOD[11] + b"\r", 1, []),
}


def summary(part: Part) -> tuple[object, ...]:
    """All that must not depend on how the bytes arrived."""
    places = sorted(place for group in part.matches.values() for place, _ in group.samples)
    profiles = {key: (p.allowed, p.refused, p.first, p.last) for key, p in part.profiles.by_key.items()}
    return (part.events, part.duplicates, part.failures, part.notes, part.lines, part.bytes, places, profiles,
            part.first, part.last, sorted(part.formats), part.correlator.fired())  # fmt: skip


@pytest.mark.parametrize("name", PIECES)
def test_a_damaged_line_costs_nothing_but_itself(name: str) -> None:
    piece, events, reasons = PIECES[name]
    data = GOOD[0].replace(b"00000001", b"aaaaaaaa") + b"\n" + piece + b"\n" + GOOD[1].replace(b"00000002", b"bbbbbbbb")
    part = scan_bytes(data)
    assert part.events == 2 + events
    assert part.lines == 3
    failures = [failure for failure in part.failures if name != "truncated"] or part.failures
    assert len(failures) == len(reasons)
    offset = data.index(b"\n") + 1
    for failure, reason in zip(failures, reasons, strict=True):
        assert reason in failure.reason or name == "truncated"
        assert (failure.place.item, failure.place.line, failure.place.offset) == ("log", 2, offset)
        assert 0 < failure.place.length <= len(piece)


def whole() -> bytes:
    return b"\n".join(piece for piece, _, _ in PIECES.values())


def test_all_damage_in_one_log_is_counted_and_the_rest_is_read() -> None:
    part = scan_bytes(whole())
    assert part.events + part.duplicates == sum(events for _, events, _ in PIECES.values())
    assert part.failures_total == sum(len(reasons) for _, _, reasons in PIECES.values())
    lines = {failure.place.line for failure in part.failures}
    assert lines == {number for number, (_, _, reasons) in enumerate(PIECES.values(), 1) if reasons}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(whole())), max_size=12), st.permutations(range(len(PIECES))))
def test_where_blocks_are_cut_changes_nothing(cuts: list[int], order: list[int]) -> None:
    pieces = [piece for piece, _, _ in PIECES.values()]
    data = b"\n".join(pieces[number] for number in order)
    assert summary(scan_bytes(data, cuts=cuts)) == summary(scan_bytes(data))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([*GOOD, b"", b"garbage", GOOD[3][:90]]), max_size=40),
    st.lists(st.integers(0, 9_000), max_size=8),
    st.sampled_from((b"\n", b"\r\n")),
    st.booleans(),
)
def test_places_of_matches_are_those_a_plain_reader_finds(
    lines: list[bytes], cuts: list[int], end: bytes, ends: bool
) -> None:
    data = end.join(lines) + (end if ends else b"")
    expected, offset, seen = [], 0, set[str]()
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.rstrip(b"\r")
        try:
            audit_id = json.loads(text)["auditID"]
        except ValueError:
            audit_id = ""
        if audit_id and audit_id not in seen:
            seen.add(audit_id)
            expected.append((number, offset, len(text)))
        offset += len(line) + 1
    part = scan_bytes(data, cuts=cuts)
    group = next(iter(part.matches.values()), None)
    samples = group.samples if group else []
    assert [(place.line, place.offset, place.length) for place, _ in samples] == expected[:5]
    assert all(data[place.offset : place.offset + place.length] == original for place, original in samples)
    assert (group.count if group else 0) == len(expected)


def test_a_line_of_twenty_megabytes_is_an_event_like_any_other() -> None:
    large = changed(GOOD[1], requestObject={"data": "x" * 20_000_000})
    data = b"\n".join((GOOD[0], large, GOOD[2]))
    part = scan_bytes(data, cuts=range(0, len(data), 1 << 20))
    assert (part.events, part.failures_total, part.lines) == (3, 0, 3)


def test_a_line_without_end_is_passed_over_and_never_held() -> None:
    start = GOOD[0] + b"\n" + b'{"kind":"Event","requestObject":"'

    def endless() -> list[bytes]:
        return [start, *[b"x" * (1 << 20)] * 70, b'"}\n' + GOOD[1] + b"\n" + GOOD[2][:50], GOOD[2][50:]]

    from kubewitness.detect.scan import Scanner
    from kubewitness.detect.seen import Recent
    from kubewitness.rules.compile import Matcher
    from tests.detect.scanning import rule_set

    rules = rule_set()
    scanner = Scanner(Matcher(rules.rules), Part("log", rules), Recent())
    scanner.lines(iter(endless()), 0, lambda *_: None)
    part = scanner.finish()
    assert part.events == 3
    assert part.lines == 4
    (failure,) = part.failures
    assert (failure.place.line, failure.place.offset) == (2, len(GOOD[0]) + 1)
    assert "64 MiB" in failure.reason
    group = next(iter(part.matches.values()))
    assert [place.line for place, _ in group.samples] == [1, 3, 4]
    data = b"".join(endless())
    assert all(data[place.offset : place.offset + place.length] == original for place, original in group.samples)


FILES: dict[str, tuple[Callable[[], bytes], int, list[str]]] = {
    "empty": (lambda: b"", 0, []),
    "one line without its end": (lambda: GOOD[0], 1, []),
    "a PDF": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 40, 0, ["no log: binary data"]),
    "text of a Windows shell": (
        lambda: (b"\n".join(GOOD) + b"\n").decode().encode("utf-16-le"),
        0,
        ["(iconv -f UTF-16LE -t UTF-8)"],
    ),
    "its other order": (lambda: (GOOD[0] + b"\n").decode().encode("utf-16-be"), 0, ["(iconv -f UTF-16BE -t UTF-8)"]),
    "zeros": (lambda: b"\0" * 4096, 0, ["no log: binary data"]),
    "a cut gzip": (lambda: gzip.compress(b"\n".join(GOOD * 40) + b"\n", mtime=0)[:-60], 0, ["gzip ends too early"]),
    "a CSV export": (
        lambda: b'@timestamp,@message\n2026-03-02 12:00:00,"' + GOOD[0].replace(b'"', b'""') + b'"\n',
        1,
        [],
    ),
    "text": (lambda: b"Dear colleague,\nthe log is on the other machine.\n", 0, ["no audit log: 2 lines of text"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_log_or_breaks_off_is_told(name: str, tmp_path: Path) -> None:
    make, events, reasons = FILES[name]
    path = tmp_path / "audit.log"
    path.write_bytes(make())
    result = scan_paths([path])
    told: list[ParseFailure] = [failure for failure in result.failures if failure.place.item == str(path)]
    assert result.failures_total == len(result.failures) == len(told)
    if name == "a cut gzip":
        assert 0 < result.events <= len(GOOD) + 1  # the last line is cut, too
        told = told[-1:]
        assert told[0].place.line > 1
        assert told[0].place.offset > 0
        assert result.items[0].skipped
    else:
        assert result.events == events
    assert len(told) == len(reasons)
    assert all(reason in failure.reason for failure, reason in zip(told, reasons, strict=True))
    assert result.items[0].failures == result.failures_total


def test_a_wrapper_is_opened_also_where_a_hollow_event_came_before_it() -> None:
    """A line with nothing but an id and a time looks to a hasty reader like every wrapper."""
    hollow = b'{"auditID":"x","requestReceivedTimestamp":"2026-03-02T12:00:00.000000Z","level":"Metadata"}'
    part = scan_bytes(b"\n".join((hollow, LISTED, GOOD[0])))
    assert part.events == 4


def test_a_blank_line_does_not_make_up_for_two_objects_in_one() -> None:
    """Counted together they come out even, and every event in between would be taken for its neighbour."""
    lines = [GOOD[0] + GOOD[1], *GOOD[2:9], b"", GOOD[9]]
    part = scan_bytes(b"\n".join(lines), cuts=[])
    (group,) = part.matches.values()
    assert group.count == part.events == 10
    assert [(place.line, original) for place, original in group.samples[:3]] == [
        (1, GOOD[0]), (1, GOOD[1]), (2, GOOD[2])]  # fmt: skip


def test_the_formats_of_a_file_are_named(tmp_path: Path) -> None:
    cloud = b'{"insertId":"i","timestamp":"2026-03-02T12:00:00Z","message":%s}' % msgspec.json.encode(GOOD[1].decode())
    (tmp_path / "a.log").write_bytes(b"\n".join((GOOD[0], cloud)))
    (tmp_path / "b.log").write_bytes(GOOD[2])
    formats = [item.format for item in scan_paths([tmp_path]).items]
    assert formats[1] == "audit.k8s.io"
    assert formats[0] == "JSON inside message + audit.k8s.io"
