"""What is new since an earlier report, and what is gone.

A failure is known if the earlier report has it under the same key, not waived there (a waiver that has ended counts
again) and no less severe. A failure of the earlier report is gone only if its check was asked of the same target again
and had an answer; where this evidence cannot tell, it is neither here nor gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from kubewitness.model.judgement import SEVERITIES
from kubewitness.model.posture import Result

_ANSWERS: Final = ("pass", "fail", "not_applicable")


@dataclass(frozen=True)
class Compared:
    """Results that say whether they are known, and what is no more."""

    results: tuple[Result, ...]
    gone: tuple[Result, ...]
    unseen: int


def compared(results: Sequence[Result], before: Sequence[Result]) -> Compared:
    """Hold results against those of an earlier report."""
    earlier = {one.key: one for one in before if one.status == "fail" and one.waiver is None}
    now = {one.key for one in results if one.status == "fail"}
    marked = tuple(
        replace(one, known=True) if one.status == "fail" and _known(one, earlier.get(one.key)) else one
        for one in results
    )
    open_ = {(one.check, one.target) for one in results if one.status == "not_evaluated" and not one.subject}
    unclear = {(one.check, one.target, one.subject) for one in results if one.status == "not_evaluated"}
    answered = {(one.check, one.target) for one in results if one.status in _ANSWERS} - open_
    missing = [one for key, one in earlier.items() if key not in now]
    gone = tuple(one for one in missing if _answered(one, answered, unclear))
    return Compared(marked, gone, len(missing) - len(gone))


def _known(one: Result, earlier: Result | None) -> bool:
    return earlier is not None and _weight(one) <= _weight(earlier)


def _weight(one: Result) -> int:
    return SEVERITIES.index(one.severity) if one.severity else 0


def _answered(one: Result, answered: Collection[tuple[str, str]], unclear: Collection[tuple[str, str, str]]) -> bool:
    return (one.check, one.target) in answered and (one.check, one.target, one.subject) not in unclear
