"""Where the log shows nothing of the time before the first request told of an intruder, that is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, Log

HOLE = "the real way in may lie there"
BEGINS = "The log begins"


def said(log: Log, judged: Investigate, at: str) -> str:
    """The limitations of an incident whose first request is at that time."""
    by: dict[str, Any] = {"by": "system:anonymous", "address": "203.0.113.77", "agent": "curl/8.5.0", "reason": DOOR}
    log.request("list", "secrets", at=at, **by)
    (incident,) = judged(log).incidents
    return " ".join(one.en for one in incident.limitations)


@pytest.mark.parametrize(
    ("at", "begins"), [("06:04", True), ("06:20", False), ("13:00", False)], ids=["soon", "later", "at noon"]
)
def test_that_the_log_begins_shortly_before_is_told(judged: Investigate, at: str, begins: bool) -> None:
    log = Log()
    log.quiet_day()
    assert (BEGINS in said(log, judged, at)) == begins


@pytest.mark.parametrize(("at", "hole"), [("15:30", True), ("08:30", False)], ids=["after the hole", "before the hole"])
def test_a_hole_in_the_log_before_it_is_told(judged: Investigate, at: str, hole: bool) -> None:
    log = Log()
    log.quiet_day(6, 10)
    log.quiet_day(15, 20)
    assert (HOLE in said(log, judged, at)) == hole


def test_of_a_whole_log_nothing_is_told(judged: Investigate) -> None:
    log = Log()
    log.quiet_day()
    found = said(log, judged, "13:00")
    assert HOLE not in found
    assert BEGINS not in found
