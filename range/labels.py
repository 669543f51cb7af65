"""What the recorder knows for certain: which request, process and log line belongs to which actor and step.

Every actor has an address of their own in the range's network, so the last address of `sourceIPs` (the peer's, which
a client cannot choose) tells whose request an audit event is; actors inside a pod share its address with the pod and
are told by the Audit-Id header of the answers they got. Steps of one actor never overlap, so the time says which
step it was.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct


class LabelledActor(Struct, frozen=True):
    """Who acted."""

    role: str  # "intruder", "benign", "administrator", "system" (the cluster's own parts)
    addresses: tuple[str, ...] = ()


class LabelledStep(Struct, frozen=True):
    """A named deed of an actor, in the order played."""

    actor: str
    step: str
    phase: str
    started: str  # RFC 3339 UTC with microseconds
    ended: str


class LabelledRequest(Struct, frozen=True):
    """A request in the recorded audit log; it may have several events (stages)."""

    audit_id: str
    actor: str
    step: str = ""


class LabelledProcess(Struct, frozen=True):
    """A process seen on a node."""

    node: str
    pid: int  # in the node's PID namespace, as its ps shows it
    command: str
    actor: str
    step: str = ""


class LabelledLine(Struct, frozen=True):
    """A line of a recorded log, counted from 1 in the uncompressed file."""

    file: str  # below the evidence folder
    line: int
    actor: str
    step: str = ""


class Labels(Struct, frozen=True):
    """`labels.json` beside the evidence."""

    scenario: str
    recorded: str  # RFC 3339 UTC
    kubernetes: str  # the version that ran: "v1.34.4"
    actors: dict[str, LabelledActor]
    steps: tuple[LabelledStep, ...] = ()
    requests: tuple[LabelledRequest, ...] = ()  # every request of the recorded log, of benign actors too
    processes: tuple[LabelledProcess, ...] = ()
    lines: tuple[LabelledLine, ...] = ()
    left_out: tuple[str, ...] = ()  # steps of the script that were not played, and why
    format: int = 1


def read_labels(path: Path) -> Labels:
    """The labels in `path`.

    Raises:
        OSError: it cannot be read.
        msgspec.ValidationError: it is no labels file.
    """
    return msgspec.json.decode(path.read_bytes(), type=Labels)


def write_labels(path: Path, labels: Labels) -> None:
    """Write `labels` to `path`, a line a record so that versions can be compared."""
    lines = list[str]()
    for name, value in msgspec.to_builtins(labels).items():
        if isinstance(value, tuple | list):
            records = ",\n".join(f"  {msgspec.json.encode(record).decode()}" for record in value)
            lines.append(f' "{name}": [\n{records}\n ]' if value else f' "{name}": []')
        else:
            lines.append(f' "{name}": {msgspec.json.encode(value, order="sorted").decode()}')
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
