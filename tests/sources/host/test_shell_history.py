"""Histories of shells."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.host import HostEvent
from kubewitness.sources.host import shell_history
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import context, folder, lines, only

PLASO = "log2timeline__plaso/test_data"


def read(text: str, name: str = "nodes/n/root/.bash_history") -> list[tuple[str, str]]:
    facts = list(shell_history.read(lines(text, name), context(name)))
    assert all(isinstance(fact, HostEvent) and fact.category == "command" for fact in facts)
    return [(fact.command, fact.time) for fact in facts if isinstance(fact, HostEvent)]


def test_a_time_is_of_the_line_after_it_alone() -> None:
    assert read("ls\n#1616461801\nwget x\nsh x\n#note\n") == [
        ("ls", ""), ("wget x", "2021-03-23T01:10:01.000000Z"), ("sh x", ""), ("#note", "")
    ]  # fmt: skip


def test_zsh_has_times_and_commands_of_several_lines() -> None:
    assert read(": 1616461801:0;echo a\\\n& id\n: 1616461802:3;ls\nplain", "nodes/n/root/.zsh_history") == [
        ("echo a\n& id", "2021-03-23T01:10:01.000000Z"), ("ls", "2021-03-23T01:10:02.000000Z"), ("plain", "")
    ]  # fmt: skip


def test_fish_writes_the_time_behind() -> None:
    text = "- cmd: echo a\\nb \\\\n\n  when: 1616461801\n  paths:\n    - /x\n- cmd: ls\n"
    assert read(text, "nodes/n/home/eve/.local/share/fish/fish_history") == [
        ("echo a\nb \\n", "2021-03-23T01:10:01.000000Z"), ("ls", "")
    ]  # fmt: skip


def test_the_builtin_counts_its_lines() -> None:
    assert read("    1  ls\n    2  top\n", "n/history.txt") == [("ls", ""), ("top", "")]


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("nodes/n/root/.bash_history", "root"),
        ("nodes/n/home/eve/.ash_history", "eve"),
        ("nodes/n/var/lib/postgresql/.bash_history", "postgresql"),
        ("case/bash_history", ""),
    ],
)
def test_the_folder_tells_whose_it_is(name: str, user: str) -> None:
    (event,) = shell_history.read(lines("ls", name), context(name))
    assert isinstance(event, HostEvent)
    assert event.user == user
    assert kind_of(name, b"ls\n") == "shell history"


@pytest.mark.parametrize(
    "text",
    [": 1616461801:0;ls\n: 1616461802:0;id\n", "#1616461801\nls\n#1616461802\nid\n", "- cmd: ls\n  when: 1616461801\n"],
)
def test_forms_that_nothing_else_has_are_recognised_without_a_name(text: str) -> None:
    assert kind_of("x.txt", text.encode()) == "shell history"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes/n/root/.python_history", "import os\n"),
        ("nodes/n/root/.mysql_history", "select 1;\n"),
        ("nodes/n/var/log/apt/history.log", "Start-Date: 2024-01-01  10:00:00\n"),
        ("x/history.txt", "1 apple\nno number\n"),
        ("x.sh", "#!/bin/sh\n#1616461801\nls\n"),
        ("x.yml", "- cmd: ls\n  when: always\n"),
    ],
)
def test_other_files_are_not_taken_for_histories(name: str, text: str) -> None:
    assert kind_of(name, text.encode()) != "shell history"


def test_a_history_stays_a_file_of_the_machine(tmp_path: Path) -> None:
    machine = only(folder(tmp_path, {"nodes/n/root/.bash_history": b"ls\n" * 9 + b"\xff\x00\x1b[2J\n"}))
    assert [(event.command, event.count) for event in machine.events] == [("ls", 9), ("\\xff\0\x1b[2J", 1)]
    assert [file.path for file in machine.files] == ["/root/.bash_history"]


def test_endless_continuation_is_cut() -> None:
    commands = read(": 1616461801:0;a\\\n" + "b\\\n" * 500, "nodes/n/root/.zsh_history")
    assert len(commands) > 100
    assert max(len(command) for command, _ in commands) < 200


@needs_corpus
def test_real_histories_are_read() -> None:
    assert CORPUS
    bash = (CORPUS / PLASO / "bash_history").read_text()
    times = [time for _, time in read(bash)]
    assert times[0] == "2013-10-01T12:36:17.000000Z"
    zsh = read((CORPUS / PLASO / "zsh_extended_history.txt").read_text(), "nodes/n/root/.zsh_history")
    assert ("cd plaso", "2016-03-12T08:26:50.000000Z") in zsh
    assert kind_of("h.txt", bash.encode()) == "shell history"
    data = (CORPUS / PLASO / "zsh_extended_history.txt").read_bytes()
    assert kind_of("zsh_extended_history.txt", data) == "shell history"
