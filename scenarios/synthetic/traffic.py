# ruff: noqa: PLR0917
"""What goes on in a cluster when nothing is wrong: a clock of recurring activities that write requests into a `Log`.

Each activity is a method that writes the requests of one occurrence: a lease renewal is one line, a CronJob run or
a rollout is the whole cascade over controllers, scheduler and kubelets. Who runs what how often is decided by the
caller (benchmark, benign day). Bodies are written where a sensible audit policy keeps them: writes of workloads,
RBAC and nodes, never secrets.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from urllib.parse import quote

from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.cluster import Cluster, Node, Workload
from scenarios.synthetic.wire import SECOND, Failure, Log, Who, client, conflict, dump, forbidden, not_found, rbac, ref
from scenarios.synthetic.wire import stamp as micro_time

Action = Callable[[int], None]

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


class Clock:
    """Recurring activities in time order."""

    def __init__(self, log: Log, start: int) -> None:
        self.log, self.now = log, start
        self._heap: list[tuple[int, int, float, float, Action]] = []
        self._count = 0

    def every(self, seconds: float, action: Action, jitter: float = 0.1) -> None:
        """Do `action` each `seconds`, give or take the share `jitter`; the first time somewhere in the first period."""
        self._push(self.now + int(self.log.rng.random() * seconds * SECOND), seconds, jitter, action)

    def once(self, at: int, action: Action) -> None:
        """Do `action` at a time."""
        self._push(at, 0, 0, action)

    def _push(self, at: int, seconds: float, jitter: float, action: Action) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, seconds, jitter, action))

    def run(self, end: int, step: int = SECOND) -> Iterator[str]:
        """Lines until `end`, in order."""
        random = self.log.rng.random
        while self.now < end:
            self.now = min(self.now + step, end)
            while self._heap[0][0] < self.now:
                at, _, seconds, jitter, action = heapq.heappop(self._heap)
                action(at)
                if seconds:
                    self._push(at + int(seconds * SECOND * (1 + jitter * (2 * random() - 1))), seconds, jitter, action)
            yield from self.log.until(self.now)


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

    # ---- cascades ---------------------------------------------------------------------------------------------------

    def pod(
        self, at: int, controller: Who, namespace: str, generate: str, parent: Object, spec: Object, labels: Object, *,
        node: Node | None = None, daemon: bool = False, lives: int = 0, name: str = "",
    ) -> tuple[str, str, Node]:  # fmt: skip
        """A pod comes to life: created by its controller, bound by the scheduler, started by the kubelet.

        Returns name, uid, node. With `lives` (microseconds) it runs to completion instead of staying.
        """
        log = self.log
        where = node or self.cluster.nodes[self.rng.randrange(1, len(self.cluster.nodes))]
        name, uid = name or f"{generate}{log.suffix()}", log.uuid()
        placed = spec | (bodies.daemon_pod_placement(where.name) if daemon else {})
        meta: Object = {"generateName": generate, "namespace": namespace, "creationTimestamp": None, "labels": labels}
        sent: Object = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": meta | {"ownerReferences": [parent]},
            "spec": placed,
            "status": {},
        }
        kept = sent | {"spec": bodies.with_token_volume(placed, log.suffix()), "status": {"phase": "Pending"}}
        full = kept | {"metadata": {"name": name, **kept["metadata"]}}
        manager = controller.agent.split("/", maxsplit=1)[0]
        log.request(
            at,
            controller,
            "create",
            f"/api/v1/namespaces/{namespace}/pods",
            ref("pods", namespace),
            code=201,
            level=self.level,
            sent=dump(sent),
            returned=dump(bodies.stored(log, full, at, manager, uid)),
            took=8000 + self.rng.getrandbits(13),
        )
        at += 20_000 + self.rng.getrandbits(14)
        log.request(
            at, self.scheduler.using(self.cluster.agent("kube-scheduler") + "/scheduler"), "create",
            f"/api/v1/namespaces/{namespace}/pods/{name}/binding", ref("pods", namespace, name, uid=uid, sub="binding"),
            code=201, level=self.level, sent=bodies.binding_of_pod(name, namespace, uid, where.name),
            returned=bodies.success(),
        )  # fmt: skip
        if self.events:
            text = f"Successfully assigned {namespace}/{name} to {where.name}"
            self.cluster_event(self.scheduler, at + 6000, namespace, "Pod", name, "Scheduled", text)
        at += 40_000 + self.rng.getrandbits(15)
        self.token_request(where, namespace, spec.get("serviceAccountName", "default"), at)
        path, target = f"/api/v1/namespaces/{namespace}/pods/{name}", ref("pods", namespace, name)
        status = ref("pods", namespace, name, sub="status")
        pod_ip = f"{where.pods}.{2 + self.rng.randrange(250)}"
        at += 1_200_000 + self.rng.getrandbits(20)
        log.request(at, where.kubelet, "get", path, target)
        patch = bodies.pod_status_patch(log, uid, placed["containers"], where.ip, pod_ip, at)
        log.request(at + 5000, where.kubelet, "patch", path + "/status", status, level="Request", sent=patch)
        if self.events:
            first = placed["containers"][0]
            for offset, reason, text in (
                (1000, "Pulled", f'Successfully pulled image "{first["image"]}" in 3.41s'),
                (2000, "Created", f"Created container {first['name']}"),
                (3000, "Started", f"Started container {first['name']}"),
            ):
                self.cluster_event(where.kubelet, at + offset, namespace, "Pod", name, reason, text)
        if lives:
            patch = bodies.pod_status_patch(log, uid, placed["containers"], where.ip, pod_ip, at, finished=at + lives)
            log.request(at + lives, where.kubelet, "get", path, target)
            log.request(
                at + lives + 5000, where.kubelet, "patch", path + "/status", status, level="Request", sent=patch
            )
        return name, uid, where

    def delete_pod(self, at: int, who: Who, namespace: str, name: str, node: Node) -> None:
        """A pod is deleted by `who`, and by its kubelet once it stopped."""
        path, target = f"/api/v1/namespaces/{namespace}/pods/{name}", ref("pods", namespace, name)
        options = dump({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 30})
        self.log.request(at, who, "delete", path, target, level="Request", sent=options)
        at += 1_500_000 + self.rng.getrandbits(20)
        now = dump({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
        self.log.request(at, node.kubelet, "delete", path, target, level="Request", sent=now)

    def endpoints(self, at: int, namespace: str, name: str) -> None:
        """The endpoint controllers follow a change of pods."""
        for controller, resource, group, path in (
            ("endpoint-controller", "endpoints", "", f"/api/v1/namespaces/{namespace}/endpoints/{name}"),
            (
                "endpointslice-controller", "endpointslices", "discovery.k8s.io",
                f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}-{self.log.suffix()}",
            ),
        ):  # fmt: skip
            at += 3000 + self.rng.getrandbits(12)
            lost = self.rng.random() < 0.04
            self.log.request(
                at, self.controllers[controller], "update", path,
                ref(resource, namespace, path.rsplit("/", 1)[1], group=group, rv=self.log.rv()),
                failure=conflict(resource, name, group) if lost else None,
            )  # fmt: skip

    def cron_run(self, namespace: str, cronjob: str, image: str, args: list[str], *, seconds: int = 20) -> Action:
        """A CronJob's run: Job, pod, completion, removal of the oldest Job."""
        parent_uid = self.log.uuid()

        def run(at: int) -> None:
            log, controllers = self.log, self.controllers
            job, uid = f"{cronjob}-{at // SECOND // 60}", log.uuid()
            spec = bodies.pod_spec([bodies.container(cronjob, image, args=args)], restartPolicy="OnFailure")
            labels = {"controller-uid": uid, "job-name": job}
            body: Object = {
                "kind": "Job",
                "apiVersion": "batch/v1",
                "metadata": {
                    "name": job, "namespace": namespace, "creationTimestamp": None,
                    "ownerReferences": [bodies.owner("batch/v1", "CronJob", cronjob, parent_uid)],
                },
                "spec": {"template": {"metadata": {"creationTimestamp": None}, "spec": spec}, "backoffLimit": 6},
                "status": {},
            }  # fmt: skip
            base = f"/apis/batch/v1/namespaces/{namespace}"
            target = ref("jobs", namespace, job, group="batch")
            log.request(
                at, controllers["cronjob-controller"], "create", f"{base}/jobs", target, code=201, level=self.level,
                sent=dump(body), returned=dump(bodies.stored(log, body, at, "kube-controller-manager", uid)),
            )  # fmt: skip
            pod, _, node = self.pod(
                at + 15_000,
                controllers["job-controller"],
                namespace,
                f"{job}-",
                bodies.owner("batch/v1", "Job", job, uid),
                spec,
                labels,
                lives=seconds * SECOND,
            )
            done = at + (seconds + 3) * SECOND
            status = ref("jobs", namespace, job, group="batch", uid=uid, rv=log.rv(), sub="status")
            log.request(done, controllers["job-controller"], "update", f"{base}/jobs/{job}/status", status)
            parent = ref("cronjobs", namespace, cronjob, group="batch", uid=parent_uid, rv=log.rv(), sub="status")
            log.request(
                done + 9000, controllers["cronjob-controller"], "update", f"{base}/cronjobs/{cronjob}/status", parent
            )
            old = f"{cronjob}-{at // SECOND // 60 - 45}"
            gone = ref("jobs", namespace, old, group="batch")
            options = dump({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
            log.request(
                done + 20_000, controllers["cronjob-controller"], "delete", f"{base}/jobs/{old}", gone, level="Request",
                sent=options, status='{"metadata":{},"status":"Success","code":200}',
            )  # fmt: skip
            collector = controllers["generic-garbage-collector"]
            self.delete_pod(done + 60_000, collector, namespace, f"{old}-{log.suffix()}", node)
            del pod

        return run

    def rollout(
        self, at: int, who: Who, work: Workload, image: str, *, apply: str = "kubectl-client-side-apply"
    ) -> None:
        """`who` changes the image of a Deployment; its controllers replace the pods."""
        log, controllers, ns = self.log, self.controllers, work.namespace
        work.image, work.revision = image, work.revision + 1
        patch = {"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": work.name}], "containers": [{"image": image, "name": work.name}],
        }}}}  # fmt: skip
        base = f"/apis/apps/v1/namespaces/{ns}"
        target = ref("deployments", ns, work.name, group="apps")
        spec = bodies.pod_spec([bodies.container(work.name, image, ports=[{"containerPort": 8080, "protocol": "TCP"}])])
        full: Object = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": work.name, "namespace": ns, "labels": {"app": work.name}},
            "spec": {
                "replicas": work.replicas,
                "selector": {"matchLabels": {"app": work.name}},
                "template": {"metadata": {"creationTimestamp": None, "labels": {"app": work.name}}, "spec": spec},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            },
            "status": {"observedGeneration": work.revision, "replicas": work.replicas, "readyReplicas": work.replicas},
        }
        log.request(
            at, who, "patch", f"{base}/deployments/{work.name}?fieldManager={apply}", target, level=self.level,
            sent=dump(patch), returned=dump(bodies.stored(log, full, at, apply, work.uid)),
        )  # fmt: skip
        at += 30_000
        work.hash = log.suffix(10)
        replica = f"{work.name}-{work.hash}"
        labels = {"app": work.name, "pod-template-hash": work.hash}
        body: Object = {
            "kind": "ReplicaSet",
            "apiVersion": "apps/v1",
            "metadata": {
                "name": replica, "namespace": ns, "creationTimestamp": None, "labels": labels,
                "annotations": {"deployment.kubernetes.io/revision": str(work.revision)},
                "ownerReferences": [bodies.owner("apps/v1", "Deployment", work.name, work.uid)],
            },
            "spec": {
                "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": spec},
            },
            "status": {"replicas": 0},
        }  # fmt: skip
        uid = log.uuid()
        log.request(
            at, controllers["deployment-controller"], "create", f"{base}/replicasets",
            ref("replicasets", ns, replica, group="apps"), code=201, level=self.level, sent=dump(body),
            returned=dump(bodies.stored(log, body, at, "kube-controller-manager", uid)),
        )  # fmt: skip
        old, work.pods = work.pods, []
        for index in range(work.replicas):
            at += 400_000 + self.rng.getrandbits(19)
            parent = bodies.owner("apps/v1", "ReplicaSet", replica, uid)
            pod = self.pod(at, controllers["replicaset-controller"], ns, f"{replica}-", parent, spec, labels)
            work.pods.append(pod)
            if index < len(old):
                name, _, node = old[index]
                self.delete_pod(at + 4 * SECOND, controllers["replicaset-controller"], ns, name, node)
            status = ref("deployments", ns, work.name, group="apps", uid=work.uid, rv=log.rv(), sub="status")
            path = f"{base}/deployments/{work.name}/status"
            log.request(at + 4_200_000, controllers["deployment-controller"], "update", path, status)
            self.endpoints(at + 4_300_000, ns, work.name)

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
