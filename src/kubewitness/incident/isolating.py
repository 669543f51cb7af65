"""Keeping an intruder out, and its programs off the network while they still run.

An address is shut out only with a word on who else comes from it: behind address translation, or where an owner's
credential was misused at the owner's desk, the rule locks out people who belong here. Pods are labelled by the names
that their controller gives them, not by a prefix: a DaemonSet `kube-controller` must not take `kube-controller-manager`
off the network with it.

Source: SimpleNameGenerator in k8s.io/apiserver/pkg/storage/names/generate.go (five characters of an alphabet without
vowels behind a base of at most 58), and the controllers' names of ReplicaSets, Jobs and the pods of StatefulSets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from shlex import quote
from typing import Final

from kubewitness.incident.command_names import escaped, fit, left_out
from kubewitness.model.incident import Action, ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of

_EACH: Final = 12
_NAMED: Final = 3
_BASE: Final = 58  # characters of a made name that stay
_MADE: Final = "[bcdfghjklmnpqrstvwxz2456789]{5}"
_ENDINGS: Final[Mapping[str, str]] = {
    "pods": "",
    "statefulsets": "-[0-9]+",
    "deployments": f"-[a-z0-9]+-{_MADE}",
    "cronjobs": f"-[0-9]+(-[0-9]+)?-{_MADE}",
    "jobs": f"(-[0-9]+)?-{_MADE}",
}
_OTHER_ENDING: Final = f"-{_MADE}"
_LONGEST_ENDING: Final = 18  # of what a controller puts between the name and the five characters


def isolate(left: Sequence[ObjectName], addresses: Sequence[str], shared: Mapping[str, Sequence[str]]) -> list[Action]:
    """The actions. `shared`: who else came from an address, by address."""
    actions = []
    outside = [a for a in addresses if a and scope_of(a) == "public"]
    if outside:
        actions.append(_shut_out(outside, shared))
    namespaces = sorted({o.namespace for o in fit(left) if o.namespace})
    actions += [_cut_off(one, [o for o in left if o.namespace == one]) for one in namespaces[:3]]
    return actions


def _shut_out(outside: Sequence[str], shared: Mapping[str, Sequence[str]]) -> Action:
    others = list(dict.fromkeys(escaped(name) for a in outside for name in shared.get(a, ())))
    more = len(others) - _NAMED
    en = ", ".join(others[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    zh = "、".join(others[:_NAMED]) + (f"等 {len(others)} 个身份" if more > 0 else "")
    return Action(
        "isolate",
        Text("Keep the intruder's addresses from the API server", "阻断入侵者地址访问 API server"),
        Text(
            "On every control-plane node, or in the cloud's security group. An intruder can change "
            "address: this buys time."
            + (" Others come from there too: ask first whom it locks out." if others else ""),
            "在每个控制平面节点或云安全组上执行。入侵者可以更换地址，此举只为争取时间。"
            + ("该地址另有他人使用：请先确认会影响谁。" if others else ""),
        ),
        "\n".join(_rule(a) for a in outside[:_EACH]),
        safe=not others,
        breaks=Text(f"Work of others from there: {en}", f"同一地址上其他身份的工作：{zh}")
        if others
        else Text("Only these addresses", "仅影响上述地址"),
        undo=Text("The same rules with -D", "将规则中的 -I 换成 -D"),
    )


def _rule(address: str) -> str:
    """The rule that drops what comes from an address, by the filter of its version."""
    parsed = ip_address(address.partition("%")[0].strip())
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    program = "ip6tables" if parsed.version == 6 else "iptables"
    return f"{program} -I INPUT -s {parsed} -p tcp --dport 6443 -j DROP"


def _cut_off(namespace: str, within: Sequence[ObjectName]) -> Action:
    objects = fit(within)
    names = ", ".join(o.name for o in objects)
    unnamed = left_out(within)
    at = f"kubectl -n {quote(namespace)}"
    undo = f"{at} delete networkpolicy kubewitness-quarantine; {at} label pods -l kubewitness/quarantine=true "
    undo += "kubewitness/quarantine-"
    return Action(
        "isolate",
        Text(f"Cut {names} off the network", f"切断 {names} 的网络"),
        Text(
            "Label the pods and deny their traffic, so that the processes stay for the dump. Pods on the host "
            "network ignore a NetworkPolicy; some CNI plugins ignore all of them." + unnamed.en,
            "给 Pod 打标签并拒绝其流量，保留进程以便取证。hostNetwork 的 Pod 不受 NetworkPolicy 约束，"
            "部分 CNI 不支持 NetworkPolicy。" + unnamed.zh,
        ),
        _deny(at, objects[:_EACH]),
        safe=False,
        breaks=Text("Network of the labelled pods", "被标记 Pod 的网络"),
        undo=Text(undo, undo),
    )


def pods_of(workload: ObjectName) -> str:
    """The names of a workload's pods as `kubectl get pods -o name` writes them, an extended regular expression."""
    name, ending = workload.name, _ENDINGS.get(workload.kind, _OTHER_ENDING)
    if ending and len(name) > _BASE - _LONGEST_ENDING:  # the made name was cut, perhaps within the ending
        return f"^pod/{_literal(name[: _BASE - _LONGEST_ENDING])}"
    return f"^pod/{_literal(name)}{ending}$"


def _literal(name: str) -> str:
    return re.sub(r"([^A-Za-z0-9_-])", r"\\\1", name)


def _deny(at: str, left: Sequence[ObjectName]) -> str:
    lines = [f"# pods of {', '.join(quote(o.name) for o in left)}"]
    lines += [
        f"{at} get pods -o name | grep -E -e {quote(pods_of(o))} | "
        f"xargs -r -I{{}} {at} label {{}} kubewitness/quarantine=true --overwrite"
        for o in left
    ]
    return "\n".join(
        [
            *lines,
            f"{at} apply -f - <<'EOF'",
            "apiVersion: networking.k8s.io/v1",
            "kind: NetworkPolicy",
            "metadata: {name: kubewitness-quarantine}",
            "spec:",
            "  podSelector: {matchLabels: {kubewitness/quarantine: 'true'}}",
            "  policyTypes: [Ingress, Egress]",
            "EOF",
        ]
    )
