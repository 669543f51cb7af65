"""Files that are nothing but repetition: an intruder's way to make an archive look like a decompression bomb.

Readers give up on what inflates hundreds of times. Eight samples tell: whoever wants to fool them has to put something
else there, and then the file is no bomb any more.
"""

from __future__ import annotations

import zlib
from typing import IO, Final

_SAMPLES, _SAMPLE, _REPEATS = 8, 64 * 1024, 100  # logs are packed to a tenth or a thirtieth
KEPT: Final = 32 * 1024  # bytes kept of what only repeats itself


def repeats(file: IO[bytes], length: int, size: int) -> bool:
    """The last `size` bytes are nothing but repetition: zeros, one line again and again."""
    if size <= KEPT:
        return False
    packed = taken = 0
    for number in range(_SAMPLES):
        file.seek(length - size + number * size // _SAMPLES)
        piece = file.read(_SAMPLE) or b""
        taken += len(piece)
        packed += len(zlib.compress(piece, 1))
    file.seek(0)
    return taken > _REPEATS * packed
