"""Damage is local: it is counted once, says what was kept, and never costs a neighbour."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import Place
from kubewitness.sources.records import MAX_BYTES, read_record
from tests.sources.reading import EVENT, compact, event, is_the_event, read


@pytest.mark.parametrize("text", [b"", b"  ", b"\r\n", b"\x1e", b",", b"\xef\xbb\xbf"])
def test_blank_is_neither_event_nor_failure(text: bytes) -> None:
    result = read(text)
    assert (result.events, result.failures, result.notes) == ([], [], [])


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[",
        b'"',
        b"{}",
        b"hello",
        b"{]",
        b"[1,2]",
        b'{"a"',
        b'{"a":}',
        b"nul",
        b"\x00\x00",
        b"\xff\xfe\xfd",
        b"}",
    ],
)
def test_garbage_is_one_counted_failure(text: bytes) -> None:
    result = read(text)
    assert result.events == []
    assert len(result.failures) == 1
    assert result.failures[0].place == Place("audit.log", 7, 100, len(text))


def test_a_cut_event_keeps_its_complete_members() -> None:
    whole = event()
    result = read(whole[: whole.index(b'"stageTimestamp"') + 5])
    assert result.events[0].identity == "alice"
    assert result.events[0].code == 101
    assert result.reasons == ["truncated JSON"]
    assert result.failures[0].kept.startswith("kind, apiVersion, level, auditID, stage, requestURI, verb, user")
    assert "stageTimestamp" not in result.failures[0].kept


@given(st.integers(min_value=1, max_value=len(event()) - 1))
def test_an_event_cut_anywhere_is_never_silent(length: int) -> None:
    text = event()[:length]
    result = read(text)
    assert len(result.failures) == 1
    if b'"auditID":"7f0d9c1e-0001"' in text:
        assert result.events[0].audit_id == EVENT["auditID"]
        assert result.events[0].original == text.rstrip(b", ")


def test_the_cut_of_cloudwatch_is_named() -> None:
    body = event(requestObject={"kind": "Pod", "metadata": {"name": "x" * 50}})
    cut = body[: body.index(b"xxxxx") + 9] + b"[Truncated...]"
    result = read({"message": cut.decode(), "timestamp": 1714557600000})
    assert result.events[0].identity == "alice"
    assert result.reasons == ["truncated by CloudWatch ([Truncated...])"]


def test_a_cut_inside_nested_wrappers_is_counted_once_and_the_rest_is_read() -> None:
    whole = compact({"logEvents": [{"message": event(auditID=f"a{n}").decode()} for n in range(4)]})
    result = read(whole[: whole.rindex(b"responseStatus")])
    assert [found.audit_id for found in result.events] == ["a0", "a1", "a2", "a3"]
    assert result.reasons == ["truncated JSON"]
    assert "userAgent" in result.failures[0].kept


def test_elements_of_one_piece_are_numbered() -> None:
    result = read({"kind": "EventList", "items": [json.loads(event(auditID=f"a{n}")) for n in range(3)]})
    assert [found.place.element for found in result.events] == [0, 1, 2]
    assert {found.place.line for found in result.events} == {7}


def test_malformed_in_the_middle_keeps_what_is_before() -> None:
    result = read(event().replace(b'"sourceIPs":[', b'"sourceIPs":[}}'))
    assert result.events[0].identity == "alice"
    assert 1 <= len(result.failures) <= 2
    assert "malformed" in result.reasons[0]


def test_invalid_utf8_is_replaced_counted_and_the_original_kept() -> None:
    line = event().replace(b"kubectl", b"kube\xff\xfectl")
    result = read(line)
    assert result.reasons == ["invalid UTF-8"]
    assert result.events[0].record.userAgent == "kube\ufffd\ufffdctl/v1.29.1"
    assert result.events[0].original == line


def test_a_lone_surrogate_is_replaced() -> None:
    result = read(event().replace(b"kubectl", b"\\ud800ctl"))
    assert result.events[0].record.userAgent == "\ufffdctl/v1.29.1"


def test_a_raw_control_character_costs_nothing_but_is_counted() -> None:
    result = read(event().replace(b"kubectl", b"kube\x01ctl"))
    assert result.events[0].identity == "alice"
    assert len(result.failures) == 1


def test_nuls_around_a_record_are_counted_and_the_record_is_read() -> None:
    result = read(b"\0" * 4096 + event())
    is_the_event(result.events[0])
    assert result.reasons == ["NUL bytes"]
    assert read(b"\0" * 100).reasons == ["NUL bytes"]


def test_a_body_nested_too_deep_costs_the_body_only() -> None:
    deep = b'"requestObject":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    result = read(event()[:-1] + b"," + deep + b"}")
    is_the_event(result.events[0])
    assert result.events[0].request_object is None
    assert len(result.failures) == 1
    assert "requestObject" in result.reasons[0]


def test_nested_arrays_end_in_one_failure() -> None:
    assert len(read(b"[" * 200_000).failures) == 1


def test_wrappers_nested_too_deep_are_refused() -> None:
    text = event().decode()
    for _ in range(5):
        text = compact({"message": text}).decode()
    is_the_event(read(text).events[0])
    for _ in range(3):
        text = compact({"message": text}).decode()
    assert read(text).events == []
    assert read(text).reasons == ["wrappers nested more than six deep"]


def test_a_twenty_megabyte_line_is_read_and_a_larger_one_than_the_limit_refused() -> None:
    large = event(requestObject={"data": "x" * (20 * 1024 * 1024)})
    is_the_event(read(large).events[0])
    assert read(b"{" + b" " * MAX_BYTES).reasons == ["longer than 64 MiB"]


def test_records_glued_together_are_all_read() -> None:
    result = read(event(auditID="a1") + event(auditID="a2") + b" " + event(auditID="a3"))
    assert [found.audit_id for found in result.events] == ["a1", "a2", "a3"]
    assert result.failures == []
    assert result.events[1].original == event(auditID="a2")


def test_text_between_glued_records_is_counted() -> None:
    result = read(event(auditID="a1") + b"garbage" + event(auditID="a2") + b"tail")
    assert [found.audit_id for found in result.events] == ["a1", "a2"]
    assert result.reasons == ["no JSON", "no JSON"]


@pytest.mark.parametrize(
    "text", ["@timestamp,@message", '"@timestamp","@message","@logStream"', "@message", "time,log"]
)
def test_the_header_of_a_csv_export_is_no_failure(text: str) -> None:
    result = read(text)
    assert (result.events, result.reasons, result.noted) == ([], [], ["header line of a CSV export"])


@pytest.mark.parametrize("text", ["hello,world", "message", "Dear colleague, a message", "a,b,"])
def test_other_text_with_commas_is_still_a_failure(text: str) -> None:
    assert read(text).reasons == ["no JSON"]


def test_thousands_of_glued_records_take_no_stack() -> None:
    assert len(read(b"{}" * 20_000).failures) == 1
    assert len(read(event() * 2_000).events) == 2_000


def test_memory_is_not_the_attackers_to_choose() -> None:
    size = 2 * 1024 * 1024
    tracemalloc.start()
    many = b'{"auditID":"a","verb":"get",' + b",".join(b'"k%d":1' % n for n in range(size // 12)) + b"}"
    assert read(many).reasons == ["JSON object with more than 10000 members"]
    assert read(b"[" + b"1," * (size // 2) + b"1]").events == []
    assert read(b'{"resourceLogs":[' + b"1," * (size // 2) + b"1]}").events == []
    assert read(b'{"auditID":"a","verb":"\x01","x":[' + b"1," * (size // 2) + b"1]}").events[0].audit_id == "a"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * size


def test_an_excerpt_is_short_and_harmless() -> None:
    result = read(b"\x1b[31m\x1b]0;owned\x07\xe2\x80\xae<script>" + b"A" * 500)
    shown = result.failures[0].excerpt
    assert len(shown) <= 160
    assert shown.isprintable()
    assert "\\u202e" in shown


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    read(data)


_KEYS = (
    *EVENT,
    *("message", "items", "records", "log", "protoPayload", "logEvents", "resourceLogs", "username", "field", "value"),
    *("tables", "AuditId", "RequestUri", "user.username", "category", "properties", "code", "groups", "metadata"),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(_JSON)
def test_no_json_raises_and_every_object_has_an_outcome(value: object) -> None:
    data = compact(value)
    readings = list(read_record(data, Place("x", 1, 0, len(data))))
    control = b"CONTROL_MESSAGE" in data or b'"field"' in data or b"[]" in data
    assert readings or control or not isinstance(value, dict)
