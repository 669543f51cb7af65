"""Reads an archive back, with nothing of what wrote it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import zstandard

Records = list[dict[str, Any]]


def unpacked(path: Path) -> dict[str, bytes]:
    """Members by name below the top folder."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        data = stream.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {info.name: tar.extractfile(info) for info in tar}
        assert {name.split("/")[0] for name in members} == {path.name.removesuffix(".tar.zst")}
        return {name.partition("/")[2]: file.read() for name, file in members.items() if file}


def proven(path: Path) -> tuple[dict[str, bytes], Records]:
    """Members and manifest of an archive whose every sum is right."""
    members = unpacked(path)
    text = members.pop("manifest.jsonl")
    records: Records = [json.loads(line) for line in text.splitlines()]
    items = {record["path"]: record for record in records if record["record"] == "item"}
    assert set(items) == set(members)
    for name, item in items.items():
        assert (item["size"], item["sha256"]) == (len(members[name]), hashlib.sha256(members[name]).hexdigest())
    assert (records[0]["record"], records[-1]["record"]) == ("collection", "end")
    assert records[-1]["items"] == len(members)
    before = text[: text.rstrip(b"\n").rfind(b"\n") + 1]
    assert records[-1]["sha256"] == hashlib.sha256(before).hexdigest()
    return members, records


def omitted(records: Records) -> dict[str, str]:
    """What is not in the archive, and why."""
    return {record["path"]: record["reason"] for record in records if record["record"] == "omitted"}
