"""Claims about what must be read to check a chain: few records, and among them what the chain stands on."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.incident import Evidence, Incident, Step
from kubewitness.model.text import Text
from kubewitness.report.reading import MOST, carrying, cited_in_all, to_read
from tests.incident.graph.test_chain import ATTACKS, of, recorded
from tests.report.sample_incident import incident as sample


def place(one: Evidence) -> tuple[str, int, int]:
    return one.item, one.line, one.offset


@pytest.mark.parametrize("name", ATTACKS)
def test_the_headline_chain_of_everything_recorded_is_checked_with_few_records(name: str) -> None:
    for incident in recorded(name).incidents:
        read = to_read(incident)
        assert len(read) <= MOST == 40
        assert len(read) <= cited_in_all(incident)
        places = {place(one.evidence) for one in read}
        assert incident.entry_point
        assert place(incident.entry_point.evidence[0]) in places
        assert {place(cause.evidence[0]) for cause in incident.root_causes[:4]} <= places
        needed = [step for step in incident.steps if step.severity in ("critical", "high")]
        needed += [step for step in incident.steps if step.number in carrying(incident)]
        assert {place(step.evidence[0]) for step in needed} <= places
        assert len(places) == len(read), "each once"


@pytest.mark.parametrize("name", ATTACKS)
def test_every_step_that_an_edge_leaves_carries_the_chain(name: str) -> None:
    for incident in recorded(name).incidents:
        from_steps = {one.source for one in incident.edges if one.source.kind == "step"}
        assert {of(incident, number) for number in carrying(incident)} == from_steps


def long(steps: int, grave: int) -> Incident:
    many = tuple(
        Step(number, f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z", "", "read", "a", "b", "c", Text("d", "e"),
             Text("f", "g"), severity="critical" if number > steps - grave else "low",
             evidence=(Evidence(f"{number}", "log", number, number, ""),))
        for number in range(1, steps + 1)
    )  # fmt: skip
    return replace(sample(), steps=many, root_causes=(), entry_point=None, edges=())


def test_of_a_long_chain_the_grave_is_read_before_the_slight_and_told_in_its_order() -> None:
    read = to_read(long(500, 12))
    assert len(read) == MOST
    assert [one.step for one in read][-12:] == list(range(489, 501))
    assert [one.step for one in read] == sorted(one.step for one in read)


def test_a_record_that_proves_two_things_is_read_once() -> None:
    first = long(1, 0)
    entry = sample().entry_point
    assert entry
    both = replace(first, entry_point=replace(entry, evidence=(first.steps[0].evidence[0],)))
    (read,) = to_read(both)
    assert (read.step, read.entry) == (1, True)
    assert cited_in_all(both) == 1
