"""What one run of the program carries besides its arguments: for error messages, times and languages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kubewitness.model.text import Language


@dataclass
class Session:
    """One run."""

    debug: bool = False
    written: list[str] = field(default_factory=list)  # files completed so far, told if the run fails


def language_of(environment: Mapping[str, str]) -> Language:
    """Chinese if the locale is; the first of LC_ALL, LC_MESSAGES, LANG that is set decides, as POSIX says."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def now() -> datetime:
    """The time a report carries; SOURCE_DATE_EPOCH sets it, so that a report can be made again byte by byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
