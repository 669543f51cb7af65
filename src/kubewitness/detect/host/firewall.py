"""Does a packet filter of the machine's own refuse anything that comes in?

What Kubernetes, container networks and Docker write for themselves serves pods and services and protects no host, so
chains and tables of theirs do not count. A host is protected in a family (IPv4, IPv6) if the policy of its INPUT
chain is DROP, or if a rule that INPUT leads to refuses something. Rules that only accept, under a policy that
accepts, protect nothing.

Three states look alike and are told apart as far as the evidence goes: rules were never set; they were set and
flushed (they stand in a file that loads them at boot, or the command is in a shell history); or this dump is of the
wrong back end (iptables-legacy and iptables-nft do not see each other's tables): that is not evaluated. What protects
from outside, a security group or another router, cannot be seen from the host.

Source: iptables(8), nft(8); prefixes of chains: kube-proxy, CNI plugins, Docker, Calico, Cilium, Flannel, Weave,
libvirt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from kubewitness.detect.host.commands import Segment, script_segments, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import Firewall, FirewallRule, Host, HostEvent
from kubewitness.model.text import Text

_FOREIGN = re.compile(
    r"(?:KUBE-|kube-|CNI-|CNI_|cni-|DOCKER|docker|cali-|calico|CILIUM_|cilium|OLD_CILIUM_|FLANNEL|flannel|WEAVE|LIBVIRT_|f2b-|fail2ban"
    r"|ts-|ANTREA|KUBE_|NETAVARK|netavark|nm-shared|podman|portmap|istio|ISTIO)"
)
_JUMP = re.compile(r"(?:^|\s)(?:-j|--jump|-g|--goto|jump|goto)\s+([\w.-]{1,64})")
_REFUSES = re.compile(
    r"(?:^|\s)(?:(?:-j|--jump)\s+(?:DROP|REJECT|TARPIT|STEAL)|drop|reject|xt target (?:DROP|REJECT))(?:\s|$)"
)
# Refuses only what no service waits for, or one address that was banned: protects no port.
_NARROW = re.compile(
    r"state INVALID|ct state invalid|(?<!! )-s \S|saddr (?!!)\S|-d 127\.|daddr 127\.|-i lo\b|tcp-flags", re.IGNORECASE
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,400}"')
_SAVED = re.compile(r"/etc/(?:iptables/rules\.v[46]|sysconfig/ip6?tables|nftables\.conf|sysconfig/nftables\.conf)")
_HISTORY = re.compile(r"/\.\w{1,12}_history$")
_MARKS = ("tables", "ufw", "nft", "firewalld")  # what no command that takes rules away lacks
_FAMILIES = (("ip", "IPv4"), ("ip6", "IPv6"))


def unprotected_families(host: Host) -> tuple[str, ...]:
    """Of "ip" and "ip6", those for which dumps exist and none protects the host."""
    return tuple(
        family
        for family, _ in _FAMILIES
        if (dumps := _dumps(host, family)) and not _hidden_half(dumps) and not _safe(dumps)
    )


def firewall_unprotected(host: Host) -> Iterator[HostFinding]:
    """Nothing that the host's own packet filter has refuses a connection."""
    families = unprotected_families(host)
    if not families:
        return
    dumps = list(dict.fromkeys(dump for family in families for dump in _dumps(host, family)))
    named = [name for family, name in _FAMILIES if family in families]
    listed = _listed(dumps)
    own = [rule for rule in listed if not _foreign(rule)]
    policies = sorted(
        {
            f"{table or 'filter'} {chain} {policy}"
            for dump in dumps
            for table, chain, policy in dump.policies
            if _is_input(chain)
        }
    )
    flushed = list(_flushed(host))
    reasons = [Text(f"no rule refuses what comes in over {name}", f"没有规则拒绝 {name} 入站连接") for name in named]
    if own:
        reasons.append(
            Text(
                f"{len(own)} rules of its own, none of which refuses anything",
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
    system = len(listed) - len(own)
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
        for family, name in _FAMILIES
        if (dumps := _dumps(host, family)) and _hidden_half(dumps) and not _safe(dumps)
    ]
    if hidden and families:
        yield state(
            "firewall_not_evaluated",
            host,
            ", ".join(families),
            [(dump.place, f"{dump.source} ({dump.family})") for dump in hidden],
        )


def _dumps(host: Host, family: str) -> list[Firewall]:
    return [dump for dump in host.firewalls if dump.family in (family, "inet")]


def _listed(dumps: Sequence[Firewall]) -> list[FirewallRule]:
    """Each rule once: collectors dump the same tables in several words, by iptables-save, iptables -L and nft.

    Only dumps of the best kind count. Those of iptables-save are of two back ends with rules of their own, so what
    one has beyond the other is added; lists of `-L` show one table with and without names, numbers and interfaces.
    """
    best = next((s for s in ("iptables-save", "iptables -L") if any(d.source == s and d.rules for d in dumps)), "nft")
    out = list[FirewallRule]()
    for family in dict.fromkeys(dump.family for dump in dumps):
        same = [dump for dump in dumps if dump.family == family and dump.source == best]
        if best == "iptables -L":
            same = sorted(same, key=lambda dump: -len(dump.rules))[:1]
        known = Counter[tuple[str, str, str]]()
        for dump in same:
            here = Counter[tuple[str, str, str]]()
            for rule in dump.rules:
                key = (rule.table, rule.chain, rule.text)
                here[key] += 1
                if here[key] > known[key]:
                    out.append(rule)
            known |= here
    return out


def _hidden_half(dumps: Sequence[Firewall]) -> bool:
    """One of the dumps warns of the other back end's tables, and nobody dumped those."""
    return any(dump.other_backend for dump in dumps) and not any(
        dump.rules and not dump.other_backend and dump.source == "iptables-save" for dump in dumps
    )


def _safe(dumps: Sequence[Firewall]) -> bool:
    return any(_protects(dump) for dump in dumps)


def _protects(dump: Firewall) -> bool:
    for table, chain, policy in dump.policies:
        if policy.upper() == "DROP" and _is_input(chain) and not _FOREIGN.match(table):
            return True
    chains = dict[tuple[str, str], list[FirewallRule]]()
    for rule in dump.rules:
        chains.setdefault((rule.table, rule.chain), []).append(rule)
    roads = [key for key in chains if _is_input(key[1]) and not _FOREIGN.match(key[0])]
    roads += [key for key in chains if key[0] in ("raw", "mangle") and key[1] == "PREROUTING"]
    roads += [(table, chain) for table, chain, _ in dump.policies if _is_input(chain) and not _FOREIGN.match(table)]
    seen = set(roads)
    while roads:
        table, chain = roads.pop()
        for rule in chains.get((table, chain), ()):
            if _foreign(rule):
                continue
            text = _QUOTED.sub(" ", rule.text)
            if _REFUSES.search(text) and not _NARROW.search(text):
                return True
            for target in _JUMP.findall(text):
                if (table, target) not in seen and (table, target) in chains:
                    seen.add((table, target))
                    roads.append((table, target))
    return False


def _is_input(chain: str) -> bool:
    """The chain of what comes in to the host itself: "INPUT", in nft any chain so named ("filter_INPUT")."""
    return "input" in chain.lower() and not _FOREIGN.match(chain)


def _foreign(rule: FirewallRule) -> bool:
    """Written by Kubernetes, Docker or the pod network, or only leading to their chains."""
    if _FOREIGN.match(rule.chain) or _FOREIGN.match(rule.table):
        return True
    targets = _JUMP.findall(_QUOTED.sub(" ", rule.text))
    return bool(targets) and all(_FOREIGN.match(target) for target in targets)


def _flushed(host: Host) -> Iterator[tuple[Text, Place, str]]:
    """Signs that there were rules: files that load some at boot, commands that took them away."""
    yield from _emptied_at(host)
    read = {event.place.item for event in host.events if event.category == "command"}
    for file in host.files:
        if _SAVED.fullmatch(file.path):
            refusing = [
                line for line in lines_of(file) if _REFUSES.search(line[1]) or re.match(r":INPUT DROP", line[1])
            ]
            own = [line for line in refusing if not _FOREIGN.match(line[1].removeprefix("-A "))]
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
