"""What to do now, in the order that keeps evidence: snapshot, isolate, dump, stop, revoke, fix, verify.

Nothing here is run. Every name comes out of hostile evidence: it is quoted for the shell, and one that is not what it
seems to be stands in no command (`command_names`). An action is `safe` only if nobody can depend on what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from types import MappingProxyType
from typing import Final

from kubewitness.incident.blast import Touched
from kubewitness.incident.certificates import Issued
from kubewitness.incident.certificates import advice as of_certificates
from kubewitness.incident.command_names import doubt_of_object, escaped, file_name, fit, is_seen, left_out, target, why
from kubewitness.incident.deeds import BINDINGS, ROLES
from kubewitness.incident.fallen_nodes import rebuild
from kubewitness.incident.identity.nodes import NodeGained
from kubewitness.incident.isolating import isolate
from kubewitness.incident.story import others_left, workloads_left
from kubewitness.model.incident import Action, ObjectName, RootCause, Secret
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_EACH = 12
_WEBHOOKS: Final = frozenset(("mutatingwebhookconfigurations", "validatingwebhookconfigurations"))
_BACK_DOORS: Final = BINDINGS | ROLES | _WEBHOOKS | {"serviceaccounts"}
_ROLLED_OUT: Final = ("deployments", "daemonsets", "statefulsets")
_OWN: Final = ("system:", "kubeadm:")  # bindings that Kubernetes and its installer make begin so, and this one:
_ADMIN: Final = "cluster-admin"
# What `kubectl get -o yaml` writes is refused as a new object while it names a version.
_AGAIN: Final = Text(
    "kubectl apply -f of the copy, after taking metadata.resourceVersion and uid out of it",
    "从副本中去掉 metadata.resourceVersion 与 uid，再执行 kubectl apply -f",
)


def advice(
    *,
    causes: Sequence[RootCause],
    touched: Touched,
    pods: Sequence[ObjectName],
    nodes: Sequence[str],
    secrets: Sequence[Secret],
    addresses: Sequence[str],
    identities: Sequence[str],
    certificates: Sequence[Issued] = (),
    shared: Mapping[str, Sequence[str]] = MappingProxyType({}),
    machines: Sequence[NodeGained] = (),
) -> tuple[Action, ...]:
    """The actions of one incident. `shared`: who else came from one of the addresses, by address."""
    left, others = workloads_left(touched), others_left(touched)
    back_doors = [o for o in others if o.kind in _BACK_DOORS and o in touched.created]
    changed = [o for o in others if o not in touched.created]
    actions = [_snapshot([*left, *(o for o in back_doors if o.kind in _WEBHOOKS), *changed])]
    actions += isolate(left, addresses, shared)
    if pods or left:
        actions.append(_dump(pods, nodes))
    actions += _stop(left)
    accounts = stolen_accounts(causes, secrets)
    actions += _revoke(back_doors, secrets, accounts)
    actions += of_certificates(certificates)
    actions += rebuild(machines, nodes)
    actions += _put_back(changed)
    actions += _fix(causes, accounts)
    actions.append(_verify(causes, identities))
    return tuple(actions)


def _snapshot(left: Sequence[ObjectName]) -> Action:
    lines = ["mkdir -p evidence && cd evidence"]
    lines += [f"kubectl get {target(o)} -o yaml > {_copy(o)}" for o in fit(left)[:_EACH]]
    lines += [
        "kubectl get clusterrolebindings,clusterroles -o yaml > rbac-cluster.yaml",
        "kubectl get rolebindings,roles,serviceaccounts -A -o yaml > rbac-namespaced.yaml",
        "kubectl get pods -A -o wide > pods.txt && kubectl get events -A -o yaml > events.yaml",
    ]
    unnamed = left_out(left)
    return Action(
        "snapshot",
        Text("Keep what the next steps will change", "先保存后续步骤会改动的内容"),
        Text(
            "Kube Events expire after an hour; copy the audit log off the machine too." + unnamed.en,
            "Kube Event 一小时后过期；审计日志也应复制到其他机器。" + unnamed.zh,
        ),
        "\n".join(lines),
        safe=True,
        breaks=Text("Nothing", "无"),
        undo=Text("Delete the copies", "删除副本"),
    )


def _dump(pods: Sequence[ObjectName], nodes: Sequence[str]) -> Action:
    where = Text(
        f"On {', '.join(nodes[:8])}" if nodes else "On every node that ran the pods",
        f"在 {'、'.join(nodes[:8])} 上" if nodes else "在运行过这些 Pod 的每个节点上",
    )
    names = [o.name for o in fit(pods)[:_EACH]]
    filter_ = " ".join(f"-e {quote(name)}" for name in names) or "-e ."
    return Action(
        "dump",
        Text("Copy the running programs before they stop", "停止之前先转储正在运行的程序"),
        Text(
            f"{where.en}: executable, command line and open sockets of each container. Stopping the runtime "
            "destroys them.",
            f"{where.zh}：保存每个容器的可执行文件、命令行与套接字。停止容器运行时会销毁这些证据。",
        ),
        "\n".join(
            [
                f'crictl ps -o json | grep -o \'"id": "[0-9a-f]*"\' > containers.txt  # pods: grep {filter_}',
                "for id in $(crictl ps -q); do",
                "  pid=$(crictl inspect --output go-template --template '{{.info.pid}}' \"$id\") || continue",
                '  mkdir -p "dump/$id" && cp "/proc/$pid/exe" "dump/$id/exe"',
                '  tr \'\\0\' \' \' < "/proc/$pid/cmdline" > "dump/$id/cmdline"; nsenter -t "$pid" -n ss -tunap '
                '> "dump/$id/ss"',
                "done",
            ]
        ),
        safe=True,
        breaks=Text("Nothing; needs root and disk space", "无；需要 root 权限与磁盘空间"),
        undo=Text("Delete the copies", "删除副本"),
    )


def _stop(left: Sequence[ObjectName]) -> list[Action]:
    if not left:
        return []
    unnamed = left_out(left)
    return [
        Action(
            "stop",
            Text("Remove what the intruder deployed", "删除入侵者部署的工作负载"),
            Text(
                "Only after the dump: deleting the pods deletes the evidence in them." + unnamed.en,
                "务必在转储之后：删除 Pod 会一并删除其中的证据。" + unnamed.zh,
            ),
            "\n".join(f"kubectl delete {target(o)} --cascade=foreground" for o in fit(left)[:_EACH]),
            safe=False,
            breaks=Text("The named workloads", "所列工作负载"),
            undo=_AGAIN,
        )
    ]


def _copy(name: ObjectName) -> str:
    """The file that a copy of an object goes to; of two of one name, each its own."""
    return file_name(*filter(None, (name.kind, name.namespace, name.name)))


def _revoke(
    back_doors: Sequence[ObjectName], secrets: Sequence[Secret], accounts: Sequence[ObjectName]
) -> list[Action]:
    actions = []
    if back_doors:
        unnamed = left_out(back_doors)
        actions.append(
            Action(
                "revoke",
                Text("Remove the back doors", "清除后门"),
                Text(
                    "Accounts, roles, bindings and webhooks the intruder made and left." + unnamed.en,
                    "入侵者创建并遗留的账号、角色、绑定与 webhook。" + unnamed.zh,
                ),
                "\n".join(f"kubectl delete {target(o)}" for o in fit(back_doors)[:_EACH]),
                safe=False,
                breaks=Text("Whoever has come to rely on them", "已依赖它们的使用者"),
                undo=_AGAIN,
            )
        )
    if secrets:
        actions.append(rotate(secrets, accounts))
    return actions


def _put_back(changed: Sequence[ObjectName]) -> list[Action]:
    """What was there before cannot be deleted, and the log rarely holds how it was: that is with its owner."""
    if not changed:
        return []
    unnamed = left_out(changed)
    lines = [f"kubectl {_look(o)}" for o in fit(changed)[:_EACH]]
    return [
        Action(
            "fix",
            Text("Put back what the intruder changed", "恢复入侵者修改过的对象"),
            Text(
                "Compare each object with where it comes from (Git, Helm, its owner) and apply that again."
                + unnamed.en,
                "将每个对象与其来源（Git、Helm 或负责人处的配置）对照，并重新下发。" + unnamed.zh,
            ),
            "\n".join(lines),
            safe=False,
            breaks=Text("Whatever was changed since by others", "此后由他人所做的修改"),
            undo=_AGAIN,
        )
    ]


def _look(name: ObjectName) -> str:
    if name.kind in _ROLLED_OUT:
        return f"rollout history {target(name)}"
    if name.kind == "pods":
        return f"get {target(name)} -o jsonpath='{{.spec.ephemeralContainers[*].name}}'  # they stay as long as the pod"
    return f"describe {target(name)}" if name.kind == "secrets" else f"get {target(name)} -o yaml"


def stolen_accounts(causes: Sequence[RootCause], secrets: Sequence[Secret]) -> tuple[ObjectName, ...]:
    """Service accounts whose token was the way in, as far as they are among what to rotate."""
    listed = {(one.namespace, one.name) for one in secrets}
    accounts = [
        _account(cause.name)
        for cause in causes
        if cause.kind == "Credential" and kind_of_name(cause.name) == "serviceaccount"
    ]
    return tuple(dict.fromkeys(one for one in accounts if (one.namespace, one.name) in listed))


def _account(identity: str) -> ObjectName:
    namespace, _, name = identity.removeprefix("system:serviceaccount:").partition(":")
    return ObjectName("serviceaccounts", namespace, name)


def rotate(secrets: Sequence[Secret], accounts: Sequence[ObjectName] = ()) -> Action:
    """To rotate what was read or made; `accounts` are those of the service accounts to void at once."""
    number = "1 credential" if len(secrets) == 1 else f"{len(secrets)} credentials"
    wide = any(not s.name and not s.namespace for s in secrets)
    listed = [
        "# " + escaped(f"{s.namespace or 'all namespaces'}/{s.name or '(every Secret)'}: {s.description.en}")
        for s in secrets[:30]
    ]
    listed += [
        f"kubectl delete {target(account)}  # voids its tokens; create it again and restart its pods"
        for account in fit(accounts)[:_EACH]
    ]
    unnamed = left_out(accounts)
    return Action(
        "revoke",
        Text(
            "Rotate every credential of the cluster" if wide else f"Rotate {number}",
            "轮换集群中的全部凭据" if wide else f"轮换 {len(secrets)} 项凭据",
        ),
        Text(
            "A Secret read once stays known: change it where it is used (databases, registries, clouds), not only "
            "here. Deleting a ServiceAccount voids all its tokens." + unnamed.en,
            "被读取过的 Secret 永远视为泄露：须在其使用处（数据库、镜像仓库、云账号）更换，而不只是在集群内。"
            "删除 ServiceAccount 会使其全部令牌失效。" + unnamed.zh,
        ),
        "\n".join(listed),
        safe=False,
        breaks=Text("Whatever uses the old value until it has the new one", "仍在使用旧值的系统，直至换成新值"),
        undo=Text("None: do not go back to a known secret", "无：不要恢复已泄露的凭据"),
    )


def _fix(causes: Sequence[RootCause], rotated: Sequence[ObjectName]) -> list[Action]:
    actions = []
    for cause in causes:
        if cause.kind.endswith("Binding"):
            actions.append(_fix_binding(cause))
        elif cause.kind == "Credential" and _account(cause.name) not in rotated:
            actions.append(_fix_credential(cause))
    return actions


def _fix_binding(cause: RootCause) -> Action:
    binding = ObjectName(f"{cause.kind.lower()}s", cause.namespace, cause.name, "rbac.authorization.k8s.io")
    at, own = target(binding), cause.name.startswith(_OWN) or cause.name == _ADMIN
    saved = f"kubectl get {at} -o yaml > {file_name(*filter(None, (cause.kind.lower(), cause.namespace, cause.name)))}"
    closing = f"kubectl edit {at}  # take this subject out, leave the others" if own else ""
    command = f"{saved}\n{closing or f'kubectl delete {at} --ignore-not-found'}"
    state = Text(
        " It was deleted during the incident: make sure nothing applies it again.",
        "它已在事件中被删除：确认不会被重新下发。",
    )
    needed = Text(
        " Kubernetes itself has a binding of this name: do not delete it.",
        "Kubernetes 自身有同名绑定：请勿删除。",
    )
    said = Text("", "") if not own else needed
    said = Text(said.en + (state.en if cause.deleted else ""), said.zh + (state.zh if cause.deleted else ""))
    unnamed = left_out([binding])
    alone = Text(f"Whatever legitimately acts as {cause.subject}", f"以 {cause.subject} 身份正常工作的系统")
    every = Text(
        f"{alone.en}, and the binding's other subjects, if it has any", f"{alone.zh}，以及该绑定的其他主体（如有）"
    )
    return Action(
        "fix",
        Text(f"Close the way in: {cause.kind} {cause.place}", f"关闭入口：{cause.kind} {cause.place}"),
        Text(
            f"It gives {cause.role} to {cause.subject}." + said.en + unnamed.en,
            f"它将 {cause.role} 授予 {cause.subject}。" + said.zh + unnamed.zh,
        ),
        "" if doubt_of_object(binding) else command,
        safe=False,
        breaks=alone if own else every,
        undo=_AGAIN,
    )


def _fix_credential(cause: RootCause) -> Action:
    if kind_of_name(cause.name) == "serviceaccount":
        account = _account(cause.name)
        unnamed = left_out([account])
        command = f"kubectl delete {target(account)}\n# then create it again and restart its pods"
        command = "" if doubt_of_object(account) else command
        detail = Text("Deleting the account voids every token of it.", "删除账号会使其所有令牌失效。")
    else:
        doubt = "" if is_seen(cause.name) else "unseen"
        unnamed = why(doubt, [cause.name]) if doubt else Text("", "")
        unnamed = Text(unnamed.en and " " + unnamed.en, unnamed.zh)
        # -F -e: the name is text to look for, whatever it begins with
        command = f"kubectl get clusterrolebindings,rolebindings -A -o wide | grep -F -e {quote(cause.name)}"
        command = "" if doubt else command
        detail = Text(
            "A client certificate cannot be revoked one by one: remove every binding of the user and its "
            "groups, or re-key the CA.",
            "客户端证书无法单独吊销：删除该用户及其组的全部绑定，或更换 CA。",
        )
    return Action(
        "fix",
        Text(f"Void the credential of {cause.name}", f"作废 {cause.name} 的凭据"),
        Text(detail.en + unnamed.en, detail.zh + unnamed.zh),
        command,
        safe=False,
        breaks=Text(f"Everything that uses {cause.name}", f"所有使用 {cause.name} 的系统"),
        undo=Text("Recreate the account; its old tokens stay void", "重新创建账号；旧令牌仍然无效"),
    )


def _verify(causes: Sequence[RootCause], identities: Sequence[str]) -> Action:
    del causes
    lines, unseen = [], [i for i in identities if not is_seen(i)]
    for identity in [i for i in identities if i and is_seen(i)][:4]:
        group = " --as-group=system:unauthenticated" if identity == "system:anonymous" else ""
        lines.append(f"kubectl auth can-i --list --as={quote(identity)}{group}")
    lines.append(
        "curl -sk -o /dev/null -w '%{http_code}\\n' https://API_SERVER:6443/api/v1/secrets  # 401 or 403 expected"
    )
    unnamed = why("unseen", unseen) if unseen else Text("", "")
    return Action(
        "verify",
        Text("Prove that it is closed", "验证入口已关闭"),
        Text(
            "From outside, as the intruder would. Then run kubewitness again over the log of the next hours."
            + (unnamed.en and " " + unnamed.en),
            "从外部以入侵者的方式验证；随后对之后数小时的日志再次运行 kubewitness。" + unnamed.zh,
        ),
        "\n".join(lines),
        safe=True,
        breaks=Text("Nothing", "无"),
        undo=Text("Not needed", "无需"),
    )
