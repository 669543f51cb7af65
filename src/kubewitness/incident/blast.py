"""Blast radius: the objects an intruder touched, their lives in the log, and the credentials that must be rotated."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubewitness.incident.citing import Citer
from kubewitness.incident.deeds import BINDINGS, ROLES, WORKLOADS
from kubewitness.incident.requests import Request
from kubewitness.incident.steps import StepDraft
from kubewitness.incident.when import moment
from kubewitness.model.incident import LifeRole, ObjectLife, ObjectName, RootCause, Secret
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name, service_account
from kubewitness.rules.features.rbac import grant_of

_RESOURCES = {"ClusterRoleBinding": "clusterrolebindings", "RoleBinding": "rolebindings"}
_LISTED = 200  # secrets named from one list response
_DRAWN = WORKLOADS | BINDINGS | ROLES | {"secrets", "serviceaccounts", "configmaps", "services"}
_DRAWN |= {"certificatesigningrequests", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"}

_Key = tuple[str, str, str]  # whatever group of the API the request used


def _key(name: ObjectName) -> _Key:
    return name.kind, name.namespace, name.name


class Touched:
    """Objects by what happened to them, each sorted. `requests` are in time order.

    `gone` are those that were deleted and not made again, by the intruder or, afterwards, by others (`removed`).
    """

    def __init__(self, requests: Sequence[Request], removed: Collection[ObjectName] = ()) -> None:
        created: set[ObjectName] = set()
        changed: set[ObjectName] = set()
        deleted: set[ObjectName] = set()
        read: set[ObjectName] = set()
        gone: set[_Key] = set()
        for request in requests:
            if not request.succeeded or not request.resource:
                continue
            name = request.object
            if request.subresource == "token" or (request.verb == "create" and not request.subresource):
                created.add(name)
                gone.discard(_key(name))  # made again after it was deleted
            elif request.verb in ("update", "patch"):
                (created if request.code == 201 else changed).add(name)
                if request.code == 201:
                    gone.discard(_key(name))
            elif request.verb in ("delete", "deletecollection"):
                deleted.add(name)
                gone.add(_key(name))
                if request.resource == "namespaces" and request.name:  # with all that is in it
                    gone.update(_key(o) for o in (*created, *changed) if o.namespace == request.name)
            elif request.verb in ("get", "list", "watch") and request.resource in ("secrets", "configmaps"):
                read.add(name)
        reviews = "reviews"
        self.created = tuple(sorted(o for o in created if not o.kind.endswith(reviews)))
        self.gone = frozenset((*gone, *map(_key, removed)))
        self.changed, self.deleted, self.read = (tuple(sorted(s)) for s in (changed, deleted, read))


class _Life:
    def __init__(self) -> None:
        self.created = self.deleted = ""
        self.created_step = self.deleted_step = 0
        self.changed: list[int] = []
        self.read: list[int] = []
        self.missing: list[int] = []
        self.grants = ""


def lives(steps: Sequence[StepDraft], causes: Sequence[RootCause]) -> tuple[ObjectLife, ...]:
    """The objects worth drawing, causes first, then in order of appearance."""
    found: dict[ObjectName, _Life] = {}
    cause_names: dict[ObjectName, RootCause] = {}
    for cause in causes:
        if cause.kind in _RESOURCES:
            name = ObjectName(_RESOURCES[cause.kind], cause.namespace, cause.name, "rbac.authorization.k8s.io")
            cause_names[name] = cause
            life = found.setdefault(name, _Life())
            life.created, life.deleted = cause.created, cause.deleted
            life.grants = _subject_identity(cause.subject)
    for number, draft in enumerate(steps, 1):
        for request in draft.requests:
            if request.resource in _DRAWN and not request.subresource and not request.refused:
                _live(found.setdefault(request.object, _Life()), request, number)
    out = []
    for name, life in found.items():
        role = _role(name, name in cause_names)
        out.append(
            ObjectLife(
                object=name,
                created=life.created,
                created_step=life.created_step,
                deleted=life.deleted,
                deleted_step=life.deleted_step,
                changed_steps=tuple(dict.fromkeys(life.changed)),
                read_steps=tuple(dict.fromkeys(life.read)),
                missing_steps=tuple(dict.fromkeys(life.missing)),
                role=role,
                grants=life.grants,
            )
        )
    return tuple(out)


def _live(life: _Life, request: Request, number: int) -> None:
    if request.missing:
        life.missing.append(number)
    elif not request.succeeded:
        return
    elif request.verb == "create" or request.code == 201:
        life.created, life.created_step = life.created or request.time, life.created_step or number
        subjects = grant_of(request.final).subjects if request.resource in BINDINGS else ()
        if subjects:
            subject = subjects[0]
            account = f"system:serviceaccount:{subject.namespace}:{subject.name}"
            life.grants = account if subject.kind == "ServiceAccount" else subject.name
    elif request.verb in ("delete", "deletecollection"):
        life.deleted, life.deleted_step = request.time, number
    elif request.verb in ("update", "patch"):
        life.changed.append(number)
    else:
        life.read.append(number)


def _role(name: ObjectName, is_cause: bool) -> LifeRole:
    if is_cause:
        return "cause"
    if name.kind in BINDINGS | ROLES or name.kind == "serviceaccounts":
        return "backdoor"
    if name.kind in WORKLOADS:
        return "workload"
    return "secret" if name.kind == "secrets" else "other"


def _subject_identity(subject: str) -> str:
    """The authorizer writes service accounts as name/namespace."""
    kind, _, name = subject.partition(" ")
    if kind == "ServiceAccount" and "/" in name:
        account, _, namespace = name.partition("/")
        return f"system:serviceaccount:{namespace}:{account}"
    return name


def exposed(requests: Sequence[Request], citer: Citer) -> tuple[Secret, ...]:
    """Credentials the intruder read or made, and how sure that is."""
    out: dict[tuple[str, str], Secret] = {}

    def add(namespace: str, name: str, en: str, zh: str, request: Request) -> None:
        out.setdefault((namespace, name), Secret(namespace, name, Text(en, zh), (citer.event(request.final),)))

    for request in requests:
        if not request.succeeded:
            continue
        if request.resource == "secrets" and request.verb in ("get", "list", "watch") and not request.subresource:
            _read(request, add)
        elif request.resource == "serviceaccounts" and request.subresource == "token" and request.verb == "create":
            en = f"a token for this service account was minted at {moment(request.time)}; delete the account to void it"
            zh = f"{moment(request.time)} 为该 ServiceAccount 签发了令牌；删除该账号可使其失效"
            add(request.namespace, request.name, en, zh, request)
        account = service_account(request.identity)
        if account and kind_of_name(request.identity) == "serviceaccount":
            en, zh = "a token of this service account is in the intruder's hands", "入侵者持有该 ServiceAccount 的令牌"
            add(*account, en, zh, request)
    return tuple(out[key] for key in sorted(out))


def _read(request: Request, add: object) -> None:
    assert callable(add)
    namespace, name = request.namespace, request.name
    if request.verb == "get" and name:
        add(namespace, name, f"read at {moment(request.time)}", f"于 {moment(request.time)} 被读取", request)
        return
    body = request.final.response_object
    items = body.get("items") if isinstance(body, dict) else None
    if isinstance(items, list) and items:
        for item in items[:_LISTED]:
            meta = item.get("metadata") if isinstance(item, dict) else None
            if isinstance(meta, dict) and isinstance(meta.get("name"), str):
                where = str(meta.get("namespace", namespace))
                add(
                    where,
                    meta["name"],
                    f"returned by a list at {moment(request.time)}",
                    f"出现在 {moment(request.time)} 的列表结果中",
                    request,
                )
        return
    if namespace:
        en, zh = (
            f"every Secret of the namespace was listed at {moment(request.time)}",
            f"{moment(request.time)} 列出了该命名空间的全部 Secret",
        )
    else:
        en, zh = (
            f"every Secret of the cluster was listed at {moment(request.time)}",
            f"{moment(request.time)} 列出了集群的全部 Secret",
        )
    add(namespace, "", f"{en}; the log does not name them", f"{zh}；日志未列出名称", request)
