"""The first incident from end to end: played on a real cluster, recorded, investigated, and held against the labels."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from range.score import investigate
from range.score_figures import score
from range.score_recording import read
from tests.range_live.played import REPO, command

NAME = "anonymous_cluster_admin"


def test_the_first_incident_is_played_recorded_and_fully_explained(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    shutil.copy(REPO / "scenarios/recorded" / NAME / "scenario.yaml", folder)
    done = subprocess.run(
        command("run", folder, "--record", folder), cwd=REPO, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    recording = read(folder)
    scored = score(NAME, recording.script, recording.labels, investigate(recording.evidence))
    row = scored.row
    for figure in (row.recall, row.entry, row.cause, row.identities, row.addresses):
        assert figure.part == figure.whole > 0, scored.remarks
    assert (row.too_few, row.too_many) == (0, 0), scored.remarks
