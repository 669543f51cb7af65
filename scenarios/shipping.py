"""Write a scenario into the package: the compressed log and what an investigation has to find in it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import yaml

CONTENT = Path(__file__).parents[1] / "src" / "kubewitness" / "content" / "scenarios"


def ship(name: str, lines: list[str], expected: dict[str, Any], note: str) -> Path:
    """`audit.log.gz` (the same bytes every time) and `expected.yml` of scenario `name`."""
    folder = CONTENT / name
    folder.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress("".join(lines).encode(), 9, mtime=0)
    (folder / "audit.log.gz").write_bytes(packed)
    text = yaml.safe_dump(expected, sort_keys=False, allow_unicode=True, width=120)
    (folder / "expected.yml").write_text(f"# {note}\n{text}")
    return folder
