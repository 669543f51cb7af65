"""What an investigation asks of an audit log, and whether a policy keeps the answer.

Each question is a handful of requests an intruder makes, each asked by different people: a rule that leaves one of
them out ("our own pods are noise") leaves out the intruder who has become one of them.

Source: both incidents; what detections of this program need.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text
from kubewitness.posture.control_plane.audit_policy import LEVELS, Asked

_RBAC: Final = "rbac.authorization.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"


class Person(NamedTuple):
    """Who asks."""

    words: Text
    user: str
    groups: tuple[str, ...]


ADMINISTRATOR: Final = Person(
    Text("administrators (system:masters)", "管理员（system:masters）"),
    "kubernetes-admin", ("system:masters", "system:authenticated"),
)  # fmt: skip
USER: Final = Person(Text("users", "普通用户"), "somebody", ("system:authenticated",))
ACCOUNT: Final = Person(
    Text("service accounts", "ServiceAccount"), "system:serviceaccount:shop:default",
    ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"),
)  # fmt: skip
SYSTEM_ACCOUNT: Final = Person(
    Text("service accounts of kube-system", "kube-system 中的 ServiceAccount"),
    "system:serviceaccount:kube-system:default",
    ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
)
NOBODY: Final = Person(
    Text("people without a credential (system:anonymous)", "未认证者（system:anonymous）"),
    "system:anonymous", ("system:unauthenticated",),
)  # fmt: skip
PEOPLE: Final = (ADMINISTRATOR, USER, ACCOUNT, NOBODY)


class Question(NamedTuple):
    """What is asked of the log."""

    id: str
    words: Text
    requests: tuple[Asked, ...]  # the asker is filled in
    severity: Severity = "medium"
    people: tuple[Person, ...] = PEOPLE
    body: bool = False  # the request's body is part of the answer
    deepest: str = LEVELS[-1]  # the deepest level that puts no credential into the log
    long: bool = False  # the request lasts: ResponseStarted tells of it too

    def asked_by(self, person: Person) -> tuple[Asked, ...]:
        """The requests of one person."""
        return tuple(one._replace(user=person.user, groups=person.groups) for one in self.requests)


def _ask(verb: str, resource: str, group: str = "", namespace: str = "shop", name: str = "x") -> Asked:
    return Asked("", (), verb, group, resource, namespace, name)


QUESTIONS: Final = (
    Question(
        "rbac_writes",
        Text("who changed roles and bindings", "谁修改了角色和绑定"),
        (
            _ask("create", "clusterrolebindings", _RBAC, ""), _ask("delete", "clusterrolebindings", _RBAC, ""),
            _ask("patch", "clusterroles", _RBAC, ""), _ask("create", "rolebindings", _RBAC),
            _ask("update", "roles", _RBAC),
        ),
        people=(ADMINISTRATOR, USER, ACCOUNT, SYSTEM_ACCOUNT, NOBODY),
        body=True,
    ),
    Question(
        "exec",
        Text("who ran commands in pods or reached into them", "谁在 Pod 中执行了命令或连入其中"),
        tuple(_ask(verb, f"pods/{sub}") for verb in ("create", "get") for sub in ("exec", "attach", "portforward")),
        long=True,
    ),
    Question(
        "secrets",
        Text("who read Secrets", "谁读取了 Secret"),
        (_ask("get", "secrets"), _ask("list", "secrets", namespace="", name="")),
        deepest="Request",
    ),
    Question(
        "secret_writes",
        Text("who wrote Secrets", "谁写入了 Secret"),
        (_ask("create", "secrets"), _ask("update", "secrets"), _ask("patch", "secrets")),
        people=(ADMINISTRATOR, USER, ACCOUNT),
        deepest="Metadata",
    ),
    Question(
        "tokens",
        Text("who had tokens issued", "谁签发了令牌"),
        (_ask("create", "serviceaccounts/token"),),
        people=(ADMINISTRATOR, USER, ACCOUNT, NOBODY),
        deepest="Request",
    ),
    Question(
        "certificates",
        Text("who asked for and approved certificates", "谁申请并批准了证书"),
        (
            _ask("create", "certificatesigningrequests", _CERTIFICATES, ""),
            _ask("update", "certificatesigningrequests/approval", _CERTIFICATES, ""),
        ),
    ),
    Question(
        "workloads",
        Text("who started pods and workloads", "谁启动了 Pod 和工作负载"),
        (
            _ask("create", "pods"), _ask("create", "daemonsets", "apps"), _ask("patch", "deployments", "apps"),
            _ask("create", "cronjobs", "batch"), _ask("create", "pods", namespace="kube-system"),
        ),
        body=True,
    ),
    Question(
        "kubelet_proxy",
        Text("who reached kubelets through nodes/proxy", "谁经由 nodes/proxy 访问了 kubelet"),
        (_ask("get", "nodes/proxy", namespace=""), _ask("create", "nodes/proxy", namespace="")),
        long=True,
    ),
    Question(
        "deletions",
        Text("who deleted things to cover their tracks", "谁删除了对象以掩盖痕迹"),
        (
            _ask("delete", "pods"), _ask("delete", "daemonsets", "apps"), _ask("delete", "rolebindings", _RBAC),
        ),
    ),
    Question(
        "anonymous",
        Text("what people without a credential tried", "未认证者尝试了什么"),
        (
            _ask("list", "pods", namespace="", name=""), _ask("list", "nodes", namespace="", name=""),
            _ask("create", "deployments", "apps"), _ask("get", "configmaps"),
        ),
        people=(NOBODY,),
    ),
)  # fmt: skip
