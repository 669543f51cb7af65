"""The command line a systemd unit would start, out of its files, each word with the lines that made it.

Within `[Service]` an empty `ExecStart=`, `Environment=` or `EnvironmentFile=` forgets what came before; a later
assignment of a variable wins; environment files are read after all that and win over it.

What did *not* reach the command line is kept beside it (`Unreached`): a line somebody commented out is how the second
incident began.

Source: systemd.service(5), systemd.exec(5); behaviour of systemd 252 to 257.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.host import HostFile
from kubewitness.posture.lines import MAX_TEXT, Line, lines
from kubewitness.posture.unit_files import UnitFiles, UnitSetting, service_settings, unit_files
from kubewitness.posture.words import (
    COMMENTS,
    WHITESPACE,
    commented_assignment,
    environment_file,
    expand,
    is_name,
    named_variables,
    next_word,
    skip_space,
    split_words,
)

Why = Literal["commented out", "overridden", "not named", "hidden file"]
_RUNNABLE: Final = re.compile(
    r"""(?!\.{1,2}\Z)(?:/[^\\"'\x00-\x1f\x7f]*[^\\"'\x00-\x1f\x7f/]|[^/\\"'\x00-\x1f\x7f]+)\Z"""
)
_MAX_FILES: Final = 64
_SEMICOLON: Final = re.compile(r"\\?;(?=[ \t\n\r]|\Z)")


class Word(Struct, frozen=True):
    """A word of a command line and the lines it came from, the deciding one first."""

    text: str
    lines: tuple[Line, ...]


class Unreached(Struct, frozen=True):
    """An assignment or argument in the files of a unit that did not make it into the command line."""

    variable: str  # empty: an argument of the command itself
    value: str
    why: Why
    line: Line
    by: Line | None = None  # the line that won over it


class CommandLine(Struct, frozen=True):
    """What systemd would start."""

    words: tuple[Word, ...]  # the path first; empty: nothing can be started
    unreached: tuple[Unreached, ...] = ()
    not_in_evidence: tuple[str, ...] = ()  # environment files named but not there to be read; they may not exist at all
    unset: tuple[str, ...] = ()  # variables the command names and nothing sets
    environment: dict[str, str] = {}
    refused: str = ""  # why systemd would not start this
    drop_ins: tuple[str, ...] = ()  # paths, as read

    @property
    def commented(self) -> tuple[Unreached, ...]:
        """Assignments commented out whose variable the command names and nothing sets."""
        return tuple(entry for entry in self.unreached if entry.why == "commented out" and entry.variable)


class _Assignment(Struct, frozen=True):
    name: str
    value: str
    line: Line


class _Service:
    """The settings that matter here, as they stand after the files read so far."""

    def __init__(self) -> None:
        self.commands: list[tuple[UnitSetting, list[tuple[str, Line]]]] = []
        self.environment: list[_Assignment] = []
        self.forgotten: list[_Assignment] = []  # by an empty Environment=
        self.files: dict[str, Line] = {}  # environment files: of a path named twice the later place counts
        self.removed: set[str] = set()
        self.type = ""
        self.comments: list[Line] = []

    def read(self, file: HostFile) -> bool:
        """Take in the settings of a file; False if systemd stops in the midst of it, at a command it cannot read."""
        for setting in service_settings(file):
            self.comments += setting.comments
            if setting.key == "ExecStart":
                if not setting.value:
                    self.commands.clear()
                for words in _commands(setting):
                    if words is None:
                        return False
                    self.commands.append((setting, words))
            elif setting.key == "Environment":
                if not setting.value:
                    self.forgotten += self.environment
                    self.environment.clear()
                self.environment += _assignments(setting.value, setting.line)
            elif setting.key == "EnvironmentFile":
                if not setting.value:
                    self.files.clear()
                elif setting.value.removeprefix("-").startswith("/"):
                    path = setting.value.removeprefix("-").replace("%%", "%")
                    self.files.pop(path, None)
                    self.files[path] = setting.line
            elif setting.key == "UnsetEnvironment":
                if not setting.value:
                    self.removed.clear()
                self.removed.update(split_words(setting.value)[0])
            elif setting.key == "Type":
                self.type = setting.value
        return True


def command_line(files: Sequence[HostFile], unit: str = "kubelet.service") -> CommandLine | None:
    """What `unit` would start; None if the files say nothing about it."""
    found = unit_files(files, unit)
    if found.main is None and not found.drop_ins:
        return None
    drop_ins = tuple(file.path for file in found.drop_ins)
    if found.main is not None and not found.main.text:
        return CommandLine((), refused="masked", drop_ins=drop_ins)
    service = _Service()
    if found.main is not None and not service.read(found.main):
        return CommandLine((), refused="malformed ExecStart=", drop_ins=drop_ins)
    for file in found.drop_ins:
        service.read(file)  # what follows a malformed command in a drop-in is not read, the other drop-ins are
    if not service.commands:
        return CommandLine((), refused="no ExecStart=", drop_ins=drop_ins)
    return _resolve(service, found, {file.path: file for file in files})


def _assignments(value: str, line: Line) -> Iterator[_Assignment]:
    for word in split_words(value)[0]:
        name, equals, rest = word.replace("%%", "%").partition("=")
        if equals and is_name(name):
            yield _Assignment(name, rest, line)


def _commands(setting: UnitSetting) -> Iterator[list[tuple[str, Line]] | None]:
    """The command lines of one ExecStart=, separated by a word `;`; None where systemd gives up the file."""
    value, at = setting.value, skip_space(setting.value, 0)
    words: list[tuple[str, Line]] = []
    while at < len(value):
        line = setting.line_at(at)
        mark = _SEMICOLON.match(value, at)
        if mark and mark[0] == ";":
            if words:
                yield _command(words)
            words, at = [], mark.end()
        elif mark and words:
            words.append((";", line))
            at = mark.end()
        else:
            word, at = next_word(value, at)
            if word is None:
                yield None
                return
            words.append((word.replace("%%", "%"), line))
        at = skip_space(value, at)
    if words:
        yield _command(words)


def _command(words: list[tuple[str, Line]]) -> list[tuple[str, Line]] | None:
    """The command without the marks before its path."""
    path = words[0][0].lstrip("-@:+!|")
    marks = words[0][0][: len(words[0][0]) - len(path)]
    if not _RUNNABLE.match(path):
        return None
    rest = words[2:] if "@" in marks else words[1:]  # after @ the second word is only the name shown
    if ":" in marks:  # variables are not replaced
        rest = [(word.replace("$", "$$"), line) for word, line in rest]
    return [(path, words[0][1]), *rest]


def _resolve(service: _Service, found: UnitFiles, by_path: Mapping[str, HostFile]) -> CommandLine:
    setting, words = service.commands[-1]
    refused = "more than one ExecStart=" if len(service.commands) > 1 and service.type != "oneshot" else ""
    from_files: list[_Assignment] = []
    absent: list[str] = []
    if len(service.files) > _MAX_FILES:
        return CommandLine((), refused="more environment files than any unit names")
    for path in service.files:
        present = _matching(path, by_path)
        if not present:
            absent.append(path)
        for file in present:
            from_files += (_Assignment(*entry) for entry in environment_file(file))
    assigned = [*service.environment, *from_files]
    environment = {entry.name: entry for entry in assigned if entry.name not in service.removed}
    named = {name for word, _ in words[1:] for name in named_variables(word)}
    made = _expanded(words, environment)
    if made is None:
        made, refused = [], "longer than any command line"
    unset = sorted(name for name in named if name not in environment)
    unreached = [
        *_commented_assignments(service.comments, tuple(service.files), set(unset), by_path),
        *_commented_arguments(setting.inner_comments),
        *_losers([*service.forgotten, *assigned], environment, named),
        *_hidden(found.hidden, {(entry.name, entry.value) for entry in environment.values()}),
    ]
    return CommandLine(
        tuple(made),
        tuple(unreached),
        tuple(absent),
        tuple(unset),
        {name: entry.value for name, entry in environment.items()},
        refused,
        tuple(file.path for file in found.drop_ins),
    )


def _matching(path: str, by_path: Mapping[str, HostFile]) -> list[HostFile]:
    """The files an EnvironmentFile= names: it may hold wildcards, which do not cross a slash."""
    if not any(mark in path for mark in "*?["):
        return [by_path[path]] if path in by_path else []
    if len(path) > 4096 or path.count("*") > 8:  # a wildcard made to take for ever
        return []
    pattern = re.compile(translate(path))
    return [by_path[name] for name in sorted(by_path) if name.count("/") == path.count("/") and pattern.match(name)]


def _expanded(words: Sequence[tuple[str, Line]], environment: Mapping[str, _Assignment]) -> list[Word] | None:
    values = {name: entry.value for name, entry in environment.items()}
    path, line = words[0]
    made = [Word(path, (line,))]
    size = work = 0
    for word, line in words[1:]:
        work += sum(len(values.get(name, "")) for name in named_variables(word))
        if work > 4 * MAX_TEXT:
            return None
        results = expand(word, values)
        if results is None:
            return None
        size += sum(map(len, results)) + len(results)
        if size > MAX_TEXT:
            return None
        sources = [environment[name].line for name in named_variables(word) if name in environment]
        made += (Word(text, (*dict.fromkeys(sources), line)) for text in results)
    return made


def _commented_assignments(
    comments: Sequence[Line], named_files: Sequence[str], unset: set[str], by_path: Mapping[str, HostFile]
) -> Iterator[Unreached]:
    """Comments that would set a variable the command names and nothing sets, in the unit or its environment files."""
    followed: set[str] = set()  # files named in comments
    for line in comments if unset else ():
        key, equals, value = line.text.lstrip(WHITESPACE + COMMENTS).partition("=")
        value = value.strip(WHITESPACE)
        if not equals:
            continue
        if key.rstrip(WHITESPACE) == "Environment":
            would = list(_assignments(value, line))
        elif key.rstrip(WHITESPACE) == "EnvironmentFile" and value not in followed and len(followed) < _MAX_FILES:
            followed.add(value)
            would = [
                _Assignment(name, text, line)
                for file in _matching(value.removeprefix("-"), by_path)
                for name, text, _ in environment_file(file)
            ]
        else:
            continue
        yield from (Unreached(entry.name, entry.value, "commented out", line) for entry in would if entry.name in unset)
    for path in named_files:
        for file in _matching(path, by_path):
            for line in lines(file):
                assignment = commented_assignment(line.text)
                if assignment and assignment[0] in unset:
                    yield Unreached(*assignment, "commented out", line)


def _commented_arguments(comments: Sequence[Line]) -> Iterator[Unreached]:
    """Arguments on comment lines between the joined lines of the command."""
    for line in comments:
        for word in split_words(line.text.lstrip(WHITESPACE + COMMENTS).rstrip("\\"), relaxed=True)[0]:
            if word.startswith("--"):
                yield Unreached("", word, "commented out", line)


def _losers(
    assigned: Sequence[_Assignment], environment: Mapping[str, _Assignment], named: set[str]
) -> Iterator[Unreached]:
    for entry in assigned:
        winner = environment.get(entry.name)
        if winner is None:
            yield Unreached(entry.name, entry.value, "overridden", entry.line)
        elif winner.value != entry.value:
            yield Unreached(entry.name, entry.value, "overridden", entry.line, winner.line)
        elif winner is entry and entry.name not in named:
            yield Unreached(entry.name, entry.value, "not named", entry.line)


def _hidden(files: Sequence[HostFile], reached: set[tuple[str, str]]) -> Iterator[Unreached]:
    for file in files:
        for setting in service_settings(file):
            if setting.key == "Environment":
                for entry in _assignments(setting.value, setting.line):
                    if (entry.name, entry.value) not in reached:
                        yield Unreached(entry.name, entry.value, "hidden file", entry.line)
