"""What a container printed betrays a miner, whatever the program is called and though it is long gone.

Each form of line that miners print has a weight. A hash rate, a job or the banner are theirs alone; `accepted (1/0)`
or a pool's name in a line of its own could be another program's, and only count beside something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import state
from kubewitness.model.host import Host, LogLine
from kubewitness.model.text import Text

_WEIGHTS: Final = {
    "hash rate": 4, "job": 4, "banner": 4, "share": 3, "dataset": 3, "pool": 2, "stratum": 2, "wire": 2,
}  # fmt: skip
_ENOUGH: Final = 4
_MAX_CONTAINERS: Final = 200
_ADDRESS = re.compile(r"(?:[\w+]{2,20}://)?\[?([\w.:%-]{1,255}?)\]?:\d{1,5}$")
_REASONS: Final = {
    "hash rate": Text("it prints a hash rate", "输出了算力"),
    "job": Text("it gets jobs from a pool", "从矿池接收任务"),
    "banner": Text("it prints a miner's banner", "输出了挖矿程序的启动信息"),
    "share": Text("it has shares accepted or rejected", "提交的份额被接受或拒绝"),
    "dataset": Text("it prepares the data set of RandomX", "准备 RandomX 数据集"),
    "pool": Text("it names the pool it uses", "写明了所用的矿池"),
    "stratum": Text("it speaks of its stratum connection", "提到其 stratum 连接"),
    "wire": Text("it prints messages of the stratum protocol", "输出了 stratum 协议的消息"),
}


def miner_output(host: Host) -> Iterator[HostFinding]:
    """A finding for each container whose output is a miner's."""
    groups = dict[str, list[LogLine]]()
    for line in host.logs:
        if line.component == "container" and line.fields.get("form") in _WEIGHTS:
            fields = line.fields
            key = fields.get("containerID") or fields.get("podUID", "") + "/" + fields.get("containerName", "")
            key = key if key != "/" else line.place.item
            if key in groups or len(groups) < _MAX_CONTAINERS:
                groups.setdefault(key, []).append(line)
    for lines in groups.values():
        forms = dict.fromkeys(line.fields["form"] for line in lines)
        if sum(_WEIGHTS[form] for form in forms) >= _ENOUGH:
            yield _finding(host, lines, list(forms))


def _finding(host: Host, lines: Sequence[LogLine], forms: Sequence[str]) -> HostFinding:
    fields = lines[0].fields
    times = sorted(filter(None, (line.time for line in lines)))
    pools = dict.fromkeys(found[1] for line in lines if (found := _ADDRESS.match(line.fields.get("pool", ""))))
    whose = " ".join(filter(None, (fields.get("pod"), fields.get("containerName"))))
    reasons = [_REASONS[form] for form in forms]
    for line in lines:
        if algorithm := line.fields.get("algorithm"):
            reasons.append(Text(f"the algorithm is {algorithm}", f"算法为 {algorithm}"))
            break
    stated = state(
        "miner_output",
        host,
        f"{whose}: {lines[0].message}" if whose else lines[0].message,
        [(line.place, line.message) for line in _first_of_each(lines)],
        count=len(lines),
        first=times[0] if times else "",
        last=times[-1] if times else "",
        confidence="high" if len(forms) > 1 else "medium",
        reasons=reasons,
        addresses=pools,
        containers=[fields.get("containerID", "")],
    )
    return replace(stated, pod_uid=fields.get("podUID", "") or stated.pod_uid)


def _first_of_each(lines: Sequence[LogLine]) -> Iterator[LogLine]:
    """The first line of each form, then the others."""
    firsts = {line.fields["form"]: line for line in reversed(lines)}
    chosen = sorted(firsts.values(), key=lambda line: (line.place.item, line.place.offset))
    yield from chosen
    yield from (line for line in lines if firsts[line.fields["form"]] is not line)
