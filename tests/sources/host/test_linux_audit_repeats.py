"""What repeats in a linux_audit log is told as it would be if each event stood alone."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.model.host import HostEvent
from kubewitness.sources.host import linux_audit
from tests.sources.host.reading import context, lines

CALL = (
    "arch=c000003e syscall={call} success={success} exit={exit} a0={a0} a1=7ffd{pid:x} a2={a2} a3=0 items=1 "
    "ppid={ppid} pid={pid} auid=4294967295 uid=0 gid=0 euid=0 suid=0 tty=(none) ses={pid} "
    'comm="x" exe="/usr/bin/x" key=(null)'
)
SENDER = 'pid={pid} uid=0 auid=0 ses={pid} msg=\'op=PAM:session_open acct="root" exe="/usr/sbin/cron" res=success\''
ALONE = {
    "CRED_ACQ": SENDER,
    "USER_END": SENDER,
    "LOGIN": "pid={pid} uid=0 old-auid=4294967295 auid=0 tty=(none) old-ses=4294967295 ses={pid} res=1",
    "NETFILTER_CFG": 'table=nat:{pid} family=2 entries={ppid} op=register pid={pid} subj=x comm="iptables"',
    "BPF": "prog-id={pid} op=LOAD",
}
WITH = {
    "59": ['EXECVE argc=2 a0="sh" a1="-c"', 'EXECVE argc=2 a0="sh" a1=2D6320', 'EXECVE argc=3 a0="id" a1="-u" a2="x"'],
    "257": ['PATH item=0 name="/etc/passwd" inode={pid} dev=fd:00 mode=0100644 nametype=NORMAL',
            'PATH item=0 name="passwd" inode={pid} dev=fd:00 mode=0100644 nametype=NORMAL'],
    "42": ["SOCKADDR saddr=02000D05CB007121", "SOCKADDR saddr=02000D06CB007121"],
    "101": ['CWD cwd="/"'],
}  # fmt: skip
numbers = st.integers(1000, 99999)


@st.composite
def calls(draw: st.DrawFn) -> list[str]:
    """The records of a call, or one that stands for itself."""
    given_ = {"pid": draw(numbers), "ppid": draw(st.integers(1, 99))}
    if draw(st.booleans()):
        kind = draw(st.sampled_from(sorted(ALONE)))
        return [f"{kind} {ALONE[kind].format(**given_)}"]
    number = draw(st.sampled_from(sorted(WITH)))
    success, code = draw(st.sampled_from((("yes", draw(st.integers(0, 99))), ("no", -13), ("no", -115))))
    a0, a2 = draw(st.sampled_from(("ffffff9c", "5"))), draw(st.sampled_from(("0", "241")))
    more = draw(st.sampled_from(WITH[number]))
    call = CALL.format(call=number, success=success, exit=code, a0=a0, a2=a2, **given_)
    tail = draw(st.sampled_from(("", "", "", " pid=5", ' key="k"')))
    records = [f"SYSCALL {call}{tail}", 'CWD cwd="/etc"', more.format(**given_), f"PROCTITLE proctitle={a2 * 2}"]
    return [f"NETFILTER_CFG {ALONE['NETFILTER_CFG'].format(**given_)}", *records] if draw(st.booleans()) else records


def text(records: list[str], serial: int) -> list[str]:
    kinds = (record.partition(" ") for record in records)
    return [f"type={kind} msg=audit({1783414661 + serial}.335:{serial}): {body}" for kind, _, body in kinds]


def read(told: list[str]) -> list[HostEvent]:
    return [fact for fact in linux_audit.read(lines("\n".join(told)), context()) if isinstance(fact, HostEvent)]


def tally(events: list[HostEvent], with_numbers: bool) -> Counter[tuple[object, ...]]:
    out = Counter[tuple[object, ...]]()
    for event in events:
        what = (event.category, event.image, event.argv, event.path, event.address, event.port, event.succeeded)
        who = (event.pid, event.ppid, event.time) if with_numbers and event.category == "process_creation" else ()
        out[what, event.cwd, event.user, event.message, tuple(event.fields.items()), who] += event.count
    return out


@given(st.lists(calls(), min_size=1, max_size=14))
@settings(max_examples=120, deadline=None)
def test_a_log_tells_what_its_events_tell_alone(events: list[list[str]]) -> None:
    logs = [text(records, serial) for serial, records in enumerate(events + events, 1)]
    apart = [event for log in logs for event in read(log)]
    assert tally(read([line for log in logs for line in log]), True) == tally(apart, True)


def call(number: int, pid: int, *, a0: str = "ffffff9c", a2: str = "0", more: str = "", tail: str = "") -> list[str]:
    body = CALL.format(call=number, success="yes", exit=3, a0=a0, a2=a2, pid=pid, ppid=1)
    return [f"SYSCALL {body}{tail}", *([more] if more else []), "PROCTITLE proctitle=78"]


def told(*events: list[str]) -> list[HostEvent]:
    return read([line for serial, records in enumerate(events, 1) for line in text(records, serial)])


PASSWD = 'PATH item=0 name="{}" inode={} dev=fd:00 mode=0100644 nametype=NORMAL'


def test_what_differs_in_passing_numbers_alone_is_one_event() -> None:
    [event] = told(*(call(257, 100 + n, more=PASSWD.format("/etc/passwd", n)) for n in range(5)))
    assert (event.count, event.pid, event.place.line) == (5, 100, 1)
    assert (event.time, event.last) == ("2026-07-07T08:57:42.335000Z", "2026-07-07T08:57:46.335000Z")


def test_a_number_on_which_the_event_depends_tells_events_apart() -> None:
    one, other = (call(257, 9, a2=flags, more=PASSWD.format("/etc/passwd", 1)) for flags in ("0", "241"))
    assert [(event.category, event.count) for event in told(one, other, one, other)] == [
        ("record", 2),
        ("file_event", 2),
    ]
    one, other = (call(257, 9, a0=a0, a2="1", more=PASSWD.format("x", 1)) for a0 in ("ffffff9c", "5"))
    cwd = 'CWD cwd="/etc"'
    assert [event.path for event in told([cwd, *one], [cwd, *other], [cwd, *one])] == ["/etc/x", "x"]


def test_calls_that_failed_in_different_ways_are_told_apart() -> None:
    address = "SOCKADDR saddr=02000D05CB007121"
    tried = [call(42, 9, more=address) for _ in range(4)]
    ends = ("-115", "-111", "-115", "-111")
    events = told(*([one.replace("success=yes exit=3", f"success=no exit={end}") for one in records]
                    for records, end in zip(tried, ends, strict=True)))  # fmt: skip
    assert [(event.succeeded, event.count) for event in events] == [(None, 2), (False, 2)]


def test_a_number_that_stands_twice_is_left_to_the_parser() -> None:
    words = 'EXECVE argc=1 a0="id"'
    assert [event.pid for event in told(*(call(59, pid, more=words, tail=" pid=5") for pid in (5, 6, 7)))] == [5, 5, 5]


def test_a_record_beside_an_execution_without_a_call_lends_it_no_number() -> None:
    beside = [f"NETFILTER_CFG {ALONE['NETFILTER_CFG'].format(pid=44, ppid=1)}", "EXECVE argc=0", "EOE "]
    executions = [event for event in told(beside, beside) if event.category == "process_creation"]
    assert [(event.pid, event.count) for event in executions] == [(-1, 2)]


def test_executions_that_differ_in_words_alone_keep_their_own() -> None:
    words = [["sh", "-c", "x"], ["id"], [f"w{n}" for n in range(70)], ["", "a b"]]
    events = told(*(call(59, 9, more=f"EXECVE argc={len(argv)}{_written(argv)}") for argv in words))
    assert [list(event.argv) for event in events] == words
    for event in events:
        shown = [event.fields[f"a{n}"] for n in range(64) if f"a{n}" in event.fields]
        assert shown == list(event.argv)[:64]
        assert event.command == " ".join(event.argv)


def _written(argv: list[str]) -> str:
    words = (word.encode().hex().upper() if " " in word else f'"{word}"' for word in argv)
    return "".join(f" a{number}={word}" for number, word in enumerate(words))
