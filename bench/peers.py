"""Floors the project is compared with, as commands of their own: `python -m bench.peers decode|json FILE`.

decode: msgspec fills the project's own event type and nothing else is done: the floor under everything.
json: what a first script looks like: the standard library's json and one predicate.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from kubewitness.model.event import AuditRecord

CHUNK = 128 * 1024


def decode(path: Path) -> int:
    """Number of events, decoded in chunks of 128 KB."""
    decoder = msgspec.json.Decoder(AuditRecord)
    count, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            chunk = rest + chunk
            end = chunk.rfind(b"\n") + 1
            rest = chunk[end:]
            count += len(decoder.decode_lines(chunk[:end]))
    return count + (len(decoder.decode_lines(rest)) if rest else 0)


def loop(path: Path) -> int:
    """Number of events an anonymous client was allowed."""
    count = 0
    with path.open() as file:
        for line in file:
            event = json.loads(line)
            if event["user"].get("username") == "system:anonymous" and event["verb"] == "create":
                count += 1
    return count


if __name__ == "__main__":
    print({"decode": decode, "json": loop}[sys.argv[1]](Path(sys.argv[2])))
