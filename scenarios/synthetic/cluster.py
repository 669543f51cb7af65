"""Who lives in the cluster: nodes, controllers, operators, people; each with the identity the API server would log.

`Cluster` is deterministic in its random generator. Identities carry what their version logs: `credential-id` of
tokens since 1.30 and of client certificates since 1.32, pod and node of a bound token.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scenarios.synthetic.wire import Log, Who, client, rbac

AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine."""

    name: str
    ip: str
    pods: str  # first three numbers of its pod network
    kubelet: Who


@dataclass(slots=True)
class Workload:
    """A Deployment with its current ReplicaSet."""

    namespace: str
    name: str
    image: str
    uid: str
    hash: str
    replicas: int
    revision: int = 1
    pods: list[tuple[str, str, Node]] = field(default_factory=list)  # name, uid, node


@dataclass(slots=True)
class Cluster:
    """The inventory. `version` is major.minor.patch without v."""

    log: Log
    version: str
    commit: str
    minor: int = 0
    nodes: list[Node] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    api_ip: str = "10.20.0.10"

    def __post_init__(self) -> None:
        self.minor = int(self.version.split(".")[1])

    def agent(self, component: str) -> str:
        """`kubelet/v1.22.15 (linux/amd64) kubernetes/1d79bc3`."""
        return f"{component}/v{self.version} (linux/amd64) kubernetes/{self.commit}"

    def certificate(self) -> dict[str, list[str]]:
        """`user.extra` of a client certificate."""
        if self.minor < 32:
            return {}
        return {"authentication.kubernetes.io/credential-id": [f"X509SHA256={self.log.rng.getrandbits(256):064x}"]}

    def add_node(self, name: str, number: int) -> Node:
        """Another machine."""
        ip = f"10.20.0.{10 + number}"
        groups = ("system:nodes", AUTHENTICATED)
        kubelet = client(f"system:node:{name}", ip, self.agent("kubelet"), groups=groups, extra=self.certificate())
        node = Node(name, ip, f"10.244.{number}", kubelet)
        self.nodes.append(node)
        return node

    def component(self, user: str, program: str, role: str = "", ip: str = "") -> Who:
        """A control-plane component with a client certificate of its own."""
        role = role or user
        reason = rbac(role, role, f'User "{user}"')
        return client(
            user,
            ip or self.api_ip,
            self.agent(program),
            groups=(AUTHENTICATED,),
            reason=reason,
            extra=self.certificate(),
        )

    def apiserver(self) -> Who:
        """The API server calling itself."""
        uid = self.log.uuid()
        return client("system:apiserver", "::1", self.agent("kube-apiserver"), groups=("system:masters",), uid=uid)

    def controller(self, name: str) -> Who:
        """A controller inside kube-controller-manager: its service account, its role, the manager's program name."""
        agent = f"{self.agent('kube-controller-manager')}/system:serviceaccount:kube-system:{name}"
        role = f"system:controller:{name}"
        return self.account("kube-system", name, agent, reason=rbac(role, role, f'ServiceAccount "{name}/kube-system"'))

    def account(
        self, namespace: str, name: str, agent: str, *, binding: str = "", role: str = "", reason: str = "",
        pod: tuple[str, str, Node] | None = None, ip: str = "", legacy: bool = False,
    ) -> Who:  # fmt: skip
        """A service account. With `pod` its token is bound to it; without, it is a controller's or a `legacy` one."""
        extra: dict[str, list[str]] = {}
        if self.minor >= 30 and not legacy:
            extra["authentication.kubernetes.io/credential-id"] = [f"JTI={self.log.uuid()}"]
        if pod is not None:
            extra["authentication.kubernetes.io/pod-name"] = [pod[0]]
            extra["authentication.kubernetes.io/pod-uid"] = [pod[1]]
            if self.minor >= 30:
                extra["authentication.kubernetes.io/node-name"] = [pod[2].name]
            ip = ip or f"{pod[2].pods}.{2 + self.log.rng.randrange(250)}"
        if binding and not reason:
            reason = rbac(binding, role or binding, f'ServiceAccount "{name}/{namespace}"')
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return client(
            f"system:serviceaccount:{namespace}:{name}", ip or self.api_ip, agent,
            groups=groups, uid=self.log.uuid(), reason=reason, extra=extra,
        )  # fmt: skip

    def operator(
        self, namespace: str, name: str, program: str, *, binding: str = "", role: str = "", node: Node | None = None
    ) -> Who:
        """An operator's pod and the account it uses; the account is called like the operator."""
        at = node or self.nodes[self.log.rng.randrange(1, len(self.nodes))]
        pod = (f"{name}-{self.log.suffix(10)}-{self.log.suffix()}", self.log.uuid(), at)
        return self.account(namespace, name, program, binding=binding or name, role=role, pod=pod)

    def person(self, name: str, ip: str, kubectl: str, groups: tuple[str, ...] = (), reason: str = "") -> Who:
        """Somebody with kubectl. `kubectl` is 'v1.22.15 (linux/amd64) kubernetes/1d79bc3'."""
        who = groups or ("developers",)
        agent = f"kubectl/{kubectl}"
        return client(name, ip, agent, groups=(*who, AUTHENTICATED), reason=reason, extra=self.certificate())
