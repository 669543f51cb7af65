"""What somebody typed at a shell of this machine, as histories keep it.

A history tells intent, not success, and administrators type most of what intruders do: they fetch installers, flush
the firewall of a new node, stop an agent. So all of one user's commands are one finding that is activity and at most
medium, graver only where the grammar leaves no doubt (a miner with pool and wallet). That a history was cleared is
`history_wiped`'s affair.

What counts: a script fetched and run, or run from a hidden place; a miner or a scanner started; credentials of the
kubelet or of service accounts read or sent away; agents that watch the machine stopped; /etc/ld.so.preload changed;
files made immutable; the packet filter emptied.

Source: bash(1), iptables(8), chattr(1), ld.so(8); the agents' own names of their services.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.commands import MAX_COMMAND, Segment, fetch_of, host_of, script_segments
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.miner import grammar_of, is_miner
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.scanner import EVERYDAY, scan_signs
from kubewitness.detect.host.scripts import shell_signs
from kubewitness.detect.host.stating import one_line, state
from kubewitness.model.host import Host, HostEvent
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text

_MAX_USERS = 50
_SURE = 6  # the miner rule's own measure of certainty
_CREDENTIAL = (
    r"(?:serviceaccount/token|/var/lib/kubelet/pki/\S{1,80}|/var/lib/kubelet/pods/\S{1,200}/token"
    r"|/etc/kubernetes/pki/\S{1,80}\.key|/var/lib/rancher/k3s/server/(?:node-)?token)"
)
_READS = re.compile(
    rf"(?:^|[\s(`|;&])(?:cat|head|tail|less|more|base64|xxd|strings|tar|scp|cp|rsync|nc|ncat|curl)\s[^|;&\n]{{0,300}}{_CREDENTIAL}"
)
_ADMIN_SENT = re.compile(
    r"(?:^|[\s|;&])(?:nc|ncat|curl|wget|base64|ftp)\s[^|;&\n]{0,300}/etc/kubernetes/(?:super-)?(?:admin|kubelet)\.conf"
)
_AGENT = re.compile(
    r"(?:falco(?:-\w{1,20})?|tetragon|tracee|auditd|osqueryd|wazuh-agent|ossec|falcon-sensor|mdatp|sentinel(?:one|d)"
    r"|ds_agent|filebeat|auditbeat|aegis|aliyun(?:-service|\.service)?|AliYunDun\w{0,20}|AliSecGuard|cloudmonitor"
    r"|CmsGoAgent\S{0,20}|YDService|YDLive|barad_agent|sgagent|tat_agent|hostguard|uniagent)(?:\.service)?"
)
_AGENT_FOLDER = re.compile(
    r"/(?:usr/local|opt|etc/init\.d)/(?:aegis|qcloud|cloudmonitor|hostguard|falco|osquery|uniagent)(?:/.{0,200}|$)"
    r"|\S{0,200}(?:quartz_)?uninstall(?:er)?\S{0,20}(?:aegis|aliyun|qcloud)\S{0,80}"
)
_PRELOAD = "/etc/ld.so.preload"
_FIREWALLS = re.compile(r"ip6?tables(?:-legacy|-nft)?")
_FILTERS = re.compile(r"(?:firewalld|ufw|nftables|iptables)(?:\.service)?")
_STOPS = frozenset(("stop", "disable", "mask", "kill", "off"))
_KEPT = re.compile(r"authorized_keys|/etc/(?:cron|passwd|shadow|ld\.so|systemd/|rc\.local)|/var/spool/cron")
_SOURCES = frozenset(("source", "."))


class _Sign(Struct, frozen=True):
    """One thing that a command does."""

    severity: Severity
    reason: Text
    hosts: tuple[str, ...] = ()
    sure: bool = False  # an intruder's, whatever else was typed


def typed_commands(host: Host) -> Iterator[HostFinding]:
    """Histories in which somebody did what intruders do, one finding a user."""
    users = dict[str, list[tuple[HostEvent, list[_Sign]]]]()
    for event in host.events:
        if event.category == "command" and (signs := list(_signs(event.command[:MAX_COMMAND]))):
            user = event.user if event.user in users or len(users) < _MAX_USERS else next(reversed(users))
            users.setdefault(user, []).append((event, signs))
    for user, found in users.items():
        yield _stated(host, user, found)


def _stated(host: Host, user: str, found: list[tuple[HostEvent, list[_Sign]]]) -> HostFinding:
    signs = [sign for _, some in found for sign in some]
    severity = max((sign.severity for sign in signs), key=SEVERITIES.index)
    sure = any(sign.sure for sign in signs)
    worst_first = sorted(found, key=lambda one: -max(SEVERITIES.index(sign.severity) for sign in one[1]))
    times = sorted(time for event, _ in found for time in (event.time, event.last) if time)
    outside = (name for sign in signs for name in sign.hosts if nature_of(name) not in ("loopback", "cluster"))
    commands = [one_line(event.command) for event, _ in worst_first]
    return state(
        "typed_commands",
        host,
        f"{user or '?'}: {'; '.join(commands[:20])}",
        [(event.place, event.command) for event, _ in worst_first[:8]],
        count=sum(event.count for event, _ in found),
        first=times[0] if times else "",
        last=times[-1] if times else "",
        severity=severity,
        confidence="high" if sure else "low" if severity == "low" else "medium",
        kind="intrusion" if sure else "activity",
        reasons=(sign.reason for _, some in worst_first for sign in some),
        addresses=outside,
        commands=commands,
    )


def _signs(command: str) -> Iterator[_Sign]:
    segments = script_segments(command)
    for segment in segments:
        if segment.words:
            yield from _started(segment)
            yield from _blinded(segment)
            yield from _kept(segment)
    yield from _run(segments)
    yield from _credentials(command, segments)


def _run(segments: tuple[Segment, ...]) -> Iterator[_Sign]:
    """What `scripts` sees in shell text; a person's own start-up files are sourced all day."""
    meant = [one for one in segments if one.program not in _SOURCES or hiding_of(one.words[-1]) == "temporary"]
    for sign in shell_signs(meant):
        severity: Severity = "medium" if sign.severity in ("high", "critical") else sign.severity
        if sign.act == "hidden program" and severity == sign.severity:  # from /tmp: where people unpack things, too
            severity = "low"
        yield _Sign(severity, sign.reason, sign.hosts)


def _started(segment: Segment) -> Iterator[_Sign]:
    found = grammar_of(segment)
    if found.signs and is_miner(found, segment.program):
        sure = found.score >= _SURE
        for sign in found.signs:
            yield _Sign("high" if sure else "medium", sign.reason, tuple(found.pools), sure)
    reasons, certain = scan_signs(segment)
    for reason in reasons:
        yield _Sign("medium" if certain and segment.program.lower() not in EVERYDAY else "low", reason)


def _blinded(segment: Segment) -> Iterator[_Sign]:
    """Agents and the packet filter taken out of the way."""
    words, program = segment.words, segment.program
    shown = " ".join(words)[:120]
    if program in ("systemctl", "service", "rc-service", "chkconfig") and _STOPS & set(words):
        if any(_AGENT.fullmatch(word) for word in words[1:]):
            yield _Sign("medium", Text(f"an agent that watches is stopped: {shown}", f"停用监控代理：{shown}"))
        elif any(_FILTERS.fullmatch(word) for word in words[1:]):
            yield _Sign("low", Text(f"the packet filter is turned off: {shown}", f"关闭防火墙：{shown}"))
    elif (program in ("kill", "pkill", "killall") and any(_AGENT.fullmatch(word) for word in words[1:])) or (
        program in ("rm", "sh", "bash", "chattr") and any(_AGENT_FOLDER.fullmatch(word) for word in words[1:])
    ):
        yield _Sign("medium", Text(f"an agent that watches is removed: {shown}", f"清除监控代理：{shown}"))
    elif program in ("kubectl", "helm") and {"delete", "uninstall"} & set(words):
        if any(_AGENT.fullmatch(word.rpartition("/")[2]) for word in words[1:]):
            yield _Sign("medium", Text(f"an agent that watches is removed: {shown}", f"清除监控代理：{shown}"))
    elif _FIREWALLS.fullmatch(program):
        opened = "-P" in words and "ACCEPT" in words
        if opened or {"-F", "--flush", "-X"} & set(words):
            yield _Sign("low", Text(f"the packet filter is emptied: {shown}", f"清空防火墙规则：{shown}"))
    elif (program == "nft" and "flush" in words) or (program == "ufw" and {"disable", "reset"} & set(words)):
        yield _Sign("low", Text(f"the packet filter is emptied: {shown}", f"清空防火墙规则：{shown}"))


def _kept(segment: Segment) -> Iterator[_Sign]:
    """Libraries loaded everywhere, and files nobody shall change."""
    words, program = segment.words, segment.program
    shown = " ".join(words)[:120]
    if program == "chattr" and any(re.fullmatch(r"\+[A-Za-z]{0,10}[ia][A-Za-z]{0,10}", word) for word in words[1:]):
        grave = any(_KEPT.search(word) or hiding_of(word) for word in words[1:])
        said = Text(f"a file is made immutable: {shown}", f"将文件设为不可修改：{shown}")
        yield _Sign("medium" if grave else "low", said)
    elif any(word.endswith(_PRELOAD) for word in words):
        at = next(number for number, word in enumerate(words) if word.endswith(_PRELOAD))
        redirected = words[at].startswith(">") or words[at - 1] in (">", ">>")
        if redirected or program in ("tee", "cp", "mv", "install", "ln") or (program == "sed" and "-i" in words):
            said = Text(f"a library is preloaded into every program: {shown}", f"让所有程序预加载某个库：{shown}")
            yield _Sign("medium", said)


def _credentials(command: str, segments: tuple[Segment, ...]) -> Iterator[_Sign]:
    if not _READS.search(command) and not _ADMIN_SENT.search(command):
        return
    hosts = tuple(
        name for one in segments if (fetch := fetch_of(one)) for name in map(host_of, fetch.urls)
        if nature_of(name) in ("public address", "name")
    )  # fmt: skip
    shown = one_line(command, 120)
    if hosts:
        yield _Sign("medium", Text(f"a credential of the cluster goes out: {shown}", f"集群凭据被外发：{shown}"), hosts)
    else:
        yield _Sign("low", Text(f"a credential of the cluster is read: {shown}", f"读取集群凭据：{shown}"))
