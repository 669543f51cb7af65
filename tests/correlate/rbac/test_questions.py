"""What the authorizer was asked is read from an event as the API server took it from the request."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from kubewitness.correlate.rbac.questions import attributes_of, questions_of
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.posture.rbac.nouns import Attributes

EVE = ("eve", ("system:authenticated",))


def event(verb: str, uri: str, ref: dict[str, str] | None = None, **more: Any) -> Event:
    record = {
        "verb": verb, "requestURI": uri, "user": {"username": EVE[0], "groups": list(EVE[1])},
        **({"objectRef": ref} if ref else {}), **more,
    }  # fmt: skip
    return Event(msgspec.json.decode(json.dumps(record), type=AuditRecord), Place("audit.log", 1, 0))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (event("get", "/metrics?x=1"), Attributes(*EVE, "get", path="/metrics")),
        (event("get", "/logs/a%20b"), Attributes(*EVE, "get", path="/logs/a b")),
        (
            event("get", "/api/v1/namespaces/shop/pods/web/log", {"resource": "pods", "subresource": "log",
                  "namespace": "shop", "name": "web"}),
            Attributes(*EVE, "get", "", "pods", "log", "web", "shop"),
        ),
        (  # the name was filled in from the body
            event("create", "/api/v1/namespaces/shop/secrets", {"resource": "secrets", "namespace": "shop",
                  "name": "x"}),
            Attributes(*EVE, "create", "", "secrets", "", "", "shop"),
        ),
        (  # here it is in the URL
            event("create", "/api/v1/namespaces/shop/pods/web/exec?command=id", {"resource": "pods",
                  "subresource": "exec", "namespace": "shop", "name": "web"}),
            Attributes(*EVE, "create", "", "pods", "exec", "web", "shop"),
        ),
        (  # a namespace in the body is none of the request
            event("create", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                  {"resource": "subjectaccessreviews", "apiGroup": "authorization.k8s.io", "namespace": "shop"}),
            Attributes(*EVE, "create", "authorization.k8s.io", "subjectaccessreviews"),
        ),
    ],
)  # fmt: skip
def test_a_question_has_the_name_and_namespace_of_the_url(found: Event, expected: Attributes) -> None:
    assert attributes_of(found) == expected
    assert questions_of(found) == (expected,)


def test_acting_as_somebody_else_is_asked_for_first_and_then_judged_as_them() -> None:
    as_whom = {
        "username": "jane", "groups": ["staff", "system:authenticated"], "extra": {"Scopes": ["all"], "odd": "x"},
    }  # fmt: skip
    found = event("list", "/api/v1/pods", {"resource": "pods"}, impersonatedUser=as_whom)
    *before, last = questions_of(found)
    assert [(one.user, one.verb, one.combined, one.name) for one in before] == [
        ("eve", "impersonate", "users", "jane"),
        ("eve", "impersonate", "groups", "staff"),
        ("eve", "impersonate", "userextras/scopes", "all"),
    ]
    assert last == Attributes("jane", ("staff", "system:authenticated"), "list", resource="pods")
