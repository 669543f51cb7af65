"""An investigation that takes no time: what it is asked is kept, what it answers is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kubewitness.model.document import Document
from kubewitness.model.text import Text
from kubewitness.rules.loader import RuleSet


@dataclass(frozen=True)
class Options:
    """As `incident.investigate.Options`."""

    workers: int
    case: str
    now: datetime
    label: Text | None
    keep_original: int


@dataclass(frozen=True)
class Progress:
    """As `incident.investigate.Progress`."""

    bytes_done: int
    bytes_total: int
    events: int
    phase: str


Asked = Options  # `Fake` has an attribute of that name, as the module has


@dataclass
class Fake:
    """Stands in for the module `incident.investigate`."""

    answer: Document | BaseException
    calls: list[tuple[Sequence[str], RuleSet, Asked]] = field(default_factory=list)
    Options: object = Options

    def investigate(
        self,
        paths: Sequence[str],
        *,
        rules: RuleSet,
        options: Asked,
        progress: Callable[[Progress], None] | None,
    ) -> Document:
        """Answer, after moving the bar if there is one."""
        self.calls.append((paths, rules, options))
        if progress:
            progress(Progress(10, 100, 3, "scan"))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer
