"""Labels survive being written and read, and versions of them can be compared line by line."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from range.labels import LabelledLine, LabelledProcess, LabelledRequest, Labels, read_labels, write_labels
from tests.range.made_up import LABELS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.json", LABELS)
    assert read_labels(tmp_path / "labels.json") == LABELS


def test_no_records_at_all_are_read_as_none(tmp_path: Path) -> None:
    bare = Labels("bare", "2026-03-02T12:00:00Z", "v1.34.4", {})
    write_labels(tmp_path / "labels.json", bare)
    assert read_labels(tmp_path / "labels.json") == bare


def test_every_record_has_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    write_labels(path, LABELS)
    lines = [line for line in path.read_text().splitlines() if line.startswith("  ")]
    assert len(lines) == len(LABELS.steps) + len(LABELS.requests) + len(LABELS.processes) + len(LABELS.lines)
    assert all(json.loads(line.rstrip(",")) for line in lines)


@settings(max_examples=50, deadline=None)
@given(commands=st.lists(TEXT, max_size=4), steps=st.lists(TEXT, max_size=4), path=TEXT)
def test_whatever_a_command_line_says_the_labels_stay_json(
    tmp_path_factory: pytest.TempPathFactory, commands: list[str], steps: list[str], path: str
) -> None:
    labels = Labels(
        scenario=path,
        recorded="",
        kubernetes="",
        actors={},
        requests=tuple(LabelledRequest("id", "thief", step) for step in steps),
        processes=tuple(LabelledProcess("node1", 7, command, "thief") for command in commands),
        lines=(LabelledLine(path, 1, "thief"),),
    )
    target = tmp_path_factory.getbasetemp() / "any-labels.json"
    write_labels(target, labels)
    assert read_labels(target) == labels


def test_what_is_no_labels_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"scenario": 7}')
    with pytest.raises(msgspec.ValidationError):
        read_labels(tmp_path / "labels.json")
