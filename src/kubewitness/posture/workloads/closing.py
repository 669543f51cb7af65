"""How one way in from outside is closed: the command for this Service, Ingress or route, by what makes it one."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.filling import fitting
from kubewitness.posture.pods.exposed import Exposed

_CHECK: Final = "checks/workloads/exposed_service"
_INSIDE: Final = '{"spec":{"type":"ClusterIP"}}'
_NO_ADDRESSES: Final = '[{"op":"remove","path":"/spec/externalIPs"}]'
_RANGES: Final = '{"spec":{"loadBalancerSourceRanges":["NETWORK"]}}'
_SOME: Final = Text(
    "for a load balancer, to let in your networks alone",
    "若为负载均衡器，可只允许您的网段",
)
_ROUTED: Final = Text("Take the route away, or ask for a login before it", "去掉该路由，或在其前面要求登录")


def closed(one: Exposed) -> Remedy | None:
    """The remedy with its command; None: its names are such that none can be given, the check's own counts."""
    name, space = fitting(one.source.name), fitting(one.source.namespace)
    if not name or not space:
        return None
    remedy = catalogue()[_CHECK].remedy
    service = f"service {name} -n {space}"
    if one.means == "NodePort":
        return replace(remedy, command=f"kubectl patch {service} -p '{_INSIDE}'", blanks=(), comments=())
    if one.means == "LoadBalancer":
        command = f"kubectl patch {service} -p '{_INSIDE}'\n# {_SOME.en}\n# kubectl patch {service} -p '{_RANGES}'"
        return replace(remedy, command=command, comments=(_SOME,), blanks=("NETWORK",))
    if one.means == "externalIPs":
        command = f"kubectl patch {service} --type=json -p '{_NO_ADDRESSES}'"
        return replace(remedy, command=command, blanks=(), comments=())
    command = f"kubectl get {one.source.kind.lower()} {name} -n {space} -o yaml"
    return replace(remedy, title=_ROUTED, command=command, blanks=(), comments=())
