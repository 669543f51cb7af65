"""The machine's own packet filter: is there one, does it stand in front of the ports that matter, does it fail open?

Three empty filters are told apart: never set, kept in a file and not in force, and a dump of the wrong back end, which
is not evaluated. With a private address, or one that a cloud translates, nothing of what is outside is known, and the
absence alone is low: that is how every managed node and every untouched kubeadm node looks.

A script that empties the filter first and then fetches the new rules leaves the machine open whenever the fetch fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from kubewitness.model.host import Firewall, HostFile
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.control_plane.judging import provider
from kubewitness.posture.lines import Line, lines
from kubewitness.posture.nodes.door import door
from kubewitness.posture.nodes.network import Addresses, addresses_of, listening
from kubewitness.posture.nodes.telling import at_line, at_place, beside_the_point, failed, passed, unknown
from kubewitness.sources.host.packet_filter import FAMILIES, FOREIGN, REFUSES, SAVED, dumps_of, hidden_half, is_safe

SUBJECT: Final = "packet filter"
GUARDED: Final = (2375, 2376, 2379, 2380, 10250, 10255, 10257, 10259)  # nobody outside has business there
_INPUT_DROP: Final = re.compile(r":INPUT DROP\b|type filter hook input\b.{0,80}policy drop")
_SCRIPT_LINES: Final = 2_000
_FLUSH: Final = re.compile(
    r"^\s*(?:sudo\s+)?(?:/\S{0,40}/)?(?:ip6?tables(?:-legacy|-nft)?\s+(?:-w\s+)?(?:-F|--flush|-P\s+INPUT\s+ACCEPT)(?:\s+INPUT)?\s*(?:$|[;&|#>2])"
    r"|nft\s+flush\s+ruleset|ufw\s+(?:--force\s+)?(?:disable|reset)|systemctl\s+stop\s+(?:firewalld|nftables|iptables|ufw))"
)
_FETCH: Final = re.compile(r"(?:^|[\s;&|($`])(?:curl|wget|git|scp|rsync|aws|gsutil|ossutil|kubectl|dig|nslookup)\s")
# That what is fetched are rules: by its name, or because rules are loaded from there on. An installer that switches the
# filter off and then fetches Docker or K3s does what its manual says, and never meant to have rules.
_RULES: Final = re.compile(r"rules|ip6?tables|firewall|\bnft|ipset|\bufw\b", re.IGNORECASE)
_LOADS: Final = re.compile(
    r"(?:^|[;&|(])\s{0,40}(?:sudo\s+)?(?:/\S{0,40}/)?(?:ip6?tables(?:-legacy|-nft)?-restore\b|nft\s+(?:-f|add)\b"
    r"|ip6?tables(?:-legacy|-nft)?\s+(?:-w\s+)?-[AI]\s+INPUT\b|ufw\s+(?:--force\s+)?(?:allow|deny|default)\b|firewall-cmd\s)"
)
_STRICT: Final = re.compile(r"^\s*(?:set\s+-\w{0,8}e|trap\s)")
_CLOSE: Final = re.compile(r"-P\s+INPUT\s+DROP|policy\s+drop|ufw\s+(?:--force\s+)?enable")
_SCRIPT: Final = re.compile(r"#!|.{0,400}\.(?:sh|bash)$")


def _firewall(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    addresses = addresses_of(machine, snapshot)
    seen = False
    for family, name in FAMILIES:
        dumps = dumps_of(machine.host, family)
        if not dumps:
            continue
        seen = True
        yield _of_family(machine, addresses, family, name, dumps, cloud=provider(snapshot))
    if not seen:
        reason = Text(
            "no dump of the packet filter is in the evidence (iptables-save, nft list ruleset), or it failed",
            "证据中没有包过滤规则（iptables-save、nft list ruleset），或导出失败",
        )
        yield unknown(machine, SUBJECT, reason)


def _of_family(
    machine: Machine, addresses: Addresses, family: str, name: str, dumps: Sequence[Firewall], *, cloud: str
) -> Result:
    shown = [at_place(dump.place, f"{dump.source} ({dump.family}): {len(dump.rules)} rules") for dump in dumps]
    own = [one for one in addresses.own if one.family == family]
    if family == "ip6" and not own:
        reason = Text("no public IPv6 address of the machine is known", "未发现该机器的公网 IPv6 地址")
        return beside_the_point(machine, SUBJECT, reason, *shown, aspect=name)
    if not is_safe(dumps):
        if hidden_half(dumps):
            reason = Text(
                "the dump itself warns that there are tables of the other back end (iptables-legacy, nft), and those "
                "are not in the evidence",
                "导出内容自身提示存在另一后端（iptables-legacy、nft）的表，而证据中没有它们",
            )
            return unknown(machine, SUBJECT, reason, *shown, aspect=name)
        return _absent(machine, addresses, name, shown, cloud=cloud, public=bool(own))
    outer = [one.interface for one in addresses.own if one.interface]
    heard = sorted({socket.local_port for socket in listening(machine.host, *GUARDED)} & set(GUARDED))
    doors = {port: door(machine.host, port, family, outer) for port in heard}
    let = [port for port, found in doors.items() if found.state == "open"]
    if let:
        ports = ", ".join(map(str, let))
        where = [at_place(rule.place, rule.text) for port in let for rule in doors[port].rules]
        severity: Severity = "medium" if own and not cloud else "low"
        return failed(
            machine, SUBJECT,
            Text(f"{name}: it refuses something, but lets strangers through to {ports}",
                 f"{name}：有拒绝规则，但放行外部对 {ports} 端口的访问"),
            _EXPECTED, *where, *shown, severity=severity, aspect=name,
        )  # fmt: skip
    unclear = [port for port, found in doors.items() if found.state == "unclear"]
    if unclear:
        ports = ", ".join(map(str, unclear))
        reason = Text(
            f"whether it refuses {ports} hangs on rules that were not understood",
            f"是否拒绝 {ports} 取决于未能解析的规则",
        )
        where = [at_place(rule.place, rule.text) for port in unclear for rule in doors[port].rules]
        return unknown(machine, SUBJECT, reason, *where, *shown, aspect=name)
    closed = ", ".join(map(str, heard))
    text = Text(
        f"{name}: it refuses strangers {closed}" if closed else f"{name}: it refuses what comes in",
        f"{name}：拒绝外部访问 {closed}" if closed else f"{name}：拒绝入站连接",
    )
    where = [at_place(rule.place, rule.text) for found in doors.values() for rule in found.rules[:1]]
    return passed(machine, SUBJECT, text, *where, *shown, aspect=name)


def _absent(
    machine: Machine, addresses: Addresses, name: str, shown: list[Where], *, cloud: str, public: bool
) -> Result:
    saved = list(_saved(machine.host.files))
    if saved:
        what = Text(
            f"{name}: nothing refuses what comes in, though {saved[0].path} keeps rules: emptied, or never loaded",
            f"{name}：没有规则拒绝入站连接，而 {saved[0].path} 中保存有规则：已被清空或从未加载",
        )
    else:
        what = Text(f"{name}: nothing refuses what comes in", f"{name}：没有规则拒绝入站连接")
    if public and cloud:
        reason = Text(
            f"its address is public, and {cloud} has firewalls of its own before it, which are not in the evidence",
            f"其地址是公网地址，但 {cloud} 在其前方有自己的防火墙，证据中未包含",
        )
    elif public:
        reason = Text(
            "the machine has a public address of its own: every port that listens on all addresses is reached",
            "该机器自身拥有公网地址：监听在所有地址上的每个端口都可被访问",
        )
    elif addresses.public:
        reason = Text(
            "its public address is translated on the way; a security group there is not in the evidence",
            "其公网地址经过转换；途中的安全组不在证据中",
        )
    else:
        reason = Text(
            "no public address is known; what protects the network it is in is not in the evidence",
            "未发现公网地址；其所在网络的防护不在证据中",
        )
    severity: Severity = "medium" if (public and not cloud) or saved else "low"
    return failed(
        machine,
        SUBJECT,
        what,
        _EXPECTED,
        *map(at_line, saved[:2]),
        *shown,
        reason=reason,
        severity=severity,
        aspect=name,
    )


def _saved(files: Sequence[HostFile]) -> Iterator[Line]:
    """Lines that refuse, of files that load rules at boot."""
    for file in files:
        if SAVED.fullmatch(file.path):
            for line in lines(file):
                text = line.text[:4096]
                if (REFUSES.search(text) or _INPUT_DROP.search(text)) and not FOREIGN.match(text.removeprefix("-A ")):
                    yield line


def _fails_open(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """Scripts that empty the filter before they have what they fill it with."""
    looked = 0
    for file in sorted(machine.host.files, key=lambda one: one.path):
        if not _SCRIPT.match(file.text[:400]) and not file.path.endswith((".sh", ".bash")):
            continue
        looked += 1
        if found := _empties_first(file):
            flush, fetch = found
            yield failed(
                machine,
                f"script {file.path}",
                Text(
                    f"it empties the packet filter first ({flush.text.strip()[:120]}) and then fetches what it needs "
                    f"({fetch.text.strip()[:120]})",
                    f"先清空包过滤规则（{flush.text.strip()[:120]}），然后才获取所需内容（{fetch.text.strip()[:120]}）",
                ),
                Text(
                    "fetch first, then replace everything in one step (nft -f, iptables-restore)",
                    "先获取，再一次性替换全部规则（nft -f、iptables-restore）",
                ),
                at_line(flush),
                at_line(fetch),
                reason=Text(
                    "if the fetch fails the machine stays without rules", "一旦获取失败，机器就一直处于没有规则的状态"
                ),
            )
    if not looked:
        reason = Text("no script of the machine is in the evidence", "证据中没有该机器的脚本")
        yield unknown(machine, "scripts", reason)


def _empties_first(file: HostFile) -> tuple[Line, Line] | None:
    flush: Line | None = None
    fetch: Line | None = None
    for number, line in enumerate(lines(file)):
        if number >= _SCRIPT_LINES:
            break
        text = line.text[:1024]
        if text.lstrip().startswith("#"):
            continue
        if flush is None:
            if _STRICT.match(text):
                return None  # ends, or cleans up, where something fails
            flush = line if _FLUSH.match(text) else None
            continue
        if fetch is None:
            if _CLOSE.search(text):
                return None  # shut before the fetch
            fetch = line if _FETCH.search(text) else None
            if fetch is not None and _RULES.search(text):
                return flush, fetch
        if fetch is not None and _LOADS.search(text):
            return flush, fetch
    return None


_EXPECTED: Final = Text(
    "10250, etcd's and Docker's ports refused to all but the machines that need them",
    "仅允许需要的机器访问 10250、etcd 和 Docker 的端口，其余一律拒绝",
)

CHECKS: Final = (
    NodeCheck("checks/nodes/firewall", _firewall),
    NodeCheck("checks/nodes/firewall_fails_open", _fails_open),
)
