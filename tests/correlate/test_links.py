"""Claims about links as data: each file is whole in both languages, and the code names no link that has no file."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import get_args, get_type_hints

import msgspec
import pytest

from kubewitness.correlate.links import PROVEN, edge, links, said, short_name
from kubewitness.model.errors import ContentError
from kubewitness.model.incident import Entity
from kubewitness.rules.loader import content_folder

SOURCE = Path(__file__).parents[2] / "src" / "kubewitness"
KINDS = set(get_args(get_type_hints(Entity)["kind"]))
LITERAL = re.compile(r'"([a-z_]{4,40})"')
CALLED = re.compile(r'\bedge\(\s*"([a-z_]+)"')


@pytest.mark.parametrize("name", sorted(links()))
def test_a_link_is_whole(name: str) -> None:
    link = links()[name]
    assert {link.source, link.target} <= KINDS
    assert link.keys
    assert link.title.zh != link.title.en
    assert re.search(r"[\u4e00-\u9fff]", link.why.zh)
    fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (link.why.en, link.why.zh)]
    assert fields[0] == fields[1], "both languages say the same"


def test_every_link_is_used_and_no_other_is_named() -> None:
    code = "\n".join(
        path.read_text() for folder in ("correlate", "incident") for path in (SOURCE / folder).rglob("*.py")
    )
    named = set(LITERAL.findall(code))
    assert set(links()) <= named, set(links()) - named
    called = set(CALLED.findall(code))
    assert called
    assert called <= set(links()), called - set(links())


def test_a_link_below_the_line_of_proof_makes_an_inferred_edge() -> None:
    one, other = Entity("pod", "a/b"), Entity("node", "n")
    for name, link in links().items():
        assert edge(name, one, other, {}).inferred == (link.confidence < PROVEN)


def test_hostile_values_cannot_break_the_words() -> None:
    text = said("command_names_file", path="{0}{why.__class__}", when="x")
    assert "{0}{why.__class__}" in text.en


def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path) -> None:
    from kubewitness.correlate.links import _read

    good = (content_folder() / "links" / "cgroup_process.yml").read_text()
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(good.replace("confidence: 1.0", "confidence: 7"))
    with pytest.raises(ContentError, match="between 0 and 1") as caught:
        _read(wrong)
    assert caught.value.line == 5
    wrong.write_text(good + "colour: red\n")
    with pytest.raises(ContentError, match="colour"):
        _read(wrong)


@pytest.mark.parametrize(
    ("kind", "name", "short"),
    [
        ("process", "web1/31337", "pid 31337"),
        ("process", "web1 (case/first)/31337", "pid 31337"),
        ("container", "web1 (case/first)/0123456789abcdef", "0123456789ab"),
        ("socket", "web1/unix /run/a (b)/c", "unix /run/a (b)/c"),
    ],
)
def test_the_folder_behind_a_machines_name_is_no_part_of_an_id(kind: str, name: str, short: str) -> None:
    assert short_name(msgspec.convert({"kind": kind, "name": name}, Entity)) == short
