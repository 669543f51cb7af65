"""What the log cannot show of the time before an intruder's first request: it begins there, or has a hole.

The way in is the first request of theirs that is in the log. Where nothing is logged before it, or nothing for a while,
the real one may have been earlier, with another identity or from another address, and what is missing may have told how
the credential came into these hands.
"""

from __future__ import annotations

from typing import Final

from kubewitness.detect.gaps import find_gaps, seconds_between
from kubewitness.detect.run import Scan
from kubewitness.incident.when import moment, span
from kubewitness.model.incident import EntryPoint
from kubewitness.model.text import Text

_SOON: Final = 600.0  # seconds after the log's beginning


def before_entry(scan: Scan, entry: EntryPoint | None) -> tuple[Text, ...]:
    """Sentences for the incident's limitations; none where the log covers the time before."""
    if entry is None:
        return ()
    begins = scan.first if scan.first != "~" else ""
    if begins and begins <= entry.time and (seconds := seconds_between(begins, entry.time)) < _SOON:
        return (
            Text(
                f"The log begins {span(seconds).en} before the first request that is told of here: the intruder may "
                "have been in before, by another way. Look for older logs.",
                f"日志在此处记述的第一个请求之前 {span(seconds).zh}才开始：入侵者可能更早已通过其他途径进入。"
                "请查找更早的日志。",
            ),
        )
    gap = next((one for one in reversed(find_gaps(scan)) if one.last <= entry.time), None)
    if gap is None:
        return ()
    return (
        Text(
            f"Nothing was logged from {moment(gap.first)} to {moment(gap.last)}, before the first request that is told "
            "of here: the real way in may lie there.",
            f"{moment(gap.first)} 至 {moment(gap.last)} 没有任何记录，且早于此处记述的第一个请求："
            "真正的入口可能在其间。",
        ),
    )
