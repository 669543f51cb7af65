"""The sample intrusion as one incident: actor, root cause, verdict, advice."""

from __future__ import annotations

from kubewitness.model.incident import (
    Action,
    Actor,
    EntryPoint,
    Incident,
    RootCause,
    Secret,
    Verdict,
)
from kubewitness.model.text import Text
from tests.report.sample_steps import (
    ADDRESS,
    AGENTS,
    ANONYMOUS,
    BACK_DOOR,
    MINER,
    PODS,
    SECRETS,
    STOLEN,
    SYSTEM_SECRETS,
    TECHNIQUES,
    THE_WAY_IN,
    at,
    lives,
    steps,
)


def incident() -> Incident:
    """The RBAC Buster intrusion."""
    chain = steps()
    return Incident(
        id="INC-20221023-01",
        severity="critical",
        confidence="high",
        title=Text(
            "Anyone on the internet was cluster-admin; a mining worm came in and its DaemonSet was never removed",
            "匿名用户被绑定为集群管理员，挖矿蠕虫由此入侵，其 DaemonSet 至今未见删除",
        ),
        story=(
            Text(
                "On 23 October at 17:30:24 UTC, a client at 203.0.113.77 that never logged in listed "
                "every Secret of shop-prod.",
                "10 月 23 日 17:30:24（UTC），203.0.113.77 在未经认证的情况下列出了集群 shop-prod 的全部 Secret。",
            ),
            Text(
                "Seven minutes later it bound a second admin identity, had a miner on all four nodes 56 "
                "seconds after that, "
                "and then deleted the binding that had let it in.",
                "7 分钟后，入侵者为另一个身份绑定管理员权限作为后门，56 秒内即向全部 4 个节点下发挖矿程序，"
                "随后删除了自己进来时利用的那条绑定。",
            ),
        ),
        first=chain[0].time,
        last=chain[-1].last,
        actors=(
            Actor(
                addresses=(ADDRESS,),
                identities=(ANONYMOUS, STOLEN),
                credentials=("JTI=2b7c0f6e-5d1a-4c8b-9e3f-0a1b2c3d4e5f",),
                agents=tuple(AGENTS.values()),
                claimed_addresses=("10.0.0.1",),
                why=(
                    Text(
                        "Both identities came from 203.0.113.77 within ten minutes.",
                        "两个身份 10 分钟内均来自 203.0.113.77。",
                    ),
                    Text(
                        "The token of the second was listed by the first, then used seven seconds later.",
                        "第二个身份的令牌先被第一个身份列出，7 秒后即被使用。",
                    ),
                ),
                requests=63,
                first=chain[0].time,
                last=chain[-1].last,
            ),
        ),
        entry_point=EntryPoint(
            chain[0].time,
            ANONYMOUS,
            ADDRESS,
            Text(
                "An anonymous `list secrets` over the whole cluster was allowed.",
                "匿名的全集群 `list secrets` 被放行。",
            ),
            (TECHNIQUES["T1078.001"],),
            chain[0].evidence,
        ),
        root_causes=(
            RootCause(
                kind="ClusterRoleBinding",
                name=THE_WAY_IN.name,
                role="ClusterRole cluster-admin",
                subject="User system:anonymous",
                description=Text(
                    "Every request that presents no credentials is system:anonymous, so this made each "
                    "of them cluster-admin.",
                    "凡不带凭据的请求都以 system:anonymous 身份处理，这条绑定使其全部成为集群管理员。",
                ),
                requests_authorised=4,
                requests_total=44,
                deleted=at("17:39:40.748118"),
                deleted_by=STOLEN,
                evidence=chain[0].evidence + chain[8].evidence,
            ),
        ),
        steps=chain,
        status=(
            (
                Text("Effect", "后果"),
                Text(
                    "DaemonSet kube-controller not seen deleted: treat as running",
                    "未见删除 DaemonSet kube-controller：按仍在运行处理",
                ),
            ),
            (Text("Way in", "入侵入口"), Text("Shut, by the intruder", "已关闭，由入侵者自己关闭")),
            (Text("Credentials", "凭据"), Text("Stolen token: not seen revoked", "被盗令牌：未见吊销")),
        ),
        lives=lives(),
        created=(BACK_DOOR, MINER),
        deleted=(THE_WAY_IN, BACK_DOOR),
        read=(SECRETS, SYSTEM_SECRETS),
        pods=PODS,
        nodes=("cp-1", "node-1", "node-2", "node-3"),
        secrets=(
            Secret(
                "kube-system",
                "default-token-x7k2p",
                Text(
                    "Token of kube-system:default: listed in steps 1, 3, 8 and used from step 4.",
                    "kube-system:default 的令牌：步骤 1、3、8 被列出，自步骤 4 起被使用。",
                ),
                chain[2].evidence,
            ),
            Secret(
                "kube-system",
                "",
                Text(
                    "Listed with values in steps 1, 3 and 8; use not seen.", "步骤 1、3、8 被列出（含内容）；未见使用。"
                ),
                chain[2].evidence + chain[7].evidence,
            ),
            Secret("", "", Text("Listed with values in step 1.", "步骤 1 被列出（含内容）。"), chain[0].evidence),
        ),
        verdict=Verdict(
            "worm",
            "high",
            (
                Text(
                    "Three agents in fixed order, python-requests, curl, kubectl: scanner, stage, "
                    "payload (steps 1, 2, 4).",
                    "三种客户端按固定顺序出现：python-requests、curl、kubectl，对应扫描、下发、执行（步骤 1、2、4）。",
                ),
                Text(
                    "Deletes workloads of other miners that were never here (steps 5, 10).",
                    "删除本集群从未存在过的其他挖矿团伙工作负载（步骤 5、10）。",
                ),
                Text(
                    "Namespace misspelt `kube-sytem`, as recorded for this campaign (step 10).",
                    "命名空间误拼为 `kube-sytem`，与该团伙既有记录一致（步骤 10）。",
                ),
                Text(
                    "Locks itself out and keeps asking for 90 s (steps 11, 12).",
                    "自断权限后仍重复请求 90 秒（步骤 11、12）。",
                ),
            ),
            (
                Text(
                    "The seven-minute pause after step 1 could serve a later buyer. Rotate as if a "
                    "person had read the Secrets.",
                    "步骤 1 之后停顿 7 分钟，不排除后续转售。请按 Secret 已被人工读取来轮换。",
                ),
            ),
        ),
        actions=actions(),
        limitations=(
            Text(
                "Processes and connections on the nodes: an audit log does not hold them; kubelet and "
                "containerd logs would.",
                "节点上的进程与网络连接：审计日志不含，需 kubelet 与 containerd 日志。",
            ),
            Text(
                "Which values the three lists returned: Secrets are logged at level Metadata.",
                "三次 list 返回了哪些内容：Secret 仅按 Metadata 级别记录。",
            ),
        ),
        findings=("F-0001", "F-0002"),
        audit_ids=tuple(e.audit_id for step in chain if step.act != "effect" for e in step.evidence),
    )


def actions() -> tuple[Action, ...]:
    """Advice in order."""
    return (
        Action(
            "snapshot",
            Text("Keep what the intruder can still take away", "先保全入侵者还能抹掉的东西"),
            Text("Audit log, etcd and the objects of kube-system.", "审计日志、etcd 与 kube-system 中的对象。"),
            "mkdir -p /var/tmp/ir && cp -a /var/log/kubernetes/audit* /var/tmp/ir/\n"
            "kubectl get ds,pods -n kube-system -o yaml > /var/tmp/ir/kube-system.yaml\n"
            "# with your usual --cacert --cert --key\netcdctl snapshot save /var/tmp/ir/etcd.db",
            True,
            Text("Nothing.", "无。"),
            Text("Delete the folder.", "删除该目录。"),
        ),
        Action(
            "isolate",
            Text("Cut the miner pods off the network", "切断挖矿 Pod 的网络"),
            Text("", ""),
            "kubectl apply -f - <<'Y'\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
            "metadata: {name: ir-quarantine, namespace: kube-system}\nspec:\n"
            "  podSelector: {matchLabels: {app: kube-controller}}\n  policyTypes: [Ingress, Egress]\nY",
            True,
            Text(
                "Only the 4 pods of this DaemonSet. Needs a CNI that enforces NetworkPolicy.",
                "仅影响该 DaemonSet 的 4 个 Pod。CNI 须支持 NetworkPolicy。",
            ),
            Text(
                "`kubectl -n kube-system delete networkpolicy ir-quarantine`",
                "`kubectl -n kube-system delete networkpolicy ir-quarantine`",
            ),
        ),
        Action(
            "dump",
            Text("Copy the miner from memory, on every node", "在每个节点上转储挖矿进程"),
            Text("", ""),
            'mkdir -p /var/tmp/ir\nfor e in /proc/[0-9]*/exe; do\n  [ "$(readlink "$e")" = '
            "/kube-controller ] || continue\n"
            '  p=${e%/exe}; n=${p#/proc/}; cp "$e" /var/tmp/ir/$n.exe\ndone; sha256sum /var/tmp/ir/*',
            True,
            Text("Nothing. Run on every node.", "无。须在每个节点执行。"),
            Text("Delete the folder.", "删除该目录。"),
        ),
        Action(
            "stop",
            Text("Delete the DaemonSet, not the process", "删除 DaemonSet，而不是杀进程"),
            Text(
                "Only after action 3: deleting it destroys what proves what it did.",
                "须在第 3 步之后：删除会毁掉证据。",
            ),
            "kubectl -n kube-system delete daemonset kube-controller --cascade=foreground",
            False,
            Text("No legitimate request names it.", "没有正常请求引用它。"),
            Text("None advised.", "不建议撤销。"),
        ),
        Action(
            "revoke",
            Text("End the stolen token, then rotate the other Secrets", "吊销被盗令牌，再轮换其余 Secret"),
            Text("", ""),
            "kubectl -n kube-system delete secret default-token-x7k2p",
            False,
            Text(
                "Pods in kube-system that use the default account lose API access until restarted.",
                "kube-system 中使用 default 账号的 Pod 须重启后才能访问 API。",
            ),
            Text("None. A new token is issued at once.", "无法撤销，会立即签发新令牌。"),
        ),
        Action(
            "fix",
            Text("Refuse anonymous requests", "关闭匿名请求"),
            Text(
                "Set `--anonymous-auth=false` on the API server, or bind nothing to system:anonymous.",
                "在 API Server 上设置 `--anonymous-auth=false`，或不向 system:anonymous 绑定任何权限。",
            ),
            "",
            False,
            Text(
                "Health checks that send no credential: 8,640 requests a day from 10.20.0.2.",
                "不带凭据的健康检查：来自 10.20.0.2，每天 8,640 次。",
            ),
            Text("Remove the flag.", "移除该参数。"),
        ),
        Action(
            "verify",
            Text("Prove that it is closed", "验证入口已关闭"),
            Text("", ""),
            "# expect no\nkubectl auth can-i '*' '*' --as=system:anonymous",
            True,
            Text("Nothing. Read only.", "无，只读。"),
            Text("Not needed.", "无需。"),
        ),
    )
