"""What lay on machines that fell: who is root on a node, or has its kubelet obey, reads what its pods mount.

The kubelet keeps the Secrets, ConfigMaps and tokens of its pods below /var/lib/kubelet/pods, and commands that it runs
in a container read them there. A node is told once, with how many pods are known to have run on it; Secrets are named
only where the spec of a pod on it is in the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.exposure.pod_contents import Contents, Pod
from kubewitness.incident.exposure.requests import Exposures, mounted
from kubewitness.incident.identity.nodes import reaches_node
from kubewitness.incident.node.story import COMMANDS, cited
from kubewitness.incident.node.view import NodeView
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Evidence, Incident, ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.pod_spec import pod_specs

_FILES: Final = re.compile(
    r"/etc/(?:g?shadow|kubernetes/[\w.-]{1,60}\.conf|kubernetes/pki/[\w./-]{1,80})(?![\w-])"
    r"|/var/lib/kubelet/pki/[\w.-]{1,60}|/root/\.kube/config|/root/\.ssh/id_\w{1,20}"
)
_READ: Final = frozenset(
    ("cat", "head", "tail", "base64", "cp", "tar", "dd", "xxd", "strings", "less", "more", "grep", "awk", "sed")
)
_WORDS: Final = re.compile(r"[\w.-]{1,40}")
_PODS: Final = 100  # of one node whose Secrets are named


class Machines(NamedTuple):
    """What is known of machines: by name, what their pods mount, and hashes of items to cite."""

    views: Mapping[str, NodeView]
    pods: Mapping[Pod, Contents]
    hashes: Mapping[str, str]


def from_nodes(
    out: Exposures, incident: Incident, requests: Sequence[Request], found: Sequence[HostFinding],
    on: Machines,
) -> None:  # fmt: skip
    """Add every machine of the incident that fell. `found`: the incident's findings on machines."""
    for finding in found:
        if (how := _fell(finding, incident)) is not None:
            evidence = cited(finding.places[:1], finding.first, on.hashes)
            _node(out, finding.host, how, on, evidence=evidence, time=finding.first)
    opened = next((one for one in requests if one.succeeded and any(map(reaches_node, pod_specs(one.final)))), None)
    if opened is not None:
        how = Text(
            f"{opened.resource} {opened.namespace}/{opened.name} of the intruder had the machine in its hands",
            f"入侵者的 {opened.resource} {opened.namespace}/{opened.name} 可控制该机器",
        )
        for node in incident.nodes:
            _node(out, node, how, on, request=opened)
        _files(out, incident, requests)


def _files(out: Exposures, incident: Incident, requests: Sequence[Request]) -> None:
    """Credentials of the machine itself that a command in a pod read; no list of Secrets has them."""
    for request in requests:
        if request.subresource != "exec" or not request.succeeded:
            continue
        command = request.command[:4096]
        if _READ.isdisjoint(_WORDS.findall(command)):
            continue
        pod = f"{request.namespace}/{request.name}"
        where = incident.nodes[0] if len(incident.nodes) == 1 else pod
        said = Text(f"a command run in pod {pod} reads it", f"在 Pod {pod} 中执行的命令读取了该文件")
        for path in dict.fromkeys(_FILES.findall(command)):
            out.add(ObjectName("files", "", f"{where}:{path}"), "likely_content", said, request=request)


def _fell(finding: HostFinding, incident: Incident) -> Text | None:
    """How a finding shows that the whole machine is the intruder's; None if it does not."""
    process = finding.process
    if finding.kind != "intrusion":
        return None
    if process and not process.container and not process.pod_uid and process.user in ("root", "0"):
        return Text("a process of the intruder ran there as root", "入侵者的进程曾以 root 身份在其上运行")
    if finding.rule in COMMANDS and any(cause.kind == "Setting" for cause in incident.root_causes):
        return Text(
            "its kubelet runs commands in every container for anybody", "其 kubelet 会为任何人在任意容器中执行命令"
        )
    return None


def _node(
    out: Exposures, node: str, how: Text, on: Machines, *, request: Request | None = None,
    evidence: Sequence[Evidence] = (), time: str = "",
) -> None:  # fmt: skip
    view, known = on.views.get(node), on.pods
    ran = len(view.lineage.names) if view else 0
    of, of_zh = (
        (f"the {ran} pods known to have run there", f"已知在其上运行过的 {ran} 个 Pod")
        if ran
        else ("its pods", "其 Pod")
    )
    text = Text(
        f"{how.en}: every Secret, ConfigMap and token mounted in {of} could be read",
        f"{how.zh}：{of_zh}挂载的全部 Secret、ConfigMap 与令牌均可被读取",
    )
    out.add(ObjectName("nodes", "", node), "mounted", text, request=request, evidence=evidence, time=time)
    here = sorted(pod for pod, contents in known.items() if contents.node == node)[:_PODS]
    for namespace, name in here:
        said = Text(f"lies in pod {namespace}/{name} on {node}", f"位于 {node} 的 Pod {namespace}/{name} 中")
        mounted(out, namespace, known[namespace, name], said, None)
