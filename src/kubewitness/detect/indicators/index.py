"""Looks indicators up in values and texts: whole values in tables, texts word by word.

A text is cut into words once, and each word is taken for what it can be (URL, host, path, name, wallet), so the work
grows with the text and not with the number of indicators. Only parts of commands are searched for as such, in one
expression in linear time. A wallet is told by its first twenty characters or more where the text ends within it:
process lists are cut at the terminal's width.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import re2

from kubewitness.detect.indicators.indicator import Indicator, IndicatorType
from kubewitness.detect.indicators.values import PREFIX, image_name
from kubewitness.rules.features.address import scope_of

MAX_TEXT: Final = 16_384
_MAX_WORDS: Final = 2_000
_MEMORY: Final = 50_000  # words remembered at a time ...
_LONG: Final = 200  # ... none longer
_MAX_COMMANDS: Final = 2_000  # parts of commands that are searched for; more are no list of an analyst
_WORD = re.compile(r"[^\s\"'`,;|&<>()\[\]{}\\]{4,2048}")
_PORT = re.compile(r"\d{1,5}")
_HASH = re.compile(r"[0-9a-f]{32,64}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,110}")
_QUIET = re2.Options()
_QUIET.log_errors = False


class Sighting(NamedTuple):
    """An indicator, and the value in which it was seen."""

    indicator: Indicator
    seen: str
    truncated: bool = False  # the value is only the beginning of the indicator's


class Index:
    """All indicators, ready to be looked up."""

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self._tables: dict[IndicatorType, dict[str, list[Indicator]]] = defaultdict(lambda: defaultdict(list))
        self._prefixes: dict[str, list[Indicator]] = defaultdict(list)  # type and first characters
        self._lengths: dict[IndicatorType, tuple[int, ...]] = {}
        self._wallets: dict[str, list[Indicator]] = defaultdict(list)  # by their first characters
        self._commands: dict[str, list[Indicator]] = defaultdict(list)
        self._memory: dict[str, tuple[Sighting, ...]] = {}
        self.size = 0
        for one in dict.fromkeys(indicators):
            self._add(one)
            self.size += 1
        lengths = defaultdict[str, set[int]](set)
        for key in self._prefixes:
            type_, _, prefix = key.partition(" ")
            lengths[type_].add(len(prefix))
        self._lengths = {type_: tuple(sorted(some)) for type_, some in lengths.items()}  # type: ignore[misc]
        parts = sorted(self._commands)[:_MAX_COMMANDS]
        self._search = re2.compile("|".join(map(re2.escape, parts)), _QUIET) if parts else None

    def _add(self, one: Indicator) -> None:
        if one.type == "wallet":
            self._wallets[one.value[:PREFIX]].append(one)
        elif one.type == "command":
            self._commands[one.value].append(one)
        elif one.value.endswith("*") or (one.type in ("url_path", "file_path") and one.value.endswith("/")):
            self._prefixes[f"{one.type} {one.value.rstrip('*')}"].append(one)
        else:
            self._tables[one.type][one.value].append(one)

    # -- whole values ------------------------------------------------------------------------------------------------

    def of_address(self, address: str, port: int = 0) -> Iterator[Sighting]:
        """An address, and its port where one is known."""
        for one in self._tables["address"].get(address, ()):
            if (not one.port or not port or one.port == port) and scope_of(address) == "public":
                yield Sighting(one, f"{address}:{port}" if port and one.port else address)

    def of_hash(self, digest: str) -> Iterator[Sighting]:
        """The hash of a file."""
        for type_ in ("sha256", "sha1", "md5"):
            for one in self._tables[type_].get(digest.lower(), ()):
                yield Sighting(one, digest)

    def of_path(self, path: str) -> Iterator[Sighting]:
        """The path of a file."""
        path = path.removesuffix(" (deleted)")
        yield from self._named("file_path", path)
        for one in self._tables["file_name"].get(path.rpartition("/")[2], ()):
            yield Sighting(one, path)

    def of_process(self, name: str) -> Iterator[Sighting]:
        """The name of a process: comm, or the first word without its folder."""
        name = name.strip("[]")
        for known in dict.fromkeys((name, name.rpartition("/")[2])):
            for one in self._tables["process"].get(known, ()):
                yield Sighting(one, name)

    def of_image(self, image: str) -> Iterator[Sighting]:
        """An image reference: as listed, or of any tag where the list names none."""
        image = image_name(image)
        plain, _, digest = image.partition("@")
        folder, slash, last = plain.rpartition("/")
        for known in dict.fromkeys((image, plain, folder + slash + last.partition(":")[0])):
            for one in self._tables["image"].get(known, ()):
                yield Sighting(one, image)
        if digest:
            yield from self.of_hash(digest.removeprefix("sha256:"))

    def of_object(self, kind: str, namespace: str, name: str) -> Iterator[Sighting]:
        """A Kubernetes object."""
        for place in (namespace, "*"):
            yield from self._named("object", f"{kind}/{place}/{name}", f"{kind}/{namespace}/{name}")

    # -- texts -------------------------------------------------------------------------------------------------------

    def of_text(self, text: str) -> Iterator[Sighting]:
        """All in a command line or a line of a file, each once."""
        found = dict[tuple[Indicator, str], Sighting]()
        text = text[:MAX_TEXT]
        for number, word in enumerate(dict.fromkeys(_WORD.findall(text))):
            if number >= _MAX_WORDS:
                break
            for one in self._known(word):
                found.setdefault((one.indicator, one.seen), one)
        if self._search is not None and self._search.search(text):
            for match in self._search.finditer(text):
                for known in self._commands[match.group(0)]:
                    found.setdefault((known, known.value), Sighting(known, known.value))
        yield from found.values()

    def words_in(self, text: str) -> frozenset[str]:
        """The words of a text of any length in which an indicator is: whether it is worth reading line by line."""
        return frozenset(word for word in set(_WORD.findall(text)) if self._known(word)) | (
            frozenset(("",)) if self._search is not None and self._search.search(text) else frozenset()
        )

    def _known(self, word: str) -> tuple[Sighting, ...]:
        """What a word is known for; command lines have the same few words again and again."""
        if len(word) > _LONG:
            return tuple(self._of_word(word))
        known = self._memory.get(word)
        if known is None:
            if len(self._memory) >= _MEMORY:
                self._memory.clear()
            known = self._memory[word] = tuple(self._of_word(word))
        return known

    def _of_word(self, word: str) -> Iterator[Sighting]:
        word = word.rstrip(".:!?")
        scheme, has_scheme, rest = word.partition("://")
        if not has_scheme:
            option, equals, value = word.partition("=")
            rest = value if equals and "/" not in option and len(value) > 3 else word
            at = rest.rpartition("@")[2]
            if not at.startswith("/"):
                rest = at
        elif "=" in scheme or has_scheme:
            rest = rest.partition("/")[0].rpartition("@")[2] + "/" + rest.partition("/")[2]
        if rest.startswith("/"):
            yield from self.of_path(rest)
            return
        yield from self._of_host_and_path(rest)
        if (found := _BASE58.match(rest)) and found[0][:PREFIX] in self._wallets:
            yield from self._of_wallet(found[0], ends=found.end() == len(rest))
        if rest.startswith("AAAA"):
            for one in self._tables["ssh_key"].get(rest.rstrip("="), ()):
                yield Sighting(one, rest[:80])

    def _of_host_and_path(self, rest: str) -> Iterator[Sighting]:
        host, slash, path = rest.partition("/")
        if "." not in host:
            return
        host, _, number = host.partition(":")
        port = int(number) if _PORT.fullmatch(number) else 0
        if host[-1:].isdigit():
            yield from self.of_address(host, port)
        elif self._tables["domain"]:
            labels = host.lower().split(".")[-12:]
            for start in range(len(labels) - 1):
                for one in self._tables["domain"].get(".".join(labels[start:]), ()):
                    yield Sighting(one, host)
        if slash and len(path) > 2:
            plain = "/" + path.partition("?")[0].partition("#")[0]
            yield from self._named("url_path", plain, f"{host}{plain}")

    def _of_wallet(self, value: str, *, ends: bool) -> Iterator[Sighting]:
        for one in self._wallets[value[:PREFIX]]:
            if value == one.value:
                yield Sighting(one, value)
            elif ends and one.value.startswith(value):
                yield Sighting(one, value, truncated=True)

    def _named(self, type_: IndicatorType, value: str, seen: str = "") -> Iterator[Sighting]:
        for one in self._tables[type_].get(value, ()):
            yield Sighting(one, seen or value)
        for length in self._lengths.get(type_, ()):
            for one in self._prefixes.get(f"{type_} {value[:length]}", ()) if len(value) >= length else ():
                yield Sighting(one, seen or value)
