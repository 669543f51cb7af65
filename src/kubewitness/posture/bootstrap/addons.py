"""Roles and bindings that well-known installers and addons make: `content/bootstrap/addons.json`.

They are recognised by content, never by name alone: a role that grants more, or a binding that names somebody else or
points elsewhere, is not the addon's. `1.N` in a name stands for a version of Kubernetes.

Source: kubernetes/cmd/kubeadm/app/phases (1.34; before 1.24 the name of kubelet-config ended in the version), CoreDNS'
deployment manifest, openshift/kubernetes bootstrappolicy. Of EKS, GKE, AKS and K3s no content is known here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import msgspec
from msgspec import Struct

from kubewitness.posture.bootstrap.covering import uncovered
from kubewitness.posture.bootstrap.known import RoleRef, Rule, key_of, rule_of
from kubewitness.posture.rbac.nouns import Binding, Key, Role, Subject
from kubewitness.rules.loader import content_folder

_VERSION: Final = re.compile(r"(?<=-)1\.\d{1,2}$", re.ASCII)
_ANY: Final = "1.N"


class _Addon(Struct, frozen=True):
    by: str
    kind: str
    name: str
    namespace: str = ""
    rules: tuple[Rule, ...] = ()
    roleRef: RoleRef | None = None
    subjects: tuple[Subject, ...] = ()


@cache
def _addons() -> dict[Key, _Addon]:
    data = (content_folder() / "bootstrap" / "addons.json").read_bytes()
    return {
        key_of(one.kind, one.namespace, one.name): one for one in msgspec.json.decode(data, type=tuple[_Addon, ...])
    }


def addon_of(made: Role | Binding) -> str:
    """Who makes exactly this object ("kubeadm"), or grants less with it; empty if nobody that is known."""
    found = _VERSION.search(made.name)
    version = found[0] if found else _ANY
    addon = _addons().get(made.key) or _addons().get(made.key._replace(name=_VERSION.sub(_ANY, made.name)))
    if addon is None:
        return ""
    if isinstance(made, Role):
        rules = [rule_of(rule, lambda name: name.replace(_ANY, version)) for rule in addon.rules]
        return addon.by if made.selectors is None and not uncovered(made.rules, rules) else ""
    reference = addon.roleRef
    if reference is None or (made.role_kind, made.role_name) != (
        reference.kind, reference.name.replace(_ANY, version)
    ):  # fmt: skip
        return ""
    return addon.by if set(made.subjects) <= set(addon.subjects) else ""
