"""Claims about clocks: bounds hold whatever the delays are, and nobody moves times by one odd name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.correlate.clocks import moved_by, skew_of
from kubewitness.model.event import AuditRecord, Event, ObjectRef
from kubewitness.model.evidence import Place

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
delays = st.lists(st.floats(0, 20), min_size=1, max_size=30)


def event(at: datetime, name: str, subresource: str = "", resource: str = "events") -> Event:
    ref = ObjectRef(resource=resource, namespace="shop", name=name, subresource=subresource)
    record = AuditRecord(verb="create", objectRef=ref, requestReceivedTimestamp=at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return Event(record, Place("audit.log", 1, 0))


def reported(skew: float, delay: float, number: int = 0) -> Event:
    """A Kube Event that a kubelet named by its own clock and that arrived `delay` seconds later."""
    true = START + timedelta(minutes=number)
    nanoseconds = int((true + timedelta(seconds=skew)).timestamp() * 1e9)
    return event(true + timedelta(seconds=delay), f"web-{number}.{nanoseconds:x}")


def bound(skew: float, delay: float, number: int = 0) -> tuple[Event, tuple[str, str], datetime]:
    """A binding, and the sandbox that the node made `delay` seconds later by its own clock."""
    at = START + timedelta(minutes=number)
    name = f"web-{number}"
    return event(at, name, "binding", "pods"), ("shop", name), at + timedelta(seconds=delay + skew)


@given(st.floats(-5000, 5000), delays, delays)
def test_the_true_difference_lies_between_the_bounds(skew: float, sent: list[float], started: list[float]) -> None:
    events = [reported(skew, delay, number) for number, delay in enumerate(sent)]
    bindings = [bound(skew, delay, number) for number, delay in enumerate(started)]
    found = skew_of("n", [*events, *(e for e, _, _ in bindings)], {key: when for _, key, when in bindings})
    assert found.low is not None
    assert found.high is not None
    assert found.low <= skew + 0.01
    assert found.high >= skew - 0.01
    assert found.pairs == len(sent) + len(started)


def test_clocks_that_agree_move_nothing() -> None:
    binding, key, when = bound(0.0, 0.4)
    assert skew_of("n", [reported(0.0, 0.05), binding], {key: when}).moved == 0


def test_a_clock_that_is_ahead_is_moved_to_the_middle_of_the_bounds() -> None:
    binding, key, when = bound(90.0, 0.4)
    found = skew_of("n", [reported(90.0, 0.2), binding], {key: when})
    assert 89.8 <= found.moved <= 90.4


def test_one_bound_moves_only_what_it_proves() -> None:
    assert skew_of("n", [reported(-90.0, 0.2)], {}).moved == 0  # may be as little as that, or a delay
    assert 89 < skew_of("n", [reported(90.0, 0.2)], {}).moved <= 90
    binding, key, when = bound(-90.0, 0.4)
    assert -90 < skew_of("n", [binding], {key: when}).moved < -89
    binding, key, when = bound(90.0, 0.4)
    assert skew_of("n", [binding], {key: when}).moved == 0  # a pod may start late


def test_bounds_that_contradict_each_other_move_nothing() -> None:
    binding, key, when = bound(-60.0, 0.4)
    found = skew_of("n", [reported(60.0, 0.2), binding], {key: when})
    assert found.low is not None
    assert found.high is not None
    assert found.low > found.high
    assert found.moved == 0


def test_one_event_with_a_made_up_name_moves_nothing() -> None:
    honest = [reported(0.0, 0.1, number) for number in range(20)]
    assert skew_of("n", [*honest, reported(3600.0, 0.1, 30)], {}).moved == 0


def test_names_that_are_no_times_are_left_out() -> None:
    names = ("web-0", "web.deadbeefdeadbe", "web.ffffffffffffffff", "x.17", "web.18ea42267f7167b1x")
    assert skew_of("n", [event(START, name) for name in names], {}).pairs == 0


def test_a_time_is_moved_and_what_is_none_is_left() -> None:
    assert moved_by("2026-03-02T12:01:30.000000Z", 90.0) == "2026-03-02T12:00:00.000000Z"
    assert moved_by("12:01", 90.0) == "12:01"
    assert moved_by("", 90.0) == ""
