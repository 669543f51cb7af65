"""The command line systemd would make of a unit and its drop-ins."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.posture.units import CommandLine, command_line
from tests.posture.machine import COMMENTED, DROP_IN, EXTRA, FLAGS, NODE, UNIT, files

ETC = "/etc/systemd/system/kubelet.service.d/"
LIB = "/usr/lib/systemd/system/kubelet.service.d/"


def made(texts: dict[str, str]) -> CommandLine:
    found = command_line(files(texts))
    assert found is not None
    return found


def words(texts: dict[str, str]) -> list[str]:
    return [word.text for word in made(texts).words]


def unit(*drop_ins: tuple[str, str], main: str = "ExecStart=/usr/bin/kubelet $A") -> dict[str, str]:
    return {UNIT: f"[Service]\n{main}\n"} | {path: f"[Service]\n{text}\n" for path, text in drop_ins}


def test_a_kubeadm_node_starts_with_its_configuration() -> None:
    assert words(NODE) == [
        "/usr/bin/kubelet",
        "--kubeconfig=/etc/kubernetes/kubelet.conf",
        "--config=/var/lib/kubelet/config.yaml",
        "--node-ip=10.0.0.5",
    ]


def test_each_word_cites_the_line_that_made_it() -> None:
    places = [(word.lines[0].path, word.lines[0].place.line) for word in made(NODE).words]
    assert places == [(DROP_IN, 8), (DROP_IN, 3), (DROP_IN, 4), (FLAGS, 1)]


def test_a_commented_line_takes_its_words_away_and_is_kept_with_its_place() -> None:
    found = made(COMMENTED)
    assert "--config=/var/lib/kubelet/config.yaml" not in [word.text for word in found.words]
    (entry,) = found.commented
    assert (entry.variable, entry.value) == ("KUBELET_CONFIG_ARGS", "--config=/var/lib/kubelet/config.yaml")
    assert (entry.line.path, entry.line.place.line) == (DROP_IN, 4)
    text = COMMENTED[DROP_IN].encode()
    place = entry.line.place
    assert text[place.offset : place.offset + place.length].decode() == entry.line.text


def test_a_comment_about_a_variable_that_something_sets_is_nothing() -> None:
    texts = COMMENTED | {ETC + "20.conf": '[Service]\nEnvironment="KUBELET_CONFIG_ARGS=--config=/other.yaml"\n'}
    assert made(texts).commented == ()


def test_a_comment_about_a_variable_that_the_command_does_not_name_is_nothing() -> None:
    assert made(NODE | {ETC + "20.conf": "[Service]\n#Environment=UNRELATED=1\n"}).commented == ()


def test_a_commented_line_of_an_environment_file_counts() -> None:
    (entry,) = made(NODE | {EXTRA: "#KUBELET_EXTRA_ARGS=--read-only-port=0\n"}).commented
    assert (entry.variable, entry.value, entry.line.path) == ("KUBELET_EXTRA_ARGS", "--read-only-port=0", EXTRA)


def test_an_argument_commented_out_within_a_continued_command_is_kept() -> None:
    found = made(unit(main="ExecStart=/usr/bin/kubelet \\\n# --config=/c.yaml \\\n  --v=2"))
    assert [word.text for word in found.words] == ["/usr/bin/kubelet", "--v=2"]
    assert [(entry.value, entry.line.place.line) for entry in found.unreached] == [("--config=/c.yaml", 3)]


def test_a_word_of_a_continued_command_cites_its_own_line() -> None:
    found = made(unit(main="ExecStart=/usr/bin/kubelet \\\n  --a \\\n  --b"))
    assert [word.lines[0].place.line for word in found.words] == [2, 3, 4]


def test_drop_ins_are_read_by_file_name_whatever_their_directory() -> None:
    assert words(unit((ETC + "10.conf", "Environment=A=etc"), (LIB + "20.conf", "Environment=A=lib")))[1:] == ["lib"]


def test_a_file_of_the_same_name_in_etc_hides_the_packaged_one() -> None:
    found = made(unit((LIB + "10.conf", "Environment=A=--config=/c"), (ETC + "10.conf", "Environment=B=1")))
    assert [word.text for word in found.words] == ["/usr/bin/kubelet"]
    assert ("A", "hidden file") in [(entry.variable, entry.why) for entry in found.unreached]


def test_the_unit_in_etc_counts_and_the_packaged_one_does_not() -> None:
    assert words(
        {UNIT: "[Service]\nExecStart=/lib\n", "/etc/systemd/system/kubelet.service": "[Service]\nExecStart=/etc\n"}
    ) == ["/etc"]


def test_several_commands_of_a_oneshot_unit_are_told_apart() -> None:
    assert words(unit(main="Type=oneshot\nExecStart=-/first a \\; b ; @/second shown c ;")) == ["/second", "c"]


def test_settings_outside_of_service_do_not_count() -> None:
    assert words(unit((ETC + "10.conf", "[Install]\nEnvironment=A=1")))[1:] == []


def test_files_that_do_not_end_in_conf_are_not_read() -> None:
    assert words(unit((ETC + "10.conf.bak", "Environment=A=1"), (ETC + ".x.conf", "Environment=A=2")))[1:] == []


def test_an_environment_file_wins_over_environment_wherever_it_stands() -> None:
    texts = unit((ETC + "10.conf", "EnvironmentFile=/e"), (ETC + "20.conf", "Environment=A=late")) | {"/e": "A=file\n"}
    assert words(texts)[1:] == ["file"]


def test_an_environment_file_not_in_the_evidence_is_told() -> None:
    found = made(unit((ETC + "10.conf", "EnvironmentFile=-/e")))
    assert (found.not_in_evidence, found.unset) == (("/e",), ("A",))


def test_two_commands_are_refused_as_systemd_refuses_them() -> None:
    assert made(unit((ETC + "10.conf", "ExecStart=/usr/bin/kubelet --x"))).refused == "more than one ExecStart="


def test_an_empty_unit_file_masks_the_unit() -> None:
    assert made(NODE | {"/etc/systemd/system/kubelet.service": ""}).refused == "masked"


def test_a_machine_without_the_unit_has_no_command() -> None:
    assert command_line(files({"/etc/systemd/system/sshd.service": "[Service]\nExecStart=/x\n"})) is None


def test_wildcards_and_bombs_end_soon() -> None:
    texts = unit((ETC + "10.conf", "EnvironmentFile=/" + "*a" * 500 + "\nEnvironment=A=" + "x" * 500_000))
    texts[UNIT] = "[Service]\nExecStart=/k " + "${A}" * 2000 + "\n"
    assert made(texts).refused == "longer than any command line"


@pytest.mark.parametrize(
    "text",
    [
        "ExecStart=/k " + "${" * 100_000,
        "ExecStart=/k " + "\\\n" * 300_000,
        "ExecStart=/k " + "$A " * 200_000 + "\nEnvironment=A='" + " " * 100_000 + "'",
        "EnvironmentFile=/e\n" * 40_000,
        "#EnvironmentFile=/e\n" * 40_000,
        "".join(f"UnsetEnvironment=a{number}\n" for number in range(40_000)),
        "Environment=" + "\\x" * 300_000,
        "[" * 900_000,
    ],
    ids=lambda text: text[:24],
)
def test_no_unit_takes_for_ever(text: str) -> None:
    began = time.process_time()
    made(unit((ETC + "10.conf", text)) | {"/e": "B=1\n" * 200_000})
    assert time.process_time() - began < 10


_NAMES = st.sampled_from(["05.conf", "10.conf", "20.conf", "30.conf"])
_LINES = st.lists(
    st.sampled_from(
        [
            "Environment=A=1",
            "Environment=A=2 B=3",
            "Environment=",
            "#Environment=A=9",
            "ExecStart=",
            "ExecStart=/k $A ${B}",
        ]
    ),
    max_size=4,
)


@given(st.dictionaries(st.tuples(st.sampled_from([ETC, LIB]), _NAMES), _LINES, max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_drop_ins_merge_like_the_plain_reading_of_the_manual(drop_ins: dict[tuple[str, str], list[str]]) -> None:
    chosen = {name: text for (directory, name), text in drop_ins.items() if directory == LIB}
    chosen |= {name: text for (directory, name), text in drop_ins.items() if directory == ETC}
    commands, environment = [["$A"]], dict[str, str]()
    for line in (line for name in sorted(chosen) for line in chosen[name]):
        key, value = line.split("=", 1)
        if key == "Environment":
            environment = environment | dict(word.split("=", 1) for word in value.split()) if value else {}
        elif key == "ExecStart":
            commands = [*commands, value.split()[1:]] if value else []
    found = made(unit(*((directory + name, "\n".join(text)) for (directory, name), text in drop_ins.items())))
    if len(commands) != 1:
        assert found.refused == ("more than one ExecStart=" if commands else "no ExecStart=")
    else:
        expected = {"$A": [environment["A"]] if "A" in environment else [], "${B}": [environment.get("B", "")]}
        assert [word.text for word in found.words[1:]] == [text for word in commands[0] for text in expected[word]]
