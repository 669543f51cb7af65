"""Claims about the chain's skeleton and its drawing: small, forward, no line twice, inert, in both languages."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from kubewitness.correlate.links import edge
from kubewitness.model.incident import Edge, Entity, Evidence, Incident
from kubewitness.report.html.graph import draw_graph
from kubewitness.report.skeleton import Skeleton, skeleton
from tests.incident.graph.test_chain import ATTACKS, recorded
from tests.report.sample_incident import incident as sample

LINE = Evidence("", "log", 1, 0, "")
each = pytest.mark.parametrize("name", ATTACKS)


def titles(found: Skeleton) -> list[str]:
    return [one.title.en for one in found.stations]


@each
def test_a_skeleton_is_small_and_its_lines_run_forward(name: str) -> None:
    for incident in recorded(name).incidents:
        found = skeleton(incident)
        layers = {one.key: one.layer for one in found.stations}
        assert 3 <= len(found.stations) <= 30
        assert all(layers[one.source] < layers[one.target] for one in found.lines)
        assert len({(one.source, one.target) for one in found.lines}) == len(found.lines)
        assert any(one.key[0] in ("object", "setting") and one.layer == 0 for one in found.stations)


def test_what_was_gained_is_written_on_the_line() -> None:
    (incident,) = recorded("anonymous_cluster_admin").incidents
    found = skeleton(incident)
    said = {one.title.en: one.key for one in found.stations}
    made = next(key for title, key in said.items() if title.startswith("created DaemonSet"))
    assert {one.label.en for one in found.lines if one.target == made and one.label} == {"the token", "the rights"}


def test_a_longer_way_makes_a_line_needless() -> None:
    (incident,) = recorded("pod_token_theft").incidents
    found = skeleton(incident)
    pairs = {(one.source, one.target) for one in found.lines}
    after = {source: {t for s, t in pairs if s == source} for source, _ in pairs}
    assert not [(s, t) for s, t in pairs for middle in after[s] if middle != t and t in after.get(middle, ())]


@each
def test_the_drawing_is_whole_inert_and_bounded(name: str) -> None:
    for incident in recorded(name).incidents:
        drawn = str(draw_graph(incident, "i1", "en"))
        root = ET.fromstring(drawn)
        assert len(drawn) < 60_000
        texts = [one for one in root.iter() if one.tag.endswith("text")]
        assert any(one.get("lang") == "zh-Hans" for one in texts)
        steps = {f"i1s{step.number}" for step in incident.steps}
        assert {one.get("href", "")[1:] for one in root.iter("a")} <= steps
        wide, high = (float(one) for one in root.get("viewBox", "").split()[2:])
        for frame in (one for one in root.iter() if one.tag.endswith("rect")):
            x, y, w, h = (float(frame.get(key, "0")) for key in ("x", "y", "width", "height"))
            assert x >= 0
            assert x + w <= wide + 1
            assert y >= 0
            assert y + h <= high + 1


def many(steps: int) -> Incident:
    """Every step writes an own pod with a hostile name; every second one is joined to the next."""
    incident = sample()
    first = incident.steps[0]
    made = tuple(replace(first, number=number, evidence=(LINE,)) for number in range(1, steps + 1))
    edges = list[Edge]()
    for step in made:
        own, pod = (
            Entity("step", f"{incident.id}/{step.number}"),
            Entity("pod", f"a/\x1b]0;<script>{step.number}\u202e"),
        )
        cause = Entity("object", "clusterrolebindings/" + "x" * 5_000)
        edges += [edge("binding_allows", cause, own, {"k": "v"}, (LINE,)),
                  edge("request_enters_pod", own, pod, {"k": "v"}, (LINE,))]  # fmt: skip
    return replace(incident, steps=made, edges=tuple(edges))


def test_a_large_and_hostile_chain_stays_small_and_inert() -> None:
    drawn = str(draw_graph(many(2_000), "i1", "en"))
    assert 0 < len(drawn) < 60_000
    assert "<script" not in drawn
    assert not re.search("[\x1b\u202e]", drawn)
    ET.fromstring(drawn)


def test_an_incident_without_edges_has_no_drawing() -> None:
    assert not draw_graph(replace(sample(), edges=()), "i1", "en")
