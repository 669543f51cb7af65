"""The first incident from end to end: played on a real cluster, recorded, investigated, and held against the labels."""

from __future__ import annotations

from range.score import investigate
from range.score_figures import score
from range.score_recording import read
from tests.range_live.played import Played

NAME = "anonymous_cluster_admin"


def test_the_first_incident_is_played_recorded_and_fully_explained(first_incident: Played) -> None:
    recording = read(first_incident.folder)
    scored = score(NAME, recording.script, recording.labels, investigate(recording.evidence))
    row = scored.row
    for figure in (row.recall, row.entry, row.cause, row.identities, row.addresses):
        assert figure.part == figure.whole > 0, scored.remarks
    assert (row.too_few, row.too_many) == (0, 0), scored.remarks
