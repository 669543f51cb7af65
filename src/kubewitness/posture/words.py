"""systemd's own quoting: words of a setting, assignments of an environment file, variables in a command line.

None of it is a shell's: `$VAR` as a word of its own is replaced by the value cut into words (no word at all if it is
unset), `${VAR}` anywhere is replaced without cutting, `$$` is a dollar, and `--x=$VAR` is no variable at all. In an
environment file quotes count only at the start of a value, and a backslash at the end of a line continues it. A
comment in an environment file ends with its line, as since systemd 254; before, a backslash at its end made the next
line a comment too.

Source: systemd.service(5) "Command lines", systemd.exec(5) "Environment", and the behaviour of extract_first_word(),
replace_env_argv() and parse_env_file_internal() in systemd 252 to 257.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kubewitness.model.host import HostFile
from kubewitness.posture.lines import MAX_TEXT, Line, lines

WHITESPACE: Final = " \t\n\r"
COMMENTS: Final = "#;"
_SIMPLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
    '"': '"', "'": "'", "s": " ",
}  # fmt: skip
_CODED: Final = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BRACED: Final = re.compile(r"\$(?:\$|\{([^}]{0,127})\})")  # bounded: a line of nothing but "${" must end
_SHELL_ESCAPED: Final = '"\\`$'


def is_name(text: str) -> bool:
    """Whether `text` can name an environment variable."""
    return _NAME.match(text) is not None


def split_words(text: str, *, unescape: bool = True, relaxed: bool = False) -> tuple[list[str], bool]:
    """The words of `text` without their quotes, and whether all could be read.

    At unbalanced quotes the words before them are returned and False (`relaxed`: the quote ends with the text).
    """
    words: list[str] = []
    at = skip_space(text, 0)
    while at < len(text):
        word, at = next_word(text, at, unescape=unescape, relaxed=relaxed)
        if word is None:
            return words, False
        words.append(word)
        at = skip_space(text, at)
    return words, True


def skip_space(text: str, at: int) -> int:
    """Where the next word begins."""
    while at < len(text) and text[at] in WHITESPACE:
        at += 1
    return at


def next_word(text: str, at: int, *, unescape: bool = True, relaxed: bool = False) -> tuple[str | None, int]:
    """The word at `at` and where it ends; None if its quotes do not close."""
    word, end = _word(text, at, unescape, relaxed, keep_unknown=False)
    if word is None and unescape:  # systemd reads the word again and keeps the backslash of an unknown escape
        word, end = _word(text, at, unescape, relaxed, keep_unknown=True)
    return word, end


def _word(text: str, at: int, unescape: bool, relaxed: bool, keep_unknown: bool) -> tuple[str | None, int]:
    out: list[str] = []
    quote = ""
    while at < len(text):
        char = text[at]
        if char == "\\":
            if at + 1 == len(text):
                if quote and not relaxed:
                    return None, at
                if not keep_unknown and not relaxed:
                    return None, at
                return "".join(out) + ("\\" if keep_unknown else ""), at + 1
            read, at = _escape(text, at + 1) if unescape else (text[at + 1], at + 2)
            if read is None:
                if not keep_unknown:
                    return None, at
                read, at = "\\" + text[at], at + 1
            out.append(read)
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in "'\"":
            quote = char
        elif char in WHITESPACE:
            break
        else:
            out.append(char)
        at += 1
    if quote and not relaxed:
        return None, at
    return "".join(out), at


def _escape(text: str, at: int) -> tuple[str | None, int]:
    if simple := _SIMPLE.get(text[at]):
        return simple, at + 1
    if coded := _CODED.match(text, at):
        value = int(coded[4], 8) if coded[4] else int(coded[1] or coded[2] or coded[3], 16)
        if 0 < value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF:
            return chr(value), coded.end()
    return None, at


def environment_file(file: HostFile) -> Iterator[tuple[str, str, Line]]:
    """The assignments of an environment file: name, value and the line where each begins."""
    text: list[str] = []  # of the value so far
    key: Line | None = None
    name, state = "", "start"
    own = list(lines(file))
    endless = own[-1] if own and file.text[-1] not in "\r\n\0" else None  # no newline ends it
    for line in own:
        rest = line.text
        if state == "start":
            stripped = rest.lstrip(WHITESPACE)
            if not stripped or stripped[0] in COMMENTS or "=" not in stripped[1:]:
                continue
            at = stripped.index("=", 1)  # at the very beginning it is part of a name, which is then none
            name, rest = stripped[:at], stripped[at + 1 :]
            name, key, text, state = name.rstrip(WHITESPACE), line, [], "before"
        state = _value(rest, state, text, "" if line is endless else "\n")
        if state == "start" and key is not None and is_name(name):
            yield name, _finished(text), key
    if state != "start" and key is not None and is_name(name):  # the file ends inside a value: it counts all the same
        yield name, _finished(text), key


def commented_assignment(line: str) -> tuple[str, str] | None:
    """Name and value that an environment file's comment would assign without its mark."""
    stripped = line.lstrip(WHITESPACE)
    if not stripped or stripped[0] not in COMMENTS:
        return None
    name, equals, rest = stripped.lstrip(COMMENTS + WHITESPACE).partition("=")
    if not equals or not is_name(name.rstrip(WHITESPACE)):
        return None
    text: list[str] = []
    _value(rest, "before", text)
    return name.rstrip(WHITESPACE), _finished(text)


_SOFT: Final = "\0"  # before a space that goes if nothing follows it; no line holds a NUL
_EATEN: Final = "\0\n"  # a newline that is none
_TRAILING: Final = re.compile(r"(?:\0[ \t])+\Z")


def _finished(text: list[str]) -> str:
    return _TRAILING.sub("", "".join(text)).replace(_EATEN, "").replace(_SOFT, "")


def _value(rest: str, state: str, text: list[str], newline: str = "\n") -> str:
    """One physical line of a value, in the state the line before left; returns the state after ("start": it ended)."""
    at = 0
    while at < len(rest):
        char = rest[at]
        at += 1
        if state == "before":
            if char in "'\"":
                state = char
            elif char == "\\":
                at, state = _taken(rest, at, text), "plain"
                if at > len(rest):
                    return state
            elif char not in WHITESPACE:
                text.append(char)
                state = "plain"
        elif state == "plain":
            if char == "\\":
                at = _taken(rest, at, text)
                if at > len(rest):
                    return state
            else:
                text.append(_SOFT + char if char in WHITESPACE else char)
        elif char == state:  # the closing quote; another value may follow and is joined
            state = "before"
        elif char == "\\" and state == '"':
            if at == len(rest):
                return state  # the newline is eaten
            text.append(rest[at] if rest[at] in _SHELL_ESCAPED else "\\" + rest[at])
            at += 1
        else:
            text.append(char)
    if state in ("before", "plain"):
        return "start"
    text.append(newline)
    return state


def _taken(rest: str, at: int, text: list[str]) -> int:
    """Take the character after a backslash; past the end if that was the newline."""
    text.append(rest[at] if at < len(rest) else _EATEN)  # either way the spaces before it are kept
    return at + 1


def named_variables(word: str) -> tuple[str, ...]:
    """The variables a word of a command line refers to."""
    if is_splitting(word):
        return (word[1:],)
    return tuple(match[1] for match in _BRACED.finditer(word) if is_name(match[1] or ""))


def is_splitting(word: str) -> bool:
    """Whether the word is `$VAR`: to be replaced by the words of the value."""
    return word.startswith("$") and not word.startswith(("${", "$$"))


def expand(word: str, value_of: Mapping[str, str] | Callable[[str], str]) -> list[str] | None:
    """What becomes of a word of a command line; None if it grows beyond any command line."""
    get = value_of if callable(value_of) else lambda name: value_of.get(name, "")
    if is_splitting(word):
        return split_words(get(word[1:]), unescape=False, relaxed=True)[0]
    size = 0
    pieces: list[str] = []
    at = 0
    for match in _BRACED.finditer(word):
        pieces += (word[at : match.start()], "$" if match[1] is None else get(match[1]))
        size += len(pieces[-1])
        if size > MAX_TEXT:
            return None
        at = match.end()
    return ["".join(pieces) + word[at:]]
