"""What checks say about themselves: data, one a file in `content/checks/<group>`, its path is its id.

title: A person without a credential has rights
why: …
zh: {title: …, why: …, remedy: {title: …, detail: …, breaks: …}}
severity: critical
scope: cluster
techniques: [T1078.001]
frameworks: {CIS: ["5.1.1"], NSA/CISA: [...], PSS: [...], MS threat matrix: [...]}
remedy: {title: …, detail: …, command: …, blanks: [NAME], safe: true, breaks: …, fix: word}

Comments of commands are Chinese by `content/checks/comments.yml`. `blanks` are words of the command that stand for what
only a result knows (`posture.filling`).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, get_args

import msgspec
from msgspec import Struct

from kubewitness.model.errors import ContentError
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import CheckInfo, Group, Remedy, Scope
from kubewitness.model.text import Text
from kubewitness.rules.documents import read_documents
from kubewitness.rules.loader import content_folder

_FOLDER: Final = "checks"
_GROUPS: Final[tuple[Group, ...]] = get_args(Group)


class _Chinese(Struct, forbid_unknown_fields=True):
    title: str
    detail: str = ""
    breaks: str = ""


class _Remedy(Struct, forbid_unknown_fields=True):
    title: str
    detail: str = ""
    command: str = ""
    safe: bool = False
    breaks: str = ""
    fix: str = ""
    blanks: list[str] = []


class _Words(Struct, forbid_unknown_fields=True):
    title: str
    why: str
    remedy: _Chinese


class _File(Struct, forbid_unknown_fields=True):
    title: str
    why: str
    zh: _Words
    severity: Severity
    scope: Scope
    remedy: _Remedy
    techniques: list[str] = []
    frameworks: dict[str, list[str]] = {}


@cache
def catalogue() -> dict[str, CheckInfo]:
    """All checks by their id.

    Raises:
        ContentError: a file is not of this form.
    """
    folder = content_folder() / _FOLDER
    found = [_read(path, group) for group in _GROUPS for path in sorted((folder / group).glob("*.yml"))]
    return {info.id: info for info in found}


def _read(path: Path, group: Group) -> CheckInfo:
    (document,) = read_documents(path)
    try:
        file = msgspec.convert(document.value, _File)
    except msgspec.ValidationError as error:
        raise ContentError(str(error), path, 1) from None
    made, zh = file.remedy, file.zh.remedy
    remedy = Remedy(
        _text(made.title, zh.title), _text(made.detail, zh.detail), made.command, made.safe,
        _text(made.breaks, zh.breaks), made.fix, comments_in(made.command), tuple(made.blanks),
    )  # fmt: skip
    return CheckInfo(
        f"{_FOLDER}/{group}/{path.stem}",
        _text(file.title, file.zh.title),
        _text(file.why, file.zh.why),
        file.severity,
        group,
        file.scope,
        remedy,
        tuple(file.techniques),
        {name: tuple(points) for name, points in file.frameworks.items()},
    )


@cache
def _comments() -> dict[str, str]:
    path = content_folder() / _FOLDER / "comments.yml"
    (document,) = read_documents(path)
    try:
        return msgspec.convert(document.value, dict[str, str])
    except msgspec.ValidationError as error:
        raise ContentError(str(error), path, 1) from None


def comments_in(command: str) -> tuple[Text, ...]:
    """The comments of a command that are prose, each once."""
    found = dict.fromkeys(match[1] for match in _COMMENT.finditer(command))
    return tuple(Text(one, _comments()[one]) for one in found if one in _comments())


_COMMENT: Final = re.compile(r"(?:^|(?<= ))# (.{1,300})$", re.MULTILINE)


# YAML joins folded lines with a space, which Chinese does not write: not behind its marks, nor between its words.
_FOLD: Final = re.compile(
    r"(?<=[\u3001-\u303f\uff01-\uff60]) +|(?<=[\u4e00-\u9fff]) +(?=[\u3001-\u303f\u4e00-\u9fff\uff01-\uff60])"
)


def _text(en: str, zh: str) -> Text:
    return Text(en, _FOLD.sub("", zh))
