"""The recording of a run on somebody's own cluster: what its audit log says of the time, and whose each request was.

Nobody has an address of their own there, so the Audit-Id of the answer tells whose a request was. Upgraded connections
(exec, attach, port-forward) answer without one, and so do the questions about its version that some distributors'
kubectl asks by itself. Such a request belongs to the step in whose time it falls if that step's other requests bear
the same user and peer address, and no other step's of that time do. Where the recorder acts as that user too, the user
agent has to be the same as well.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from range.labels import LabelledActor, LabelledRequest, Labels, write_labels
from range.play import Deed
from range.record import labelled_steps, write_gzip
from range.sandbox import RangeError
from range.script import Actor

RECORDER = "recorder"  # what the recording itself asked for


class Played(Struct, frozen=True):
    """`deeds.json`: what a run did, enough to label an audit log that is had later."""

    scenario: str
    kubernetes: str
    server: str
    started: datetime
    ended: datetime
    actors: dict[str, Actor]
    deeds: tuple[Deed, ...]
    own_requests: tuple[str, ...]  # Audit-Ids of the recorder's own
    left_out: tuple[str, ...] = ()


class Tail:
    """What the API server writes to its log from now on; `path` may be rotated meanwhile.

    The API server renames a full log to NAME-TIME.EXT, may compress it, and begins another under the old name.

    Raises:
        RangeError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._offset = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise RangeError(f"{path}: {error.strerror}; give the API server's audit log on this machine") from error
        self._before = set(self._rotated())

    def lines(self) -> list[bytes]:
        """The lines written since."""
        fresh = {name: path for name, path in self._rotated().items() if name not in self._before}
        parts = [_content(fresh[name]) for name in sorted(fresh)]  # the names are times
        parts.append(_content(self._path) if self._path.exists() else b"")
        if len(parts[0]) < self._offset:  # emptied in place: what is there is of now
            self._offset = 0
        parts[0] = parts[0][self._offset :]
        return b"".join(parts).splitlines(keepends=True)

    def _rotated(self) -> dict[str, Path]:
        found = self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}*")
        # While one is being compressed both are there, and the compressed one is not whole yet.
        return {path.name.removesuffix(".gz"): path for path in sorted(found, reverse=True)}


def lines_between(paths: Iterable[Path], played: Played) -> list[bytes]:
    """The lines of copied logs that are of the time of a run, in the order of time.

    Raises:
        RangeError: a file cannot be read.
    """
    found = list[tuple[datetime, bytes]]()
    for path in paths:
        try:
            content = _content(path)
        except (OSError, EOFError) as error:
            raise RangeError(f"{path}: {error}") from error
        for line in content.splitlines(keepends=True):
            event = _event(line)
            if event and played.started <= (time := _time(event)) <= played.ended:
                found.append((time, line))
    return [line for _, line in sorted(found, key=lambda one: one[0])]


def write(target: Path, played: Played, lines: Sequence[bytes]) -> Labels:
    """Write the log and its labels into the folder `target`."""
    plane = target / "evidence/control-plane"
    plane.mkdir(parents=True, exist_ok=True)
    write_gzip(plane / "audit.log.gz", b"".join(lines))
    events = [event for line in lines if (event := _event(line))]
    requests = tuple(_requests(events, played))
    active = {request.actor for request in requests}
    peers = defaultdict[str, set[str]](set)
    owner = {request.audit_id: request.actor for request in requests}
    for event in events:
        peers[owner[event["auditID"]]].update((event.get("sourceIPs") or [])[-1:])
    labels = Labels(
        scenario=played.scenario,
        recorded=played.ended.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        kubernetes=played.kubernetes,
        actors={
            **{
                name: LabelledActor(actor.role, tuple(sorted(peers[name])))
                for name, actor in played.actors.items()
                if name in active or actor.role == "intruder"
            },
            RECORDER: LabelledActor("administrator", tuple(sorted(peers[RECORDER]))),
            "cluster": LabelledActor("system", tuple(sorted(peers["cluster"]))),
        },
        steps=tuple(labelled_steps(played.deeds)),
        requests=requests,
        left_out=played.left_out,
    )
    write_labels(target / "labels.json", labels)
    return labels


def write_rbac(target: Path, when: str, objects: list[Any]) -> None:
    """Write the lists of RBAC objects into the folder `target`; `when` is "before" or "after"."""
    write_gzip(target / f"evidence/control-plane/rbac-{when}.json.gz", json.dumps(objects).encode())


def unseen(played: Played, labels: Labels) -> int:
    """How many requests of named steps were answered and are not in the log."""
    present = {request.audit_id for request in labels.requests}
    return len({one for deed in played.deeds if deed.step for one in deed.audit_ids} - present)


def read_played(path: Path) -> Played:
    """What a run wrote.

    Raises:
        RangeError: it is no such file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Played)
    except (OSError, msgspec.MsgspecError) as error:
        raise RangeError(f"{path}: {error}; give the deeds.json of a run") from error


def write_played(path: Path, played: Played) -> None:
    """Keep what a run did."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(played), indent=1) + b"\n")


def _requests(events: Sequence[dict[str, Any]], played: Played) -> Iterator[LabelledRequest]:
    """Whose every request is; "cluster" is whoever is neither of the script nor the recorder."""
    by_id = dict[str, Deed]()
    for deed in sorted(played.deeds, key=lambda deed: deed.started):
        for audit_id in deed.audit_ids:
            by_id.setdefault(audit_id, deed)  # kubectl's cache answers again with the first answer's
    own = set(played.own_requests) - set(by_id)
    shared = {_look(event)[0] for event in events if event["auditID"] in own}
    looks = dict[tuple[str, ...], list[Deed]]()
    for event in events:
        if event["auditID"] in by_id:
            looks.setdefault(_look(event, shared), []).append(by_id[event["auditID"]])
    seen = set[str]()
    for event in events:
        audit_id = event["auditID"]
        if audit_id in seen:
            continue
        seen.add(audit_id)
        if audit_id in own:
            yield LabelledRequest(audit_id, RECORDER)
            continue
        whose = by_id.get(audit_id) or _by_look(event, looks.get(_look(event, shared), ()))
        yield LabelledRequest(audit_id, whose.actor, whose.step) if whose else LabelledRequest(audit_id, "cluster")


def _by_look(event: dict[str, Any], deeds: Iterable[Deed]) -> Deed | None:
    time = _time(event)
    fitting = {(deed.actor, deed.step): deed for deed in deeds if deed.started <= time <= deed.ended}
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _look(event: dict[str, Any], shared: Container[str] = ()) -> tuple[str, ...]:
    user, peer = event["user"].get("username", ""), (event.get("sourceIPs") or [""])[-1]
    return (user, peer, event.get("userAgent", "")) if user in shared else (user, peer)


def _event(line: bytes) -> dict[str, Any] | None:
    """The audit event in a line; None for anything else, which is kept and not labelled."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return (
        event if isinstance(event, dict) and {"auditID", "user", "requestReceivedTimestamp"} <= event.keys() else None
    )


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["requestReceivedTimestamp"])


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
