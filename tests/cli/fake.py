"""An investigation that takes no time: what it is asked is kept, what it answers is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from kubewitness.incident.investigate import Options, Progress
from kubewitness.model.document import Document
from kubewitness.rules.loader import RuleSet


@dataclass
class Fake:
    """Stands in for `incident.investigate.investigate`."""

    answer: Document | BaseException
    calls: list[tuple[Sequence[str], RuleSet, Options, BinaryIO | None]] = field(default_factory=list)

    def investigate(
        self,
        paths: Sequence[str],
        *,
        rules: RuleSet,
        options: Options,
        progress: Callable[[Progress], None] | None,
        stdin: BinaryIO | None,
    ) -> Document:
        """Answer, after moving the bar if there is one."""
        self.calls.append((paths, rules, options, stdin))
        if progress:
            progress(Progress(10, 100, 3, "read"))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer
