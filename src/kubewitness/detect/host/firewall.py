"""Does a packet filter of the machine's own refuse anything that comes in?

Which rules count is told in `packet_filter`.

Three states look alike and are told apart as far as the evidence goes: rules were never set; they were set and
flushed (they stand in a file that loads them at boot, or the command is in a shell history); or this dump is of the
wrong back end (iptables-legacy and iptables-nft do not see each other's tables): that is not evaluated. What protects
from outside, a security group or another router, cannot be seen from the host.

Source: iptables(8), nft(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kubewitness.detect.host.commands import Segment, script_segments, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent
from kubewitness.model.text import Text
from kubewitness.sources.host.packet_filter import (
    FAMILIES,
    FOREIGN,
    REFUSES,
    SAVED,
    dumps_of,
    hidden_half,
    is_foreign,
    is_input,
    is_safe,
    rules_of,
    unprotected_families,
)

_HISTORY = re.compile(r"/\.\w{1,12}_history$")
_MARKS = ("tables", "ufw", "nft", "firewalld")  # what no command that takes rules away lacks


def firewall_unprotected(host: Host) -> Iterator[HostFinding]:
    """Nothing that the host's own packet filter has refuses a connection."""
    families = unprotected_families(host)
    if not families:
        return
    dumps = list(dict.fromkeys(dump for family in families for dump in dumps_of(host, family)))
    named = [name for family, name in FAMILIES if family in families]
    shown = rules_of(dumps)
    own = [rule for rule in shown if not is_foreign(rule)]
    policies = sorted(
        {
            f"{table or 'filter'} {chain} {policy}"
            for dump in dumps
            for table, chain, policy in dump.policies
            if is_input(chain)
        }
    )
    flushed = list(_flushed(host))
    reasons = [Text(f"no rule refuses what comes in over {name}", f"没有规则拒绝 {name} 入站连接") for name in named]
    if own:
        reasons.append(
            Text(
                "1 rule of its own, which refuses nothing"
                if len(own) == 1
                else f"{len(own)} rules of its own, none of which refuses anything",
                f"自有规则 {len(own)} 条，但都不拒绝任何连接",
            )
        )
    elif not flushed:
        reasons.append(
            Text(
                "no rule of its own: never set, or flushed without leaving a trace here",
                "没有自有规则：从未设置，或已清空但未在此处留下痕迹",
            )
        )
    reasons += [reason for reason, _, _ in flushed]
    system = len(shown) - len(own)
    if system:
        reasons.append(
            Text(
                f"{system} rules of Kubernetes, Docker or the pod network, which do not protect a host",
                f"另有 {system} 条 Kubernetes、Docker 或 Pod 网络的规则，它们不保护主机",
            )
        )
    places = [(dump.place, f"{dump.source} ({dump.family}): {len(dump.rules)} rules") for dump in dumps]
    yield state(
        "firewall_unprotected",
        host,
        "; ".join(policies) or "no INPUT chain",
        [*((place, line) for _, place, line in flushed), *places],
        count=len(families),
        severity="medium" if flushed else None,
        reasons=reasons,
    )


def firewall_not_evaluated(host: Host) -> Iterator[HostFinding]:
    """The dump is of one back end, and warns that the rules are in the other."""
    hidden = [dump for dump in host.firewalls if dump.other_backend]
    families = [
        name
        for family, name in FAMILIES
        if (dumps := dumps_of(host, family)) and hidden_half(dumps) and not is_safe(dumps)
    ]
    if hidden and families:
        yield state(
            "firewall_not_evaluated",
            host,
            ", ".join(families),
            [(dump.place, f"{dump.source} ({dump.family})") for dump in hidden],
        )


def _flushed(host: Host) -> Iterator[tuple[Text, Place, str]]:
    """Signs that there were rules: files that load some at boot, commands that took them away."""
    yield from _emptied_at(host)
    read = {event.place.item for event in host.events if event.category == "command"}
    for file in host.files:
        if SAVED.fullmatch(file.path):
            refusing = [line for line in lines_of(file) if REFUSES.search(line[1]) or re.match(r":INPUT DROP", line[1])]
            own = [line for line in refusing if not FOREIGN.match(line[1].removeprefix("-A "))]
            if own:
                said = Text(
                    f"rules are kept in {file.path} but are not in force: flushed, or never loaded",
                    f"{file.path} 中保存有规则但未生效：已被清空或从未加载",
                )
                yield said, *own[0]
        elif _HISTORY.search(file.path) and file.place.item not in read:
            for place, line in lines_of(file):
                if len(line) < 400 and _takes_away(line):
                    yield (
                        Text(f"a command took the rules away: {line.strip()}", f"有命令清除了规则：{line.strip()}"),
                        place,
                        line,
                    )
                    break


def _emptied_at(host: Host) -> Iterator[tuple[Text, Place, str]]:
    """Commands that took the rules away, as histories, the kernel's audit and sensors tell them; the last ones."""
    found = list[HostEvent]()
    for event in host.events:
        typed = event.category == "command"
        if (typed or event.category == "process_creation") and event.succeeded is not False:
            line = event.command[:400]
            if any(mark in line for mark in _MARKS) and _takes_away(line, script_segments if typed else segments_of):
                found.append(event)
    found.sort(key=lambda event: event.last or event.time)
    for event in found[-3:]:
        when, user = event.last or event.time, f" ({event.user[:60]})" if event.user else ""
        at, zh = (f" at {when}", f"于 {when} ") if when else ("", "")
        line = event.command[:200].strip()
        said = Text(f"a command took the rules away{at}{user}: {line}", f"有命令{zh}清除了规则{user}：{line}")
        yield said, event.place, event.command


def _takes_away(line: str, cut: Callable[[str], tuple[Segment, ...]] = script_segments) -> bool:
    for segment in cut(line):
        words = tuple(word for word in segment.words[1:] if word not in ("-w", "--wait", "-t", "filter"))
        if segment.program in ("iptables", "ip6tables", "iptables-legacy", "iptables-nft") and words in (
            ("-F",),
            ("--flush",),
            ("-F", "INPUT"),
        ):
            return True
        if (segment.program, *words) in (("ufw", "disable"), ("nft", "flush", "ruleset")):
            return True
        if (
            segment.program == "systemctl"
            and words[:1] in (("stop",), ("disable",))
            and set(words) & {"firewalld", "ufw", "nftables", "iptables"}
        ):
            return True
    return False
