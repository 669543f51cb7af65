"""Whom a part of a cut concerns, and what an accessor's counts tell of it."""

from __future__ import annotations

from collections import Counter

import pytest

from kubewitness.correlate.rbac.counterfactual import Part
from kubewitness.detect.profile import AccessorKey, Profile, RequestKind
from kubewitness.incident.cuts.parts import best_of_family, let_through, may_be
from kubewitness.posture.rbac.nouns import Key, Subject

ROLE = Key("clusterroles", "", "ops")


@pytest.mark.parametrize(
    ("subject", "identity", "expected"),
    [
        (Subject("User", "eve"), "eve", True),
        (Subject("User", "eve"), "jane", False),
        (Subject("ServiceAccount", "web", "shop"), "system:serviceaccount:shop:web", True),
        (Subject("ServiceAccount", "web", "apps"), "system:serviceaccount:shop:web", False),
        (Subject("ServiceAccount", "web"), "system:serviceaccount:shop:web", True),
        (Subject("ServiceAccount", "web", "shop"), "web", False),
        (Subject("Group", "system:unauthenticated"), "system:anonymous", True),
        (Subject("Group", "system:unauthenticated"), "eve", False),
        (Subject("Group", "system:authenticated"), "eve", True),
        (Subject("Group", "system:authenticated"), "system:anonymous", False),
        (Subject("Group", "system:serviceaccounts"), "system:serviceaccount:shop:web", True),
        (Subject("Group", "system:serviceaccounts:shop"), "system:serviceaccount:shop:web", True),
        (Subject("Group", "system:serviceaccounts:apps"), "system:serviceaccount:shop:web", False),
        (Subject("Group", "staff"), "eve", True),
        (Subject("Group", "staff"), "system:serviceaccount:shop:web", False),
    ],
)
def test_nobody_a_subject_may_mean_is_passed_over(subject: Subject, identity: str, expected: bool) -> None:
    assert may_be(subject, identity) is expected


def right(*what: str) -> Part:
    return Part("right", ROLE, what)


def profile() -> Profile:
    made = Profile(AccessorKey("jane", "198.51.100.20", "kubectl"))
    for verb, resource, sub, stage, count in (
        ("get", "pods", "", "ResponseComplete", 5),
        ("watch", "pods", "", "ResponseStarted", 3),
        ("watch", "pods", "", "ResponseComplete", 2),
        ("create", "pods", "exec", "ResponseComplete", 1),
        ("get", "", "", "ResponseComplete", 7),
    ):
        made.allowed[RequestKind(verb, resource, sub, "", "Metadata", stage)] = count
    made.refused[RequestKind("get", "secrets", "", "", "Metadata", "ResponseComplete")] = 100
    return made


@pytest.mark.parametrize(
    ("parts", "theirs", "expected"),
    [
        ({right("get", "", "pods")}, {}, 5),
        ({right("get", "", "pods")}, {("get", "pods"): 2}, 3),
        ({right("watch", "", "pods")}, {}, 3),
        ({right("create/get", "", "pods/exec")}, {}, 1),
        ({right("get", "/version")}, {}, 7),
        ({right("get", "", "secrets")}, {}, 0),
        ({right("*", "", "pods")}, {}, 16),
        ({Part("binding", ROLE)}, {}, 16),
        ({Part("binding", ROLE)}, {("get", "pods"): 9}, 11),
    ],
)
def test_what_is_only_counted_is_at_most_what_may_have_needed_it(
    parts: set[Part], theirs: dict[tuple[str, str], int], expected: int
) -> None:
    assert let_through(profile(), Counter(theirs), parts) == expected


WHOLE = frozenset({Part("binding", ROLE)})
SUBJECT = frozenset({Part("subject", ROLE, ("User", "eve", ""))})
RIGHT = frozenset({right("get", "", "pods")})


@pytest.mark.parametrize(
    ("whole", "subject", "right_", "kept"),
    [
        ((9, 0), (9, 0), (9, 0), {SUBJECT}),
        ((9, 5), (9, 0), (9, 0), {SUBJECT}),
        ((9, 5), (9, 5), (8, 1), {SUBJECT, RIGHT}),
        ((9, 5), (0, 0), (8, 1), {WHOLE, RIGHT}),
        ((9, 5), (0, 0), (9, 5), {WHOLE}),
    ],
)
def test_less_than_a_binding_is_told_where_it_harms_less(
    whole: tuple[int, int], subject: tuple[int, int], right_: tuple[int, int], kept: set[frozenset[Part]]
) -> None:
    measured = {WHOLE: whole, SUBJECT: subject, RIGHT: right_}
    assert set(best_of_family(WHOLE, measured, [SUBJECT, RIGHT])) == kept
