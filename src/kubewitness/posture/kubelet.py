"""The kubelet's effective configuration, offline, with the line that decided each setting and the lines that lost.

Two views that need not agree: what *runs* (the command line in the process list, plus /configz if somebody kept it)
and what *would run after a restart* (the command line systemd would make of the unit files). A configuration file
that neither names is never read, whatever it forbids: it is listed as such, with the line that should have named it.

Source: kubelet-config-file.md of the Kubernetes documentation; `kubelet_view` and `units` name theirs.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final

from msgspec import Struct

from kubewitness.model.host import Host, HostFile, Process
from kubewitness.posture.kubelet_file import is_configz, looks_like_configuration
from kubewitness.posture.kubelet_settings import KNOWN
from kubewitness.posture.kubelet_view import Setting, View, view, with_configz, with_never_loaded
from kubewitness.posture.lines import Line
from kubewitness.posture.reasons import Reason, names_config, reasons
from kubewitness.posture.units import CommandLine, command_line

_VERSION_LINES: Final = ("Kubelet version", "Version: ")  # the latter before 1.22
USUAL_CONFIG: Final = "/var/lib/kubelet/config.yaml"
_COLLECTED: Final = "live_response/kubelet/configz.json"
_VERSION: Final = re.compile(r"v1\.(\d{1,3})\.\d{1,3}(?![\d.])")


class Disagreement(Struct, frozen=True):
    """A setting that a restart of the kubelet would change."""

    name: str
    running: Setting
    after_restart: Setting


class KubeletConfiguration(Struct, frozen=True):
    """What the evidence says about a machine's kubelet."""

    host: str
    version: str = ""  # "v1.34.4"
    running: View | None = None
    after_restart: View | None = None
    never_loaded: tuple[Line, ...] = ()  # files that look like the configuration and that nothing names, by first line
    because: tuple[Reason, ...] = ()  # why there is no --config
    disagreements: tuple[Disagreement, ...] = ()
    process: Process | None = None
    not_in_evidence: tuple[str, ...] = ()  # environment files the unit names; they may not exist


def effective(host: Host) -> KubeletConfiguration | None:
    """The kubelet configuration of `host`; None if nothing shows that it has a kubelet."""
    unit = command_line(host.files)
    process = _kubelet(host, unit)
    configz = _configz(host)
    if process is None and unit is None and configz is None:
        return None
    version = _version(host)
    match = _VERSION.match(version)
    minor = int(match[1]) if match else 0
    by_path = {file.path: file for file in host.files}
    environment = unit.environment if unit else {}
    running = after_restart = None
    if process is not None:
        line = Line(process.command, process.place, "")
        words = [(word, line) for word in _arguments(process)]
        complete = not process.truncated and len(words) > 0  # a bare name: a list without arguments
        running = view(words, line, by_path, complete=complete, minor=minor, environment=environment)
    if configz is not None:
        running = with_configz(running, configz)
    if unit is not None and unit.words and not unit.refused:
        own = [(word.text, word.lines[0]) for word in unit.words[1:]]
        line = unit.words[0].lines[0]
        after_restart = view(own, line, by_path, complete=_complete(unit), minor=minor, environment=environment)
    named = {path for made in (running, after_restart) if made for path in (made.config, *made.files)}
    never = [
        file
        for file in sorted(host.files, key=lambda file: (file.path != USUAL_CONFIG, file.path))
        if file.path not in named and not is_configz(file) and looks_like_configuration(file)
    ]
    running, after_restart = with_never_loaded(running, never), with_never_loaded(after_restart, never)
    return KubeletConfiguration(
        host.name,
        version,
        running,
        after_restart,
        tuple(Line(file.text[:200].partition("\n")[0], file.place, file.path) for file in never),
        reasons(unit, running, after_restart),
        _disagreements(running, after_restart),
        process,
        unit.not_in_evidence if unit else (),
    )


def _configz(host: Host) -> HostFile | None:
    """What the running kubelet answered, as a collector or somebody's `kubectl get --raw` kept it.

    Never a file that lay in a folder of the machine: whoever may write below /tmp would decide what the kubelet runs.
    """
    kept = (file for file in host.files if posixpath.dirname(file.path) == "/" and is_configz(file))
    return min(kept, key=lambda file: not file.place.item.endswith(_COLLECTED), default=None)


def _complete(unit: CommandLine) -> bool:
    """Whether the unit's files in the evidence tell the whole command line.

    Distributions keep what matters in drop-ins and environment files. A unit with neither and no argument, or with
    variables that files not in the evidence may set, proves nothing; unless it names the configuration anyway, or the
    line that would is there and commented out.
    """
    if any(names_config(word.text) for word in unit.words) or any(names_config(line.value) for line in unit.commented):
        return True
    if len(unit.words) == 1 and not unit.drop_ins:
        return False
    return not (unit.unset and unit.not_in_evidence)


def _kubelet(host: Host, unit: CommandLine | None) -> Process | None:
    """The machine's kubelet among processes of that name: others may run in containers, or only pretend."""
    listening = {
        pid
        for socket in host.sockets
        if socket.state == "LISTEN" and socket.local_port == 10250
        for _, pid in socket.owners
    }
    path = unit.words[0].text if unit and unit.words else ""
    found = [process for process in host.processes if _is_kubelet(process)]
    found.sort(
        key=lambda process: (
            not _arguments(process),
            process.pid not in listening,
            process.command.split(maxsplit=1)[0] != path,
            bool(process.container),
            process.ppid != 1,
            process.pid,
        )
    )
    return found[0] if found else None


def _is_kubelet(process: Process) -> bool:
    words = process.command.split(maxsplit=2)
    return _name(words, 0) == "kubelet" or (_name(words, 0) == "hyperkube" and _name(words, 1) == "kubelet")


def _arguments(process: Process) -> list[str]:
    words = process.command.split()
    return words[2:] if _name(words, 0) == "hyperkube" else words[1:]


def _name(words: list[str], at: int) -> str:
    return posixpath.basename(words[at]) if len(words) > at else ""


def _version(host: Host) -> str:
    """As the kubelet's log says it, the last start counting."""
    for line in reversed(host.logs):
        if line.component == "kubelet" and line.message.startswith(_VERSION_LINES):
            said = line.fields.get("kubeletVersion") or line.message.rpartition(": ")[2]
            if _VERSION.match(said):
                return said[:80]
    return ""


def _disagreements(running: View | None, after_restart: View | None) -> tuple[Disagreement, ...]:
    if running is None or after_restart is None:
        return ()
    pairs = ((known.name, running.get(known.name), after_restart.get(known.name)) for known in KNOWN)
    return tuple(Disagreement(name, now, then) for name, now, then in pairs if now and then and now.value != then.value)
