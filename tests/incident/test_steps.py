"""Long chains stay legible, and lose nothing."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from kubewitness.incident.requests import Request, requests_of
from kubewitness.incident.steps import StepDraft, drafts
from kubewitness.model.event import AuditRecord, Event, ObjectRef
from kubewitness.model.evidence import Place

_KINDS = ("pods", "secrets", "configmaps", "services")


def _event(number: int, verb: str = "create", resource: str = "") -> Event:
    time = f"2026-11-22T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000000Z"
    resource, name = resource or _KINDS[number % len(_KINDS)], f"x-{number}"
    record = AuditRecord(
        auditID=f"id-{number:05}", stage="ResponseComplete", verb=verb, requestURI=f"/api/v1/{resource}",
        level="Metadata", user=Raw(b'{"username":"system:anonymous"}'), sourceIPs=Raw(b'["203.0.113.9"]'),
        objectRef=ObjectRef(resource, "default", name), responseStatus=Raw(b'{"code":201}'),
        requestReceivedTimestamp=time, stageTimestamp=time,
        annotations=Raw(b'{"authorization.k8s.io/decision":"allow"}'),
    )  # fmt: skip
    return Event(record, Place("log", number + 1, 0), msgspec.json.encode(record))


def _requests(count: int) -> list[Request]:
    return requests_of([_event(number) for number in range(count)])


def _ids(steps: list[StepDraft]) -> list[str]:
    return [request.audit_id for step in steps for request in step.requests]


def test_acts_on_different_objects_are_steps_of_their_own() -> None:
    assert len(drafts(_requests(150))) == 150


@pytest.mark.parametrize("count", [151, 2_000])
def test_a_chain_too_long_to_read_tells_the_first_acts_of_a_kind_singly_and_the_others_as_one(count: int) -> None:
    steps = drafts(_requests(count))
    assert len(steps) == len(_KINDS) * 4
    assert [len(step.requests) for step in steps[:12]] == [1] * 12
    assert steps[12].phrase().en == (
        f"went on like this, {len(steps[12].requests)} requests (create pods): "
        "pods/default/x-12, pods/default/x-16, pods/default/x-20, pods/default/x-24, pods/default/x-28, "
        "pods/default/x-32, …"
    )


def test_no_request_is_lost_or_told_twice_and_each_step_is_in_time_order() -> None:
    requests = _requests(700)
    steps = drafts(requests)
    assert sorted(_ids(steps)) == [request.audit_id for request in requests]
    assert all([r.time for r in step.requests] == sorted(r.time for r in step.requests) for step in steps)
    assert [step.first.time for step in steps] == sorted(step.first.time for step in steps)


def test_names_in_a_step_are_joined_as_each_language_does() -> None:
    (said,) = {step.phrase(names=2) for step in drafts(_requests(151))[12:13]}
    assert said.en.endswith(": pods/default/x-12, pods/default/x-16, …")
    assert said.zh.endswith("：pods/default/x-12、pods/default/x-16…")


def test_secrets_that_were_read_one_after_another_are_named_once_with_the_number_of_requests() -> None:
    (step,) = drafts(requests_of([_event(number, "get", "secrets") for number in (1, 2)]))
    assert step.phrase().en == "read secrets/default/x-1, secrets/default/x-2, 2 requests"
    assert step.phrase().zh == "读取 secrets/default/x-1、secrets/default/x-2，共 2 次请求"
