"""Checks of the admission plugins: what guards the API behind authorization, and what was switched off.

A plugin named in both lists is off. Which are on by default depends on the version.

Source: kubernetes/pkg/kubeapiserver/options/plugins.go of 1.18 to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import Snapshot
from kubewitness.posture.control_plane.judging import passed, said, told, unresolved, unseen, wanted
from kubewitness.posture.control_plane.nouns import Component
from kubewitness.posture.filling import filled

# Plugin → severity of switching it off, since which minor version it is on, and what goes without it.
_DEFAULTS: Final[dict[str, tuple[Severity, int, Text]]] = {
    "CertificateSubjectRestriction": ("high", 18, Text(
        "whoever may create and approve a CSR can have a certificate of the group system:masters",
        "能创建并批准 CSR 的人可以获得 system:masters 组的证书",
    )),
    "CertificateApproval": ("high", 18, Text(
        "approving a CSR needs no right on its signer any more", "批准 CSR 不再需要对其 signer 的权限",
    )),
    "CertificateSigning": ("high", 18, Text(
        "signing a CSR needs no right on its signer any more", "签发 CSR 不再需要对其 signer 的权限",
    )),
    "ServiceAccount": ("medium", 1, Text(
        "pods are not held to the service accounts and Secrets they may use",
        "Pod 可使用的 ServiceAccount 和 Secret 不再受限制",
    )),
    "NamespaceLifecycle": ("medium", 1, Text(
        "objects are made in namespaces that are being deleted, and the system namespaces can be deleted",
        "可在正被删除的命名空间中创建对象，系统命名空间也可被删除",
    )),
    "PodSecurity": ("medium", 23, Text(
        "the labels pod-security.kubernetes.io/enforce of namespaces stop nothing",
        "命名空间的 pod-security.kubernetes.io/enforce 标签不再拦截任何 Pod",
    )),
    "ValidatingAdmissionPolicy": ("medium", 30, Text(
        "ValidatingAdmissionPolicy objects stop nothing", "ValidatingAdmissionPolicy 对象不再拦截任何请求",
    )),
    "ValidatingAdmissionWebhook": ("medium", 9, Text(
        "policy engines that validate by webhook stop nothing", "以 webhook 方式校验的策略引擎不再拦截任何请求",
    )),
    "MutatingAdmissionWebhook": ("low", 9, Text(
        "policy engines that mutate by webhook change nothing", "以 webhook 方式修改对象的策略引擎不再生效",
    )),
}  # fmt: skip
_RESTRICTION: Final = "NodeRestriction"


def node_restriction(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether a kubelet's credential is held to its own node."""
    on, off = component.ask("enable-admission-plugins"), component.ask("disable-admission-plugins")
    old = component.ask("admission-control")
    if on is None or off is None or old is None:
        yield unseen(component, "enable-admission-plugins")
        return
    expected = wanted(f"--enable-admission-plugins=…,{_RESTRICTION}")
    listed = {*on.words, *old.words}
    if _RESTRICTION in off.words:
        yield told(component, said(off), expected, off.where)
    elif _RESTRICTION in listed:
        yield passed(component, said(on if on.is_set else old), on.where if on.is_set else old.where)
    elif on.unresolved:
        yield unresolved(component, on)
    else:
        yield told(component, said(on), expected, on.where)


def admission_plugins(component: Component, _: Snapshot) -> Iterator[Result]:
    """Guards that Kubernetes has on and somebody switched off."""
    on, off = component.ask("enable-admission-plugins"), component.ask("disable-admission-plugins")
    if on is None or off is None:
        yield unseen(component, "disable-admission-plugins")
        return
    failed = False
    for name in dict.fromkeys(off.words):
        known = _DEFAULTS.get(name)
        if known is None or component.before(known[1]):
            continue
        failed = True
        yield told(
            component, said(off), Text(f"{name} left on", f"保持启用 {name}"), off.where,
            severity=known[0], reason=known[2], aspect=name,
            remedy=filled("control_plane/admission_plugins", {"PLUGIN": name}),
        )  # fmt: skip
    if "AlwaysAdmit" in on.words:
        failed = True
        yield told(
            component, said(on), Text("AlwaysAdmit not named", "不指定 AlwaysAdmit"), on.where, severity="low",
            reason=Text("it admits everything, does nothing and is deprecated", "它放行一切，没有作用且已弃用"),
            aspect="AlwaysAdmit", remedy=filled("control_plane/admission_plugins", {"PLUGIN": "AlwaysAdmit"}),
        )  # fmt: skip
    if not failed:
        yield passed(component, said(off), off.where)
