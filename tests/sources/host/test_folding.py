"""Events that are like become one with its count, by whichever way they are counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import Place
from kubewitness.model.host import HostEvent
from kubewitness.sources.host.folding import Events, Told

events = st.builds(
    HostEvent,
    st.sampled_from(("process_creation", "login", "record")),
    st.just("linux_audit"),
    st.builds(Place, st.just("item"), st.integers(1, 9), st.just(0)),
    time=st.sampled_from(
        ("", "2026-07-01T00:00:01.000000Z", "2026-07-01T00:00:02.000000Z", "2026-07-02T00:00:00.000000Z")
    ),
    pid=st.sampled_from((-1, 7)),
    command=st.sampled_from(("sh", "id")),
    fields=st.sampled_from(({}, {"a": "b"}, {"b": "a"})),
    count=st.sampled_from((1, 1, 5)),
)


@given(st.lists(events, max_size=80))
def test_nothing_is_lost_and_the_first_and_last_times_are_told(told: list[HostEvent]) -> None:
    kept = Events()
    for event in told:
        kept.add(event)
    found, left_out = kept.kept()
    assert not left_out
    assert sum(event.count for event in found) == sum(event.count for event in told)
    times = [time for event in told if (time := event.time)]
    assert max((event.last or event.time for event in found), default="") == max(times, default="")
    assert min((event.time for event in found if event.time), default="") == min(times, default="")


@given(st.lists(events, max_size=80))
def test_what_add_returns_counts_as_add_does(told: list[HostEvent]) -> None:
    plain, quick, counters = Events(), Events(), dict[str, Told]()
    for event in told:
        plain.add(event)
        like = repr((event.category, event.pid, event.command, event.fields, event.count == 1))
        if like in counters:
            counters[like].again(event.time, count=event.count)
        elif (counter := quick.add(event)) is not None:
            counters[like] = counter
    assert plain.kept() == quick.kept()
