"""What the intruder's commands drew out of pods: environments sent out, credentials of the cloud that were asked for.

A process that puts its environment into a request gives away every Secret that the pod's spec puts into variables; the
values are in no log. A command that asks the cloud's metadata service for the role of the node may have been answered:
the audit log has the command alone, so these credentials are possible and no more.

Source: core/v1 types.go (EnvVarSource, EnvFromSource); the metadata services of the clouds, as the rule names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.deeds import WORKLOADS
from kubewitness.incident.exposure.nodes import Machines
from kubewitness.incident.exposure.pod_contents import contents_of
from kubewitness.incident.exposure.requests import Exposures
from kubewitness.incident.node.story import cited
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Incident, ObjectName
from kubewitness.model.text import Text

_SENT: Final = "host/environment_sent"
_ASKED: Final = "k8s_audit/execution/exec_metadata_credentials"


def from_environments(out: Exposures, requests: Sequence[Request], found: Sequence[HostFinding], on: Machines) -> None:
    """Secrets in the environment of pods that sent it out. `found`: the incident's findings on machines."""
    for finding in found:
        view = on.views.get(finding.host)
        pod = view.lineage.names.get(finding.pod_uid) if view and finding.rule == _SENT else None
        if pod is None:
            continue
        known = on.pods.get((pod.namespace, pod.name))
        secrets = set(known.environment) if known else set[str]()
        for request in requests:
            if _is_of(pod, request):
                secrets |= contents_of(request.final.request_object).environment
        where = f"{pod.namespace}/{pod.name}"
        said = Text(
            f"lies in the environment of pod {where}, and a process there sends its environment out",
            f"位于 Pod {where} 的环境变量中，而其中有进程将环境变量发送到外部",
        )
        evidence = cited(finding.places[:1], finding.first, on.hashes)
        for name in sorted(secrets):
            out.add(ObjectName("secrets", pod.namespace, name), "likely_content", said, evidence=evidence,
                    time=finding.first)  # fmt: skip


def _is_of(pod: ObjectName, request: Request) -> bool:
    """Whether the request wrote the workload that the pod is of, as far as names tell."""
    if request.resource not in WORKLOADS or request.subresource or not request.succeeded or not request.name:
        return False
    same = pod.name == request.name or pod.name.startswith(f"{request.name}-")
    return same and request.namespace == pod.namespace and request.verb in ("create", "update", "patch")


def from_metadata_services(out: Exposures, incident: Incident, requests: Sequence[Request], on: Machines) -> None:
    """The cloud's credentials of nodes that a command in a pod asked for."""
    asked = {one.audit_id for step in incident.steps if _ASKED in step.rules for one in step.evidence if one.audit_id}
    for request in requests:
        if request.audit_id not in asked or not request.succeeded or not request.command:
            continue
        said = Text(
            "a command in a pod asked the cloud's metadata service for them; whether it answered the log does not "
            "tell: renew the role's credentials if a cloud runs this node",
            "Pod 中的命令曾向云元数据服务索取；日志无法说明是否得到响应：若节点运行在云上，请轮换该角色的凭据",
        )
        out.add(ObjectName("cloud credentials", "", _node_of(incident, request, on)), "possible", said, request=request)


def _node_of(incident: Incident, request: Request, on: Machines) -> str:
    """The node that a pod ran on; the pod itself where nothing tells."""
    pod = ObjectName("pods", request.namespace, request.name)
    known = on.pods.get((pod.namespace, pod.name))
    if known and known.node:
        return known.node
    running = sorted(name for name, view in on.views.items() if pod in view.lineage.names.values())
    if running:
        return running[0]
    return incident.nodes[0] if len(incident.nodes) == 1 else f"{pod.namespace}/{pod.name}"
