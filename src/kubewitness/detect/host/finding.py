"""What a rule about a machine says: one suspicion, with the lines that carry it."""

from __future__ import annotations

from msgspec import Struct

from kubewitness.model.evidence import Place
from kubewitness.model.host import Process
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text


class HostFinding(Struct, frozen=True):
    """A suspicion about one machine. Like things are one finding, counted."""

    rule: str  # "host/miner_process"
    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[str, ...]
    host: str
    first: str  # RFC 3339, empty if the evidence does not tell
    last: str
    subject: str  # one line: a command, a chain, a path; hostile
    process: Process | None  # the first one, if it is about processes
    container: str  # id of the first container concerned, empty: none or not known
    pod_uid: str
    places: tuple[tuple[Place, str], ...]  # with the line as found, cut; the first few
    count: int  # processes, commands, rules: what `places` has the first of
    runbook: Text
    falsepositives: tuple[Text, ...] = ()
    reasons: tuple[Text, ...] = ()  # why, one a sign; values in it are hostile
    addresses: tuple[str, ...] = ()  # hosts it fetched from or works for, without port; never whom it scans
    containers: tuple[str, ...] = ()  # all containers concerned, in order of appearance
    commands: tuple[str, ...] = ()  # what was run, in order, each once; hostile
    user: str = ""  # who did it, where that is told and `process` is None
    matched: tuple[tuple[str, str], ...] = ()  # field and value: the why, where it is more than `subject`
