"""Results about a machine, and where what they say was read."""

from __future__ import annotations

from typing import Final

from kubewitness.model.evidence import Place
from kubewitness.model.host import FileEntry, Socket
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine
from kubewitness.posture.lines import Line

NOTHING: Final = Text("", "")
_TEXT: Final = 300
_MOST: Final = 12


def failed(
    machine: Machine,
    subject: str,
    observed: Text,
    expected: Text,
    *where: Where,
    reason: Text = NOTHING,
    severity: Severity | None = None,
    aspect: str = "",
    remedy: Remedy | None = None,
    includes: tuple[str, ...] = (),
) -> Result:
    """A failure of this machine."""
    places = tuple(dict.fromkeys(where))[:_MOST]
    return Result(
        "fail", machine.target, subject, observed, expected, places, reason, severity, remedy, aspect=aspect,
        includes=includes,
    )  # fmt: skip


def passed(
    machine: Machine, subject: str, observed: Text, *where: Where, reason: Text = NOTHING, aspect: str = ""
) -> Result:
    """A pass of what was seen."""
    places = tuple(dict.fromkeys(where))[:_MOST]
    return Result("pass", machine.target, subject, observed, where=places, reason=reason, aspect=aspect)


def unknown(machine: Machine, subject: str, reason: Text, *where: Where, aspect: str = "") -> Result:
    """Not evaluated."""
    return Result("not_evaluated", machine.target, subject, where=where[:_MOST], reason=reason, aspect=aspect)


def beside_the_point(machine: Machine, subject: str, reason: Text, *where: Where, aspect: str = "") -> Result:
    """Not applicable."""
    return Result("not_applicable", machine.target, subject, where=where[:_MOST], reason=reason, aspect=aspect)


def at_line(line: Line) -> Where:
    """A line of a file of the machine."""
    return Where(line.place.item, line.place.line, path=line.path, text=line.text.strip()[:_TEXT])


def at_place(place: Place, text: str = "", path: str = "") -> Where:
    """Something else of the evidence."""
    return Where(place.item, place.line, path=path, text=text[:_TEXT])


def at_socket(socket: Socket) -> Where:
    """A socket as it was listed."""
    return at_place(socket.place, shown(socket))


def at_file(entry: FileEntry) -> Where:
    """A file as it was listed."""
    return at_place(entry.place, f"{entry.mode} {entry.owner}".strip(), entry.path)


def shown(socket: Socket) -> str:
    """A socket in one line."""
    owners = ", ".join(f"{name} {pid}" for name, pid in socket.owners[:3])
    return f"{socket.state} {socket.local_address}:{socket.local_port}" + (f" ({owners})" if owners else "")


def same(text: str) -> Text:
    """What is the same in both languages."""
    return Text(text, text)
