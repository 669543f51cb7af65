"""Text that is no log of audit events: what a line of it is, and a whole file of it as one failure.

A folder of evidence holds notes, configuration and other logs beside the audit log. A failure for each of their lines
would bury the failures that matter, so what was sniffed as text is counted and told once. A line that could hold a JSON
object is never counted that way: it is read like any other.
"""

from __future__ import annotations

import re
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.frame import Frame
from kubewitness.model.evidence import ParseFailure, Place

_STAMP = re.compile(rb"^\d{4}-\d\d-\d\d[T ]\S+\s+")
_LINES: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb"^(?:node=\S+ )?type=[A-Z_0-9\[\]]+ msg=audit\("), "Linux auditd record, no Kubernetes audit event"),
    (re.compile(rb"\|acl_log\(|\|acl_log\|"), "OVN network policy log, no Kubernetes audit event"),
    (re.compile(rb"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ "), "log of a Kubernetes component (klog), no audit event"),
    (re.compile(rb"^time=\"[^\"]+\" level=\w+ msg="), "log of a container runtime, no audit event"),
    (re.compile(rb"^\S+T\S+ (?:stdout|stderr) [FP] "), "container log, no audit event"),
    (re.compile(rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ "), "syslog line, no audit event"),
    (re.compile(rb"^<\d{1,3}>"), "syslog line, no audit event"),
    (re.compile(rb"^\S+ \S+ \S+ \[[^\]]+\] \"[A-Z]+ "), "web server access log, no audit event"),
)


def name_of_line(text: bytes) -> str:
    """What a line of plain text is, empty if unknown."""
    head = text[:512]
    bare = _STAMP.sub(b"", head, count=1)  # an export puts its own time in front
    return next((reason for pattern, reason in _LINES if pattern.search(head) or pattern.search(bare)), "")


_HEADER = re.compile(rb'(?:[@\w.]{1,80}|"[@\w. -]{1,80}")(?:,(?:[@\w.]{1,80}|"[@\w. -]{1,80}")){0,99}')
_COLUMNS: Final = frozenset(
    (b"@message", b"message", b"_raw", b"log", b"log_s", b"content", b"__raw__", b"textPayload", b"line", b"event",
     b"body", b"value", b"data", b"properties", b"properties_s", b"jsonPayload", b"protoPayload", b"_source")
)  # fmt: skip
_JSON = re.compile(rb"\{\s*[\\\"']")  # what opens an object with members, be it inside quotes


def is_header(text: bytes) -> bool:
    """The names of a CSV export's columns: nothing but names, one of them of a column that carries events."""
    if not _HEADER.fullmatch(text):
        return False
    names = text.replace(b'"', b"").split(b",")
    return any(name in _COLUMNS for name in names) and (len(names) > 1 or text.strip(b'"')[:1] in {b"@", b"_"})


class Text:
    """Counts the lines of text of one item."""

    def __init__(self) -> None:
        self._lines = 0
        self._first: Frame | None = None
        self._end = 0

    def takes(self, frame: Frame) -> bool:
        """Count a line of text, unless it may hold a JSON object or names the columns of those that do."""
        if _JSON.search(frame.data) or is_header(frame.data):
            return False
        self._first = self._first or frame
        self._lines += 1
        self._end = frame.place.offset + frame.place.length
        return True

    def failure(self) -> ParseFailure | None:
        """All lines counted so far as one failure, at the place of the first."""
        if self._first is None:
            return None
        at = self._first.place
        count = "1 line" if self._lines == 1 else f"{self._lines} lines"
        name = name_of_line(self._first.data)
        place = Place(at.item, at.line, at.offset, self._end - at.offset)
        return unreadable(place, f"no audit log: {count} of text" + (f" ({name})" if name else ""), self._first.data)
