"""The sample intrusion step by step: citations with originals, steps, and the lives of the objects they touched.

The trail follows a published honeypot record (23 October 2022: an anonymous cluster-admin binding, a miner
DaemonSet, the binding deleted afterwards). Addresses are from documentation ranges; audit IDs and lines are made
up.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kubewitness.model.incident import (
    Act,
    Evidence,
    ObjectLife,
    ObjectName,
    Step,
    Technique,
)
from kubewitness.model.text import Text

ANONYMOUS = "system:anonymous"
STOLEN = "system:serviceaccount:kube-system:default"
ADDRESS = "203.0.113.77"
LOG = "audit.log"
OLD_LOG = "audit-2022-10-23T12-00-00.log.gz"
SHA = "794e724e5a7a081b3d4f6c2e9a8b7d6e5f4c3b2a190817263544536271809fab"

CRB = "clusterrolebindings"
RBAC = "rbac.authorization.k8s.io"
THE_WAY_IN = ObjectName(CRB, "", "cluster-system-anonymous", RBAC)
BACK_DOOR = ObjectName(CRB, "", "kube-controller-manager", RBAC)
MINER = ObjectName("daemonsets", "kube-system", "kube-controller", "apps")
SECRETS = ObjectName("secrets", "", "")
SYSTEM_SECRETS = ObjectName("secrets", "kube-system", "")
RIVALS = (
    ObjectName("deployments", "default", "worker-deployment", "apps"),
    ObjectName("deployments", "kube-system", "api-proxy", "apps"),
    ObjectName("pods", "default", "kube-secure-fhgxtsjh"),
    ObjectName("pods", "default", "kube-secure-fhgxt"),
)
TYPO = ObjectName("daemonsets", "kube-sytem", "api-proxy", "apps")
PODS = tuple(
    ObjectName("pods", "kube-system", f"kube-controller-{end}") for end in ("7kq2d", "x4b9z", "m8tfw", "h2vrc")
)

AGENTS = {
    "python": "python-requests/2.27.1",
    "curl": "curl/7.64.0",
    "kubectl": "kubectl/v1.24.4 (linux/amd64) kubernetes/95ee5ab",
}
TECHNIQUES = {
    "T1078.001": Technique("T1078.001", "Default Accounts", ("initial-access",)),
    "T1552.007": Technique("T1552.007", "Container API", ("credential-access",)),
    "T1098.006": Technique("T1098.006", "Additional Container Cluster Roles", ("persistence",)),
    "T1550.001": Technique("T1550.001", "Application Access Token", ("defense-evasion",)),
    "T1613": Technique("T1613", "Container and Resource Discovery", ("discovery",)),
    "T1489": Technique("T1489", "Service Stop", ("impact",)),
    "T1610": Technique("T1610", "Deploy Container", ("execution",)),
    "T1036.005": Technique("T1036.005", "Match Legitimate Resource Name or Location", ("defense-evasion",)),
    "T1496.001": Technique("T1496.001", "Compute Hijacking", ("impact",)),
    "T1070": Technique("T1070", "Indicator Removal", ("defense-evasion",)),
    "T1531": Technique("T1531", "Account Access Removal", ("impact",)),
}
_ALLOWED_ANONYMOUS = (
    'RBAC: allowed by ClusterRoleBinding "cluster-system-anonymous" of ClusterRole "cluster-admin" '
    'to User "system:anonymous"'
)
_ALLOWED_STOLEN = (
    'RBAC: allowed by ClusterRoleBinding "kube-controller-manager" of ClusterRole "cluster-admin" '
    'to ServiceAccount "default/kube-system"'
)


def at(clock: str) -> str:
    """A time of the day of the intrusion."""
    return f"2022-10-23T{clock}Z"


def uri_of(name: ObjectName) -> str:
    root = f"/apis/{name.group}/v1" if name.group else "/api/v1"
    space = f"/namespaces/{name.namespace}" if name.namespace else ""
    return f"{root}{space}/{name.kind}" + (f"/{name.name}" if name.name else "")


def cited(  # noqa: PLR0917
    number: int, clock: str, verb: str, target: ObjectName, identity: str, agent: str, code: int, address: str = ADDRESS
) -> Evidence:
    """A citation with its original, as the API server would have written it."""
    audit_id = f"c0a1e7d2-41b3-4f6e-8a1b-{number:012d}"
    allowed = code not in (401, 403)
    reason = _ALLOWED_ANONYMOUS if identity == ANONYMOUS else _ALLOWED_STOLEN
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata" if target.kind == "secrets" else "RequestResponse",
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": uri_of(target),
        "verb": verb,
        "user": {
            "username": identity,
            "groups": ["system:unauthenticated"]
            if identity == ANONYMOUS
            else ["system:serviceaccounts", "system:authenticated"],
        },
        "sourceIPs": [address],
        "userAgent": agent,
        "objectRef": {
            k: v
            for k, v in (
                ("resource", target.kind),
                ("namespace", target.namespace),
                ("name", target.name),
                ("apiGroup", target.group),
                ("apiVersion", "v1"),
            )
            if v
        },
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": at(clock + "118"),
        "stageTimestamp": at(clock + "901"),
        "annotations": {
            "authorization.k8s.io/decision": "allow" if allowed else "forbid",
            "authorization.k8s.io/reason": reason if allowed else "",
        },
    }
    called = "/".join(part for part in (target.kind, target.namespace, target.name) if part)
    return Evidence(
        audit_id=audit_id,
        item=LOG,
        line=94_762 + 37 * number,
        offset=132_988_204 + 51_201 * number,
        time=at(clock + "118"),
        stage="ResponseComplete",
        sha256=SHA,
        summary=f"{verb} {called} by {identity} from {address}: {code}",
        decisive=(
            "verb",
            "user.username",
            "sourceIPs",
            "objectRef.name",
            "responseStatus.code",
            "annotations.authorization.k8s.io/reason",
        ),
        original=json.dumps(event, separators=(",", ":")),
    )


def _step(  # noqa: PLR0917
    number: int,
    clock: str,
    act: Act,
    who: str,
    agent: str,
    description: Text,
    why: Text,
    techniques: tuple[str, ...],
    targets: tuple[ObjectName, ...],
    verb: str,
    code: int = 200,
    *,
    last: str = "",
    requests: int = 0,
    inferred: float = 0.0,
    effects: tuple[Text, ...] = (),
    effect_events: int = 0,
) -> Step:
    requests = requests or len(targets)
    evidence = tuple(
        cited(40 * number + i, clock, verb, targets[i % len(targets)], who, AGENTS[agent], code)
        for i in range(requests)
    )
    return Step(
        number=number,
        time=at(clock + "118"),
        last=at((last or clock) + "118"),
        act=act,
        identity=who,
        address=ADDRESS,
        agent=AGENTS[agent],
        description=description,
        why=why,
        techniques=tuple(TECHNIQUES[t] for t in techniques),
        severity="high",
        inferred=bool(inferred),
        confidence=inferred or 1.0,
        objects=targets,
        requests=requests,
        succeeded=requests if code < 400 else 0,
        rules=("kubernetes/audit/anonymous-allowed",) if who == ANONYMOUS else ("kubernetes/audit/token-from-outside",),
        effects=effects,
        effect_events=effect_events,
        evidence=evidence,
    )


def steps() -> tuple[Step, ...]:
    """The intrusion's eleven steps."""
    return (
        _step(
            1,
            "17:30:24.602",
            "read",
            ANONYMOUS,
            "python",
            Text("Listed every Secret in the cluster without logging in", "未登录即列出整个集群的全部 Secret"),
            Text(
                "Allowed only because of the binding named in `authorization.k8s.io/reason`. First "
                "request from this address.",
                "仅因 `authorization.k8s.io/reason` 中的绑定才被放行。该地址首次出现。",
            ),
            ("T1078.001", "T1552.007"),
            (SECRETS,),
            "list",
        ),
        _step(
            2,
            "17:37:31.733",
            "create",
            ANONYMOUS,
            "curl",
            Text(
                "Bound `kube-system:default` to cluster-admin, under the name of a real component",
                "为 `kube-system:default` 绑定 cluster-admin，绑定名冒充系统组件",
            ),
            Text(
                "Same address as step 1. The address is the only link, and NAT cannot be ruled out.",
                "与第 1 步来源 IP 相同。仅凭 IP 关联，无法排除 NAT。",
            ),
            ("T1098.006",),
            (BACK_DOOR,),
            "create",
            201,
            inferred=0.70,
        ),
        _step(
            3,
            "17:37:41.482",
            "read",
            ANONYMOUS,
            "curl",
            Text(
                "Listed the Secrets of kube-system, which hold the service account tokens",
                "列出 kube-system 的 Secret，其中含服务账号令牌",
            ),
            Text("Same address, identity and agent as step 2.", "来源 IP、身份、客户端均与第 2 步相同。"),
            ("T1552.007",),
            (SYSTEM_SECRETS,),
            "list",
        ),
        _step(
            4,
            "17:37:48.377",
            "read",
            STOLEN,
            "kubectl",
            Text(
                "Used the token of `kube-system:default` from outside the cluster",
                "在集群外使用 `kube-system:default` 的令牌",
            ),
            Text("The token was listed seven seconds before, to the same address.", "令牌在 7 秒前刚被同一地址列出。"),
            ("T1550.001", "T1613"),
            (ObjectName("", "", ""),),
            "get",
            last="17:37:52.104",
            requests=32,
            inferred=0.90,
        ),
        _step(
            5,
            "17:37:53.118",
            "delete",
            STOLEN,
            "kubectl",
            Text(
                "Tried to delete four workloads of other mining groups; none existed",
                "尝试删除其他挖矿团伙的 4 个工作负载，均不存在",
            ),
            Text("Same identity, address and agent as step 4.", "身份、来源 IP、客户端均与第 4 步相同。"),
            ("T1489",),
            RIVALS,
            "delete",
            404,
            last="17:38:06.700",
        ),
        _step(
            6,
            "17:38:21.132",
            "create",
            STOLEN,
            "kubectl",
            Text(
                "Created DaemonSet `kube-controller` in kube-system, on every node",
                "在 kube-system 创建 DaemonSet `kube-controller`，覆盖全部节点",
            ),
            Text(
                "Image `kubrnetesio/kube-controller:1.0.1` imitates the name of the project.",
                "镜像 `kubrnetesio/kube-controller:1.0.1` 冒充官方名称。",
            ),
            ("T1610", "T1036.005"),
            (MINER,),
            "create",
            201,
            effects=(
                Text("4 pods on 4 nodes by daemon-set-controller", "daemon-set-controller 在 4 个节点上创建 4 个 Pod"),
            ),
            effect_events=16,
        ),
        msgspec.structs.replace(
            _step(
                7,
                "17:38:27.402",
                "effect",
                "system:serviceaccount:kube-system:daemon-set-controller",
                "kubectl",
                Text(
                    "Miner pods started on all four nodes; what ran in them is inferred from the image",
                    "4 个节点上的挖矿 Pod 均已启动；运行内容由镜像推断",
                ),
                Text(
                    "Follows from step 6: the owner of each pod is its DaemonSet.",
                    "由第 6 步导致：各 Pod 的 owner 均为该 DaemonSet。",
                ),
                ("T1496.001",),
                PODS,
                "create",
                201,
                inferred=0.85,
            ),
            address="",
            agent="",
        ),
        _step(
            8,
            "17:39:15.761",
            "read",
            ANONYMOUS,
            "curl",
            Text("Listed the Secrets of kube-system again", "再次列出 kube-system 的 Secret"),
            Text("Same address, identity and agent as step 3.", "来源 IP、身份、客户端均与第 3 步相同。"),
            ("T1552.007",),
            (SYSTEM_SECRETS,),
            "list",
        ),
        _step(
            9,
            "17:39:40.748",
            "delete",
            STOLEN,
            "kubectl",
            Text(
                "Deleted the binding it came in through; the usual check now finds nothing",
                "删除自己进来时利用的绑定，常规自查已查不到",
            ),
            Text(
                "Destroys the root cause as live evidence. The audit log still holds it.",
                "销毁了根因的现场证据，但审计日志中仍有记录。",
            ),
            ("T1070",),
            (THE_WAY_IN,),
            "delete",
        ),
        _step(
            10,
            "17:39:42.310",
            "delete",
            STOLEN,
            "kubectl",
            Text(
                "Tried to delete `api-proxy` in namespace `kube-sytem`, a typing error",
                "尝试删除命名空间 `kube-sytem`（拼写错误）中的 `api-proxy`",
            ),
            Text("The same misspelling is on record for this campaign.", "该团伙既有记录中有相同的拼写错误。"),
            ("T1489",),
            (TYPO,),
            "delete",
            404,
        ),
        _step(
            11,
            "17:39:46.760",
            "delete",
            STOLEN,
            "kubectl",
            Text("Deleted its own back door and locked itself out", "删除自己的后门，自断权限"),
            Text("Same identity, address and agent as step 9.", "身份、来源 IP、客户端均与第 9 步相同。"),
            ("T1531",),
            (BACK_DOOR,),
            "delete",
        ),
        _step(
            12,
            "17:39:49.035",
            "refused",
            STOLEN,
            "kubectl",
            Text(
                "Kept trying for 90 seconds: 19 requests, all refused with 403", "此后 90 秒内继续请求 19 次，全部 403"
            ),
            Text("Same identity and address; nothing authorises it any more.", "身份与来源 IP 相同；已无任何授权。"),
            ("T1613",),
            (ObjectName("pods", "", ""),),
            "list",
            403,
            last="17:41:19.020",
            requests=19,
        ),
    )


def lives() -> tuple[ObjectLife, ...]:
    """The objects of the intrusion over time."""
    return (
        ObjectLife(THE_WAY_IN, deleted=at("17:39:40.748"), deleted_step=9, role="cause", grants=ANONYMOUS),
        ObjectLife(SECRETS, read_steps=(1,), role="secret"),
        ObjectLife(SYSTEM_SECRETS, read_steps=(3, 8), role="secret"),
        ObjectLife(BACK_DOOR, at("17:37:31.733"), 2, at("17:39:46.760"), 11, role="backdoor", grants=STOLEN),
        *(ObjectLife(name, missing_steps=(5,), role="workload") for name in RIVALS),
        ObjectLife(TYPO, missing_steps=(10,), role="workload"),
        ObjectLife(MINER, at("17:38:21.132"), 6, role="workload"),
    )
