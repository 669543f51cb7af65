"""Checks and what they say of themselves belong together: no function without its file, no file without a function."""

from __future__ import annotations

import re

import pytest

from kubewitness.model.posture import CheckInfo
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import ClusterCheck, NodeCheck
from kubewitness.posture.registry import CHECKS
from kubewitness.rules.documents import read_documents
from kubewitness.rules.loader import content_folder

INFOS = sorted(catalogue().values(), key=lambda one: one.id)
# Asked for by name, and answered apart from the run of all checks.
BY_NAME = {"checks/fleet/like", "checks/nodes/probe"}


def test_every_check_has_its_file_and_every_file_its_check() -> None:
    assert {one.id for one in CHECKS} - {one.id for one in INFOS} == set()
    assert {one.id for one in INFOS} - {one.id for one in CHECKS} <= BY_NAME
    assert len({one.id for one in CHECKS}) == len(CHECKS)


def test_the_scope_a_check_states_is_the_one_it_is_asked_in() -> None:
    infos = catalogue()
    for one in CHECKS:
        scope = "cluster" if isinstance(one, ClusterCheck) else "node" if isinstance(one, NodeCheck) else "fleet"
        assert infos[one.id].scope == scope, one.id


@pytest.mark.parametrize("info", INFOS, ids=lambda one: one.id)
def test_a_check_says_what_is_wrong_why_and_what_to_do_in_both_languages(info: CheckInfo) -> None:
    for text in (info.title, info.why, info.remedy.title):
        assert text.en.strip()
        assert re.search(r"[\u4e00-\u9fff]", text.zh)
    for text in (info.remedy.detail, info.remedy.breaks):
        assert bool(text.en) == bool(text.zh)
    assert info.remedy.safe or info.remedy.breaks.en, "what is not safe says what it may break"


@pytest.mark.parametrize("info", INFOS, ids=lambda one: one.id)
def test_chinese_has_no_spaces_where_a_line_of_the_file_ended(info: CheckInfo) -> None:
    for text in (info.title, info.why, info.remedy.title, info.remedy.detail, info.remedy.breaks):
        assert not re.search(r"[，。；：、！？）】」] |[\u4e00-\u9fff] [\u4e00-\u9fff]", text.zh)


@pytest.mark.parametrize("info", INFOS, ids=lambda one: one.id)
def test_techniques_and_frameworks_are_named_as_their_makers_do(info: CheckInfo) -> None:
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in info.techniques)
    assert set(info.frameworks) <= {"CIS", "NSA/CISA", "PSS", "MS threat matrix"}
    assert all(re.fullmatch(r"\d(\.\d{1,2}){1,2}", one) for one in info.frameworks.get("CIS", ()))


@pytest.mark.parametrize("info", INFOS, ids=lambda one: one.id)
def test_comments_of_commands_are_told_in_both_languages(info: CheckInfo) -> None:
    """What is no prose is a setting to be written, or a command that is not to be run without a thought."""
    command = info.remedy.command
    comments = {match[1] for match in re.finditer(r"(?:^|(?<= ))# (.+)$", command, re.MULTILINE)}
    prose = {one for one in comments if not re.match(r"(?:kubectl|kubeadm) [a-z]|[A-Za-z0-9.]+: \S+$", one)}
    assert prose == {one.en for one in info.remedy.comments}
    assert all(re.search(r"[\u4e00-\u9fff]", one.zh) for one in info.remedy.comments)


# Words in capitals that commands hold and that stand for nothing.
_CAPITALS = {"ALL", "END", "EOF", "NAME:", "RBAC", "POLICY:"}


@pytest.mark.parametrize("info", INFOS, ids=lambda one: one.id)
def test_every_word_that_stands_for_something_is_told_as_such(info: CheckInfo) -> None:
    code = re.sub(r"(?:^|(?<= ))# (?!kubectl|kubeadm).*$", "", info.remedy.command, flags=re.MULTILINE)
    found = set(re.findall(r"(?<![A-Za-z._$])(?<![^/]/)(?<![^-]-)[A-Z][A-Z_]+:?(?![A-Za-z])", code)) - _CAPITALS
    assert {one.rstrip(":") for one in found} == set(info.remedy.blanks)
    assert "…" not in code


def test_every_comment_that_is_translated_is_in_a_command() -> None:
    used = {one.en for info in INFOS for one in info.remedy.comments}
    (document,) = read_documents(content_folder() / "checks" / "comments.yml")
    assert isinstance(document.value, dict)
    assert set(document.value) == used
