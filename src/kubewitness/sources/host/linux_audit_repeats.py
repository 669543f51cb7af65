"""Events of linux_audit that were seen before, told by the text of their records before anything is parsed.

Nearly all of an audit is repetition: health probes, cron, the runtime asking for the state of its containers. Records
of a repetition differ in a few places, all of them numbers: process, session, inode, pointers. What is left when these
are cut out stands for the event; a second one with the same left-over becomes no event but is counted, at a tenth of
the cost. Where the text leaves any doubt (a number stands where none should, a name stands twice), it is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from kubewitness.model.host import HostEvent
from kubewitness.sources.host.folding import Events, Told
from kubewitness.sources.host.linux_audit_events import (
    AT_CWD,
    PARTS,
    AuditEvent,
    argv_of,
    events_of,
    name_of_call,
    shown_words,
    telling_arguments,
)
from kubewitness.sources.host.linux_audit_parents import Parents, Program, is_boot, program_of
from kubewitness.sources.host.linux_audit_records import parsed, record_of

_REMEMBERED: Final = 10_000  # forms in each of two generations
_CHARACTERS: Final = 16 * 1024 * 1024  # the same, of their texts
_PARENTS: Final = 64  # of one form
_PROGRAMS: Final = 2_000

# The numbers in a SYSCALL record as the kernel writes it: groups 4 to 7 are the arguments, then ppid and pid.
_CALL = re.compile(
    r"(arch=[0-9a-f]{1,16} syscall=[0-9]{1,5}(?: per=[0-9a-f]{1,16})?(?: success=[a-z]{1,3})?)"
    r"(?: exit=(-?)([0-9]{1,20}))? a0=([0-9a-f]{1,16}) a1=([0-9a-f]{1,16}) a2=([0-9a-f]{1,16}) a3=([0-9a-f]{1,16})"
    r" items=[0-9]{1,9} ppid=([0-9]{1,9}) pid=([0-9]{1,9}) (auid=[^\"'{]{1,300}? tty=[^\s\"'{]{1,64})"
    r" ses=[0-9]{1,10} (.*)",
    re.DOTALL,
)
_PATH = re.compile(
    r"(item=[0-9]{1,4} name=(?:\"[^\"\s]{0,4096}\"|[0-9A-F]{1,8192}|\(null\)))"
    r" inode=[0-9]{1,20} dev=[0-9a-f:]{1,12} (mode=.*)",
    re.DOTALL,
)
_WORDS = re.compile(r"argc=[0-9]{1,7} a0=[\"0-9A-F]")
_SENDER: Final = r"pid=(?P<pid>[0-9]{1,9}) (uid=[0-9]{1,10} auid=[0-9]{1,10}) ses=[0-9]{1,10} (.*)"
_LOGIN: Final = r"pid=(?P<pid>[0-9]{1,9}) (uid=[^\"'{]{1,300}? old-ses=[0-9]{1,10}) ses=[0-9]{1,10} (.*)"
_PROGRAM: Final = r"prog-id=[0-9]{1,9} (op=[A-Z_]{1,20})(?P<pid>)"
_TABLE: Final = (
    r"table=([\w-]{1,64})(?::[0-9]{1,9})? family=([0-9]{1,3}) entries=[0-9]{1,9} (op=\w{1,64})"
    r"(?: pid=(?P<pid>[0-9]{1,9})(.*))?"
)


def _form(pattern: str) -> tuple[re.Pattern[str], tuple[int, ...]]:
    """A pattern, and the numbers of its groups that stay: all but the process."""
    form = re.compile(pattern, re.DOTALL)
    return form, tuple(number for number in range(1, form.groups + 1) if number != form.groupindex["pid"])


_FORMS: Final = {
    "LOGIN": _form(_LOGIN),
    "BPF": _form(_PROGRAM),
    "NETFILTER_CFG": _form(_TABLE),
    **dict.fromkeys(
        ("USER_AUTH", "USER_ACCT", "USER_START", "USER_END", "USER_LOGIN", "USER_LOGOUT", "USER_CMD", "USER_ERR",
         "CRED_ACQ", "CRED_DISP", "CRED_REFR", "SERVICE_START", "SERVICE_STOP"),
        _form(_SENDER),
    ),
}  # fmt: skip
# One of the numbers that were cut out, a second time: which of them counts is the parser's business.
_AGAIN = re.compile(r"(?<![\w-])(?:ppid|pid|a[0-3]|exit|items)=")

_ARGUMENT = re.compile(r"a[0-9]{1,7}")
_ARGUMENTS: Final = {"a0": 4, "a1": 5, "a2": 6, "a3": 7}  # groups of _CALL

_Text = tuple[object, ...]
_Call = tuple[str | Any, ...]


class _Shape(NamedTuple):
    """What stands for an event, and the numbers that were cut out."""

    text: _Text
    pid: str | None  # None: the event's text says all
    ppid: str | None
    size: int
    words_at: tuple[int, ...]  # where in the text the words of an execution stand, if they are told


class _Form:
    """An event that may come again."""

    __slots__ = ("event", "program", "starts", "told")

    def __init__(self, event: HostEvent) -> None:
        self.event = event
        self.starts = event.category == "process_creation"
        self.program: Program = program_of(event)
        self.told: dict[Program | None, Told] | None = None  # by parent, from the second time on


class _Execution:
    """An execution as it would be with other words."""

    __slots__ = ("_after", "_before", "_first")

    def __init__(self, first: HostEvent, before: dict[str, str], after: dict[str, str]) -> None:
        self._first, self._before, self._after = first, before, after

    @classmethod
    def of(cls, made: tuple[HostEvent, ...]) -> _Execution | None:
        """The event without its words; None if it is not clear which of its fields they are."""
        if len(made) != 1 or made[0].category != "process_creation" or not made[0].argv:
            return None
        fields, names = made[0].fields, list(shown_words(made[0].argv))
        keys = list(fields)
        at = keys.index("a0") if "a0" in fields else 0
        rest = keys[:at] + keys[at + len(names) :]
        if keys[at : at + len(names)] != names or any(_ARGUMENT.fullmatch(key) for key in rest):
            return None
        return cls(
            made[0], {key: fields[key] for key in keys[:at]}, {key: fields[key] for key in keys[at + len(names) :]}
        )

    def made(self, event: AuditEvent, pid: int, ppid: int) -> HostEvent | None:
        """The event with its own words; None if it has none."""
        argv = argv_of([word for record in event.records if record.kind == "EXECVE" for word in parsed(record).words])
        if not argv:
            return None
        return replace(
            self._first,
            place=event.place,
            time=event.time,
            pid=pid,
            ppid=ppid,
            argv=argv,
            command=" ".join(argv),
            fields={**self._before, **shown_words(argv), **self._after},
        )


class Repeats:
    """Takes in events of the audit, keeps those of the machine that they tell of."""

    def __init__(self, events: Events) -> None:
        self._events, self._parents = events, Parents()
        self._calls: dict[_Call, tuple[str, ...] | None] = {}
        self._known: dict[_Text, tuple[_Form, ...]] = {}
        self._older: dict[_Text, tuple[_Form, ...]] = {}
        self._executions: dict[_Text, _Execution | None] = {}
        self._room = _CHARACTERS

    def take(self, events: Iterable[AuditEvent]) -> None:
        """More events of the audit."""
        for event in events:
            self._take(event)

    def _take(self, event: AuditEvent) -> None:
        shape = self._shape(event)
        if shape is None:
            for made in events_of(event):
                self._events.add(self._parents.told(made))
            return
        forms = self._known.get(shape.text)
        if forms is not None:
            self._again(forms, event, shape)
            return
        forms = self._older.pop(shape.text, None)
        if forms is not None:
            self._again(forms, event, shape)
        else:
            forms = tuple(_Form(made) for made in self._made(event, shape))
            for form in forms:
                self._events.add(self._parents.told(form.event))
            if not _is_certain(event):
                return
        self._keep(shape, forms)

    def _made(self, event: AuditEvent, shape: _Shape) -> tuple[HostEvent, ...]:
        """The events, of an execution made out of another that differs in its words alone."""
        if not shape.words_at or shape.pid is None or shape.ppid is None:
            return tuple(events_of(event))
        text = tuple(part for at, part in enumerate(shape.text) if at not in shape.words_at)
        if text not in self._executions:
            made = tuple(events_of(event))
            if len(self._executions) >= _PROGRAMS:
                self._executions.clear()
            self._executions[text] = _Execution.of(made) if _is_certain(event) else None
            return made
        known = self._executions[text]
        one = known.made(event, int(shape.pid), int(shape.ppid)) if known else None
        return (one,) if one else tuple(events_of(event))

    def _keep(self, shape: _Shape, forms: tuple[_Form, ...]) -> None:
        self._room -= shape.size
        if self._room < 0 or len(self._known) >= _REMEMBERED:
            self._older, self._known, self._room = self._known, {}, _CHARACTERS
        self._known[shape.text] = forms

    def _again(self, forms: tuple[_Form, ...], event: AuditEvent, shape: _Shape) -> None:
        for form in forms:
            first = form.event
            pid = int(shape.pid) if shape.pid else first.pid
            ppid = int(shape.ppid) if shape.ppid else first.ppid
            parent = None
            if form.starts:
                parent = self._parents.started(event.node, pid, ppid, form.program)
            elif is_boot(first):
                self._parents.forget()
            if form.told is None:
                form.told = {}
            elif (told := form.told.get(parent)) is not None:
                told.again(event.time)
                continue
            image, command = parent or ("", "")  # linux_audit itself never tells the parent
            made = replace(
                first,
                place=event.place,
                time=event.time,
                pid=pid,
                ppid=ppid,
                parent_image=image,
                parent_command=command,
            )
            if (told := self._events.add(made)) is not None:
                if len(form.told) >= _PARENTS:
                    form.told.clear()
                form.told[parent] = told

    def _shape(self, event: AuditEvent) -> _Shape | None:
        """The event without its passing numbers; None if that cannot be told from the text."""
        pid: str | None = None
        ppid: str | None = None
        size, alone, has_words, call = 0, 0, False, None
        text: list[object] = [event.node]
        words_at = list[int]()
        for kind, _, _, body in event.records:
            text.append(kind)
            size += len(body)
            if kind == "SYSCALL":
                if call is not None or (call := _CALL.fullmatch(body)) is None:
                    return None
                pid, ppid = call[9], call[8]
                about = call.group(1, 10, 11)
                asked = self._asked(about)
                if asked is None:
                    return None
                if alone and len(asked) > 1:  # the numbers of a call that a record explains
                    asked = ()
                text.append(about)
                if call[2]:
                    text.append(call[3])  # an error
                for name in asked:
                    if name == "here":
                        text.append(call[4] in AT_CWD)
                    else:
                        text.append(call[_ARGUMENTS[name]])
            elif kind == "PATH":
                found = _PATH.fullmatch(body)
                text.append(found.groups() if found else body)
            elif kind == "PROCTITLE":
                if not has_words:  # which say it better
                    text.append(body)
            elif kind in PARTS:
                if kind == "EXECVE":
                    has_words = has_words or _WORDS.match(body) is not None
                    words_at.append(len(text))
                text.append(body)
            else:
                alone += 1
                form = _FORMS.get(kind)
                found = form[0].fullmatch(body) if form else None
                text.append(found.group(*form[1]) if form and found else body)
                if found and found["pid"] and call is None:
                    pid = found["pid"]
        if alone > 1 or (alone and call is None and len(event.records) > 1):
            return None
        return _Shape(tuple(text), pid, ppid, size, tuple(words_at) if has_words else ())

    def _asked(self, about: _Call) -> tuple[str, ...] | None:
        """The arguments of a call that say something; None if a number in it stands twice."""
        if about not in self._calls:
            if len(self._calls) >= _REMEMBERED:
                self._calls.clear()
            text = " ".join(about)
            name = name_of_call(record_of("SYSCALL", text).values)
            self._calls[about] = None if _AGAIN.search(text) else telling_arguments(name)
        return self._calls[about]


def _is_certain(event: AuditEvent) -> bool:
    return not any(record.kind in _FORMS and len(_AGAIN.findall(record.body)) > 1 for record in event.records)
