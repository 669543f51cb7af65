"""The exception tree. Only `cli` catches broadly; everything else lets these pass.

    KubewitnessError          something a person must read; `str()` is the whole message
    ├── UsageError            the call is wrong (exit code 2)
    ├── EvidenceError         evidence named by the caller cannot be opened at all (exit code 3)
    └── ContentError          a rule or other content file is wrong; carries path and line

Unreadable pieces *inside* evidence are no exceptions: they are `ParseFailure` values, counted and reported.
"""

from __future__ import annotations

from pathlib import Path


class KubewitnessError(Exception):
    """Base of everything this project raises on purpose."""


class UsageError(KubewitnessError):
    """The command or its arguments cannot be carried out as given."""


class EvidenceError(KubewitnessError):
    """Evidence the caller named cannot be opened."""


class ContentError(KubewitnessError):
    """A content file cannot be used. `str()` reads `path:line: message`."""

    def __init__(self, message: str, path: Path | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = message, path, line
        place = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(place + message)
