"""What to do now, in the order that keeps evidence: snapshot, isolate, dump, stop, revoke, fix, verify.

Nothing here is run. Every name comes out of hostile evidence: it is quoted for the shell, and one that is not what it
seems to be stands in no command (`command_names`). An action is `safe` only if nobody can depend on what it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from kubewitness.incident.blast import Touched
from kubewitness.incident.certificates import Issued
from kubewitness.incident.certificates import advice as of_certificates
from kubewitness.incident.command_names import doubt_of_object, escaped, file_name, fit, is_seen, left_out, target, why
from kubewitness.incident.deeds import BINDINGS, ROLES
from kubewitness.incident.story import workloads_left
from kubewitness.model.incident import Action, ObjectName, RootCause, Secret
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name

_EACH = 12


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
) -> tuple[Action, ...]:
    """The actions of one incident."""
    left = workloads_left(touched)
    actions = [_snapshot(left, causes)]
    actions += _isolate(left, addresses)
    if pods or left:
        actions.append(_dump(pods, nodes))
    actions += _stop(left)
    accounts = stolen_accounts(causes, secrets)
    actions += _revoke(touched, secrets, accounts)
    actions += of_certificates(certificates)
    actions += _fix(causes, accounts)
    actions.append(_verify(causes, identities))
    return tuple(actions)


def _snapshot(left: Sequence[ObjectName], causes: Sequence[RootCause]) -> Action:
    lines = ["mkdir -p evidence && cd evidence"]
    lines += [f"kubectl get {target(o)} -o yaml > {file_name(o.kind, o.name)}" for o in fit(left)[:_EACH]]
    lines += [
        "kubectl get clusterrolebindings,clusterroles -o yaml > rbac-cluster.yaml",
        "kubectl get rolebindings,roles,serviceaccounts -A -o yaml > rbac-namespaced.yaml",
        "kubectl get pods -A -o wide > pods.txt && kubectl get events -A -o yaml > events.yaml",
    ]
    del causes
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


def _isolate(left: Sequence[ObjectName], addresses: Sequence[str]) -> list[Action]:
    actions = []
    outside = [a for a in addresses if a and scope_of(a) == "public"]
    if outside:
        rules = [f"iptables -I INPUT -s {quote(a)} -p tcp --dport 6443 -j DROP" for a in outside[:_EACH]]
        actions.append(
            Action(
                "isolate",
                Text("Keep the intruder's addresses from the API server", "阻断入侵者地址访问 API server"),
                Text(
                    "On every control-plane node, or in the cloud's security group. An intruder can change "
                    "address: this buys time.",
                    "在每个控制平面节点或云安全组上执行。入侵者可以更换地址，此举只为争取时间。",
                ),
                "\n".join(rules),
                safe=True,
                breaks=Text("Only these addresses", "仅影响上述地址"),
                undo=Text("The same rules with -D", "将规则中的 -I 换成 -D"),
            )
        )
    namespaces = sorted({o.namespace for o in fit(left) if o.namespace})
    for namespace in namespaces[:3]:
        within = [o for o in left if o.namespace == namespace]
        names = ", ".join(o.name for o in fit(within))
        unnamed = left_out(within)
        actions.append(
            Action(
                "isolate",
                Text(f"Cut {names} off the network", f"切断 {names} 的网络"),
                Text(
                    "Label the pods and deny their traffic, so that the processes stay for the dump. Pods on the host "
                    "network ignore a NetworkPolicy; some CNI plugins ignore all of them." + unnamed.en,
                    "给 Pod 打标签并拒绝其流量，保留进程以便取证。hostNetwork 的 Pod 不受 NetworkPolicy 约束，"
                    "部分 CNI 不支持 NetworkPolicy。" + unnamed.zh,
                ),
                _deny(namespace, fit(within)),
                safe=False,
                breaks=Text("Network of the labelled pods", "被标记 Pod 的网络"),
                undo=Text(
                    "kubectl delete networkpolicy kubewitness-quarantine",
                    "kubectl delete networkpolicy kubewitness-quarantine",
                ),
            )
        )
    return actions


def _deny(namespace: str, left: Sequence[ObjectName]) -> str:
    lines = [f"# pods of {', '.join(quote(o.name) for o in left[:_EACH])}"]
    lines += [
        f"kubectl -n {quote(namespace)} get pods -o name | grep -F {quote('/' + o.name)} | "
        f"xargs -r -I{{}} kubectl -n {quote(namespace)} label {{}} kubewitness/quarantine=true --overwrite"
        for o in left[:_EACH]
    ]
    return "\n".join(
        [
            *lines,
            f"kubectl -n {quote(namespace)} apply -f - <<'EOF'",
            "apiVersion: networking.k8s.io/v1",
            "kind: NetworkPolicy",
            "metadata: {name: kubewitness-quarantine}",
            "spec:",
            "  podSelector: {matchLabels: {kubewitness/quarantine: 'true'}}",
            "  policyTypes: [Ingress, Egress]",
            "EOF",
        ]
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
            undo=Text("kubectl apply -f of the snapshot", "用快照执行 kubectl apply -f"),
        )
    ]


def _revoke(touched: Touched, secrets: Sequence[Secret], accounts: Sequence[ObjectName]) -> list[Action]:
    actions = []
    gone = set(touched.deleted)
    backdoors = [o for o in touched.created if o.kind in BINDINGS | ROLES | {"serviceaccounts"} and o not in gone]
    if backdoors:
        unnamed = left_out(backdoors)
        actions.append(
            Action(
                "revoke",
                Text("Remove the back doors", "清除后门"),
                Text(
                    "Accounts, roles and bindings the intruder made and left." + unnamed.en,
                    "入侵者创建并遗留的账号、角色与绑定。" + unnamed.zh,
                ),
                "\n".join(f"kubectl delete {target(o)}" for o in fit(backdoors)[:_EACH]),
                safe=False,
                breaks=Text("Whoever has come to rely on them", "已依赖它们的使用者"),
                undo=Text("kubectl apply -f of the snapshot", "用快照执行 kubectl apply -f"),
            )
        )
    if secrets:
        actions.append(rotate(secrets, accounts))
    return actions


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
    at = target(binding)
    command = (
        f"kubectl get {at} -o yaml > {file_name(cause.kind.lower(), cause.name)}\n"
        f"kubectl delete {at} --ignore-not-found"
    )
    state = Text(
        " It was deleted during the incident: make sure nothing applies it again.",
        "它已在事件中被删除：确认不会被重新下发。",
    )
    unnamed = left_out([binding])
    return Action(
        "fix",
        Text(f"Close the way in: {cause.kind} {cause.place}", f"关闭入口：{cause.kind} {cause.place}"),
        Text(
            f"It gives {cause.role} to {cause.subject}." + (state.en if cause.deleted else "") + unnamed.en,
            f"它将 {cause.role} 授予 {cause.subject}。" + (state.zh if cause.deleted else "") + unnamed.zh,
        ),
        "" if doubt_of_object(binding) else command,
        safe=False,
        breaks=Text(f"Whatever legitimately acts as {cause.subject}", f"以 {cause.subject} 身份正常工作的系统"),
        undo=Text("kubectl apply -f of the saved copy", "用保存的副本执行 kubectl apply -f"),
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
