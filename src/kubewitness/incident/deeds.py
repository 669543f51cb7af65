"""What one request of an intruder amounts to: the act, its words in both languages, its technique, what it folds with.

Rules say what is suspicious; this says what was done, for every request of a suspect, matched or not. The technique
given here is the default of the deed; techniques of the rules that matched come first in a step.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kubewitness.incident.requests import TURNED_AWAY, Request
from kubewitness.model.incident import Act
from kubewitness.model.text import Text
from kubewitness.rules.features.pod_spec import pod_specs
from kubewitness.rules.features.rbac import Grant, grant_of

WORKLOADS = frozenset(
    ("pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs")
)
BINDINGS = frozenset(("clusterrolebindings", "rolebindings"))
ROLES = frozenset(("clusterroles", "roles"))
MISSING = "missing"  # begins the fold of reads of what is not there
_WEBHOOKS = frozenset(("mutatingwebhookconfigurations", "validatingwebhookconfigurations"))
_RUNS = ("/run/", "/exec/", "/attach/", "/portForward/", "/cri/")  # paths of a kubelet; /runningpods/ only lists
_REVIEWS = frozenset(("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"))
_KINDS = {
    "pods": "Pod", "deployments": "Deployment", "daemonsets": "DaemonSet", "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet", "jobs": "Job", "cronjobs": "CronJob", "clusterrolebindings": "ClusterRoleBinding",
    "rolebindings": "RoleBinding", "clusterroles": "ClusterRole", "roles": "Role", "secrets": "Secret",
    "configmaps": "ConfigMap", "serviceaccounts": "ServiceAccount", "namespaces": "Namespace", "nodes": "Node",
    "services": "Service", "events": "Event", "replicationcontrollers": "ReplicationController",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration", "ingresses": "Ingress",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
    "certificatesigningrequests": "CertificateSigningRequest", "persistentvolumes": "PersistentVolume",
    "customresourcedefinitions": "CustomResourceDefinition",
}  # fmt: skip


class Deed(msgspec.Struct, frozen=True):
    """One request, understood."""

    act: Act
    phrase: Text  # past tense, without the actor: "read all Secrets of the cluster"
    technique: str = ""
    fold: tuple[str, ...] = ()  # requests with equal fold, near in time, are one step; () folds with nothing
    many: Text | None = None  # phrase once several have folded; `{n}` is their number, `{names}` their objects


def kind_of(resource: str) -> str:
    """The kind as Kubernetes writes it, for resources that matter here; the resource itself otherwise."""
    return _KINDS.get(resource, resource)


def full_name(request: Request) -> str:
    """`namespace/name`, or what is known of it."""
    name = request.name or "?"
    return f"{request.home}/{name}" if request.home else name


def deed_of(request: Request) -> Deed:
    """Understand one request."""
    if request.refused:
        return _refused(request)
    if not request.resource:
        return _without_resource(request)
    special = _SPECIAL.get((request.resource, request.subresource))
    found = special(request) if special else None
    if found is not None:
        return found
    if request.resource in _REVIEWS:
        return Deed("read", Text("asked what it may do", "查询自身权限"), "T1069.003", ("review",))
    if request.verb in ("get", "list", "watch", "head"):
        return _read_in_vain(request) or _read(request)
    return _write(request)


def _refused(request: Request) -> Deed:
    what = f"{request.verb} {request.resource or request.path}"
    rejected = not request.identity or request.code == 401
    phrase = Text(f"was refused: {what}", f"请求被拒：{what}")
    many = Text("was refused {n} times: {names}", "被拒 {n} 次：{names}")
    return Deed("refused", phrase, "T1110" if rejected else "T1613", ("refused",), many)


def _without_resource(request: Request) -> Deed:
    path = request.path
    if path.startswith(("/healthz", "/livez", "/readyz")):
        return Deed("read", Text(f"probed {path}", f"探测 {path}"), "T1595", ("health",))
    phrase = Text(f"explored the API ({path})", f"探测 API（{path}）")
    return Deed(
        "read", phrase, "T1613", ("discover",), Text("explored the API, {n} requests", "探测 API，共 {n} 次请求")
    )


def _read_in_vain(request: Request) -> Deed | None:
    """A read that gave nothing: of what is not there, or one that failed. None if it gave something."""
    kind, single = kind_of(request.resource), request.name and request.verb != "list"
    technique = "T1552.007" if request.resource == "secrets" else "T1613"
    if request.missing and single:
        phrase = Text(f"looked for {kind} {full_name(request)}: not there", f"查找 {kind} {full_name(request)}：不存在")
        many = Text("looked for {n} objects that were not there: {names}", "查找不存在的对象，共 {n} 次：{names}")
        return Deed("read", phrase, technique, (MISSING, request.resource, request.namespace), many)
    if not _failed(request):
        return None
    what = f"{kind} {full_name(request)}" if single else request.resource
    phrase = Text(f"tried to {request.verb} {what}: {request.code}", f"尝试读取 {what}：{request.code}")
    return Deed("read", phrase, technique, ("failed", request.verb, request.resource, full_name(request)))


def _failed(request: Request) -> bool:
    """Allowed and still not done. A log that does not tell the code tells no failure either."""
    return request.code >= 400


def _read(request: Request) -> Deed:
    kind = kind_of(request.resource)
    if request.resource == "secrets":
        return _secrets(request)
    if request.name and request.verb != "list":
        phrase = Text(f"read {kind} {full_name(request)}", f"读取 {kind} {full_name(request)}")
    else:
        where = Text(f" in {request.namespace}", f"（{request.namespace}）") if request.namespace else Text("", "")
        phrase = Text(f"listed {request.resource}{where.en}", f"列出 {request.resource}{where.zh}")
    many = Text("looked around: {n} reads of {names}", "侦察：读取 {names}，共 {n} 次")
    return Deed("read", phrase, "T1613", ("look",), many)


def _secrets(request: Request) -> Deed:
    technique = "T1552.007"
    if request.name and request.verb == "get":
        phrase = Text(f"read Secret {full_name(request)}", f"读取 Secret {full_name(request)}")
        many = Text("read {names}, {n} requests", "读取 {names}，共 {n} 次请求")
        return Deed("read", phrase, technique, ("secret", request.namespace), many)
    if request.namespace:
        phrase = Text(f"read all Secrets in {request.namespace}", f"读取 {request.namespace} 的全部 Secret")
    else:
        phrase = Text("read all Secrets of the cluster", "读取集群的全部 Secret")
    return Deed("read", phrase, technique, ("secrets", request.namespace))


def _write(request: Request) -> Deed:
    kind, name = kind_of(request.resource), full_name(request)
    if request.subresource:
        name += f" ({request.subresource})"
    if request.verb in ("delete", "deletecollection"):
        return _delete(request, kind)
    if not request.succeeded:
        phrase = Text(
            f"tried to {request.verb} {kind} {name}: {request.code}",
            f"尝试{_TRIED.get(request.verb, f' {request.verb}')} {kind} {name}：{request.code}",
        )
        return Deed("change", phrase, "", ("failed", request.verb, request.resource, name))
    made = request.verb == "create" or request.code == 201
    detail = _detail(request)
    en, zh = ("created", "创建") if made else ("changed", "修改")
    if request.resource in BINDINGS and made:
        phrase = Text(f"created {kind} {name}{detail.en}", f"创建 {kind} {name}{detail.zh}")
    else:
        phrase = Text(f"{en} {kind} {name}{detail.en}", f"{zh} {kind} {name}{detail.zh}")
    technique = _WRITE_TECHNIQUES.get(request.resource, "")
    return Deed("create" if made else "change", phrase, technique, (request.verb, request.resource, name))


_TRIED = {"create": "创建", "update": "修改", "patch": "修改"}
_WRITE_TECHNIQUES = {
    **dict.fromkeys(WORKLOADS, "T1610"),
    "cronjobs": "T1053.007",
    **dict.fromkeys((*BINDINGS, *ROLES), "T1098.006"),
    **dict.fromkeys(_WEBHOOKS, "T1546"),
    "serviceaccounts": "T1136",
    "certificatesigningrequests": "T1098",
    "configmaps": "T1565.001",
    "services": "T1133",
}


def _detail(request: Request) -> Text:
    if request.resource in BINDINGS or request.resource in ROLES:
        grant = grant_of(request.final)
        if grant.subjects:
            subjects = ", ".join(map(str, grant.subjects[:3]))
            return Text(
                f": {grant.role_name or 'its role'} for {subjects}",
                f"：将 {grant.role_name or '其角色'} 授予 {subjects}",
            )
        if grant.permissions:
            listed = ", ".join(f"{p.verb} {p.resource}" for p in grant.permissions[:3])
            within = _within(grant)
            return Text(f": may {listed}{within.en}", f"：允许 {listed}{within.zh}")
    images = sorted({c.image for spec in pod_specs(request.final) for c in spec.containers if c.image})
    if images:
        listed = ", ".join(images[:3])
        return Text(f" (image {listed})", f"（镜像 {listed}）")
    return Text("", "")


def _within(grant: Grant) -> Text:
    """Of which API groups "* *" is everything; nothing if it is of all."""
    groups = grant.wildcard_groups
    if not groups or "*" in groups:
        return Text("", "")
    listed = ", ".join(groups[:3])
    return Text(f" (everything of {listed})", f"（{listed} 的全部资源）")


def _delete(request: Request, kind: str) -> Deed:
    if _failed(request) and not request.missing:
        phrase = Text(
            f"tried to delete {kind} {full_name(request)}: {request.code}",
            f"尝试删除 {kind} {full_name(request)}：{request.code}",
        )
        return Deed("delete", phrase, "T1489", ("delete failed", request.resource, full_name(request)))
    if request.missing or not request.succeeded:
        phrase = Text(
            f"tried to delete {kind} {full_name(request)}, which did not exist",
            f"尝试删除不存在的 {kind} {full_name(request)}",
        )
        many = Text("tried to delete {n} objects that did not exist: {names}", "尝试删除 {n} 个不存在的对象：{names}")
        return Deed("delete", phrase, "T1489", ("delete missing",), many)
    if request.resource == "events":
        where = request.namespace or "?"
        return Deed(
            "delete", Text(f"deleted Kube Events in {where}", f"删除 {where} 的 Kube Event"), "T1070", ("events", where)
        )
    if request.verb == "deletecollection":
        where = request.namespace or "?"
        phrase = Text(f"deleted all {request.resource} in {where}", f"删除 {where} 的全部 {request.resource}")
        return Deed("delete", phrase, "T1485", ("deletecollection", request.resource, where))
    technique = (
        "T1070" if request.resource in BINDINGS | ROLES else "T1489" if request.resource in WORKLOADS else "T1485"
    )
    phrase = Text(f"deleted {kind} {full_name(request)}", f"删除 {kind} {full_name(request)}")
    return Deed("delete", phrase, technique, ("delete", request.resource, full_name(request)))


def _exec(request: Request) -> Deed:
    pod = full_name(request)
    if _failed(request):  # before anything ran: the status of a command itself is not in the log
        what, what_zh = f"run `{request.command or '?'}` in", f"在 Pod {pod} 中执行 `{request.command or '?'}`"
        if request.subresource == "attach":
            what, what_zh = "attach to", f"附加到 Pod {pod}"
        phrase = Text(f"tried to {what} Pod {pod}: {request.code}", f"尝试{what_zh}：{request.code}")
        return Deed("execute", phrase, "T1609", ("exec failed", pod, request.command))
    if request.subresource == "attach":
        return Deed("execute", Text(f"attached to Pod {pod}", f"附加到 Pod {pod}"), "T1609", ("attach", pod))
    command = request.command or "?"
    phrase = Text(f"ran `{command}` in Pod {pod}", f"在 Pod {pod} 中执行 `{command}`")
    return Deed("execute", phrase, "T1609", ("exec", pod, command))


def _token(request: Request) -> Deed | None:
    if request.verb != "create" or not request.succeeded:
        return None
    account = full_name(request)
    phrase = Text(f"minted a token for ServiceAccount {account}", f"为 ServiceAccount {account} 签发令牌")
    return Deed("create", phrase, "T1528", ("token", account))


def _proxy(request: Request) -> Deed:
    path = request.path.partition("/proxy")[2] or "/"
    away = request.code in TURNED_AWAY
    answer, answer_zh = (f" (answered {request.code})", f"（返回 {request.code}）") if away else ("", "")
    phrase = Text(
        f"called the kubelet of {request.name or '?'} through the API server: {path}{answer}",
        f"经 API server 访问 {request.name or '?'} 的 kubelet：{path}{answer_zh}",
    )
    runs = path.startswith(_RUNS)
    fold = ("kubelet", request.name, path, answer)
    return Deed("execute" if runs else "read", phrase, "T1609" if runs else "T1613", fold)


def _forward(request: Request) -> Deed:
    pod = full_name(request)
    if _failed(request):
        phrase = Text(
            f"tried to forward a port of Pod {pod}: {request.code}", f"尝试转发 Pod {pod} 的端口：{request.code}"
        )
        return Deed("execute", phrase, "T1572", ("forward failed", pod))
    return Deed("execute", Text(f"forwarded a port of Pod {pod}", f"转发 Pod {pod} 的端口"), "T1572", ("forward", pod))


def _logs(request: Request) -> Deed:
    if (vain := _read_in_vain(request)) is not None:
        return vain
    pod = full_name(request)
    return Deed("read", Text(f"read the log of Pod {pod}", f"读取 Pod {pod} 的日志"), "T1613", ("look",))


def _approve(request: Request) -> Deed | None:
    if not request.succeeded:
        return None
    phrase = Text(
        f"approved CertificateSigningRequest {request.name}", f"批准 CertificateSigningRequest {request.name}"
    )
    return Deed("change", phrase, "T1098", ("approve", request.name))


_SPECIAL: dict[tuple[str, str], Callable[[Request], Deed | None]] = {
    ("pods", "exec"): _exec,
    ("pods", "attach"): _exec,
    ("pods", "portforward"): _forward,
    ("pods", "log"): _logs,
    ("nodes", "proxy"): _proxy,
    ("serviceaccounts", "token"): _token,
    ("certificatesigningrequests", "approval"): _approve,
}
