"""Crontabs of users and of the system."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import CronEntry
from kubewitness.sources.host import crontab
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only


def read(text: str, path: str = "nodes/n/etc/crontab") -> list[CronEntry]:
    return [fact for fact in crontab.read(lines(text, path), context(path)) if isinstance(fact, CronEntry)]


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("etc/crontab", "17 * * * * root cd / && run-parts x", ("17 * * * *", "root", "cd / && run-parts x")),
        ("etc/cron.d/x", "@reboot\twww-data  /opt/x", ("@reboot", "www-data", "/opt/x")),
        ("var/spool/cron/crontabs/eve", "*/5 1-3,7 * jan mon-fri id -u", ("*/5 1-3,7 * jan mon-fri", "eve", "id -u")),
        ("var/spool/cron/root", "* * * * *  sh%curl x", ("* * * * *", "root", "sh%curl x")),
        ("etc/crontabs/root", "-*/5 * * * * /x", ("*/5 * * * *", "root", "/x")),
        ("etc/anacrontab", "7 10 cron.weekly nice run-parts", ("7 10", "root", "nice run-parts")),
    ],
)
def test_an_entry_has_its_schedule_its_user_and_its_command(path: str, line: str, expected: tuple[str, ...]) -> None:
    (entry,) = read(f"# m h\nMAILTO=root\n{line}\n", f"nodes/n/{path}")
    assert (entry.schedule, entry.user, entry.command) == expected
    assert (entry.path, entry.place.line) == (f"/{path}", 3)


def test_comments_variables_and_empty_tables_are_nothing() -> None:
    facts = list(
        crontab.read(lines('#x\nA = b\nPATH=/a:/b\n"Q"=x\nno crontab for root\n'), context("nodes/n/etc/crontab"))
    )
    assert facts == []


def test_a_line_behind_a_carriage_return_is_read_whole_and_remarked_on() -> None:
    where = context("nodes/n/var/spool/cron/root")
    (entry,) = crontab.read(lines("* * * * * /tmp/.a;\rno crontab for root"), where)
    assert isinstance(entry, CronEntry)
    assert entry.command == "/tmp/.a;\rno crontab for root"
    assert "carriage return" in where.notes[0].reason


def test_the_time_zone_of_a_table_is_remarked_on() -> None:
    where = context("nodes/n/etc/crontab")
    list(crontab.read(lines("CRON_TZ=Asia/Shanghai\n1 1 * * * root id"), where))
    assert "Asia/Shanghai" in where.notes[0].reason


def test_what_is_no_line_of_a_crontab_is_counted_and_costs_no_other() -> None:
    facts = list(crontab.read(lines("* * *\n\x1b[31m\n61 junk\n1 1 * * * root id\n"), context("nodes/n/etc/crontab")))
    assert [isinstance(fact, ParseFailure) for fact in facts] == [True, True, True, False]


def test_what_crontab_prints_is_told_by_its_content() -> None:
    text = "# DO NOT EDIT\nSHELL=/bin/sh\n*/10 * * * * curl -s x | sh\n"
    assert kind_of("out/live.txt", text.encode()) == "crontab"
    (entry,) = read(text, "u!live_response/system/crontab_-l_-u_eve.txt")
    assert (entry.user, entry.path) == ("eve", "")
    (entry,) = read("17 * * * * root cd /\n", "out/cat.txt")
    assert (entry.user, entry.command) == ("root", "cd /")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.txt", "1 2 3 4 5 6\n7 8 9 1 2 3\n"),
        ("x.txt", "1 2 3 4 5 abc\n"),
        ("x.txt", "* * * * * a\nand this is text\n"),
        ("x.txt", "# only words\nA=b\n"),
        ("x.md", "* one\n* two\n"),
        ("nodes/n/etc/cron.daily/x", "* * * * * id\n"),
        ("nodes/n/var/spool/cron/atjobs/a1", "* * * * * id\n"),
        ("nodes/n/home/a/notes", "* * * * * id\n"),
    ],
)
def test_other_files_are_not_taken_for_crontabs(name: str, text: str) -> None:
    assert kind_of(name, text.encode()) != "crontab"


def test_a_table_in_a_copied_file_system_is_both_schedule_and_file(tmp_path: Path) -> None:
    machine = only(folder(tmp_path, {"nodes/n/etc/cron.d/x": "* * * * * root id\n"}))
    assert [(entry.path, entry.command) for entry in machine.schedules] == [("/etc/cron.d/x", "id")]
    assert [file.path for file in machine.files] == ["/etc/cron.d/x"]


@given(st.text(alphabet="*/,-0123456789 ~@\r\t%abcroot=#", max_size=80), st.sampled_from(["/etc/crontab", "", "/x"]))
def test_no_line_breaks_it(line: str, path: str) -> None:
    entry = crontab.entry_of(path, line, Place("x", 1, 0))
    assert entry is None or entry.command


@needs_corpus
@pytest.mark.parametrize(("pattern", "path", "least"), [("crontab-u*.out", "etc/crontab", 5), ("crontab*.out", "x", 9)])
def test_crontabs_of_real_machines_are_read_whole(pattern: str, path: str, least: int) -> None:
    assert CORPUS
    number = 0
    for sample in sorted((CORPUS / "kellyjonbrazil__jc/tests/fixtures").rglob(pattern)):
        where = f"nodes/n/{path}"
        facts = list(crontab.read(lines(sample.read_text(), where), context(where)))
        assert not [fact for fact in facts if isinstance(fact, ParseFailure)], sample
        number += len(facts)
    assert number >= least
