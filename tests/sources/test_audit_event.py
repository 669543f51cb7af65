"""A bare event: API versions, odd types, and what each oddity may cost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sources.reading import EVENT, compact, event, is_the_event, only, read


def test_a_plain_event_is_read_whole_and_keeps_its_bytes() -> None:
    found = only(event())
    is_the_event(found)
    assert found.original == event()
    assert (found.place.item, found.place.line, found.place.offset, found.place.element) == ("audit.log", 7, 100, 0)


def test_pretty_printing_changes_nothing() -> None:
    is_the_event(only(json.dumps(EVENT, indent=2)))


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b",", b" \t"])
def test_line_ends_and_a_comma_behind_an_event_are_no_damage(ending: bytes) -> None:
    is_the_event(only(event() + ending))


def test_a_byte_order_mark_is_skipped() -> None:
    is_the_event(only(b"\xef\xbb\xbf" + event()))


def test_old_versions_have_their_time_elsewhere() -> None:
    old = {"requestReceivedTimestamp": None, "stageTimestamp": None, "apiVersion": "audit.k8s.io/v1alpha1"}
    by_timestamp = only(event(**old, timestamp="2017-09-11T19:55:05Z"))
    by_metadata = only(event(**old, metadata={"creationTimestamp": "2017-09-11T19:55:05Z"}))
    assert by_timestamp.record.requestReceivedTimestamp == "2017-09-11T19:55:05.000000Z"
    assert by_metadata.record.requestReceivedTimestamp == "2017-09-11T19:55:05.000000Z"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000000Z"),
        ("2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00.500000Z"),
        ("2024-05-01T18:00:00.123456+08:00", "2024-05-01T10:00:00.123456Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456Z"),
        ("0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+23:00"),
        ("9999-12-31T23:59:59.9-23:00", "9999-12-31T23:59:59.9-23:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("2024-05-01 10:00:00", "2024-05-01T10:00:00.000000Z"),
    ],
)
def test_times_become_comparable_as_text(written: str, read_as: str) -> None:
    found = read(event(requestReceivedTimestamp=written)).events[0]
    assert found.record.requestReceivedTimestamp == read_as
    assert found.time is None or found.time.year < 9999


def test_the_group_is_taken_out_of_an_old_api_version() -> None:
    found = only(event(objectRef={"resource": "deployments", "apiVersion": "apps/v1beta1", "name": "web"}))
    assert (found.object_ref.apiGroup, found.object_ref.apiVersion) == ("apps", "v1beta1")


def test_the_core_group_has_no_name() -> None:
    assert only(event(objectRef={"resource": "pods", "apiGroup": "core"})).object_ref.apiGroup == ""


def test_an_event_without_audit_id_is_known_by_who_asked_for_what() -> None:
    assert only(event(auditID=None, kind=None, apiVersion=None)).identity == "alice"


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"verb": ["create"]}, "verb is no text and was left out"),
        ({"stage": {"a": 1}}, "stage is no text and was left out"),
        ({"user": {"username": 5}}, "user.username has the wrong type and was left out"),
        ({"user": {"username": "alice", "groups": "dev"}}, "user.groups has the wrong type and was left out"),
        ({"user": {"username": "alice", "groups": ["dev", 3]}}, "user.groups has the wrong type and was left out"),
        ({"user": [1]}, "user has the wrong type and was left out"),
        ({"sourceIPs": ["10.0.0.7", 5]}, "sourceIPs holds something that is no text, which was left out"),
        ({"sourceIPs": {"a": 1}}, "sourceIPs has the wrong type and was left out"),
        ({"objectRef": "pods"}, "objectRef is no object and was left out"),
        ({"objectRef": {"resource": "pods", "name": 5}}, "objectRef.name is no text and was left out"),
        ({"responseStatus": {"code": {}}}, "responseStatus.code is no number and was left out"),
        ({"responseStatus": 200}, "responseStatus has the wrong type and was left out"),
        ({"annotations": []}, "annotations has the wrong type and was left out"),
        ({"requestReceivedTimestamp": 1714557600}, "requestReceivedTimestamp cannot be read as a time"),
        ({"verb": {}, "stage": []}, "stage is no text and was left out; verb is no text and was left out"),
    ],
)
def test_a_wrong_type_costs_its_field_which_is_counted_and_never_the_event(changes: dict[str, Any], lost: str) -> None:
    result = read(event(**changes))
    (failure,) = result.failures
    assert (failure.reason, failure.kept) == (lost, "the rest of the event")
    assert failure.place == result.events[0].place
    assert len(result.events) == 1
    assert result.events[0].record.requestURI == EVENT["requestURI"]


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({"auditID": 17}, "auditID is a number, read as text"),
        ({"user": "alice"}, "user is a text instead of an object, read as the user name"),
        ({"sourceIPs": "10.0.0.7"}, "sourceIPs is one text instead of a list"),
        ({"responseStatus": {"code": "403"}}, "responseStatus.code is a text, read as a number"),
        ({"annotations": {"a": 5}}, "annotations: a is no text"),
        ({"level": "Everything"}, "level is none of the four audit levels and was left out"),
        ({"level": 4}, "level is a number, read as text"),
        ({"requestReceivedTimestamp": "yesterday"}, "requestReceivedTimestamp cannot be read as a time"),
    ],
)
def test_what_was_made_good_is_noted_and_no_failure(changes: dict[str, Any], noted: str) -> None:
    result = read(event(**changes))
    assert result.failures == []
    assert len(result.events) == 1
    assert noted in result.noted
    assert result.events[0].record.requestURI == EVENT["requestURI"]


def test_values_made_good_are_usable() -> None:
    assert read(event(responseStatus={"code": "403"})).events[0].code == 403
    assert read(event(sourceIPs="203.0.113.9, 10.0.0.7")).events[0].address == "10.0.0.7"
    assert read(event(user="alice")).events[0].identity == "alice"
    assert read(event(user={"username": "alice", "groups": ["dev", 3]})).events[0].user.groups == ("dev",)


@pytest.mark.parametrize("key", ["verb", "user", "sourceIPs", "objectRef", "responseStatus", "annotations", "level"])
def test_null_is_absent_and_needs_no_note(key: str) -> None:
    result = read(compact(EVENT | {key: None}))
    assert len(result.events) == 1
    assert result.notes == []
    assert result.failures == []


def test_a_401_without_a_user_is_an_event() -> None:
    found = only(event(user={}, responseStatus={"code": 401}, stage="ResponseStarted", annotations=None))
    assert (found.identity, found.code, found.decision) == ("", 401, "forbid")


def test_the_level_of_viaq_is_under_another_name() -> None:
    result = read(event(level="default", k8s_audit_level="Metadata", log_type="audit"))
    assert result.events[0].record.level == "Metadata"
    assert result.notes == []
    assert result.formats == {"OpenShift viaq": 1}


@pytest.mark.parametrize("body", [[{"op": "add", "path": "/x", "value": 1}], {"kind": "Pod"}])
def test_bodies_stay_as_found(body: object) -> None:
    assert only(event(requestObject=body)).request_object == body


def test_a_duplicate_key_is_noted_and_the_last_one_taken() -> None:
    line = event()[:-1] + b',"verb":"get"}'
    result = read(line)
    assert result.events[0].verb == "get"
    assert result.noted == ["duplicate key verb: the last one was taken"]


def test_a_duplicate_key_is_noticed_one_level_down_and_in_pretty_text() -> None:
    line = event().replace(b'"username":"alice"', b'"username":"bob","username":"alice"')
    assert read(line).noted == ["duplicate key user.username: the last one was taken"]
    pretty = json.dumps(EVENT, indent=1).replace('"verb": "create"', '"verb": "get",\n "verb": "create"')
    assert read(pretty).noted == ["duplicate key verb: the last one was taken"]


def test_an_escaped_key_is_no_duplicate_but_equals_its_plain_spelling() -> None:
    assert read(event().replace(b'"verb"', b'"v\\u0065rb"')).notes == []
    assert read(event()[:-1] + b',"v\\u0065rb":"get"}').noted == ["duplicate key verb: the last one was taken"]
