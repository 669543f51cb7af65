"""Golden files of the text, Markdown and JSON reports, and of the exports.

After a wanted change of a report, write them anew with `python -m tests.report.golden --refresh`, read the difference,
and commit it with the change. Without `--refresh` it names the files that differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kubewitness.report import markdown, text
from kubewitness.report.document import to_json
from kubewitness.report.formats import EXPORTS, FORMATS, View
from tests.report.small import INTRUSION, QUIET, SEVERAL

FOLDER = Path(__file__).with_name("golden")

CASES: dict[str, Callable[[], str]] = {
    "intrusion-en-60.txt": lambda: text.render(INTRUSION, "en", 60),
    "intrusion-en-100.txt": lambda: text.render(INTRUSION, "en", 100),
    "intrusion-en-200.txt": lambda: text.render(INTRUSION, "en", 200),
    "intrusion-zh-100.txt": lambda: text.render(INTRUSION, "zh", 100),
    "intrusion-en-100-colour.txt": lambda: text.render(INTRUSION, "en", 100, colour=True),
    "quiet-en-100.txt": lambda: text.render(QUIET, "en", 100),
    "several-zh-100.txt": lambda: text.render(SEVERAL, "zh", 100),
    "intrusion-en.md": lambda: markdown.render(INTRUSION, "en"),
    "intrusion-zh.md": lambda: markdown.render(INTRUSION, "zh"),
    "intrusion.json": lambda: to_json(INTRUSION).decode(),
    **{
        f"intrusion.{name}{suffix}": partial(lambda name: FORMATS[name].render(INTRUSION, View()).decode(), name)
        for name, suffix in EXPORTS.items()
    },
}


def main() -> int:
    """Compare, or write with `--refresh`."""
    different = 0
    FOLDER.mkdir(exist_ok=True)
    for name, make in CASES.items():
        path, made = FOLDER / name, make().encode()
        if path.is_file() and path.read_bytes() == made:
            continue
        different += 1
        if "--refresh" in sys.argv:
            path.write_bytes(made)
        sys.stdout.write(f"{'wrote' if '--refresh' in sys.argv else 'differs'}: {path.name}\n")
    return 1 if different and "--refresh" not in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
