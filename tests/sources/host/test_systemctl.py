"""Units as systemctl cat prints them, and the configuration that is found from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostFile
from kubewitness.posture.exposed import judge
from kubewitness.posture.kubelet import effective
from kubewitness.sources.host import systemctl
from tests.sources.host.reading import RECORDED, context, folder, lines, only

UNIT = "/lib/systemd/system/kubelet.service"
DROP_IN = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
MAIN = "[Unit]\nDescription=x\n\n[Service]\nExecStart=/usr/bin/kubelet\n"
PRINTED = f"# {UNIT}\n{MAIN}\n# {DROP_IN}\n# a note\n[Service]\nX=1\n"


def read(text: str) -> list[HostFile]:
    facts = list(systemctl.read(lines(text), context()))
    assert not [fact for fact in facts if isinstance(fact, ParseFailure)]
    return [fact for fact in facts if isinstance(fact, HostFile)]


def test_each_file_is_one_of_its_own_with_its_place_in_the_listing() -> None:
    unit, drop_in = read(PRINTED)
    assert (unit.path, unit.text) == (UNIT, MAIN)
    assert (drop_in.path, drop_in.text) == (DROP_IN, "# a note\n[Service]\nX=1\n")
    assert drop_in.place == Place("item", 9, PRINTED.index("# a note"), len("# a note\n[Service]\nX=1"))


def test_a_comment_is_no_heading_unless_it_has_the_form_and_stands_apart() -> None:
    others = ("[Service]\n# /etc/systemd/system/other.service", "# /etc/default/kubelet is read", "# /tmp/x.service")
    text = f"# {UNIT}\n" + "\n\n".join(others)
    assert [file.path for file in read(text)] == [UNIT]
    assert [
        file.path for file in read(PRINTED.replace("# /", "\x1b[0;1;34m# /").replace("ce\n[U", "ce\x1b[0m\n[U"))
    ] == [
        UNIT,
        DROP_IN,
    ]


def test_an_empty_file_of_a_unit_is_there() -> None:
    assert [(file.path, file.text) for file in read(f"# {UNIT}\n\n# {DROP_IN}\n[Service]\n")] == [
        (UNIT, ""),
        (DROP_IN, "[Service]\n"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("systemctl_cat_kubelet.txt", PRINTED, "systemctl cat"),
        ("cat.txt", "Warning: kubelet.service changed on disk\n" + PRINTED, "systemctl cat"),
        ("etc/systemd/system/kubelet.service", PRINTED, "unit"),
        ("notes.txt", f"# {UNIT}\nis the file to look at\n", ""),
        ("notes.txt", "# /etc/hosts\n[Service]\n", "unit"),
    ],
)
def test_only_such_a_listing_is_taken_for_one(tmp_path: Path, name: str, text: str, kind: str) -> None:
    assert list(folder(tmp_path, {name: text}).items.values()) == ([kind] if kind else [])


def test_the_second_incident_is_understood_from_systemctl_cat_alone(tmp_path: Path) -> None:
    node = RECORDED / "kubelet_config_commented_out/evidence/nodes/node1"
    paths = ("/etc/systemd/system/kubelet.service", DROP_IN)
    printed = "\n".join(f"# {path}\n{(node / path[1:]).read_text()}" for path in paths)
    files = {name: (node / name).read_text() for name in ("ps.txt", "ss.txt", "var/lib/kubelet/config.yaml")}
    host = only(folder(tmp_path, {f"nodes/n/{name}": text for name, text in (files | {"cat.txt": printed}).items()}))
    found = {exposure.id: exposure for exposure in judge(host, effective(host))}
    assert set(found) == {"kubelet_anonymous_always_allow", "kubelet_read_only_port"}
    exposure = found["kubelet_anonymous_always_allow"]
    place, text = exposure.places[0]
    assert text == '#Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"'
    assert printed.encode()[place.offset :].startswith(text.encode())
    assert printed.split("\n")[place.line - 1] == text
    assert f"line 3 of {DROP_IN}" in str(exposure)


def test_a_file_that_was_copied_counts_before_what_a_listing_shows(tmp_path: Path) -> None:
    files = {"n" + DROP_IN: "[Service]\nX=2\n", "n/cat.txt": PRINTED, "n/ps.txt": "USER PID COMMAND\nroot 1 init\n"}
    texts = {file.path: file.text for file in only(folder(tmp_path, files)).files}
    assert texts[DROP_IN] == "[Service]\nX=2\n"
    assert UNIT in texts


def test_what_stands_in_front_and_what_is_too_long_is_told() -> None:
    told = context()
    facts = list(systemctl.read(lines(f"junk\n# {UNIT}\n" + "x" * 600_000 + "\n" + "y" * 600_000), told))
    assert [type(fact) for fact in facts] == [ParseFailure, HostFile]
    assert "cut" in told.notes[0].reason
