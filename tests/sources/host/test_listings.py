"""Listings of files."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import FileEntry
from kubewitness.sources.host import listings
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import context, folder, lines, moment, only

TMP = """/tmp:
total 48
drwxrwxrwt  9 root root  4096 Mar 23 15:05 .
drwxr-xr-x 19 root root  4096 Mar  2  2021 ..
-rwsr-xr-x  1 root root 48144 Mar 23 15:05 .x

/tmp/...:
total 4
-rw-r--r--. 1 eve eve 12 Mar 23 15:05 run me
lrwxrwxrwx 1 root root 9 Mar 23 15:05 .bash_history -> /dev/null
"""


def read(text: str, name: str = "x.txt") -> list[FileEntry]:
    where = context(name, latest=moment(2021, 3, 24))
    return [fact for fact in listings.read(lines(text, name), where) if isinstance(fact, FileEntry)]


def test_folders_of_a_recursive_listing_stand_before_its_names() -> None:
    assert kind_of("x.txt", TMP.encode()) == "file listing"
    found = read(TMP)
    assert [entry.path for entry in found] == ["/tmp", "/..", "/tmp/.x", "/tmp/.../run me", "/tmp/.../.bash_history"]
    assert (found[2].mode, found[2].size, found[2].owner, found[2].kind) == ("-rwsr-xr-x", 48144, "root", "file")
    assert (found[2].modified, found[1].modified) == ("2021-03-23T15:05:00.000000Z", "2021-03-02T00:00:00.000000Z")
    assert (found[4].kind, found[4].target) == ("link", "/dev/null")


@pytest.mark.parametrize(
    ("line", "path", "size", "when"),
    [
        ("-rw-r--r-- 1 0 0 9 2021-03-23 15:05:36.670951000 +0800 'a b'", "a b", 9, "2021-03-23T07:05:36.670951Z"),
        ("-rw-r--r--+ 1 root root 9 2021-03-23 15:05 a", "a", 9, "2021-03-23T15:05:00.000000Z"),
        ("-rw-r--r-- 1 root root 9 03-23 15:05 a", "a", 9, "2021-03-23T15:05:00.000000Z"),
        ("131074    4 drwxrwxrwt   9 root     root         4096 Mar 22 06:00 /tmp/a\\ b", "/tmp/a b", 4096,
         "2021-03-22T06:00:00.000000Z"),
        ("-rw-r--r-- 1 root root system_u:object_r:tmp_t:s0 5 Mar 23 15:05 z", "z", 5, "2021-03-23T15:05:00.000000Z"),
        ("brw-rw---- 1 root disk 8, 0 Mar 23 15:05 sda", "sda", -1, "2021-03-23T15:05:00.000000Z"),
        ("-rwxr-xr-x 1 root 512 Dec 31 15:05 b", "b", 512, "2020-12-31T15:05:00.000000Z"),
        ("-rwxr-xr-x 1 root root 512 Foo 39 15:05 b", "b", 512, ""),
    ],
)  # fmt: skip
def test_lines_in_every_style(line: str, path: str, size: int, when: str) -> None:
    (entry,) = read(line)
    assert (entry.path, entry.size, entry.modified) == (path, size, when)


def test_the_zone_of_the_machine_counts() -> None:
    where = context(latest=moment(2021, 3, 24), zone=timedelta(hours=8))
    (entry,) = listings.read(lines("-rw-r--r-- 1 root root 9 Mar 23 15:05 a"), where)
    assert isinstance(entry, FileEntry)
    assert (entry.modified, where.notes) == ("2021-03-23T07:05:00.000000Z", [])


def test_a_bodyfile_has_times_in_seconds_and_any_name() -> None:
    text = (
        "0|/tmp/.x|y|50360451|-rwxr-xr-x|0|0|48144|1616461802|1616461801|1616461803|0\n"
        "0|/root/.bash_history -> /dev/null|1|l/lrwxrwxrwx|0|0|4|0|0|0|0\n"
        f"{'A' * 64}|/bin/ls (deleted)|1|r/rrwxr-xr-x|0|0|9|1616461801.5|1|1|1\n"
    )
    assert kind_of("uac.tar!bodyfile/bodyfile.txt", text.encode()) == "file listing"
    one, link, last = read(text)
    assert (one.path, one.modified, one.changed) == (
        "/tmp/.x|y", "2021-03-23T01:10:01.000000Z", "2021-03-23T01:10:03.000000Z"
    )  # fmt: skip
    assert (link.path, link.target, link.modified) == ("/root/.bash_history", "/dev/null", "")
    assert (last.path, last.mode, last.sha256) == ("/bin/ls", "-rwxr-xr-x", "a" * 64)


def test_the_name_of_the_item_may_tell_the_folder() -> None:
    (entry,) = read("-rwxr-xr-x 1 root root 5 Mar 23 15:05 .x", "u!live_response/system/ls_-la_var_tmp.txt")
    assert entry.path == "/var/tmp/.x"


def test_of_many_files_the_telling_ones_are_kept_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MAX_OTHERS", 2)
    text = (
        "".join(f"0|/usr/share/a{n}|1|-rw-r--r--|0|0|1|1|1|1|1\n" for n in range(9))
        + "0|/tmp/z|1|-rw-r--r--|0|0|1|1|1|1|1\n"
    )
    where = context()
    assert [fact.path for fact in listings.read(lines(text), where) if isinstance(fact, FileEntry)][-1] == "/tmp/z"
    assert [note.reason for note in where.notes] == ["7 more files than are kept of a listing, left out"]


def test_what_could_not_be_listed_is_a_note_and_junk_a_failure() -> None:
    where = context()
    text = "ls: cannot open directory '/root': Permission denied\njunk\n-rw-r--r-- 1 a a 1 Mar 23 15:05 b\n"
    facts = list(listings.read(lines(text), where))
    assert [isinstance(fact, ParseFailure) for fact in facts] == [True, False]
    assert "could not be listed" in where.notes[0].reason


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.txt", "lrwxrwxrwx 1 root root 0 Mar 23 15:05 /proc/1/exe -> /sbin/init\n"),
        ("x.txt", "a|b|c|d|e|f|g|h|i|j|k|l\n" * 3),
        ("x.txt", "/tmp:\ntotal 4\n"),
        ("x.txt", "we saw\n-rw-r--r-- 1 root root 1 Mar 23 15:05 x\nin it\n"),
        ("nodes/n/root/.ls", "-rw-r--r-- 1 root root 1 Mar 23 15:05 x\n"),
    ],
)
def test_other_files_are_not_taken_for_listings(name: str, text: str) -> None:
    assert kind_of(name, text.encode()) != "file listing"


def test_a_machine_has_its_listing(tmp_path: Path) -> None:
    assert len(only(folder(tmp_path, {"nodes/n/ls_tmp.txt": TMP})).listing) == 5


@given(st.text(alphabet="-rwxd|/ 0123456789:.>'\\aM\n", max_size=120))
def test_no_text_breaks_it(text: str) -> None:
    list(listings.read(lines(text), context()))


@pytest.mark.parametrize("text", ["-rwxr-xr-x" + " 1" * 9000, "1 " * 9000, "-rwxr-xr-x 1 " + "a:b " * 4000, "|" * 9000])
def test_long_lines_cost_no_time(text: str) -> None:
    began = time.process_time()
    list(listings.read(lines(text), context()))
    assert time.process_time() - began < 5
