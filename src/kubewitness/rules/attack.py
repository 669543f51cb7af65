"""ATT&CK techniques by id: names and tactics, from the table `content/attack/techniques.tsv` of the package.

The table is a pinned extract, so that nothing is fetched at run time and the same rules give the same words.

Source: MITRE ATT&CK Enterprise, under the terms that the first line of the table names.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from kubewitness.model.incident import Technique


@cache
def techniques() -> Mapping[str, Technique]:
    """All techniques of the table by id."""
    text = (files("kubewitness") / "content" / "attack" / "techniques.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    found = {row[0]: Technique(row[0], row[1], tuple(filter(None, row[2].split(",")))) for row in rows[1:]}
    return MappingProxyType(found)


def technique(identifier: str) -> Technique:
    """The technique of that id; without name and tactics if the table does not have it (a rule of somebody else's)."""
    return techniques().get(identifier) or Technique(identifier, "")
