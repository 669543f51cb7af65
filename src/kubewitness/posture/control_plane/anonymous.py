"""Whether the API server serves people without a credential, where, and what it lets them do.

Anonymous requests are served by default, and kubeadm's probes and joins need them: that alone is no weakness. What it
costs is decided by RBAC. Since 1.32 (gate; fixed in 1.34) they can be limited to paths, each compared as a whole.

Source: KEP-4633; k8s.io/apiserver/pkg/apis/apiserver (AuthenticationConfiguration).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.access.grants import to_anonymous
from kubewitness.posture.check import Snapshot
from kubewitness.posture.control_plane.api_server import document_named, not_collected
from kubewitness.posture.control_plane.judging import passed, said, told, unresolved, unseen
from kubewitness.posture.control_plane.nouns import Component
from kubewitness.posture.yaml_text import Document

_LIMITED: Final = 32  # the first minor version that limits anonymous requests without a feature gate
_HEALTH: Final = ("/livez", "/readyz", "/healthz")
_EXPECTED: Final = Text(
    "anonymous requests limited to /livez, /readyz and /healthz, or bound to nothing else",
    "匿名请求仅限于 /livez、/readyz 和 /healthz，或未被授予其他权限",
)


def anonymous_auth(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Who may ask without a credential, and what they get."""
    config = component.ask("authentication-config")
    if config is not None and config.is_set:
        document = document_named(component, config, snapshot)
        if document is None:
            yield not_collected(component, config)
            return
        if isinstance(reading.at(document.value, "anonymous"), dict):
            yield from _configured(component, snapshot, document)
            return
    given = component.ask("anonymous-auth", "true")
    if given is None:
        yield unseen(component, "anonymous-auth")
    elif given.truth is False:
        yield passed(component, said(given), given.where)
    elif given.truth is None:
        yield unresolved(component, given)
    elif _allows_all(component):
        yield passed(
            component,
            said(given),
            given.where,
            reason=Text(
                "with --authorization-mode=AlwaysAllow alone the API server switches anonymous requests off itself",
                "仅使用 --authorization-mode=AlwaysAllow 时，API server 会自行关闭匿名请求",
            ),
        )
    else:
        yield _open(component, snapshot, said(given), given.where)


def _allows_all(component: Component) -> bool:
    mode, config = component.ask("authorization-mode", "AlwaysAllow"), component.ask("authorization-config")
    return mode is not None and mode.value.lower() == "alwaysallow" and not (config and config.is_set)


def _configured(component: Component, snapshot: Snapshot, document: Document) -> Iterator[Result]:
    where = document.at("anonymous")
    if reading.flag(document.value, "anonymous", "enabled") is not True:
        text = Text("the authentication configuration switches it off", "认证配置已将其关闭")
        yield passed(component, text, document.at("anonymous", "enabled"))
        return
    paths = [reading.text(one, "path") for _, one in reading.nodes(document.value, "anonymous", "conditions")]
    if not paths:
        text = Text("the authentication configuration allows it on every path", "认证配置允许所有路径的匿名请求")
        yield _open(component, snapshot, text, where)
        return
    shown = ", ".join(paths)[:300]
    text = Text(f"allowed on {shown} alone", f"仅允许以下路径：{shown}")
    wide = [one for one in paths if not any(one == path or one.startswith(f"{path}/") for path in _HEALTH)]
    if wide and (found := _granted(snapshot)):
        places = [place for one in found[:5] for place in one.where[:1]]
        yield told(component, text, _EXPECTED, where, *places, severity=_at_most("medium", found))
    else:
        yield passed(component, text, where)


def _open(component: Component, snapshot: Snapshot, observed: Text, where: Where) -> Result:
    found = _granted(snapshot)
    if found:
        names = ", ".join(dict.fromkeys(one.subject for one in found[:3]))[:300]
        return told(
            component,
            observed,
            _EXPECTED,
            where,
            *(place for one in found[:5] for place in one.where[:1]),
            severity=_at_most("high", found),
            reason=Text(
                f"a binding gives those without a credential more than Kubernetes itself does: {names}",
                f"有绑定赋予未认证者超出 Kubernetes 自身默认值的权限：{names}",
            ),
        )
    known = snapshot.cluster is not None and all(
        snapshot.cluster.has_all(kind) for kind in ("ClusterRoleBinding", "RoleBinding", "ClusterRole", "Role")
    )
    old = component.before(_LIMITED)
    if old is False and component.start.distribution == "":
        reason = Text(
            "nothing more than Kubernetes' own pages is granted to them; this version can limit them to health paths"
            if known
            else "what is granted to them is not in the evidence; this version can limit them to health paths",
            "RBAC 未授予其超出 Kubernetes 默认页面的权限；此版本可将匿名请求限制在健康检查路径上"
            if known
            else "证据中没有其被授予的权限；此版本可将匿名请求限制在健康检查路径上",
        )
        return told(component, observed, _EXPECTED, where, severity="informational", reason=reason)
    reason = Text(
        "the default, which kubeadm's probes and joining nodes need; what it opens is for RBAC to say",
        "这是默认值，kubeadm 的探针和节点加入都需要它；它开放什么取决于 RBAC",
    )
    return passed(component, observed, where, reason=reason)


def _granted(snapshot: Snapshot) -> list[Result]:
    """Bindings that give people without a credential more than Kubernetes itself does, the worst first."""
    found = [one for one in to_anonymous(snapshot) if one.status == "fail"]
    return sorted(found, key=lambda one: (-SEVERITIES.index(_severity(one)), one.subject))


def _severity(one: Result) -> Severity:
    return one.severity or "low"


def _at_most(most: Severity, found: list[Result]) -> Severity:
    """A server that serves them is no worse than what they are given."""
    return min(most, _severity(found[0]), key=SEVERITIES.index)
