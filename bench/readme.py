"""bench/README.md: words that stay and tables that are replaced, each by the command that makes it."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parent / "README.md"

_FRAME = """\
# Benchmarks

`make bench` writes a log of 1,000,000 events (about 1.4 GB, the same bytes every time) into `bench/data` and measures
this project with its whole shipped rule pack against floors and peers, in one run: all rows saw the same machine.

- **CPU s**: user and system time of the whole process tree, best of the interleaved repeats. Ratios are ratios of
  events per CPU-second. A row marked * ran on the first part of the same log, as large as stated.
- **peak MiB**: resident memory summed over the process tree; pages that workers share count in each.
- The log is synthetic (`bench/population.py`): a real cluster's identities, bodies and compressibility differ.

<!-- speed -->
<!-- /speed -->

## Benign days

Findings on logs in which nobody broke in. Wanted: nothing high or critical. Made by `python -m bench.benign`.

<!-- benign -->
<!-- /benign -->
"""


def put(name: str, text: str, path: Path = README) -> None:
    """Replace what stands between the marks of `name`."""
    page = path.read_text() if path.exists() else _FRAME
    pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
    path.write_text(pattern.sub(lambda _: f"<!-- {name} -->\n{text.strip()}\n<!-- /{name} -->", page, count=1))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
