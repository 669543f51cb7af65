# ruff: noqa: PLR0917
"""What goes on in a cluster when nothing is wrong: heartbeats, watches, probes, reviews, people and their tools.

Each activity is a method that writes the requests of one occurrence. Who does what how often is decided by the caller
(benchmark, benign day). Bodies are written where a sensible audit policy keeps them: writes of workloads, RBAC and
nodes, never of secrets.
"""

from __future__ import annotations

from urllib.parse import quote

from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.clock import Action
from scenarios.synthetic.cluster import Cluster, Node
from scenarios.synthetic.wire import SECOND, Failure, Who, client, dump, forbidden, not_found, rbac, ref
from scenarios.synthetic.wire import stamp as micro_time

GROUPS = (
    "apiregistration.k8s.io/v1",
    "apps/v1",
    "events.k8s.io/v1",
    "authentication.k8s.io/v1",
    "authorization.k8s.io/v1",
    "autoscaling/v1",
    "autoscaling/v2beta2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "networking.k8s.io/v1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "coordination.k8s.io/v1",
    "node.k8s.io/v1",
    "node.k8s.io/v1beta1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "events.k8s.io/v1beta1",
    "autoscaling/v2beta1",
    "metrics.k8s.io/v1beta1",
    "cert-manager.io/v1",
    "acme.cert-manager.io/v1",
)


class Traffic:
    """The activities. `level` is the policy level of workload writes."""

    def __init__(self, cluster: Cluster, level: str = "RequestResponse", *, events: bool = False) -> None:
        self.cluster, self.log, self.rng, self.level = cluster, cluster.log, cluster.log.rng, level
        self.events = events  # whether the policy logs Kubernetes Events
        self.apiserver = cluster.apiserver()
        self.scheduler = cluster.component("system:kube-scheduler", "kube-scheduler")
        manager = "kube-controller-manager"
        self.manager = cluster.component("system:kube-controller-manager", manager)
        self.controllers = {
            name: cluster.controller(name)
            for name in (
                "replicaset-controller", "deployment-controller", "job-controller", "cronjob-controller",
                "daemon-set-controller", "endpointslice-controller", "endpoint-controller", "generic-garbage-collector",
                "namespace-controller", "resourcequota-controller", "node-controller", "service-account-controller",
            )
        }  # fmt: skip

    # ---- heartbeats -------------------------------------------------------------------------------------------------

    def lease(self, who: Who, namespace: str, name: str, *, get: bool = True) -> Action:
        """Renewal of a leader-election lease (read, then update), or of a node's (update only)."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        uid = self.log.uuid()
        read = ref("leases", namespace, name, group="coordination.k8s.io")

        def renew(at: int) -> None:
            if get:
                self.log.request(at, who, "get", path + "?timeout=5s", read)
                at += 4000
            target = (
                f'{{"resource":"leases","namespace":"{namespace}","name":"{name}","uid":"{uid}",'
                f'"apiGroup":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"{self.log.rv()}"}}'
            )
            self.log.request(at, who, "update", path + ("?timeout=5s" if get else "?timeout=10s"), target)

        return renew

    def node_read(self, node: Node) -> Action:
        """The kubelet reads its own node from the cache."""
        path, target = f"/api/v1/nodes/{node.name}?resourceVersion=0\\u0026timeout=10s", ref("nodes", "", node.name)
        return lambda at: self._note(self.log.request(at, node.kubelet, "get", path, target))

    def node_status(self, node: Node) -> Action:
        """The kubelet reports its conditions."""
        path, target = f"/api/v1/nodes/{node.name}/status?timeout=10s", ref("nodes", "", node.name, sub="status")

        def report(at: int) -> None:
            sent = bodies.node_status_patch(at)
            self.log.request(at, node.kubelet, "patch", path, target, level="Request", sent=sent)

        return report

    def probe(self, who: Who, path: str) -> Action:
        """A health check."""
        return lambda at: self._note(self.log.request(at, who, "get", path))

    def _note(self, audit_id: str) -> None:
        """Activities have no result; this swallows the auditID of a one-line one."""

    def self_check(self, at: int) -> None:
        """The API server looks after its own namespaces and endpoints."""
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.log.request(at, self.apiserver, "get", f"/api/v1/namespaces/{name}", ref("namespaces", name, name))
            at += 2500
        target = ref("endpoints", "default", "kubernetes")
        self.log.request(at, self.apiserver, "get", "/api/v1/namespaces/default/endpoints/kubernetes", target)

    # ---- watches and lists ------------------------------------------------------------------------------------------

    def watch(self, who: Who, path: str, resource: str, group: str = "", namespace: str = "", name: str = "") -> Action:
        """An informer's watch, renewed when it times out: two lines each."""
        target = ref(resource, namespace, name, group=group)
        field = f"\\u0026fieldSelector=metadata.name%3D{name}" if name else ""

        def renew(at: int) -> None:
            wait = 300 + self.rng.randrange(300)
            version = self.log.rv()
            uri = (
                f"{path}?allowWatchBookmarks=true{field}\\u0026resourceVersion={version}"
                f"\\u0026timeout={wait // 60}m{wait % 60}s\\u0026timeoutSeconds={wait}\\u0026watch=true"
            )
            self.log.request(at, who, "watch", uri, target, took=400 + self.rng.getrandbits(10), long=wait * SECOND)

        return renew

    def listing(self, who: Who, path: str, resource: str, group: str = "", namespace: str = "") -> Action:
        """A periodic list."""
        target = ref(resource, namespace, group=group)
        return lambda at: self._note(
            self.log.request(at, who, "list", f"{path}?limit=500\\u0026resourceVersion=0", target)
        )

    def discovery(self, who: Who, at: int, *, share: float = 1.0) -> int:
        """A client asks for all API groups, as kubectl does when its cache is old. The time it is through."""
        for path in ("/api", "/apis", "/api/v1", *(f"/apis/{group}" for group in GROUPS[: int(len(GROUPS) * share)])):
            self.log.request(at, who, "get", f"{path}?timeout=32s", took=700 + self.rng.getrandbits(10))
            at += 400 + self.rng.getrandbits(11)
        return at + 30_000

    def review(
        self, who: Who, at: int, *, token: bool, about: str = "system:serviceaccount:monitoring:prometheus"
    ) -> None:
        """A kubelet or webhook asks the API server whether a token or a request is good."""
        if token:
            group, resource = "authentication.k8s.io", "tokenreviews"
        else:
            group, resource = "authorization.k8s.io", "subjectaccessreviews"
        sent = ""
        level = "Metadata"
        if not token:
            level = "Request"
            kind: Object = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
            asked = {
                "verb": "get",
                "version": "v1",
                "resource": "nodes",
                "subresource": "metrics",
                "name": who.name[12:],
            }
            spec = {
                "resourceAttributes": asked,
                "user": about,
                "groups": ["system:serviceaccounts", "system:authenticated"],
            }
            sent = dump(kind | {"metadata": {"creationTimestamp": None}, "spec": spec, "status": {"allowed": False}})
        self.log.request(
            at,
            who,
            "create",
            f"/apis/{group}/v1/{resource}",
            ref(resource, group=group),
            code=201,
            level=level,
            sent=sent,
        )

    def token_request(self, node: Node, namespace: str, account: str, at: int) -> None:
        """The kubelet renews a pod's token."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        target = ref("serviceaccounts", namespace, account, sub="token")
        notes = ""
        if self.cluster.minor >= 30:
            notes = dump(
                {
                    "authentication.kubernetes.io/issued-credential-id": f"JTI={self.log.uuid()}",
                    "authorization.k8s.io/decision": "allow",
                    "authorization.k8s.io/reason": "",
                }
            )
        self.log.request(at, node.kubelet, "create", path, target, code=201, annotations=notes)

    def cluster_event(self, who: Who, at: int, namespace: str, kind: str, name: str, reason: str, message: str) -> None:
        """A Kubernetes Event is posted."""
        full = f"{name}.{self.rng.getrandbits(64):016x}"
        now = micro_time(at)[:-8] + "Z"
        body = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": full, "namespace": namespace, "creationTimestamp": None},
            "involvedObject": {
                "kind": kind,
                "namespace": namespace,
                "name": name,
                "uid": self.log.uuid(),
                "apiVersion": "v1",
            },
            "reason": reason,
            "message": message,
            "source": {"component": who.agent.split("/", maxsplit=1)[0]},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": "Normal",
            "eventTime": None,
            "reportingComponent": "",
            "reportingInstance": "",
        }
        target = ref("events", namespace, full)
        self.log.request(
            at,
            who,
            "create",
            f"/api/v1/namespaces/{namespace}/events",
            target,
            code=201,
            level="Request",
            sent=dump(body),
        )

    # ---- people and their tools -------------------------------------------------------------------------------------

    def helm(
        self, at: int, who: Who, namespace: str, release: str, charted: list[tuple[str, str, Object]], revision: int
    ) -> None:
        """`helm upgrade --install`: its release secret, then every object of the chart (resource, group, body)."""
        log = self.log
        tool = who.using("Helm/3.9.4" if self.cluster.minor < 30 else "Helm/3.16.2")
        listed = f"/api/v1/namespaces/{namespace}/secrets?labelSelector=name%3D{release}%2Cowner%3Dhelm"
        at = self.discovery(tool, at, share=0.4)
        log.request(at, tool, "list", listed, ref("secrets", namespace))
        secret = f"sh.helm.release.v1.{release}.v{revision}"
        path = f"/api/v1/namespaces/{namespace}/secrets"
        log.request(at + 90_000, tool, "create", path, ref("secrets", namespace, secret), code=201)
        at += 200_000
        for resource, group, body in charted:
            name, ns = body["metadata"]["name"], body["metadata"].get("namespace", "")
            root = f"/apis/{group}/v1" if group else "/api/v1"
            base = f"{root}/namespaces/{ns}/{resource}" if ns else f"{root}/{resource}"
            log.request(at, tool, "get", f"{base}/{name}", ref(resource, ns, name, group=group),
                        failure=not_found(resource, name, group))  # fmt: skip
            log.request(
                at + 40_000,
                tool,
                "create",
                f"{base}?fieldManager=helm",
                ref(resource, ns, name, group=group),
                code=201,
                level=self.level,
                sent=dump(body),
                returned=dump(bodies.stored(log, body, at, "helm")),
            )
            at += 120_000 + self.rng.getrandbits(16)
        target = ref("secrets", namespace, secret, uid=log.uuid(), rv=log.rv())
        log.request(at + 300_000, tool, "update", f"{path}/{secret}", target)

    def exec(
        self, at: int, who: Who, namespace: str, pod: str, container: str, command: list[str], seconds: float
    ) -> str:
        """`kubectl exec -it`; its auditID. Old clients speak SPDY (create), new ones websocket (get)."""
        argv = "".join(f"command={quote(part, safe='')}&" for part in command)
        options = f"{argv}container={container}&stdin=true&stdout=true&tty=true"
        uri = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{options}"
        target = ref("pods", namespace, pod, sub="exec")
        verb = "get" if self.cluster.minor >= 31 else "create"
        return self.log.request(at, who, verb, uri, target, code=101, long=int(seconds * SECOND), level="Request")

    def kubectl(self, at: int, who: Who, namespace: str) -> int:
        """Somebody looks around: a few gets, lists and logs. The time they are through."""
        rng, log = self.rng, self.log
        if rng.random() < 0.3:
            at = self.discovery(who, at)
        for _ in range(2 + rng.randrange(7)):
            resource, group = (
                ("pods", ""), ("pods", ""), ("deployments", "apps"), ("services", ""), ("configmaps", ""),
                ("ingresses", "networking.k8s.io"), ("jobs", "batch"), ("events", ""), ("nodes", ""),
            )[rng.randrange(9)]  # fmt: skip
            root = f"/apis/{group}/v1" if group else "/api/v1"
            if resource == "nodes":
                log.request(at, who, "list", "/api/v1/nodes?limit=500", ref("nodes"))
            else:
                path = f"{root}/namespaces/{namespace}/{resource}?limit=500"
                log.request(at, who, "list", path, ref(resource, namespace, group=group))
            at += int((2 + 25 * rng.random()) * SECOND)
        here = [w for w in self.cluster.workloads if w.namespace == namespace and w.pods]
        if here:
            work = here[rng.randrange(len(here))]
            pod = work.pods[rng.randrange(len(work.pods))][0]
            path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
            log.request(at, who, "get", path, ref("pods", namespace, pod))
            tail = f"{path}/log?container={work.name}&tailLines=200"
            log.request(
                at + 30_000, who, "get", tail, ref("pods", namespace, pod, sub="log"), took=30_000, long=200_000
            )
            at += 20 * SECOND
        return at

    def refused(self, at: int, who: Who, verb: str, resource: str, group: str = "", namespace: str = "") -> None:
        """Somebody asks for what they may not have."""
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{namespace}/{resource}" if namespace else f"{root}/{resource}"
        failure: Failure = forbidden(who.name, verb, resource, group=group, namespace=namespace)
        self.log.request(at, who, verb, f"{path}?limit=500", ref(resource, namespace, group=group), failure=failure)


def anonymous(ip: str, agent: str) -> Who:
    """An unauthenticated client, allowed what everybody is allowed."""
    reason = rbac("system:public-info-viewer", "system:public-info-viewer", 'Group "system:unauthenticated"')
    return client("system:anonymous", ip, agent, groups=("system:unauthenticated",), reason=reason)
