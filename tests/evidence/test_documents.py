"""Framing of what is not one record a line: places are exact, damage is local, memory is bounded."""

from __future__ import annotations

import bz2
import json
import lzma
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.evidence.documents import WHOLE, Frame, frame_documents, sniff
from kubewitness.model.evidence import ParseFailure


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def framed(data: bytes, size: int = 1000) -> list[Frame]:
    """The frames; every place must point at its own bytes."""
    frames = []
    for frame in frame_documents(chunked(data, size), "item"):
        assert isinstance(frame, Frame)
        at = frame.place
        assert data[at.offset : at.offset + at.length] == frame.data
        assert at.line == 1 + data.count(b"\n", 0, at.offset)
        frames.append(frame)
    return frames


def values(data: bytes, size: int = 1000) -> list[Any]:
    return [json.loads(frame.data) for frame in framed(data, size)]


EVENTS = [{"kind": "Event", "auditID": f"a{n}", "user": {"username": 'quo"te\\'}, "ips": ["1", "2"]} for n in range(20)]
PRETTY = b"\n".join(json.dumps(event, indent=2).encode() for event in EVENTS)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pretty_documents_one_after_another(size: int) -> None:
    assert sniff(PRETTY) == "documents"
    assert values(PRETTY, size) == EVENTS


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 13, 1000])
def test_an_array_is_framed_by_element(size: int, indent: int | None) -> None:
    data = json.dumps(EVENTS, indent=indent).encode()
    assert sniff(data) == "documents"
    assert values(data, size) == EVENTS


def test_arrays_of_arrays_and_of_strings() -> None:
    assert values(b'[[{"a":1}],["x"]]\n[["y"]]') == [[{"a": 1}], ["x"], ["y"]]


def test_a_small_list_stays_whole() -> None:
    data = json.dumps({"kind": "EventList", "items": EVENTS}, indent=1).encode()
    assert values(data) == [{"kind": "EventList", "items": EVENTS}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[', b"]}"),
        (b'{"records": [\n', b'\n], "more": 1}'),
        (b'{"took":3,"hits":{"total":{"value":9},"hits":[', b"]}}"),
        (b'{"logEvents":[', b'],"owner":"1","nested":{"a":[1,{"b":2}]}}'),
    ],
)
def test_a_list_larger_than_memory_should_hold_is_streamed(before: bytes, after: bytes) -> None:
    element = json.dumps(EVENTS[0] | {"pad": "x" * 5000}).encode()
    count = WHOLE // len(element) + 500
    data = before + b",".join([element] * count) + after + b'\n{"kind":"Event","auditID":"last"}\n'
    *frames, last = frame_documents(chunked(data, 1 << 20), "item")
    assert len(frames) == count
    for number, frame in enumerate(frames):
        assert isinstance(frame, Frame)
        assert frame.data == element
        assert frame.place.offset == len(before) + number * (len(element) + 1)
    assert isinstance(last, Frame)
    assert json.loads(last.data)["auditID"] == "last"
    assert last.place.line == data.count(b"\n")


def test_memory_does_not_grow_with_an_array() -> None:
    element = json.dumps(EVENTS[0] | {"pad": "x" * 100_000}).encode()

    def stream() -> Iterator[bytes]:
        yield b"[" + element
        for _ in range(600):
            yield b"," + element
        yield b"]"

    tracemalloc.start()
    count = sum(isinstance(frame, Frame) for frame in frame_documents(stream(), "item"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 601
    assert peak < 20_000_000


def test_one_large_event_is_not_taken_for_a_list() -> None:
    event = {"kind": "Event", "auditID": "big", "responseObject": {"items": ["x" * 1000] * (WHOLE // 1000 + 10)}}
    data = json.dumps(event, indent=1).encode()
    assert values(data, 1 << 20) == [event]


@pytest.mark.parametrize("size", [11, 1000])
def test_a_missing_quote_costs_one_document(size: int) -> None:
    broken = PRETTY.replace(b'"auditID": "a7"', b'"auditID: "a7"')
    frames = framed(broken, size)
    assert len(frames) == 20
    good = [json.loads(frame.data)["auditID"] for n, frame in enumerate(frames) if n != 7]
    assert good == [f"a{n}" for n in range(20) if n != 7]
    assert b'"a7"' in frames[7].data


def test_a_missing_bracket_costs_one_document() -> None:
    broken = PRETTY.replace(b'"a7",\n  "user": {', b'"a7",\n  "user": ')
    ids = [f"a{n}" for n in range(20) if f'"a{n}"'.encode() in b"".join(frame.data for frame in framed(broken))]
    assert ids == [f"a{n}" for n in range(20)]
    readable = 0
    for frame in framed(broken):
        try:
            readable += json.loads(frame.data)["kind"] == "Event"
        except ValueError:
            continue
    assert readable >= 19


def test_an_unclosed_document_ends_where_its_sibling_begins() -> None:
    first = json.dumps(EVENTS[0], indent=2).encode()
    data = first[:-1] + b"\n" + PRETTY
    frames = framed(data)
    assert len(frames) == 21
    assert [json.loads(frame.data)["auditID"] for frame in frames[1:]] == [f"a{n}" for n in range(20)]


def test_a_broken_element_of_an_array_costs_itself() -> None:
    for indent in (None, 2):
        data = json.dumps(EVENTS, indent=indent).encode()
        broken = data.replace(b'"kind": "Event", "auditID": "a7"', b'"kind": "Event", "auditID": "a7')
        broken = broken.replace(b'"auditID": "a7",\n', b'"auditID": "a7,\n')
        found = [frame for frame in framed(broken) if b'"a7' not in frame.data]
        assert len([frame for frame in found if frame.data.startswith(b"{")]) == 19, indent


def test_a_cut_file_gives_its_last_piece_too() -> None:
    frames = framed(PRETTY[:-40])
    assert len(frames) == 20
    assert json.loads(frames[18].data) == EVENTS[18]
    assert frames[19].data.startswith(b"{")


def test_a_cut_list_without_line_ends_is_broken_in_its_last_element_only() -> None:
    element = b'{"kind":"Event","auditID":"a%d","verb":"get"}'
    whole = b'{"kind":"EventList","items":[' + b",".join(element % number for number in range(40)) + b"]}"
    frames = framed(whole[:-12])
    assert [json.loads(frame.data)["auditID"] for frame in frames[:-1]] == [f"a{number}" for number in range(39)]
    assert frames[-1].data == (element % 39)[:-10]
    assert frames[-1].place.offset == whole.rindex(b'{"kind"')


def test_text_between_documents_is_framed_line_by_line() -> None:
    data = PRETTY.replace(b"\n{", b"\n--- next ---\nanother line\n{", 3)
    frames = framed(data)
    assert len(frames) == 26
    assert [frame.data for frame in frames if not frame.data.startswith(b"{")] == [b"--- next ---", b"another line"] * 3


@pytest.mark.parametrize(
    ("packed", "said"),
    [(bz2.compress(b"{}"), "bzip2 -dk"), (lzma.compress(b"{}"), "xz -dk"), (b"PAR1\0\0\1", "JSON lines")],
)
def test_a_packed_log_that_is_not_opened_says_how_to_unpack_it(packed: bytes, said: str) -> None:
    (failure,) = frame_documents(iter([packed]), "audit.log.bz2")
    assert isinstance(failure, ParseFailure)
    assert said in failure.reason


def test_binary_is_one_failure_and_the_stream_is_read_to_its_end() -> None:
    stream = chunked(bytes(range(256)) * 2000, 1000)
    found = list(frame_documents(stream, "item"))
    assert len(found) == 1
    assert isinstance(found[0], ParseFailure)
    assert "binary" in found[0].reason
    assert next(stream, None) is None


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \t\r\n"])
def test_nothing_is_nothing(data: bytes) -> None:
    assert sniff(data) == "empty"
    assert list(frame_documents(iter([data]), "item")) == []


def test_a_value_longer_than_the_limit_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubewitness.evidence.documents.LIMIT", 100_000)
    data = b'["' + b"x" * 400_000 + b'", {"a": 1}]'
    found = list(frame_documents(chunked(data, 5000), "item"))
    assert isinstance(found[0], ParseFailure)
    assert found[0].place.offset == 1
    assert isinstance(found[1], Frame)
    assert found[1].data == b'{"a": 1}'


@given(st.binary(max_size=400), st.integers(min_value=1, max_value=50))
def test_no_bytes_raise(data: bytes, size: int) -> None:
    list(frame_documents(chunked(data, size), "item"))


_MARKS = st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b"1", b' "a": ', b"{}"]))


@given(_MARKS.map(b"".join), st.integers(min_value=1, max_value=9))
def test_no_marks_raise_or_loop(data: bytes, size: int) -> None:
    list(frame_documents(chunked(b"[" + data, size), "item"))
    list(frame_documents(chunked(b"{\n" + data, size), "item"))


@given(st.binary(max_size=60).filter(lambda junk: not set(junk) & set(b'{}[]"')), st.integers(0, 19))
def test_garbage_between_documents_hides_none(junk: bytes, at: int) -> None:
    pieces = [json.dumps(event, indent=2).encode() for event in EVENTS]
    pieces.insert(at + 1, junk)
    found = frame_documents(chunked(b"\n".join(pieces), 500), "item")
    good = [frame.data for frame in found if isinstance(frame, Frame) and frame.data.startswith(b"{")]
    assert [json.loads(data) for data in good] == EVENTS


def test_a_file_of_text_is_one_failure_that_says_what_it_is() -> None:
    klog = b"I0302 12:00:00.000000       1 server.go:1] started\n"
    for data, said in (
        (b"Dear colleague,\n\nthe {log} is elsewhere.\n" * 500, "no audit log: 1000 lines of text"),
        (klog * 3, "no audit log: 3 lines of text (log of a Kubernetes component (klog), no audit event)"),
        (b"http {\n  server {\n  }\n}\n", "no audit log: 4 lines of text"),
        (b"one", "no audit log: 1 line of text"),
    ):
        (failure,) = frame_documents(iter([data]), "notes.txt")
        assert isinstance(failure, ParseFailure)
        assert failure.reason == said
        assert (failure.place.line, failure.place.offset, failure.place.length) == (1, 0, len(data.rstrip()))


def test_an_event_far_down_in_a_file_of_text_is_framed() -> None:
    lines = [b"text"] * 100 + [b'{"auditID":"a"}', b'prefix {"auditID":"b"}'] + [b"text"] * 100
    *frames, failure = frame_documents(iter([b"\n".join(lines)]), "mixed.txt")
    assert [(frame.place.line, frame.data) for frame in frames if isinstance(frame, Frame)] == [
        (101, lines[100]), (102, lines[101])]  # fmt: skip
    assert isinstance(failure, ParseFailure)
    assert failure.reason == "no audit log: 200 lines of text"
