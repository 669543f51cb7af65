"""What to do about a machine whose kubelet's credential the intruder read: it cannot be revoked, only made useless.

The API server trusts a client certificate of its CA until its end, and gives a kubelet the Secrets and tokens of the
pods that are bound to its node. So the pods go elsewhere first, then the node is deleted and the machine built anew;
what its pods mounted counts as read.

Source: kubernetes.io, "Using Node Authorization".
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

from kubewitness.incident.command_names import fit, left_out, target
from kubewitness.incident.identity.nodes import NodeGained
from kubewitness.model.incident import Action, ObjectName
from kubewitness.model.text import Text

_EACH: Final = 12


def rebuild(gained: Sequence[NodeGained], nodes: Sequence[str]) -> list[Action]:
    """The action for machines whose credential was read. `nodes`: where the intruder's pods ran."""
    read = [one for one in gained if one.read]
    known = [one.node or (nodes[0] if len(nodes) == 1 else "") for one in read]
    if not read:
        return []
    found = [ObjectName("nodes", "", name) for name in dict.fromkeys(known) if name]
    named = fit(found)[:_EACH]
    lines = list[str]()
    for one in named:
        name = quote(one.name)
        lines.append(f"kubectl get pods -A -o wide --field-selector spec.nodeName={name}  # their Secrets: read")
        lines.append(f"kubectl drain {name} --ignore-daemonsets --delete-emptydir-data")
        lines.append(f"kubectl delete {target(one)}")
    if not found:
        lines.append("kubectl get pods -A -o wide  # find the node of the pod in which it was read")
    shown = ", ".join(one.name for one in named[:3]), "、".join(one.name for one in named[:3])
    unnamed = left_out(found)
    return [
        Action(
            "revoke",
            Text(
                f"Build {shown[0] or 'the node'} anew: its kubelet's credential was read",
                f"重建 {shown[1] or '该节点'}：其 kubelet 凭据已被读取",
            ),
            Text(
                "A client certificate cannot be revoked: it stays valid until it ends or the CA is replaced. Without "
                "pods bound to the node it gives little; keep the machine's evidence before it is built anew."
                + unnamed.en,
                "客户端证书无法吊销：在到期或更换 CA 之前一直有效。节点上没有 Pod 时其权限很小；"
                "重建机器之前先保存其证据。" + unnamed.zh,
            ),
            "\n".join(lines),
            safe=False,
            breaks=Text("The node's pods move or stop; local data goes", "该节点的 Pod 会迁移或停止；本地数据会丢失"),
            undo=Text("None: a machine that fell is not put back", "无：被攻陷的机器不应恢复使用"),
        )
    ]
