"""Commands that the kubelet ran in containers and that failed to start: the only trace a default kubelet keeps of them.

What goes through the kubelet's own port never reaches the API server. ExecSync serves probes, lifecycle hooks and
`/run`; the log has a line for each command that could not be started (or timed out), in three forms:

    "ExecSync cmd from runtime service failed" err="…" containerID="<id>" cmd=["apt","update"]   kubelet since 1.20
    ExecSync <id> 'apt update' from runtime service failed: …                                    kubelet before
    ExecSync for "<id>" failed  error="… exec: \\"apt\\": executable file not found in $PATH …"  containerd: program

The third is used for containers of which the kubelet's log has nothing. Commands that did start leave no line.

Source: kubelet pkg/kubelet/cri/remote/remote_runtime.go, containerd pkg/cri/server/instrumented_service.go.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from kubewitness.detect.host.commands import MAX_COMMAND
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, LogLine

_OLD_END = "' from runtime service failed"
_EXEC = 'exec: "'


class Exec(Struct, frozen=True):
    """A command that failed to start in a container."""

    container: str
    argv: tuple[str, ...]  # the program alone if only containerd tells
    time: str
    place: Place
    line: str

    @property
    def command(self) -> str:
        """The words joined by spaces."""
        return " ".join(self.argv)


def failed_execs(host: Host) -> list[Exec]:
    """The failed commands in the order of the logs.

    What only the runtime tells, at a time of which the kubelet's log is there, did not come through the kubelet:
    somebody on the machine ran crictl.
    """
    kubelet, runtime = list[Exec](), list[Exec]()
    for line in host.logs:
        if "ExecSync" not in line.message:
            continue
        if found := _structured(line) or _old(line):
            kubelet.append(found)
        elif found := _containerd(line):
            runtime.append(found)
    told = {found.container for found in kubelet}
    times = sorted(line.time for line in host.logs if line.component == "kubelet" and line.time)
    first, last = (times[0], times[-1]) if times else ("~", "")
    past = [found for found in runtime if found.container not in told and not first <= found.time <= last]
    return kubelet + past


def seconds_of(time: str) -> float | None:
    """Seconds since 1970; None if the line has no time."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return None


def _structured(line: LogLine) -> Exec | None:
    container, cmd = line.fields.get("containerID", ""), line.fields.get("cmd", "")
    if not container or not cmd:
        return None
    return _exec(line, container, _argv(cmd), f"{line.message} containerID={container} cmd={cmd}")


def _argv(cmd: str) -> tuple[str, ...]:
    cmd = cmd[: 4 * MAX_COMMAND]
    try:
        return tuple(msgspec.json.decode(cmd, type=list[str]))
    except (msgspec.MsgspecError, UnicodeError):
        return tuple(cmd.removeprefix("[").removesuffix("]").split())


def _old(line: LogLine) -> Exec | None:
    _, _, rest = line.message.partition("ExecSync ")
    container, _, rest = rest.partition(" '")
    command, end, _ = rest.partition(_OLD_END)
    if not end or not container.isalnum():
        return None
    return _exec(line, container, tuple(command[:MAX_COMMAND].split()), line.message)


def _containerd(line: LogLine) -> Exec | None:
    _, _, rest = line.message.partition('ExecSync for "')
    container, quote, rest = rest.partition('"')
    if not quote or "failed" not in rest:
        return None
    error = (line.fields.get("error", "") or rest)[: 4 * MAX_COMMAND].replace('\\"', '"')
    _, _, rest = error.rpartition(_EXEC)
    program, quote, _ = rest.partition('"')
    return _exec(line, container, (program,) if quote else (), f"{line.message} error={error}")


def _exec(line: LogLine, container: str, argv: tuple[str, ...], shown: str) -> Exec | None:
    return Exec(container[:128], argv, line.time, line.place, shown) if argv else None
