"""Decompression by content: gzip (several members, as rotation and `cat` make them) and Zstandard (several frames).

What was decompressed before a stream breaks is kept; `BrokenError` then says where it broke. A stream that grows beyond
what logs do is a bomb and is cut off: memory is bounded anyway, time and the reader's patience are not.

Speed: isal inflates about four times as fast as zlib. Zstandard input is fed in small pieces because a few bytes of it
may stand for megabytes.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain
from typing import Final, cast

import zstandard
from isal import isal_zlib

from kubewitness.evidence.sniffing import sniff

OUTPUT: Final = 1024 * 1024
LAYERS: Final = 3  # gzip inside gzip happens (Firehose); deeper does not
BOMB_RATIO: Final = 400  # audit logs compress 15 to 60 times
BOMB_FLOOR: Final = 256 * 1024 * 1024
_ZSTD_FEED: Final = 4096
_ZSTD_WINDOW: Final = 1 << 27
_HEAD: Final = 512
_ISAL_ERROR = cast("type[Exception]", isal_zlib.error)
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

    def check(self) -> None:
        if self.made > BOMB_FLOOR and self.made > BOMB_RATIO * self.read:
            raise BrokenError(
                f"decompression bomb: {self.read} bytes made more than {self.made}, the rest was not read"
            )


def _gunzip(stream: Iterator[bytes]) -> Iterator[bytes]:
    inflate = isal_zlib.decompressobj(wbits=31)
    meter, began, members = _Meter(), False, 0
    for block in stream:
        data = block
        meter.read += len(block)
        while data:
            if inflate.eof:
                data = data.lstrip(b"\0")  # tapes and block devices pad with NULs
                if not data:
                    break
                if data[:1] != b"\x1f":
                    raise BrokenError(f"bytes behind the end of gzip member {members} are no gzip, not read")
                inflate, began = isal_zlib.decompressobj(wbits=31), False
            try:
                made = inflate.decompress(data, OUTPUT)
            except _ISAL_ERROR as problem:
                raise BrokenError(f"damaged gzip after {meter.made} decompressed bytes ({problem})") from problem
            began = True
            meter.made += len(made)
            meter.check()
            if made:
                yield made
            members += inflate.eof
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if began and not inflate.eof:
        try:
            rest = inflate.flush()
        except _ISAL_ERROR:
            rest = b""
        if rest:
            meter.made += len(rest)
            yield rest
        raise BrokenError(f"gzip ends too early, after {meter.made} decompressed bytes")


def _unzstd(stream: Iterator[bytes]) -> Iterator[bytes]:
    engine = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = engine.decompressobj()
    meter, began = _Meter(), False
    for block in stream:
        for start in range(0, len(block), _ZSTD_FEED):
            data = block[start : start + _ZSTD_FEED]
            meter.read += len(data)
            while data:
                if frame.eof:
                    frame, began = engine.decompressobj(), False
                try:
                    made = frame.decompress(data)
                except zstandard.ZstdError as problem:
                    raise BrokenError(f"damaged Zstandard after {meter.made} decompressed bytes") from problem
                began = True
                meter.made += len(made)
                meter.check()
                for at in range(0, len(made), OUTPUT):
                    yield made[at : at + OUTPUT]
                data = frame.unused_data if frame.eof else b""
    if began and not frame.eof:
        raise BrokenError(f"Zstandard ends too early, after {meter.made} decompressed bytes")


def _from_utf16(stream: Iterator[bytes]) -> Iterator[bytes]:
    """Windows shells write redirected output as UTF-16."""
    decode = codecs.getincrementaldecoder("utf-16")(errors="replace")
    for block in stream:
        yield decode.decode(block).encode("utf-8", "replace")
    yield decode.decode(b"", final=True).encode("utf-8", "replace")
