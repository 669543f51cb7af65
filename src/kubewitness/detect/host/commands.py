"""Command lines as a process list shows them: argv joined by spaces, the quotes lost.

A `|` in there is a pipe only if a shell reads it, so a line is cut into `Segment`s only behind `sh -c` (or where the
caller knows that it is shell text, like a crontab). What stands before the real program (`sudo`, `nohup`, `env A=b`,
`timeout 9`, `do`) is skipped. Everything is bounded: a command line may be megabytes of somebody's choosing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename

from msgspec import Struct

MAX_COMMAND = 8192
_MAX_SEGMENTS = 400


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"})
# Programs that look at text: a sign of something in their arguments is what they look for.
READERS = _named(
    "grep egrep fgrep zgrep rg ag awk gawk sed less more cat tail head vi vim nano strings find pgrep pkill killall man"
    " echo printf jq yara yr ausearch journalctl zcat clamscan whatis which whereis locate tee watch diff"
)
FETCHERS = frozenset({"curl", "wget", "wget2", "aria2c", "fetch", "axel"})

_KEYWORDS = _named("do then else elif if while until ! { ( time exec command builtin")
_WRAPPERS = _named("nohup sudo doas setsid timeout env nice ionice stdbuf busybox nsenter unshare taskset chrt")
_SEPARATOR = re.compile(r"\|\||&&|[;|\n]|\s&(?=\s|$)")
_VALUE_OF_WRAPPER = re.compile(r"(?:-.*|\w{1,64}=.*|\d[\d.]{0,15}[smhd]?|0x[0-9a-f]{1,32})", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){1,10}(?::\d{1,5})?(?:/.*)?", re.DOTALL)
_TAKES_VALUE = _named(
    "-H -d -X -u -A -e -T -t -P -U -m -x -w -b -F --header --data --data-raw --post-data --user-agent --max-time"
    " --connect-timeout --retry --tries --timeout --proxy --user --request"
)


class Segment(Struct, frozen=True):
    """One simple command."""

    words: tuple[str, ...]  # from the program on
    piped: bool = False  # reads what the one before writes

    @property
    def program(self) -> str:
        """Base name of what runs."""
        return basename(self.words[0]) if self.words else ""


class Fetch(Struct, frozen=True):
    """A download by curl, wget and the like."""

    urls: tuple[str, ...]
    output: str  # file it is written to, "-": standard output, "": not said


def split_words(text: str) -> list[str]:
    """The words of a command line, without the quotes around them."""
    return [word.strip("\"'") for word in text[:MAX_COMMAND].split()]


def segments_of(command: str) -> tuple[Segment, ...]:
    """The simple commands of a process's command line: one, unless a shell was given a script in it."""
    (whole,) = _cut(command[:MAX_COMMAND], (0, MAX_COMMAND, False)) or (Segment(()),)
    if whole.program in SHELLS:
        for number, word in enumerate(whole.words[1:6], 1):
            if not word.startswith("-"):
                break
            if word.endswith("c") and not word.startswith("--"):
                script = " ".join(whole.words[number + 1 :])
                return (Segment(whole.words[: number + 1]), *script_segments(script))
    return (whole,)


def script_segments(script: str) -> tuple[Segment, ...]:
    """The simple commands of shell text."""
    return tuple(segment for span in _spans(script[:MAX_COMMAND]) for segment in _cut(script, span))


def fetch_of(segment: Segment) -> Fetch | None:
    """What a segment downloads; None if it does not."""
    if segment.program not in FETCHERS:
        return None
    letter = "o" if segment.program == "curl" else "O"  # the option that names the file to write
    output, plain, words = "", list[str](), iter(segment.words[1:])
    for word in words:
        if word in ("--output", "--output-document"):
            output = next(words, "")
        elif word.startswith(("--output=", "--output-document=")):
            output = word.partition("=")[2]
        elif word in _TAKES_VALUE:
            next(words, "")
        elif word.startswith("--") or not word.startswith("-"):
            plain += [word] if not word.startswith("--") else []
        elif letter in word and "://" not in word:  # -o FILE, -sSLo FILE, -qO-
            output = word.partition(letter)[2] or next(words, "")
    urls = [word for word in plain if "://" in word] or [word for word in plain if _HOST.fullmatch(word)]
    return Fetch(tuple(urls[:20]), output)


def host_of(url: str) -> str:
    """The host in a URL or `host/path`, lower case, without user, port and brackets."""
    rest = url.partition("://")[2] or url
    for end in "/?#":
        rest = rest.partition(end)[0]
    rest = rest.rpartition("@")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0].lower()
    return rest.partition(":")[0].lower()


def _spans(script: str) -> Iterator[tuple[int, int, bool]]:
    start, piped = 0, False
    for number, found in enumerate(_SEPARATOR.finditer(script)):
        if number >= _MAX_SEGMENTS:
            return
        yield start, found.start(), piped
        start, piped = found.end(), found[0] == "|"
    yield start, len(script), piped


def _cut(text: str, span: tuple[int, int, bool]) -> tuple[Segment, ...]:
    words = split_words(text[span[0] : span[1]])
    start = 0
    while start < len(words):
        name = basename(words[start])
        if words[start] in _KEYWORDS or _is_assignment(words[start]):
            start += 1
        elif name == "chroot":
            start += 2
        elif name in _WRAPPERS:
            start += 1
            while start < len(words) and _VALUE_OF_WRAPPER.fullmatch(words[start]):
                start += 2 if words[start] in ("-u", "-g") and name in ("sudo", "doas") else 1
        else:
            break
    found = tuple(word for word in words[start:] if word)
    return (Segment((found[0].lstrip("({"), *found[1:]), span[2]),) if found else ()


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()
