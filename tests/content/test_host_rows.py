"""Rows of rules about machines become events of a machine, and a key it has not is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.content.host_rows import make_host_event
from tests.content.rows import read_rows


def test_the_words_give_the_command() -> None:
    event = make_host_event({"argv": ["sh", "-c", "id"], "container": "abab"})
    assert (event.category, event.command, event.argv) == ("process_creation", "sh -c id", ("sh", "-c", "id"))


@pytest.mark.parametrize("event", ["{commandline: id}", "{category: process}", "{command: [id]}"])
def test_a_row_that_is_no_event_is_refused_with_its_line(event: str, tmp_path: Path) -> None:
    path = tmp_path / "x.test.yml"
    path.write_text(f"match:\n- why: one\n  event: {event}\n")
    with pytest.raises(ValueError, match=r"x\.test\.yml:2: "):
        read_rows(path, make_host_event)
