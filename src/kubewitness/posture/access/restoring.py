"""How Kubernetes' own roles and bindings are put back, and what is dressed up as such is taken away."""

from __future__ import annotations

import json
import re
from typing import Final

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.posture.access.removal import NO_COMMAND, backup, named
from kubewitness.posture.access.state import State
from kubewitness.posture.bootstrap.defaults import defaults, document_of
from kubewitness.posture.rbac.nouns import GROUP, Binding, Key, Role

_COMMAND: Final = 8_000  # characters
_AGGREGATE: Final = re.compile(r"rbac\.authorization\.k8s\.io/aggregate-to-[a-z-]{1,60}")


def restored(state: State, key: Key) -> Remedy | None:
    """Puts back what this version makes, exactly."""
    known = defaults(state.version)
    made = known.objects.get(key)
    if made is None:
        return None
    document = document_of(made)
    metadata = {"name": key.name} | ({"namespace": key.namespace} if key.namespace else {})
    if isinstance(made, Role):
        metadata |= {"labels": dict(made.labels)}  # type: ignore[dict-item]
    if isinstance(made, Binding):
        subjects = [
            {"kind": "ServiceAccount", "name": subject.name, "namespace": subject.namespace}
            if subject.kind == "ServiceAccount"
            else {"apiGroup": GROUP, "kind": subject.kind, "name": subject.name}
            for subject in made.subjects
        ]
        document = document | {"subjects": subjects}
    manifest = json.dumps({"apiVersion": f"{GROUP}/v1", "kind": key.kind} | document | {"metadata": metadata})
    made_by = Text(f"as 1.{known.minor} makes it", f"1.{known.minor} 的默认内容")
    command = (
        f"{backup(key)}\n# {made_by.en}\n"
        f"kubectl auth reconcile --remove-extra-permissions --remove-extra-subjects -f - <<'END'\n{manifest}\nEND"
    )
    return Remedy(
        Text(f"Put {key} back as 1.{known.minor} makes it", f"将 {key} 恢复为 1.{known.minor} 的默认内容"),
        Text("keep the copy as evidence", "请保留导出的副本作为证据"),
        command if len(command) <= _COMMAND else backup(key),
        breaks=Text("whoever was given the added rights", "依赖新增权限者会失去权限"),
        fix=f"restore {key}",
        comments=(made_by,),
    )


def deleted(key: Key) -> Remedy:
    """Takes away what nobody that is known made."""
    target = named(key)
    return Remedy(
        Text(f"Find out who made {key}, then delete it", f"查明 {key} 的创建者，再将其删除"),
        Text("keep a copy as evidence first", "请先保留副本作为证据") if target else NO_COMMAND,
        f"{backup(key)}\nkubectl delete {target}" if target else "",
        breaks=Text("whatever was given rights by it", "依赖其权限的程序会失效"),
        fix=f"delete {key}",
    )


def unlabelled(state: State, key: Key) -> Remedy:
    """Takes a role out of those that aggregate it."""
    role, target = state.objects.get(key), named(key)
    labels = [name for name, _ in role.labels if _AGGREGATE.fullmatch(name)] if isinstance(role, Role) else []
    return Remedy(
        Text(f"Take the aggregation label off {key}", f"去掉 {key} 的聚合标签"),
        Text(
            "the controller then takes its rules out of the roles that select it",
            "控制器随后会把其规则从聚合角色中移除",
        ),
        f"{backup(key)}\nkubectl label {target} {' '.join(f'{name}-' for name in labels)}" if target and labels else "",
        breaks=Text(
            "whoever uses these rights through admin, edit or view", "经 admin、edit 或 view 使用这些权限者会失去权限"
        ),
        fix=f"unlabel {key}",
    )


def mended(state: State, role: Key) -> Remedy | None:
    """Takes back what was added to a role of Kubernetes' own: by its rules, or by roles with a label."""
    for one in state.differences:
        if one.finding and one.kind == "injected_rule" and role.name in one.into and not role.namespace:
            return unlabelled(state, one.key)
    return restored(state, role)
