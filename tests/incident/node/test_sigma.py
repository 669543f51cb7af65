"""Rules for Linux given with --rules judge the machines that were read: from the lines of a log to the findings."""

from __future__ import annotations

from pathlib import Path

from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Finding
from kubewitness.rules.loader import load_rules
from tests.rules.writing import rule_text

AUDIT = """\
type=SYSCALL msg=audit(1626611363.720:41): arch=c000003e syscall=59 success=yes exit=0 a0=55c0 items=2 ppid=7 pid=8 \
auid=1000 uid=0 gid=0 euid=0 tty=pts3 ses=3 comm="chattr" exe="/usr/bin/chattr" key="x"
type=EXECVE msg=audit(1626611363.720:41): argc=3 a0="chattr" a1="+i" a2={last}
type=CWD msg=audit(1626611363.720:41): cwd="/root"
type=PATH msg=audit(1626611363.720:41): item=0 name="/usr/bin/chattr" inode=40 dev=fd:00 mode=0100755 nametype=NORMAL
type=PROCTITLE msg=audit(1626611363.720:41): proctitle="chattr"
"""


def findings(folder: Path, last: str, **rules: str) -> tuple[Finding, ...]:
    (folder / "rules").mkdir()
    for name, text in rules.items():
        (folder / "rules" / f"{name}.yml").write_text(text)
    (folder / "node").mkdir()
    (folder / "node" / "audit.log").write_text(AUDIT.format(last=last))
    document = investigate([str(folder / "node")], rules=load_rules([folder / "rules"]), options=Options())
    assert document.coverage.rules_failed == ()
    return tuple(one for one in document.findings if one.rule in rules)


RULES = {
    "record": rule_text(
        {"s": {"type": "EXECVE", "a0": "chattr", "a2": "/etc/ld.so.preload"}, "condition": "s"},
        logsource={"product": "linux", "service": "auditd"}, level="high",
    ),
    "start": rule_text(
        {"s": {"Image|endswith": "/chattr", "CommandLine|endswith": ".preload", "User": "root"}, "condition": "s"},
        logsource={"product": "linux", "category": "process_creation"}, level="low",
    ),
}  # fmt: skip


def test_a_command_of_linux_audit_is_found_as_record_and_as_start(tmp_path: Path) -> None:
    hidden = b"/etc/ld.so.preload".hex().upper()  # auditd writes a word in hexadecimal if it likes
    found = findings(tmp_path, hidden, **RULES)
    assert [(one.rule, one.severity, one.kind) for one in found] == [
        ("record", "high", "activity"),
        ("start", "low", "activity"),
    ]
    assert {one.identity.partition("@")[0] for one in found} == {"0"}
    assert {one.first for one in found} == {"2021-07-18T12:29:23.720000Z"}
    assert {one.evidence[0].line for one in found} == {1}


def test_a_command_for_another_file_is_not(tmp_path: Path) -> None:
    assert findings(tmp_path, '"/etc/resolv.conf"', **RULES) == ()
