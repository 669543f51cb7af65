"""Unit files and the command line systemd makes of them: the heart of the second incident."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from range.units import command_line, write_units

CONFIG = "--config=/var/lib/kubelet/config.yaml"
WORD = st.from_regex(r"--[a-z][a-z-]{0,10}=[a-z0-9/._,-]{1,12}", fullmatch=True)


def unit(root: Path, *lines: str, **drop_ins: str) -> list[str]:
    """The command line of a unit with these lines in [Service] and these drop-ins."""
    folder = root / "etc/systemd/system"
    (folder / "a.service.d").mkdir(parents=True, exist_ok=True)
    (folder / "a.service").write_text("[Service]\n" + "\n".join(lines) + "\n")
    for name, text in drop_ins.items():
        (folder / f"a.service.d/{name}.conf").write_text(f"[Service]\n{text}\n")
    return command_line(root, "a.service")


def kubelet(root: Path, *, commented_out: bool) -> list[str]:
    write_units(root, commented_out)
    flags = root / "var/lib/kubelet/kubeadm-flags.env"
    flags.parent.mkdir(parents=True, exist_ok=True)
    flags.write_text('KUBELET_KUBEADM_ARGS="--node-ip=10.77.0.11 --hostname-override=node1"\n')
    return command_line(root, "kubelet.service")


def test_the_line_in_place_gives_the_kubelet_its_configuration_file(tmp_path: Path) -> None:
    assert CONFIG in kubelet(tmp_path, commented_out=False)


def test_commenting_the_line_out_takes_the_configuration_file_away_and_nothing_else(tmp_path: Path) -> None:
    whole = kubelet(tmp_path / "good", commented_out=False)
    assert kubelet(tmp_path / "bad", commented_out=True) == [word for word in whole if word != CONFIG]
    assert "--kubeconfig=/etc/kubernetes/kubelet.conf" in whole
    assert whole[-2:] == ["--node-ip=10.77.0.11", "--hostname-override=node1"]


def test_both_drop_ins_name_the_file_and_differ_in_one_character(tmp_path: Path) -> None:
    texts = []
    for name, commented_out in (("good", False), ("bad", True)):
        write_units(tmp_path / name, commented_out)
        texts.append((tmp_path / name / "etc/systemd/system/kubelet.service.d/10-kubeadm.conf").read_text())
    assert texts[1].replace("#", "") == texts[0]
    assert len(texts[1]) == len(texts[0]) + 1


def test_the_drop_ins_execstart_replaces_the_units(tmp_path: Path) -> None:
    assert unit(tmp_path, "ExecStart=/bin/a one", d="ExecStart=\nExecStart=/bin/b two") == ["/bin/b", "two"]


def test_drop_ins_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    drop_ins = {"b": "Environment=V=late", "a": "Environment=V=early"}
    assert unit(tmp_path, "ExecStart=/bin/a $V", **drop_ins) == ["/bin/a", "late"]


def test_a_quoted_assignment_keeps_its_blanks_and_a_variable_alone_is_split(tmp_path: Path) -> None:
    lines = ('Environment="ONE=--a=1 --b=2" TWO=--c=3', "ExecStart=/bin/a $ONE $TWO $UNSET")
    assert unit(tmp_path, *lines) == ["/bin/a", "--a=1", "--b=2", "--c=3"]


def test_a_missing_environment_file_is_no_error_and_a_present_one_wins_over_what_came_before(tmp_path: Path) -> None:
    lines = ("Environment=V=unit", "EnvironmentFile=-/etc/default/a", "ExecStart=/bin/a $V")
    assert unit(tmp_path, *lines) == ["/bin/a", "unit"]
    (tmp_path / "etc/default").mkdir()
    (tmp_path / "etc/default/a").write_text("# a comment\nV=file\n")
    assert unit(tmp_path, *lines) == ["/bin/a", "file"]


def test_comments_of_both_kinds_say_nothing(tmp_path: Path) -> None:
    assert unit(tmp_path, "#ExecStart=/bin/x", ";ExecStart=/bin/y", "ExecStart=/bin/a") == ["/bin/a"]


@settings(max_examples=40, deadline=None)
@given(st.lists(WORD, max_size=6), st.booleans())
def test_any_flags_reach_the_command_line_in_order_unless_their_line_is_commented_out(
    flags: list[str], commented_out: bool
) -> None:

    with tempfile.TemporaryDirectory() as name:
        line = f'{"#" if commented_out else ""}Environment="ARGS={" ".join(flags)}"'
        assert unit(Path(name), line, "ExecStart=/bin/a $ARGS") == ["/bin/a", *([] if commented_out else flags)]
