"""A recorded scenario as the scoreboard needs it: script, labels, and the audit ids that really are in the evidence.

Figures are worth nothing if labels and evidence are of two recordings, so every audit id is looked up in both. The ids
are read here, in the simplest way there is, and not by the program whose answers are judged: audit log files with an
event a line, batches of an audit webhook with an EventList a line (audit.k8s.io/v1), either compressed with gzip.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from range.labels import Labels, read_labels
from range.script import Script, ScriptError, load

_LOGS = ("audit*.log", "audit*.log.gz", "webhook*.jsonl", "webhook*.jsonl.gz")
_NAMED = 5


class RecordingError(Exception):
    """A recording that cannot be scored; the message names it and says why, a line a reason."""


@dataclass(frozen=True)
class Recording:
    """A scenario that was played and recorded."""

    name: str
    evidence: Path
    script: Script
    labels: Labels


class _Id(Struct):
    auditID: str = ""
    items: tuple[_Id, ...] = ()


def recordings(root: Path, names: Iterable[str] = ()) -> tuple[list[Recording], list[str]]:
    """The recordings below `root` (only `names`, if any), and the names of scenarios that were not recorded yet.

    Raises:
        RecordingError: a name that is no scenario, or recordings that contradict themselves; all of them are told.
    """
    wanted = list(dict.fromkeys(name.rstrip("/").rpartition("/")[2] for name in names))
    there = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    problems = [f"{name}: no such scenario in {root}" for name in wanted if name not in there]
    out: list[Recording] = []
    silent: list[str] = []
    for name in wanted or there:
        if name not in there:
            continue
        if not (root / name / "labels.json").exists():
            silent.append(name)
            continue
        try:
            out.append(read(root / name))
        except RecordingError as error:
            problems.append(str(error))
    if problems:
        raise RecordingError("\n".join(problems))
    return out, silent


def read(folder: Path) -> Recording:
    """The recording in `folder`.

    Raises:
        RecordingError: it cannot be read, or script, labels and evidence do not belong together.
    """
    try:
        script, labels = load(folder), read_labels(folder / "labels.json")
    except (ScriptError, OSError) as error:
        raise RecordingError(str(error)) from error
    except msgspec.DecodeError as error:
        raise RecordingError(f"{folder}/labels.json: {error}") from error
    evidence = folder / "evidence"
    problems = tuple(contradictions(script, labels, audit_ids(evidence / "control-plane")))
    if problems:
        raise RecordingError("\n".join(f"{folder.name}: {problem}" for problem in problems))
    return Recording(folder.name, evidence, script, labels)


def audit_ids(folder: Path) -> frozenset[str]:
    """The id of every event in the logs and webhook batches in `folder`.

    Raises:
        RecordingError: a log that is broken or a line that is none.
    """
    files = sorted({path for pattern in _LOGS for path in folder.glob(pattern)})
    return frozenset(found for path in files for found in _ids_in(path))


def _ids_in(path: Path) -> Iterator[str]:
    decoder, number = msgspec.json.Decoder(_Id), 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for line in lines:
                number += 1
                if line.strip():
                    event = decoder.decode(line)
                    yield from (one.auditID for one in (event, *event.items) if one.auditID)
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise RecordingError(f"{path}: broken at line {number}: {error}") from error


def contradictions(script: Script, labels: Labels, present: frozenset[str]) -> Iterator[str]:
    """What script, labels and the audit ids of the evidence say differently."""
    labelled = {request.audit_id for request in labels.requests}
    if absent := sorted(labelled - present):
        yield f"labelled but not in the evidence: {_named(absent)}"
    if unknown := sorted(present - labelled):
        yield f"in the evidence but not labelled: {_named(unknown)}"
    for actor in sorted({request.actor for request in labels.requests} - set(labels.actors)):
        yield f"requests are labelled as of {actor!r}, who is not one of the labels' actors"
    deeds = {(step.actor, step.step) for step in labels.steps}
    for actor, step in sorted({(r.actor, r.step) for r in labels.requests if r.step} - deeds):
        yield f"requests are labelled as of step {step!r} of {actor!r}, which is not one of the labels' steps"
    for incident in script.expected.incidents:
        who = " and ".join(incident.actors)
        loud = any(request.actor in incident.actors for request in labels.requests)
        if loud and script.expected.audit_log_silent:
            yield f"expected.audit_log_silent, but requests of {who} are in the log"
        if not loud and not script.expected.audit_log_silent:
            yield f"no request of {who} is in the log; expected.audit_log_silent says so, or the recording failed"


def _named(audit_ids: list[str]) -> str:
    more = f" and {len(audit_ids) - _NAMED} more" if len(audit_ids) > _NAMED else ""
    return ", ".join(audit_ids[:_NAMED]) + more
