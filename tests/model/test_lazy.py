"""Claims about values that are worked out when first asked for."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from kubewitness.model import event as events
from kubewitness.model.event import AuditRecord, Event, parse_user
from kubewitness.model.evidence import Place
from kubewitness.model.lazy import lazy


class _Counted:
    asked = 0

    @lazy
    def value(self) -> int:
        """What it is."""
        self.asked += 1
        return self.asked


def test_a_value_is_worked_out_once_for_each_object() -> None:
    one, other = _Counted(), _Counted()
    assert (one.value, one.value, other.value, one.asked) == (1, 1, 1, 1)
    assert _Counted.value.__doc__ == "What it is."


def test_who_asked_is_told_of_each_event_alone() -> None:
    names = ["alice", "bob", "alice"]
    users = [Raw(msgspec.json.encode({"username": name, "groups": [name]})) for name in names]
    found = [Event(AuditRecord(user=user), Place("", 0, 0)) for user in users]
    assert [one.identity for one in found] == names
    assert found[0].user.groups == ("alice",)


def test_a_huge_user_is_read_and_not_remembered() -> None:
    before = events._known_user.cache_info().currsize
    huge = msgspec.json.encode({"username": "x" * 5000})
    assert parse_user(huge).username == "x" * 5000
    assert events._known_user.cache_info().currsize == before
