"""The commands of what mends several failures: each line once, in both languages, and marked where a word is missing.

Commands that differ in names alone become one block, with a line for each name: nobody should read the same five lines
for every namespace. An empty line in a command parts blocks, so that the one that can be run is not held up by one in
which something has to be filled in first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.posture.filling import unknown

_VARIANTS: Final = 12  # lines for as many names
_MORE: Final = Text("... and {} more; the JSON form has all", "……另有 {} 条，JSON 格式含全部内容")
_COMMANDS: Final = ("kubectl", "kubeadm")


@dataclass(frozen=True)
class Command:
    """A block of shell or of a manifest. `blanks`: words to be replaced before it can be run."""

    text: Text
    blanks: tuple[str, ...] = ()


def commands(remedies: Sequence[Remedy]) -> tuple[Command, ...]:
    """What these remedies tell to run, without what is told twice."""
    comments = dict.fromkeys(comment for one in remedies for comment in one.comments)
    words = dict.fromkeys(word for one in remedies for word in one.blanks)
    prose = {comment.en for comment in comments}
    blocks = (block.strip("\n") for one in remedies for block in re.split(r"\n[ \t]*\n", one.command))
    joined = [_joined(one) for one in _groups(dict.fromkeys(block for block in blocks if block))]
    told = _once(["\n".join(line.en for line in one) for one in joined], prose)
    more = {Text(line.en[2:], line.zh[2:]) for one in joined for line in one if line.en != line.zh}
    return tuple(_command(text, (*comments, *more), words) for text in told)


def _command(text: str, comments: Iterable[Text], words: Iterable[str]) -> Command:
    zh = in_chinese(text, comments)
    return Command(Text(text, zh), unknown(text, words))


def in_chinese(command: str, comments: Iterable[Text]) -> str:
    """A command with these comments in Chinese."""
    known = {f"# {one.en}": f"# {one.zh}" for one in comments}
    out = list[str]()
    for line in command.split("\n"):
        start = line.find("# ")
        comment = line[start:] if start == 0 or line[:start].endswith(" ") else ""
        out.append(line[:start] + known[comment] if comment in known else line)
    return "\n".join(out)


def _groups(blocks: Iterable[str]) -> list[list[list[str]]]:
    """Blocks that differ in names alone, as their lines with the variants of each."""
    groups = list[list[list[str]]]()
    by_shape = dict[tuple[str, ...], list[list[str]]]()
    for block in blocks:
        lines = block.split("\n")
        group = by_shape.get(shape := tuple(map(_shape, lines)))
        if group is None:
            by_shape[shape] = group = [[] for _ in lines]
            groups.append(group)
        for variants, line in zip(group, lines, strict=True):
            if line not in variants[-1:]:
                variants.append(line)
    return groups


def _shape(line: str) -> str:
    """What lines have to have in common to stand below each other: their program and its verb."""
    words = line.split()
    if line.startswith("# "):
        return line if words[1:2] and words[1] not in _COMMANDS else " ".join(words[:3])
    if len(words) < 3 or line[0] == " " or words[0] == "-" or "<<" in line or line.endswith("\\"):
        return line
    return " ".join(words[:2])


def _joined(group: list[list[str]]) -> list[Text]:
    """A block; of too many names only the first."""
    out = list[Text]()
    for variants in group:
        lines = list(dict.fromkeys(variants))
        out += [Text(line, line) for line in lines[:_VARIANTS]]
        if (rest := len(lines) - _VARIANTS) > 0:
            out.append(Text(f"# {_MORE.en.format(rest)}", f"# {_MORE.zh.format(rest)}"))
    return out


def _once(blocks: Iterable[str], prose: set[str]) -> list[str]:
    """Blocks without those lines that another one has said: nobody should restart the same thing four times."""
    told = list[list[str]]()
    for block in dict.fromkeys(blocks):
        lines = block.split("\n")
        if any(_holds(known, lines) for known in told):
            continue
        home = next((known for known in told if _settles(known, lines)), None)
        if home is not None:
            at = home.index(lines[-1])
            home[at:at] = [line for line in lines[:-1] if line not in home and line[2:] not in prose]
            continue
        begun = next((known for known in told if len(known) < len(lines) and lines[: len(known)] == known), [])
        told.append(lines[len(begun) :])
    return ["\n".join(lines) for lines in told]


def _settles(known: list[str], lines: list[str]) -> bool:
    """Whether a block only adds settings, written as comments, before a last line that the known one has too."""
    return (
        lines[-1] in known
        and not lines[-1].startswith(("#", "- "))
        and all(line.startswith("# ") for line in lines[:-1])
    )


def _holds(known: list[str], lines: list[str]) -> bool:
    """Whether all lines of a block are said by another one, in this order."""
    said = iter(known)
    return all(line in said for line in lines)
