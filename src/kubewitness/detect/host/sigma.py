"""Sigma rules over what happened on a machine: its events, its running processes and connections, its logs.

A process that runs was created, so rules of `process_creation` look at it too, with its parent out of the same list;
a connection that is open, with the program that holds it, is a `network_connection`. Each rule sees only the events of
its log source (`rules.host_fields`). Most rules are put aside by the literals they need (`rules.literals`); those left
are evaluated as `rules.compile` does it for audit events.

Like matches are one finding: the same rule, container and command. Rules of others count as `activity`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from msgspec import Struct

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import MAX_PLACES, is_time, one_line, quoted
from kubewitness.model.host import Host, HostEvent, LogLine, Process, Socket
from kubewitness.model.text import Text
from kubewitness.rules.compile import compile_node
from kubewitness.rules.features.interface import Values
from kubewitness.rules.host_fields import (
    Record,
    audit_records,
    event_reader,
    image_of,
    log_sources_of,
    record_reader,
    text_of,
)
from kubewitness.rules.host_sources import AUDIT
from kubewitness.rules.ir import RECORD, AllOf, Negate, Node, Predicate, Rule, RuleId
from kubewitness.rules.literals import Prefilter

Seen = Mapping[str, Values]  # the fields of an event, or of a record of it, that rules look at

_MAX_GROUPS: Final = 200  # findings of one rule; the last counts all the rest
_SHOWN: Final = 6  # fields told as the reason
_SHOWN_VALUE: Final = 200
_NAMES: Final = 100  # containers and commands named in one finding


class _View(NamedTuple):
    readers: tuple[tuple[str, Callable[[HostEvent], Values]], ...]  # by field
    rules: int  # bits


class HostRules:
    """Rules about machines, compiled once for all of them."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(sorted(rules, key=lambda rule: (rule.log_source, rule.id)))
        self._prefilter = Prefilter([_sought(rule) for rule in self._rules])
        self._sources: dict[str, int] = {}  # log source → the bits of its rules
        self._fields: dict[str, set[str]] = {}  # log source → what its rules look at in whole events
        self._views: dict[tuple[str, ...], _View] = {}
        self._tests = list[Callable[[Any], bool]]()
        for number, rule in enumerate(self._rules):
            self._sources[rule.log_source] = self._sources.get(rule.log_source, 0) | 1 << number
            if rule.log_source == AUDIT:
                self._tests.append(compile_node(rule.condition, record_reader))
            else:
                self._tests.append(compile_node(rule.condition, itemgetter))
                self._fields.setdefault(rule.log_source, set()).update(rule.fields)

    def match(self, event: HostEvent) -> list[tuple[Rule, Seen]]:
        """The rules that an event meets, with what they saw, in their order."""
        sources = tuple(source for source in log_sources_of(event) if source in self._sources)
        if not sources:
            return []
        view = self._views.get(sources) or self._view(sources)
        records = list(audit_records(event)) if AUDIT in sources else []
        values = {name: read(event) for name, read in view.readers}
        mask = view.rules & self._prefilter.possible(_texts(values, records), event.command)
        found = list[tuple[Rule, Seen]]()
        while mask:
            bit = mask & -mask
            mask ^= bit
            number = bit.bit_length() - 1
            rule, test = self._rules[number], self._tests[number]
            if rule.log_source != AUDIT:
                if test(values):
                    found.append((rule, values))
            elif (record := next((one for one in records if test(one)), None)) is not None:
                found.append((rule, {name: record_reader(name)(record) for name in rule.fields}))
        return found

    def _view(self, sources: tuple[str, ...]) -> _View:
        """What is looked at in events of these log sources, and by which rules."""
        names = sorted(set().union(*(self._fields.get(source, set()) for source in sources)))
        readers = tuple((name, event_reader(name)) for name in names)
        view = self._views[sources] = _View(readers, sum(self._sources[source] for source in sources))
        return view

    def findings(self, host: Host) -> Iterator[HostFinding]:
        """What the rules say about a machine."""
        if not self._rules:
            return
        groups = dict[RuleId, dict[tuple[str, str], _Group]]()
        for event, process in happenings(host):
            for rule, seen in self.match(event):
                _file(groups.setdefault(rule.id, {}), rule, event, process, seen)
        pods = {process.container: process.pod_uid for process in host.processes if process.pod_uid}
        for members in groups.values():
            for group in members.values():
                yield group.finding(host.name, pods)


def _texts(values: Mapping[str, Values], records: Iterable[Record]) -> Iterable[str]:
    """All that any rule may look at in an event, each once: a literal that is not in here is nowhere in it."""
    texts = dict.fromkeys(str(text) for name, found in values.items() if name != RECORD for text in found)
    for text in values.get(RECORD, ()):
        texts |= dict.fromkeys(str(text).split("\n"))
    for record in records:
        texts |= dict.fromkeys(record)
        texts |= dict.fromkeys(record.values())
    return texts


def _sought(rule: Rule) -> Node:
    """The condition as `rules.literals` may look at it: literals lie in single values."""
    return _in_words(rule.condition) if rule.log_source == AUDIT else rule.condition


def _in_words(node: Node) -> Node:
    """A condition on records that follows from `node`: of a keyword, which may lie across values, each word occurs."""
    if isinstance(node, Negate):
        return node
    if not isinstance(node, Predicate):
        return type(node)(tuple(map(_in_words, node.parts)))
    if node.field != RECORD:
        return node
    if node.op != "contains" or not isinstance(node.value, str):
        return AllOf(())
    return AllOf(tuple(Predicate(RECORD, "contains", word, node.cased) for word in re.split("[ =]", node.value)))


def _why(rule: Rule, seen: Seen) -> tuple[Text, ...]:
    """What the rule looked at."""
    told = list[Text]()
    for name in rule.fields:
        if name != RECORD and seen[name] and len(told) < _SHOWN:
            value = one_line(str(seen[name][0]), _SHOWN_VALUE)
            told.append(Text(f"{name}: {value}", f"{name}：{value}"))
    return tuple(told)


class _Group(Struct):
    """Like matches while they are counted."""

    rule: Rule
    event: HostEvent  # the first one
    process: Process | None
    why: tuple[Text, ...]
    places: list[tuple[Any, str]] = []
    count: int = 0
    first: str = ""
    last: str = ""
    containers: dict[str, None] = {}
    commands: dict[str, None] = {}

    def add(self, event: HostEvent) -> None:
        self.count += event.count
        times = [time for time in (event.time, event.last) if is_time(time)]
        self.first = min([*([self.first] if self.first else []), *times], default="")
        self.last = max([self.last, *times])
        if len(self.places) < MAX_PLACES:
            self.places.append((event.place, subject_of(event)))
        if event.container and len(self.containers) < _NAMES:
            self.containers[event.container] = None
        if event.command and len(self.commands) < _NAMES:
            self.commands[one_line(event.command)] = None

    def finding(self, host: str, pods: dict[str, str]) -> HostFinding:
        rule, event = self.rule, self.event
        return HostFinding(
            rule=rule.id,
            title=rule.title,
            description=rule.description,
            severity=rule.severity,
            confidence=rule.confidence,
            kind=rule.kind,
            techniques=rule.techniques,
            host=host,
            first=self.first,
            last=self.last,
            subject=one_line(subject_of(event)),
            process=self.process,
            container=event.container,
            pod_uid=event.pod_uid or pods.get(event.container, ""),
            places=quoted(self.places),
            count=self.count,
            runbook=rule.runbook,
            falsepositives=rule.falsepositives,
            reasons=self.why,
            containers=tuple(self.containers),
            commands=tuple(self.commands),
            user=event.user,
        )


def _file(
    groups: dict[tuple[str, str], _Group], rule: Rule, event: HostEvent, process: Process | None, seen: Seen
) -> None:
    """Count a match where its like are; how many kinds of matches one rule has is somebody's choice."""
    key = (event.container, subject_of(event))
    if key not in groups and len(groups) >= _MAX_GROUPS:
        key = next(reversed(groups))
    group = groups.get(key)
    if group is None:
        group = groups[key] = _Group(rule, event, process, _why(rule, seen))
    group.add(event)


def subject_of(event: HostEvent) -> str:
    """One line that says what happened."""
    if event.category == "file_event" and event.path:
        return event.path
    if event.category == "network_connection" and event.address:
        peer = f"{event.address} {event.port}" if event.port else event.address
        return f"{event.command or event.image} → {peer}".strip()
    return event.command or event.message or event.path or event.image or text_of(event)


def happenings(host: Host) -> Iterator[tuple[HostEvent, Process | None]]:
    """Everything rules may look at as an event; with the process, if it runs or if the event tells its number."""
    known = {process.pid: process for process in host.processes}
    for process in host.processes:
        yield _created(process, known.get(process.ppid)), process
    listening = {socket.local_port for socket in host.sockets if socket.state == "LISTEN"}
    for socket in host.sockets:
        if socket.state == "ESTAB" and socket.peer_port and socket.owners:
            name, pid = socket.owners[0]
            yield _connected(socket, name, known.get(pid), socket.local_port not in listening), known.get(pid)
    for event in host.events:
        yield event, _acting(event)
    for line in host.logs:
        if line.component not in ("container", "control_plane"):  # what those print is no log of the machine
            yield _logged(line), None


def _created(process: Process, parent: Process | None) -> HostEvent:
    return HostEvent(
        category="process_creation",
        source="processes",
        place=process.place,
        time=process.started,
        pid=process.pid,
        ppid=process.ppid,
        user=process.user,
        image=process.executable,
        command=process.command,
        argv=process.argv,
        parent_image=parent.executable if parent else "",
        parent_command=parent.command if parent else "",
        cwd=process.cwd,
        container=process.container,
        pod_uid=process.pod_uid,
        fields={"sha256": process.sha256, "Hashes": f"SHA256={process.sha256}"} if process.sha256 else {},
    )


def _connected(socket: Socket, name: str, process: Process | None, outward: bool) -> HostEvent:
    return HostEvent(
        category="network_connection",
        source="sockets",
        place=socket.place,
        pid=process.pid if process else -1,
        user=process.user if process else "",
        image=image_of(process.executable, process.command, process.argv) if process else f"?/{name}",
        command=process.command if process else name,
        container=process.container if process else "",
        pod_uid=process.pod_uid if process else "",
        address=socket.peer_address,
        port=socket.peer_port,
        fields={"Initiated": "true" if outward else "false", "Protocol": socket.protocol},
    )


def _logged(line: LogLine) -> HostEvent:
    fields = {"program": line.component, **line.fields}
    return HostEvent("record", "component log", line.place, line.time, message=line.message, fields=fields)


def _acting(event: HostEvent) -> Process | None:
    """The process of an event, as far as the event tells it."""
    if event.pid < 0 or not (event.command or event.image) or event.category in ("login", "command"):
        return None
    return Process(
        pid=event.pid,
        command=event.command or event.image,
        place=event.place,
        ppid=event.ppid,
        user=event.user,
        started=event.time if event.category == "process_creation" else "",
        executable=event.image,
        container=event.container,
        pod_uid=event.pod_uid,
        argv=event.argv,
        cwd=event.cwd,
    )
