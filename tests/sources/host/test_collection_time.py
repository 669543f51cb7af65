"""When a collection was made, as date, timedatectl and the log of UAC say it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kubewitness.model.evidence import ParseFailure
from kubewitness.sources.host import collection_time
from kubewitness.sources.host.context import Context, stamp
from kubewitness.sources.host.formats import BY_KIND
from tests.sources.host.reading import context, folder, lines


def told(kind: str, text: str) -> tuple[Context, list[object]]:
    one = context()
    return one, list(BY_KIND[kind].read(lines(text), one))


@pytest.mark.parametrize(
    ("text", "moment", "hours"),
    [
        ("Sun Nov 22 06:11:05 UTC 2026", "2026-11-22T06:11:05", 0.0),
        ("Sun Nov  2 06:11:05 CEST 2026", "2026-11-02T04:11:05", 2.0),
        ("Sun 22 Nov 2026 02:11:05 PM EST", "2026-11-22T19:11:05", -5.0),
        ("Sun Nov 22 12:11:05 AM UTC 2026", "2026-11-22T00:11:05", 0.0),
        ("2026年 11月 22日 星期日 14:11:05 CST", "2026-11-22T06:11:05", 8.0),
        ("2026年11月22日 星期日 14时11分05秒 CST", "2026-11-22T06:11:05", 8.0),
        ("Sun, 22 Nov 2026 11:41:05 +0530", "2026-11-22T06:11:05", 5.5),
        ("2026-11-22T06:11:05+00:00", "2026-11-22T06:11:05", 0.0),
        ("Sun Nov 22 03:11:05 -03 2026", "2026-11-22T06:11:05", -3.0),
    ],
)
def test_a_date_tells_moment_and_zone(text: str, moment: str, hours: float) -> None:
    one, facts = told("date", text)
    assert (stamp(one.clock.collected)[:19], one.clock.zone, facts) == (moment, timedelta(hours=hours), [])
    assert one.clock.latest == one.clock.collected


@pytest.mark.parametrize("zone", ["CST", "IST", "BST", "XYZ"])
def test_an_abbreviation_of_several_zones_tells_nothing(zone: str) -> None:
    one, facts = told("date", f"Sun Nov 22 06:11:05 {zone} 2026")
    assert (one.clock.collected, one.clock.zone, facts) == (None, None, [])
    assert "means several" in one.notes[0].reason


def test_a_date_that_never_was_is_remarked_on_and_junk_is_a_failure() -> None:
    one, _ = told("date", "Sun Feb 31 06:11:05 UTC 2026\nSun Nov 22 06:11:05 +9900 2026")
    assert one.clock.collected is None
    _, facts = told("date", "hello")
    assert [type(fact) for fact in facts] == [ParseFailure]


def test_timedatectl_tells_the_zone_by_its_number() -> None:
    text = (
        "  Local time: Sun 2026-11-22 14:11:05 CST\n           Universal time: Sun 2026-11-22 06:11:05 UTC\n"
        "                 RTC time: n/a\n                Time zone: Asia/Shanghai (CST, +0800)\n"
    )
    one, _ = told("timedatectl", text)
    assert (stamp(one.clock.collected)[:19], one.clock.zone) == ("2026-11-22T06:11:05", timedelta(hours=8))


def test_the_log_of_uac_tells_its_first_and_last_moment() -> None:
    one, facts = told(
        "uac.log", "2024-03-23 23:00:00 +0800 INFO Starting\nmore of it\n2024-03-23 23:30:00 +0800 INFO End\n"
    )
    assert (stamp(one.clock.collected)[:16], stamp(one.clock.latest)[:16]) == ("2024-03-23T15:00", "2024-03-23T15:30")
    assert facts == []


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        (
            "live_response/process/date_before_ps_-axo_pid_user_lstart_args.txt",
            "Sun Nov 22 06:11:05 UTC 2026\n",
            "date",
        ),
        ("n/date.txt", "Sun Nov 22 06:11:05 UTC 2026\n", "date"),
        ("n/notes.txt", "Sun Nov 22 06:11:05 UTC 2026\n", ""),
        ("n/date.txt", "first date: tomorrow\n", ""),
        ("uac.log", "hello\n", "other file"),
    ],
)
def test_only_a_date_under_its_name_is_taken_for_one(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert list(folder(tmp_path, {name: text}).items.values()) == ([kind] if kind else [])


def test_every_form_is_bounded() -> None:
    assert collection_time.parsed("Sun Nov " + "1" * 60_000) is None
