"""The swim-lane picture: every step is in it, nothing collides, and its grammar holds from one step to sixty."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise

import msgspec
import pytest

from kubewitness.model.incident import Incident, ObjectLife, ObjectName, Step
from kubewitness.model.text import Text
from kubewitness.report.html.axis import MOST_MARKS, fold, lay_out
from kubewitness.report.html.picture import draw
from tests.report.sample import many_steps, rbac_buster
from tests.report.sample_ground import coverage
from tests.report.sample_incident import incident


def picture(of: Incident) -> str:
    return str(draw(of, coverage(), "i1", "en"))


def shortened(count: int) -> Incident:
    whole = many_steps(60).incidents[0]
    return msgspec.structs.replace(whole, steps=whole.steps[:count], lives=whole.lives[:count])


@pytest.mark.parametrize("count", [1, 2, 3, 12, 20, 21, 24, 25, 40, 60])
def test_every_step_has_a_mark_and_marks_stay_apart_inside_the_paper(count: int) -> None:
    chain = shortened(count)
    svg = picture(chain)
    shown = {int(n) for names in re.findall(r'data-s="([^"]*)" class="mk', svg) for n in re.findall(r"i1s(\d+)", names)}
    assert shown == {step.number for step in chain.steps}
    axis = lay_out(chain.steps, coverage())
    assert len(axis.marks) <= MOST_MARKS
    xs = [mark.x for mark in axis.marks]
    assert all(b - a >= 39 for a, b in pairwise(xs))
    assert xs[-1] + 20 < axis.right
    assert not re.search(r"\b(nan|inf)\b", svg.replace("edge inf", ""))


def test_folding_keeps_the_order_and_never_mixes_identities() -> None:
    steps = many_steps(60).incidents[0].steps
    groups = fold(steps)
    assert [step for group in groups for step in group] == list(steps)
    assert all(len({step.identity for step in group}) == 1 for group in groups)


def test_identities_that_take_turns_cannot_be_folded_and_widen_the_paper_instead() -> None:
    steps = tuple(
        msgspec.structs.replace(s, identity=f"user-{s.number % 2}") for s in many_steps(60).incidents[0].steps
    )
    axis = lay_out(steps, coverage())
    assert len(axis.marks) == 60
    assert axis.right > 2_000
    assert all(b.x - a.x >= 39 for a, b in pairwise(axis.marks))


def test_steps_beyond_what_can_be_drawn_are_counted_in_the_picture() -> None:
    whole = many_steps(60).incidents[0]
    steps = tuple(
        msgspec.structs.replace(step, number=n, identity=f"user-{n % 2}")
        for n, step in enumerate(whole.steps + whole.steps, 1)
    )
    assert "60 later steps only in the list" in picture(msgspec.structs.replace(whole, steps=steps, lives=()))


def test_a_chain_in_one_instant_and_one_without_times_are_drawn() -> None:
    one = msgspec.structs.replace
    base = incident()
    same = tuple(one(step, time=base.first, last=base.first) for step in base.steps)
    assert picture(one(base, steps=same)).count('class="mk ') == 12
    unknown = tuple(one(step, time="", last="") for step in base.steps)
    assert picture(one(base, steps=unknown)).count('class="mk ') == 12


def test_a_bindings_bar_and_the_band_it_gives_end_together() -> None:
    svg = picture(incident())
    edges: dict[str, set[float]] = defaultdict(set)
    for x, width, kind in re.findall(
        r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="\d+" class="(band|life cause)"', svg
    ):
        edges[kind].add(round(float(x) + float(width), 1))
    assert len(edges["band"]) == 2
    assert edges["band"] == edges["life cause"]


def test_an_inferred_step_carries_its_confidence_and_a_dashed_link() -> None:
    svg = picture(incident())
    assert svg.count('class="edge inf"') == 3  # steps 2, 4 and the effect on the nodes, 7
    assert sorted(re.findall(r'class="t-conf"[^>]*>([\d.]+)<', svg)) == ["0.70", "0.85", "0.90"]
    assert 'class="mk effect inferred"' in svg


def test_a_refused_request_does_not_end_as_a_read() -> None:
    step = Step(1, "2022-10-23T10:00:00Z", "2022-10-23T10:00:00Z", "refused", "eve", "192.0.2.1", "curl/8", *_texts())
    name = ObjectName("secrets", "shop", "db")
    life = ObjectLife(name, read_steps=(1,), role="secret")
    svg = picture(msgspec.structs.replace(incident(), steps=(step,), lives=(life,), pods=(), nodes=(), root_causes=()))
    assert 'class="cap ref"' in svg
    assert 'class="cap read"' not in svg


def _texts() -> tuple[Text, Text]:
    step = incident().steps[0]
    return step.description, step.why


def test_objects_without_lives_are_taken_from_the_steps() -> None:
    svg = picture(msgspec.structs.replace(incident(), lives=()))
    assert "cluster-system-anonymous" in svg
    assert 'class="cap del"' in svg


def test_many_objects_and_nodes_fold_into_a_bounded_picture() -> None:
    whole = many_steps(60).incidents[0]
    svg = picture(whole)
    height = float(re.findall(r'viewBox="0 -18 [\d.]+ ([\d.]+)"', svg)[0])
    assert height < 1_500
    assert "and 32 more" in svg
    assert "more objects" in svg


def test_the_document_of_the_picture_is_the_documents_only_source() -> None:
    assert picture(rbac_buster().incidents[0]) == picture(incident())
