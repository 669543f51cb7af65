"""What the manifest of one of our archives says, and whether the archive still agrees with it.

The manifest names every item with the SHA-256 of its bytes and ends with a line that holds the hash of all lines
before it (`kubewitness.model.collection`). So a changed, removed or added item shows, and so does a manifest that was
cut or changed without being sealed anew. Whoever rewrites items and manifest together is not found out by this: that
takes the hash of the archive, kept elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.collection import MANIFEST, PROCESSES, Command, End, Header, Item
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.model.host import KeyFile

KIND: Final = "manifest"
RECORDS: Final = "process records"
_TOLD: Final = 20
_ESCAPE = re.compile(r"\\(.)", re.S)
_NO_TEXT = re.compile("(?:\\\\x[0-9a-f]{2}|\ufffd)+")
_OURS: Final = ("live_response/", "[root]/", "recovered/", MANIFEST)
_Record = TypeVar("_Record")


class Collection(Struct, frozen=True):
    """A manifest, read.

    Attributes:
        items: By path below the archive's top folder.
        omitted: How often each reason was given for leaving something out.
        keys: Files that hold credentials and were left out.
        end: None if the manifest was cut off before its last line.
    """

    header: Header
    place: Place
    items: dict[str, Item]
    commands: tuple[tuple[Command, Place], ...]
    omitted: dict[str, int]
    end: End | None
    end_place: Place
    keys: tuple[KeyFile, ...] = ()

    @property
    def top(self) -> str:
        """The folder all items are in, as the names of the evidence have it."""
        return self.place.item.removesuffix(MANIFEST)


def decoded_line(decoder: msgspec.json.Decoder[_Record], line: str) -> _Record | None:
    """A JSON line as a record, None if it is none.

    The script writes bytes that are no UTF-8 as they are; those stand in the line as `\\xNN` by now, which JSON does
    not know.
    """
    for text in (line, _ESCAPE.sub(lambda found: r"\\x" if found[1] == "x" else found[0], line)):
        try:
            return decoder.decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError):
            continue
    return None


def tops(kinds: Mapping[str, str]) -> tuple[str, ...]:
    """The top folders of our archives among items of these kinds; an archive that was cut has no manifest."""
    ends = {KIND: MANIFEST, RECORDS: PROCESSES}
    found = {
        name.removesuffix(ends[kind])
        for name, kind in kinds.items()
        if kind in ends and (name == ends[kind] or name.endswith(("/" + ends[kind], "!" + ends[kind])))
    }
    return tuple(sorted(top for top in found if not any(top != other and below(top, other) for other in found)))


def below(name: str, top: str) -> bool:
    """Whether the item lies in that top folder; "" is the folder the reader was started in."""
    return name.startswith(top) if top else name.startswith(_OURS)


def verified(collection: Collection, sources: Sequence[Source]) -> Iterator[ParseFailure | Note]:
    """Where the archive and its manifest disagree, and what the manifest says is missing.

    Args:
        collection: Of this archive.
        sources: Everything in the archive, read by now where somebody wanted it; the rest is read here.
    """
    yield from _sealed(collection, sources)
    problems = _Bounded()
    unhashed = 0
    expected: dict[str, list[tuple[str, Item]]] = {}
    for path, item in collection.items.items():
        expected.setdefault(_plain(path), []).append((path, item))
    seen = set[str]()
    for source in sources:
        path = source.name[len(collection.top) :]
        if path == MANIFEST:
            continue
        place = Place(source.name, 0, 0)
        if source.failure is None and source.error and not source.size:
            seen.add(_plain(path))  # a link, a device: refused, and told as that
            continue
        if _plain(path) in seen:
            yield from problems.add(place, "there twice in the archive")
            continue
        known = expected.get(_plain(path), [])
        if not known:
            outer = _plain(path.partition("!")[0])
            if outer in expected:
                if outer not in seen:
                    yield from problems.add(place, "an archive itself: its hash was not compared with the manifest's")
                seen.add(outer)
            elif collection.end is not None:
                yield from problems.add(place, "not in the manifest of its archive: added later")
            continue
        seen.add(_plain(path))
        if not source.sha256:
            for _ in source.open():
                pass
        if not any(_is(source, item) for _, item in known):
            said = known[0][1]
            reason = f"changed since it was collected: {source.size} bytes, sha256 {source.sha256}; "
            yield from problems.add(
                place, f"{reason}the manifest says {said.size} bytes, {said.sha256[:64] or 'no hash'}"
            )
        unhashed += not known[0][1].sha256
    for path, group in expected.items():
        if path not in seen:
            yield from problems.add(collection.place, f"in the manifest and not in the archive: {group[0][0][:300]}")
    yield from problems.rest(collection.place)
    if unhashed:
        text = f"{unhashed} items have no hash in the manifest (the machine had no tool for it): only sizes compared"
        yield Note(collection.place, text)


def said(collection: Collection) -> Iterator[Note]:
    """What the collector itself says it could not do."""
    header, place = collection.header, collection.place
    if header.uid != 0:
        reason = "executables, sockets and environments of other users' processes, logs and settings are missing"
        yield Note(place, f"collected without root (uid {header.uid}): {reason}")
    if collection.end is not None and not collection.end.complete:
        yield Note(
            collection.end_place, "the collection stopped at its limits of size or time: not everything is in it"
        )
    if cut := sum(item.cut > 0 for item in collection.items.values()):
        yield Note(place, f"{cut} items are only a part of what the machine has: the collector's limit of size")
    if header.clock_synchronised is False:
        yield Note(place, "the machine's clock was not synchronised when this was collected")
    if collection.omitted:
        most = sorted(collection.omitted.items(), key=lambda pair: (-pair[1], pair[0]))[:5]
        text = "; ".join(f"{reason[:80]}: {count}" for reason, count in most)
        yield Note(place, f"left out of the archive: {sum(collection.omitted.values())} ({text})")


def _sealed(collection: Collection, sources: Sequence[Source]) -> Iterator[ParseFailure]:
    """The manifest's word about itself."""
    end, place = collection.end, collection.end_place
    if end is None:
        reason = "the manifest has no last line: it was cut off, and what it does not name cannot be verified"
        yield unreadable(place, reason)
        return
    if end.items != len(collection.items):
        yield unreadable(place, f"the manifest counts {end.items} items and names {len(collection.items)}")
    if not end.sha256:
        return  # no tool for it on the machine; `verified` tells
    digest, left = hashlib.sha256(), place.offset
    for source in sources:
        if source.name == place.item:
            for chunk in source.open():
                digest.update(chunk[:left])
                left -= min(left, len(chunk))
            break
    if digest.hexdigest() != end.sha256:
        yield unreadable(place, "the manifest was changed: its lines do not have the sha256 that its last line says")


def _is(source: Source, item: Item) -> bool:
    return source.sha256 == item.sha256.lower() if item.sha256 else source.size == item.size


def _plain(path: str) -> str:
    """A name with one sign for bytes that are no text: tar, script and collector write them differently."""
    return _NO_TEXT.sub("\ufffd", path)


class _Bounded:
    """The first disagreements one by one, the rest as a number."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, place: Place, reason: str) -> Iterator[ParseFailure]:
        self._count += 1
        if self._count <= _TOLD:
            yield unreadable(place, reason)

    def rest(self, place: Place) -> Iterator[ParseFailure]:
        if self._count > _TOLD:
            yield unreadable(place, f"{self._count - _TOLD} more items do not agree with the manifest")
