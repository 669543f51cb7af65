# ruff: noqa: PLR0917
"""What one change sets off: pods of Jobs, rollouts and DaemonSets, over controllers, scheduler and kubelets.

Each method writes every request of the cascade in the order and with the bodies a real cluster shows: generateName
and ownerReferences on the controller's create, the scheduler's binding, the kubelet's status patch with container
ids.
"""

from __future__ import annotations

from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.clock import Action
from scenarios.synthetic.cluster import Node, Workload
from scenarios.synthetic.traffic import Traffic
from scenarios.synthetic.wire import SECOND, Who, conflict, dump, ref


class Cascades:
    """The cascades in the cluster of `traffic`."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic, self.log, self.rng = traffic, traffic.log, traffic.rng

    def pod(
        self, at: int, controller: Who, namespace: str, generate: str, parent: Object, spec: Object, labels: Object, *,
        node: Node | None = None, daemon: bool = False, lives: int = 0, name: str = "",
    ) -> tuple[str, str, Node]:  # fmt: skip
        """A pod comes to life: created by its controller, bound by the scheduler, started by the kubelet.

        Returns name, uid, node. With `lives` (microseconds) it runs to completion instead of staying.
        """
        log = self.log
        where = node or self.traffic.cluster.nodes[self.rng.randrange(1, len(self.traffic.cluster.nodes))]
        name, uid = name or f"{generate}{log.suffix()}", log.uuid()
        placed = spec | (bodies.daemon_pod_placement(where.name, spec.get("tolerations", [])) if daemon else {})
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
            level=self.traffic.level,
            sent=dump(sent),
            returned=dump(bodies.stored(log, full, at, manager, uid)),
            took=8000 + self.rng.getrandbits(13),
        )
        at += 20_000 + self.rng.getrandbits(14)
        log.request(
            at, self.traffic.scheduler.using(self.traffic.cluster.agent("kube-scheduler") + "/scheduler"), "create",
            f"/api/v1/namespaces/{namespace}/pods/{name}/binding", ref("pods", namespace, name, uid=uid, sub="binding"),
            code=201, level=self.traffic.level, sent=bodies.binding_of_pod(name, namespace, uid, where.name),
            returned=bodies.success(),
        )  # fmt: skip
        if self.traffic.events:
            text = f"Successfully assigned {namespace}/{name} to {where.name}"
            self.traffic.cluster_event(self.traffic.scheduler, at + 6000, namespace, "Pod", name, "Scheduled", text)
        at += 40_000 + self.rng.getrandbits(15)
        self.traffic.token_request(where, namespace, spec.get("serviceAccountName", "default"), at)
        path, target = f"/api/v1/namespaces/{namespace}/pods/{name}", ref("pods", namespace, name)
        status = ref("pods", namespace, name, sub="status")
        pod_ip = f"{where.pods}.{2 + self.rng.randrange(250)}"
        at += 1_200_000 + self.rng.getrandbits(20)
        log.request(at, where.kubelet, "get", path, target)
        patch = bodies.pod_status_patch(log, uid, placed["containers"], where.ip, pod_ip, at)
        log.request(at + 5000, where.kubelet, "patch", path + "/status", status, level="Request", sent=patch)
        if self.traffic.events:
            first = placed["containers"][0]
            for offset, reason, text in (
                (1000, "Pulled", f'Successfully pulled image "{first["image"]}" in 3.41s'),
                (2000, "Created", f"Created container {first['name']}"),
                (3000, "Started", f"Started container {first['name']}"),
            ):
                self.traffic.cluster_event(where.kubelet, at + offset, namespace, "Pod", name, reason, text)
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
                at, self.traffic.controllers[controller], "update", path,
                ref(resource, namespace, path.rsplit("/", 1)[1], group=group, rv=self.log.rv()),
                failure=conflict(resource, name, group) if lost else None,
            )  # fmt: skip

    def cron_run(self, namespace: str, cronjob: str, image: str, args: list[str], *, seconds: int = 20) -> Action:
        """A CronJob's run: Job, pod, completion, removal of the oldest Job."""
        parent_uid = self.log.uuid()

        def run(at: int) -> None:
            log, controllers = self.log, self.traffic.controllers
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
                at, controllers["cronjob-controller"], "create", f"{base}/jobs", target, code=201,
                level=self.traffic.level, sent=dump(body),
                returned=dump(bodies.stored(log, body, at, "kube-controller-manager", uid)),
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
        log, controllers, ns = self.log, self.traffic.controllers, work.namespace
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
            at, who, "patch", f"{base}/deployments/{work.name}?fieldManager={apply}", target, level=self.traffic.level,
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
            ref("replicasets", ns, replica, group="apps"), code=201, level=self.traffic.level, sent=dump(body),
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

    def daemon_set(self, at: int, daemon: Object, uid: str, spec: Object, labels: Object) -> list[tuple[str, str]]:
        """What controller, scheduler and kubelets do about a new DaemonSet: (pod, node) for every node."""
        log, name = self.log, daemon["metadata"]["name"]
        controller = self.traffic.controllers["daemon-set-controller"]
        ns = daemon["metadata"]["namespace"]
        base, stamp = f"/apis/apps/v1/namespaces/{ns}", log.suffix(10)
        parent = bodies.owner("apps/v1", "DaemonSet", name, uid)
        revision: Object = {
            "kind": "ControllerRevision",
            "apiVersion": "apps/v1",
            "metadata": {"name": f"{name}-{stamp}", "namespace": ns, "creationTimestamp": None,
                         "labels": labels | {"controller-revision-hash": stamp}, "ownerReferences": [parent]},
            "data": {"spec": {"template": {"$patch": "replace", **daemon["spec"]["template"]}}},
            "revision": 1,
        }  # fmt: skip
        log.request(
            at, controller, "create", f"{base}/controllerrevisions",
            ref("controllerrevisions", ns, f"{name}-{stamp}", group="apps"), code=201, level=self.traffic.level,
            sent=dump(revision), returned=dump(bodies.stored(log, revision, at, "kube-controller-manager")),
        )  # fmt: skip
        marked = labels | {"controller-revision-hash": stamp, "pod-template-generation": "1"}
        pods, ends = [], at
        for index, node in enumerate(self.traffic.cluster.nodes):
            ends = at + 14_000 + 5_300 * index
            pod, _, _ = self.pod(ends, controller, ns, f"{name}-", parent, spec, marked, node=node, daemon=True)
            pods.append((pod, node.name))
        for delay in (80_000, 3 * SECOND):
            status = ref("daemonsets", ns, name, group="apps", uid=uid, rv=log.rv(), sub="status")
            log.request(ends + delay, controller, "update", f"{base}/daemonsets/{name}/status", status)
        return pods
