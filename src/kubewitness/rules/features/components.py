"""Reads the lists of real component names that ship as data (content/components/*.tsv)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def table(name: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a list without its comments and header, each split at tabs."""
    content = files("kubewitness").joinpath("content", "components", f"{name}.tsv").read_text(encoding="utf-8")
    lines = [line for line in content.splitlines() if line and not line.startswith("#")]
    return tuple(tuple(line.split("\t")) for line in lines[1:])


@cache
def names(table_name: str, kind: str) -> frozenset[str]:
    """The names of one kind in a list whose columns are kind and name."""
    return frozenset(row[1] for row in table(table_name) if row[0] == kind)
