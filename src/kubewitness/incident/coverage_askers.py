"""What the log does not tell of who asked: clients without a name of their own, addresses of many.

Much is concluded from a client's name and from where a request came. Where a proxy or a balancer stands in front of the
API server, or an exporter left fields out, that ground is missing: a report that says nothing of it claims too much.
"""

from __future__ import annotations

from typing import Final

from kubewitness.detect.agents import agents_of, is_part
from kubewitness.detect.detectors.crowd import Crowd
from kubewitness.detect.profile import MANY
from kubewitness.detect.run import Scan
from kubewitness.incident.verdicts.weighing import listed
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name

_PEOPLE: Final = 3  # at one address, and
_NAMES: Final = 6  # identities in all: more than a pod, a desk or a pipeline has


def askers(scan: Scan) -> list[Text]:
    """Sentences for the statement of coverage."""
    return [*_clients(scan), *_addresses(scan)]


def _clients(scan: Scan) -> list[Text]:
    told = agents_of(scan)
    if told == "none":
        return [
            Text(
                "No request names its client (userAgent): programs cannot be told from people's tools, nor two at one "
                "address from each other. What rests on it was not judged.",
                "所有请求均未记录客户端（userAgent）：无法区分程序与人工工具，也无法区分同一地址上的不同客户端；"
                "依赖该字段的判断均未作出。",
            )
        ]
    if told == "alike":
        return [
            Text(
                "Even the cluster's own parts bear the name of a person's tool: somebody else wrote the clients' names "
                "(a proxy, an anonymiser). They tell nothing, and nobody was accused by them in the name of a part of "
                "the cluster.",
                "连集群自身组件的请求都带有人工工具的名称：客户端名称并非其自报，而是由代理或脱敏程序改写。"
                "该字段不可信，未据此指控任何以集群组件身份发出的请求。",
            )
        ]
    return []


def _addresses(scan: Scan) -> list[Text]:
    """Addresses of a balancer or proxy, as far as one can tell: many people and accounts, no part of the cluster."""
    out = list[tuple[str, int]]()
    for address, profiles in Crowd(scan).at.items():
        names = {profile.key.identity for profile in profiles}
        people = sum(kind_of_name(name) == "human" for name in names)
        machine = any(map(is_part, names)) or address in ("", MANY) or scope_of(address) in ("loopback", "unknown")
        if people >= _PEOPLE and len(names) >= _NAMES and not machine:
            out.append((address, len(names)))
    if not out:
        return []
    first, shown = max(n for _, n in out), listed(sorted(address for address, _ in out))
    return [
        Text(
            f"Up to {first} identities come from one address ({shown.en}): a balancer, a proxy or address translation. "
            "There the address tells nobody from others; if an owner's credential was misused behind it, some of the "
            "owner's own requests may be among those attributed. Its log shows where they came from.",
            f"同一地址上最多有 {first} 个身份（{shown.zh}）：应为负载均衡、代理或地址转换。"
            "该处的来源地址无法区分使用者；"
            "若凭据在其后被盗用，归因的请求中可能混有本人的操作。请查阅该设备的日志以确定真实来源。",
        )
    ]
