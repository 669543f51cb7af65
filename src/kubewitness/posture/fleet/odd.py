"""The odd one out: machines that differ from most others in a setting, a listener, the packet filter or a file.

In the second incident one machine of many was set otherwise, by one commented line. The value most machines have is
taken as meant; a machine with the better value is told as well, but as information: then it is the others that lag.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from kubewitness.model.host import Host, HostFile
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import FLEET, FleetCheck, Machine, Snapshot
from kubewitness.posture.filling import filled
from kubewitness.posture.fleet.traits import LISTENERS, Trait, traits_of
from kubewitness.posture.lines import Line, lines
from kubewitness.posture.nodes.telling import at_line, at_place

_FILES: Final = re.compile(
    r"(?:/etc|/usr/lib|/lib|/run)/systemd/system/(?:kubelet|containerd|docker)\.service(?:\.d/[^/]{1,100}\.conf)?"
    r"|/var/lib/kubelet/config\.yaml|/etc/default/kubelet|/etc/sysconfig/kubelet|/etc/docker/daemon\.json"
    r"|/etc/containerd/config\.toml|/etc/nftables\.conf|/etc/iptables/rules\.v[46]"
)
_MOST_LINES: Final = 5_000
_NAMES: Final = 8

Held = tuple[Machine, Trait]


def _odd(snapshot: Snapshot) -> Iterator[Result]:
    by_name: dict[tuple[str, str], list[Held]] = defaultdict(list)
    for machine in snapshot.machines:
        for trait in traits_of(machine, snapshot):
            by_name[trait.name, trait.role].append((machine, trait))
    for held in by_name.values():
        if len({trait.value for _, trait in held}) > 1:
            yield from _differing(held)
    if not by_name:
        reason = Text("nothing that could be compared is in the evidence", "证据中没有可比较的内容")
        yield Result("not_evaluated", FLEET, "", reason=reason)


def _differing(held: list[Held]) -> Iterator[Result]:
    counts = Counter(trait.value for _, trait in held)
    usual, number = min(counts.items(), key=lambda one: (-one[1], one[0]))
    if number * 2 <= len(held):
        yield _split(held)
        return
    other = next(one for one in held if one[1].value == usual)
    for machine, trait in held:
        if trait.value == usual:
            continue
        yield Result(
            "fail",
            machine.target,
            trait.name,
            _against(trait, usual, number, len(held)),
            Text(f"{_shown(usual)}, as on the others", f"与其他机器一致：{_shown(usual)}"),
            (*trait.where[:5], *other[1].where[:1]),
            reason=_reason(trait, other[1]),
            severity=_severity(trait, other[1]),
            remedy=filled("fleet/odd_one_out", {"NODE": machine.host.name}),
        )


def _against(trait: Trait, usual: str, number: int, of: int) -> Text:
    """The value beside that of most others; of lists, what is more and what is less."""
    if trait.name == LISTENERS:
        mine, theirs = (set(value.split(", ")) - {""} for value in (trait.value, usual))
        more, less = _few(sorted(mine - theirs)) or "-", _few(sorted(theirs - mine)) or "-"
        return Text(
            f"beyond {number} of {of} machines of its role it listens on: {more}; it lacks: {less}",
            f"与同角色 {of} 台机器中的 {number} 台相比，多监听：{more}；缺少：{less}",
        )
    return Text(
        f"{trait.name} is {_shown(trait.value)}; on {number} of {of} machines it is {_shown(usual)}",
        f"{trait.name} 为 {_shown(trait.value)}；{of} 台机器中有 {number} 台为 {_shown(usual)}",
    )


def _severity(trait: Trait, usual: Trait) -> Severity:
    if trait.name == LISTENERS and set(trait.value.split(", ")) <= set(usual.value.split(", ")):
        return "informational"  # it only lacks something
    if trait.worse is None or (trait.worse and (not usual.worse or trait.name in _ELSEWHERE)):
        return trait.severity
    return "low" if trait.worse else "informational"


def _reason(trait: Trait, usual: Trait) -> Text:
    if trait.worse and trait.name in _ELSEWHERE:
        return _OF_ITS_OWN
    if trait.worse and usual.worse is False:
        return _WORSE
    return _BETTER if trait.worse is False and usual.worse else _NOTHING


def _split(held: list[Held]) -> Result:
    """Machines that differ without most of them agreeing."""
    values: dict[str, list[str]] = defaultdict(list)
    for machine, trait in held:
        values[trait.value].append(machine.host.name)
    said = [f"{_shown(value)}: {_few(names)}" for value, names in sorted(values.items())]
    trait = held[0][1]
    severity: Severity = "low" if trait.severity in {"high", "medium"} else trait.severity
    if any(one.worse for _, one in held) and any(one.worse is False for _, one in held):
        severity = "medium" if trait.severity == "high" else severity
    seen = {value: next(one for _, one in held if one.value == value) for value in values}
    where = tuple(place for value in sorted(seen) for place in seen[value].where[:2])
    worse = next((machine.host.name for machine, one in held if one.worse), "")
    return Result(
        "fail",
        FLEET,
        trait.name,
        Text("; ".join(said), "；".join(said)),
        _SAME,
        where[:8],
        severity=severity,
        remedy=filled("fleet/odd_one_out", {"NODE": worse}),
        aspect=trait.role,
    )


def _files(snapshot: Snapshot) -> Iterator[Result]:
    """Files that decide how components start, and differ; with the first line that does."""
    by_path: dict[str, list[tuple[Machine, HostFile, tuple[str, ...]]]] = defaultdict(list)
    for machine in snapshot.machines:
        for file in machine.host.files:
            if _FILES.fullmatch(file.path):
                by_path[file.path].append((machine, file, _plain(file, machine.host)))
    for path, held in sorted(by_path.items()):
        counts = Counter(text for _, _, text in held)
        usual, number = counts.most_common(1)[0]
        if len(counts) == 1:
            continue
        if number * 2 <= len(held):
            names = ", ".join(sorted(machine.host.name for machine, _, _ in held)[:_NAMES])
            observed = Text(f"it is not the same on {names}", f"在 {names} 上内容不一致")
            where = tuple(at_place(file.place, path=path) for _, file, _ in held[:_NAMES])
            yield Result("fail", FLEET, path, observed, _SAME, where)
            continue
        model = next(machine.host.name for machine, _, text in held if text == usual)
        for machine, file, text in held:
            if text != usual:
                line, there = _difference(file, text, usual)
                yield Result(
                    "fail",
                    machine.target,
                    path,
                    Text(
                        f"differs from {number} of {len(held)} machines; {model} has here: {there or '(nothing)'}",
                        f"与 {len(held)} 台机器中的 {number} 台不同；{model} 在此处为：{there or '（无）'}",
                    ),
                    _SAME,
                    (at_line(line) if line else at_place(file.place, path=path),),
                )


def _plain(file: HostFile, host: Host) -> tuple[str, ...]:
    """Its lines without what has to differ: the machine's name and addresses, comments that are prose, empty lines."""
    own = {host.name, *(one.address for one in host.addresses)}
    own |= {socket.local_address.strip("[]") for socket in host.sockets if socket.state == "ESTAB"}
    names = sorted((name for name in own if len(name) > 3), key=lambda name: (-len(name), name))[:200]
    mark = re.compile("|".join(map(re.escape, names))) if names else None
    out = []
    for number, line in enumerate(lines(file)):
        if number >= _MOST_LINES:
            break
        text = line.text.strip()[:2000]
        if text.startswith("# ") or not text:
            continue
        text = re.sub(r"\[\d{1,20}:\d{1,20}\]", "[]", text)  # counters of a saved packet filter
        out.append(mark.sub("*", text) if mark else text)
    return tuple(out)


def _difference(file: HostFile, mine: tuple[str, ...], usual: tuple[str, ...]) -> tuple[Line | None, str]:
    """The first line of the file that the others do not have, and what they have instead."""
    at = next(
        (number for number, (one, other) in enumerate(zip(mine, usual, strict=False)) if one != other),
        min(len(mine), len(usual)),
    )
    there = usual[at][:200] if at < len(usual) else ""
    kept = [line for line in lines(file) if line.text.strip() and not line.text.strip().startswith("# ")]
    return (kept[at] if at < len(kept) else kept[-1] if kept else None), there


def _shown(value: str) -> str:
    return (value[:160] or '""') if value else '""'


def _few(names: list[str]) -> str:
    rest = f" (+{len(names) - _NAMES})" if len(names) > _NAMES else ""
    return ", ".join(sorted(names)[:_NAMES]) + rest


_NOTHING: Final = Text("", "")
# Where the kubelet takes static pods from: of another place on one machine alone, somebody made it so.
_ELSEWHERE: Final = frozenset({"kubelet staticPodPath", "kubelet staticPodURL"})
_OF_ITS_OWN: Final = Text(
    "whoever writes there has pods run as root on this machine alone, and no API server is asked",
    "能写入该处的人可在这一台机器上以 root 运行 Pod，且不经过 API server",
)
_WORSE: Final = Text("the others have the safer value", "其他机器的值更安全")
_BETTER: Final = Text("this is not the worse value: look at the others", "该值并非更差的一个：请检查其他机器")
_SAME: Final = Text("the same on all machines", "所有机器一致")

CHECKS: Final = (FleetCheck("checks/fleet/odd_one_out", _odd), FleetCheck("checks/fleet/file_differs", _files))
