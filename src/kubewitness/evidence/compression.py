"""Decompression by content: gzip (several members, as rotation and `cat` make them) and Zstandard (several frames).

What was decompressed before a stream breaks is kept; `BrokenError` then says where it broke. A stream that grows beyond
what logs do is a bomb and is cut off: memory is bounded anyway, time and the reader's patience are not.

Speed: isal inflates about four times as fast as zlib. Zstandard input is fed in small pieces because a few bytes of it
may stand for megabytes. Of both, what a call had unpacked is lost when that call finds damage, be it the checksum at
the very end. So the packed bytes of a member are remembered up to a few megabytes, and its damaged piece is unpacked
once more byte by byte.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, cast

import zstandard
from isal import isal_zlib

from kubewitness.evidence.sniffing import sniff

OUTPUT: Final = 1024 * 1024
LAYERS: Final = 3  # gzip inside gzip happens (Firehose); deeper does not
BOMB_RATIO: Final = 400  # audit logs compress 15 to 60 times
BOMB_FLOOR: Final = 256 * 1024 * 1024
_GZIP_FEED: Final = 16 * 1024  # at most this much is lost of a damaged member that is too large to remember
_REMEMBERED: Final = 4 * 1024 * 1024
_ZSTD_FEED: Final = 4096
_ZSTD_WINDOW: Final = 1 << 27
_HEAD: Final = 512
_ISAL_ERROR = cast("type[Exception]", isal_zlib.error)
Unpack = Callable[[bytes], Iterator[bytes]]  # packed bytes in, what they hold out
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class BrokenError(Exception):
    """The stream cannot be followed further. `str()` is the reason."""


def decompressed(raw: Iterator[bytes], names: list[str]) -> Iterator[bytes]:
    """The innermost bytes of `raw`; `names` receives the layers that were taken off, outermost first."""
    stream = raw
    for _ in range(LAYERS):
        head, stream = _peek(stream)
        kind = sniff(head)
        if kind == "gzip":
            names.append("gzip")
            stream = _gunzip(stream)
        elif kind == "zstd":
            names.append("zstd")
            stream = _unzstd(stream)
        else:
            if head.startswith(_UTF16):
                names.append("utf-16")
                stream = _from_utf16(stream)
            break
    return stream


def _peek(stream: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    head = b""
    taken: list[bytes] = []
    while len(head) < _HEAD:
        try:
            chunk = next(stream, None)
        except BrokenError as problem:
            return head, chain(taken, _broken(problem))
        if chunk is None:
            break
        taken.append(chunk)
        head += chunk
    return head[:_HEAD], chain(taken, stream)


def _broken(problem: BrokenError) -> Iterator[bytes]:
    yield from ()
    raise problem


class _Meter:
    """Watches the ratio of output to input."""

    def __init__(self) -> None:
        self.read = self.made = 0

    def count(self, made: bytes) -> None:
        self.made += len(made)
        if self.made > BOMB_FLOOR and self.made > BOMB_RATIO * self.read:
            raise BrokenError(
                f"decompression bomb: {self.read} bytes made more than {self.made}, the rest was not read"
            )

    def counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for made in pieces:
            self.count(made)
            yield made


def _gunzip(stream: Iterator[bytes]) -> Iterator[bytes]:
    inflate = isal_zlib.decompressobj(wbits=31)
    meter, began, members = _Meter(), False, 0
    member: bytearray | None = bytearray()  # packed bytes of the present member, None once they are too many
    unpacked = 0  # bytes of the present member
    for piece in _pieces(stream, _GZIP_FEED):
        data = piece
        meter.read += len(data)
        while data:
            if inflate.eof:
                data = data.lstrip(b"\0")  # tapes and block devices pad with NULs
                if not data:
                    break
                if data[:1] != b"\x1f":
                    raise BrokenError(f"bytes behind the end of gzip member {members} are no gzip, not read")
                inflate, began, member, unpacked = isal_zlib.decompressobj(wbits=31), False, bytearray(), 0
            try:
                made = inflate.decompress(data, OUTPUT)
            except _ISAL_ERROR as problem:
                yield from meter.counted(_before_damage(_inflating(), member, data, unpacked))
                raise _damaged("gzip", meter.made, problem) from problem
            began = True
            meter.count(made)
            unpacked += len(made)
            if made:
                yield made
            members += inflate.eof
            rest = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
            if member is not None:
                member += data[: len(data) - len(rest)]
                member = member if len(member) <= _REMEMBERED else None
            data = rest
    if began and not inflate.eof:
        try:
            left = inflate.flush()
        except _ISAL_ERROR:
            left = b""
        if left:
            meter.made += len(left)
            yield left
        raise BrokenError(f"gzip ends too early, after {meter.made} decompressed bytes")


def _damaged(kind: str, made: int, problem: Exception) -> BrokenError:
    """A wrong checksum tells that something was changed and not where, so all that was unpacked is in doubt."""
    if "checksum" in str(problem).lower():
        return BrokenError(f"damaged {kind}: its checksum is wrong, any of {made} decompressed bytes may be wrong too")
    return BrokenError(f"damaged {kind} after {made} decompressed bytes")


def _pieces(stream: Iterator[bytes], size: int) -> Iterator[bytes]:
    for block in stream:
        for start in range(0, len(block), size):
            yield block[start : start + size]


def _before_damage(unpack: Unpack, member: bytearray | None, data: bytes, known: int) -> Iterator[bytes]:
    """What a damaged member holds beyond its `known` bytes, up to the damage in `data`."""
    if member is None:
        return
    made = 0
    steps = chain(_pieces(iter([bytes(member)]), _GZIP_FEED), (data[at : at + 1] for at in range(len(data))))
    try:
        for part in chain.from_iterable(map(unpack, steps)):
            made += len(part)
            if made > known and part:
                yield part[max(0, len(part) - (made - known)) :]
    except (_ISAL_ERROR, zstandard.ZstdError):
        return


def _inflating() -> Unpack:
    inflate = isal_zlib.decompressobj(wbits=31)

    def unpack(data: bytes) -> Iterator[bytes]:
        while data:
            yield inflate.decompress(data, OUTPUT)
            data = inflate.unconsumed_tail

    return unpack


def _unzstd(stream: Iterator[bytes]) -> Iterator[bytes]:
    engine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = engine.decompressobj()
    meter, began = _Meter(), False
    member: bytearray | None = bytearray()
    unpacked = 0  # bytes of the present frame
    for piece in _pieces(stream, _ZSTD_FEED):
        data = piece
        meter.read += len(data)
        while data:
            if frame.eof:
                frame, began, member, unpacked = engine.decompressobj(), False, bytearray(), 0
            try:
                made = frame.decompress(data)
            except zstandard.ZstdError as problem:
                again = engine.decompressobj().decompress
                left = _before_damage(lambda step: iter((again(step),)), member, data, unpacked)  # noqa: B023
                yield from meter.counted(left)
                raise _damaged("Zstandard", meter.made, problem) from problem
            began = True
            meter.count(made)
            unpacked += len(made)
            for at in range(0, len(made), OUTPUT):
                yield made[at : at + OUTPUT]
            rest = frame.unused_data if frame.eof else b""
            if member is not None:
                member += data[: len(data) - len(rest)]
                member = member if len(member) <= _REMEMBERED else None
            data = rest
    if began and not frame.eof:
        raise BrokenError(f"Zstandard ends too early, after {meter.made} decompressed bytes")


def _from_utf16(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Windows shells write redirected output as UTF-16."""
    decode = codecs.getincrementaldecoder("utf-16")(errors="replace")
    for block in stream:
        yield decode.decode(block).encode("utf-8", "replace")
    yield decode.decode(b"", final=True).encode("utf-8", "replace")
