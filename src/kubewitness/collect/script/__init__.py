"""The collector for nodes without Python: one POSIX sh script, which writes the archive `model.collection` describes.

It knows less than `kubewitness collect` (containers are not inspected, what it overwrites may change the length of a
line) and needs nothing but a shell, awk, sed, od, tar and gzip: coreutils, BusyBox and toybox have them.
"""

from __future__ import annotations

from importlib.resources import files


def text() -> str:
    """The script."""
    return files(__name__).joinpath("collect.sh").read_text("utf-8")
