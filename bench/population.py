"""The cluster behind the benchmark's log: 40 nodes, hundreds of namespaces, and how often each thing in it happens.

Rates are those of a real cluster of that size (a node renews its lease every 10 s, informers renew their watches
every five to ten minutes, leaders every two seconds ...), so a million events are a few hours.
"""

from __future__ import annotations

import random

from scenarios.synthetic import bodies
from scenarios.synthetic.cascades import Cascades
from scenarios.synthetic.clock import Action, Clock
from scenarios.synthetic.cluster import Cluster, Node, Workload
from scenarios.synthetic.traffic import Traffic, anonymous
from scenarios.synthetic.wire import Log, Who, dump, micros, ref, stamp_seconds

START = "2026-03-10T08:00:00Z"
TEAMS = (
    "payments",
    "search",
    "checkout",
    "identity",
    "catalog",
    "billing",
    "ledger",
    "media",
    "mail",
    "risk",
    "fraud",
    "growth",
    "mobile",
    "web",
    "data",
    "ml",
    "ads",
    "support",
    "returns",
    "pricing",
    "stock",
    "routing",
    "fleet",
    "geo",
    "chat",
)
STAGES = ("dev", "test", "staging", "prod", "preview", "load", "canary", "batch", "jobs", "tools", "sandbox", "demo")
OPERATORS = (
    ("cert-manager", "cert-manager", "certificates", "cert-manager.io"),
    ("external-dns", "external-dns", "ingresses", "networking.k8s.io"),
    ("ingress-nginx", "ingress-nginx", "ingresses", "networking.k8s.io"),
    ("monitoring", "prometheus-operator", "servicemonitors", "monitoring.coreos.com"),
    ("monitoring", "kube-state-metrics", "pods", ""),
    ("argocd", "argocd-application-controller", "applications", "argoproj.io"),
    ("argocd", "argocd-applicationset-controller", "applicationsets", "argoproj.io"),
    ("kyverno", "kyverno-background-controller", "policyreports", "wgpolicyk8s.io"),
    ("external-secrets", "external-secrets", "externalsecrets", "external-secrets.io"),
    ("velero", "velero", "backups", "velero.io"),
    ("cnpg-system", "cnpg-manager", "clusters", "postgresql.cnpg.io"),
    ("keda", "keda-operator", "scaledobjects", "keda.sh"),
    ("kube-system", "cluster-autoscaler", "nodes", ""),
    ("kube-system", "ebs-csi-controller-sa", "volumeattachments", "storage.k8s.io"),
    ("kube-system", "snapshot-controller", "volumesnapshots", "snapshot.storage.k8s.io"),
    ("reloader", "reloader-reloader", "configmaps", ""),
)
PEOPLE = (
    "alice",
    "bob",
    "chen.wei",
    "dana",
    "emre",
    "fatima",
    "george",
    "hanna",
    "ivan",
    "li.na",
    "marta",
    "noor",
    "oscar",
    "priya",
    "wang.fang",
)


class Population:
    """Everybody and everything, on one clock."""

    def __init__(self, seed: int) -> None:
        self.log = Log(random.Random(seed), detailed=True)
        self.cluster = Cluster(self.log, "1.32.4", "59526cd")
        for number in range(40):
            self.cluster.add_node(f"ip-10-20-0-{10 + number}.internal", number)
        self.traffic = Traffic(self.cluster)
        self.cascades = Cascades(self.traffic)
        self.clock = Clock(self.log, micros(START))
        self.namespaces = [f"{team}-{stage}" for team in TEAMS for stage in STAGES]
        self.people = [self._person(name, number) for number, name in enumerate(PEOPLE)]
        self.operators = [self._operator(*each) for each in OPERATORS]
        self._workloads()
        self._heartbeats()
        self._watches()
        self._work()

    def _pick(self, many: list[Node]) -> Node:
        return many[self.log.rng.randrange(len(many))]

    def _person(self, name: str, number: int) -> Who:
        version = ("v1.31.3 (darwin/arm64) kubernetes/7fe6d24", "v1.32.1 (linux/amd64) kubernetes/e9c9be4")[number % 2]
        reason = 'RBAC: allowed by ClusterRoleBinding "developers" of ClusterRole "developer" to Group "developers"'
        return self.cluster.person(f"{name}@example.com", f"10.30.4.{20 + number}", version, reason=reason)

    def _operator(self, namespace: str, name: str, resource: str, group: str) -> tuple[Who, str, str]:
        who = self.cluster.operator(namespace, name, f"{name}/v1.14.2 (linux/amd64) kubernetes/$Format")
        return who, resource, group

    def _workloads(self) -> None:
        log, rng = self.log, self.log.rng
        for namespace in self.namespaces:
            for number in range(1 + rng.randrange(3)):
                name = f"{namespace.split('-')[0]}-{('api', 'worker', 'frontend')[number]}"
                image = (
                    f"registry.example.com/{namespace.split('-')[0]}/{name}:1.{rng.randrange(40)}.{rng.randrange(10)}"
                )
                work = Workload(namespace, name, image, log.uuid(), log.suffix(10), 1 + rng.randrange(3))
                for _ in range(work.replicas):
                    work.pods.append((f"{name}-{work.hash}-{log.suffix()}", log.uuid(), self._pick(self.cluster.nodes)))
                self.cluster.workloads.append(work)

    def _heartbeats(self) -> None:
        clock, traffic = self.clock, self.traffic
        for node in self.cluster.nodes:
            clock.every(10, traffic.lease(node.kubelet, "kube-node-lease", node.name, get=False), 0.04)
            clock.every(10, traffic.node_read(node), 0.04)
            clock.every(45, traffic.node_status(node))
        leaders: list[tuple[Who, str, str]] = [
            (
                traffic.manager.using(self.cluster.agent("kube-controller-manager") + "/leader-election"),
                "kube-system",
                "kube-controller-manager",
            ),
            (
                traffic.scheduler.using(self.cluster.agent("kube-scheduler") + "/leader-election"),
                "kube-system",
                "kube-scheduler",
            ),
            *((who, "kube-system", who.name.rsplit(":", 1)[1]) for who, _, _ in self.operators),
        ]
        for who, namespace, name in leaders:
            clock.every(2, traffic.lease(who, namespace, name), 0.02)
        for number in range(3):
            probe = f"10.20.0.{10 + number}"
            clock.every(1, traffic.probe(anonymous(probe, "kube-probe/1.32"), "/readyz"), 0.01)
            clock.every(10, traffic.probe(anonymous(probe, "kube-probe/1.32"), "/livez"), 0.01)
            clock.every(
                5, traffic.probe(anonymous(f"10.20.9.{number}", "ELB-HealthChecker/2.0"), "/readyz?verbose=false")
            )
        clock.every(10, traffic.self_check)

    def _watches(self) -> None:
        clock, traffic = self.clock, self.traffic
        plain = (("services", ""), ("nodes", ""), ("runtimeclasses", "node.k8s.io"), ("csidrivers", "storage.k8s.io"))
        for node in self.cluster.nodes:
            for resource, group in plain:
                root = f"/apis/{group}/v1" if group else "/api/v1"
                clock.every(450, traffic.watch(node.kubelet, f"{root}/{resource}", resource, group), 0.3)
            for name in self.log.rng.sample(self.namespaces, 22):
                path = f"/api/v1/namespaces/{name}/configmaps"
                clock.every(450, traffic.watch(node.kubelet, path, "configmaps", "", name, "kube-root-ca.crt"), 0.3)
        informers = (
            ("pods", ""),
            ("nodes", ""),
            ("services", ""),
            ("replicasets", "apps"),
            ("jobs", "batch"),
            ("secrets", ""),
            ("namespaces", ""),
            ("endpointslices", "discovery.k8s.io"),
            ("persistentvolumeclaims", ""),
            ("deployments", "apps"),
        )
        for who in (traffic.manager, traffic.scheduler, *(each[0] for each in self.operators)):
            for resource, group in informers:
                root = f"/apis/{group}/v1" if group else "/api/v1"
                clock.every(450, traffic.watch(who, f"{root}/{resource}", resource, group), 0.3)

    def _work(self) -> None:
        clock, rng = self.clock, self.log.rng
        for number, namespace in enumerate(self.namespaces[:110]):
            image = f"registry.example.com/{namespace.split('-')[0]}/task:2.{number % 9}"
            run = self.cascades.cron_run(
                namespace, f"{namespace}-sync", image, ["--once", f"--shard={number}"], seconds=8 + number % 30
            )
            clock.cron(5 + number % 8, run)
        for work in self.cluster.workloads:
            clock.every(9000, self._rollout(work), 0.8)
        for who, resource, group in self.operators:
            for _ in range(14):
                clock.every(20, self._reconcile(who, resource, group, rng.choice(self.namespaces)), 0.6)
        for person in self.people:
            clock.every(150, self._session(person), 0.9)
        node = self.cluster.nodes
        clock.every(0.5, lambda at: self.traffic.review(self._pick(node).kubelet, at, token=False), 0.9)
        clock.every(0.4, lambda at: self.traffic.review(self._pick(node).kubelet, at, token=True), 0.9)
        clock.every(0.32, self._event, 0.9)
        clock.every(0.8, self._sync, 0.9)
        clock.every(0.35, self._pod_status, 0.9)
        clock.every(2.0, self._renew_token, 0.9)
        clock.every(2.5, self._refused, 0.9)
        clock.every(0.6, self._endpoints, 0.9)
        clock.every(600, self._helm, 0.5)
        for controller in ("generic-garbage-collector", "resourcequota-controller"):
            who = self.traffic.controllers[controller]
            clock.every(60, self._discovery(who), 0.05)

    def _discovery(self, who: Who) -> Action:
        def go(at: int) -> None:
            self.traffic.discovery(who, at)

        return go

    def _work_of(self) -> Workload:
        return self.cluster.workloads[self.log.rng.randrange(len(self.cluster.workloads))]

    def _rollout(self, work: Workload) -> Action:
        deployer = self.operators[5][0]

        def go(at: int) -> None:
            who, how = (
                (deployer, "argocd-controller") if at % 3 else (self.people[at % len(self.people)], "kubectl-set")
            )
            image = f"{work.image.rsplit(':', 1)[0]}:1.{at % 60}.{at % 7}"
            self.cascades.rollout(at, who, work, image, apply=how)

        return go

    def _reconcile(self, who: Who, resource: str, group: str, namespace: str) -> Action:
        path = f"{f'/apis/{group}/v1' if group else '/api/v1'}/namespaces/{namespace}/{resource}"
        name = f"{namespace.split('-', maxsplit=1)[0]}-main"
        read, status = ref(resource, namespace, name, group=group), self.log.uuid()

        def go(at: int) -> None:
            self.log.request(at, who, "get", f"{path}/{name}", read)
            if at % 3 == 0:
                target = ref(resource, namespace, name, group=group, uid=status, rv=self.log.rv(), sub="status")
                self.log.request(at + 9000, who, "update", f"{path}/{name}/status", target)

        return go

    def _session(self, who: Who) -> Action:
        def go(at: int) -> None:
            self.traffic.kubectl(at, who, self._work_of().namespace)

        return go

    def _event(self, at: int) -> None:
        work = self._work_of()
        pod, _, node = work.pods[at % len(work.pods)]
        reason, text = (
            ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
            ("Pulled", f'Container image "{work.image}" already present on machine'),
            ("BackOff", f"Back-off restarting failed container {work.name} in pod {pod}"),
        )[at % 3]
        self.traffic.cluster_event(node.kubelet, at, work.namespace, "Pod", pod, reason, text)

    def _pod_status(self, at: int) -> None:
        work = self._work_of()
        pod, uid, node = work.pods[at % len(work.pods)]
        sent = bodies.pod_status_patch(
            self.log, uid, [bodies.container(work.name, work.image)], node.ip, f"{node.pods}.{2 + at % 250}", at
        )
        path = f"/api/v1/namespaces/{work.namespace}/pods/{pod}/status"
        self.log.request(
            at, node.kubelet, "patch", path, ref("pods", work.namespace, pod, sub="status"), level="Request", sent=sent
        )

    def _sync(self, at: int) -> None:
        """Argo CD writes an Application's status: the longest bodies of the log."""
        who, work, log = self.operators[5][0], self._work_of(), self.log
        health = (
            {"status": "Healthy"},
            {"status": "Progressing", "message": "Waiting for rollout to finish: 1 < 2 available"},
        )
        resources = [
            {
                "group": "apps",
                "version": "v1",
                "kind": kind,
                "namespace": work.namespace,
                "name": f"{work.name}-{number}",
                "status": "Synced",
                "health": health[(at + number) % 2],
            }
            for number in range(at % 12)
            for kind in ("Deployment", "Service", "ConfigMap")
        ]
        now = stamp_seconds(at)
        revision = f"{log.rng.getrandbits(160):040x}"
        status = {
            "reconciledAt": now,
            "sync": {"status": "Synced", "revision": revision},
            "resources": resources,
            "history": [{"id": number, "deployedAt": now, "revision": revision} for number in range(at % 5)],
        }
        path = f"/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{work.name}"
        target = ref("applications", "argocd", work.name, group="argoproj.io", version="v1alpha1")
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": work.name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": {"repoURL": "https://git.example.com/deploy.git", "path": work.name},
            },
            "status": status,
        }
        log.request(
            at,
            who,
            "patch",
            path,
            target,
            level="RequestResponse",
            sent=dump({"status": status}),
            returned=dump(bodies.stored(log, body, at, "argocd-application-controller", work.uid))
            if at % 4 == 0
            else "",
        )

    def _renew_token(self, at: int) -> None:
        work = self._work_of()
        node = work.pods[at % len(work.pods)][2]
        self.traffic.token_request(node, work.namespace, "default", at)

    def _refused(self, at: int) -> None:
        if at % 2:
            who, resource, group = self.operators[at % len(self.operators)]
            self.traffic.refused(at, who, "list", resource, group, self._work_of().namespace)
        else:
            who = self.people[at % len(self.people)]
            self.traffic.refused(at, who, "list", ("secrets", "nodes", "pods")[at % 3], "", self._work_of().namespace)

    def _endpoints(self, at: int) -> None:
        work = self._work_of()
        self.cascades.endpoints(at, work.namespace, work.name)

    def _helm(self, at: int) -> None:
        work, who = self._work_of(), self.people[at % len(self.people)]
        labels = {"app.kubernetes.io/name": work.name, "app.kubernetes.io/managed-by": "Helm"}
        spec = bodies.pod_spec([bodies.container(work.name, work.image)])
        template = {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": spec}
        name = f"{work.name}-{at % 89}"
        meta = {"name": name, "namespace": work.namespace, "creationTimestamp": None, "labels": labels}
        content = {f"setting-{number}.yaml": f"value: {number}\nmode: <auto>\n" * (at % 40) for number in range(6)}
        charted = [
            ("serviceaccounts", "", {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": meta}),
            ("configmaps", "", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": content}),
            (
                "services",
                "",
                {
                    "kind": "Service",
                    "apiVersion": "v1",
                    "metadata": meta,
                    "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
                },
            ),
            (
                "deployments",
                "apps",
                {
                    "kind": "Deployment",
                    "apiVersion": "apps/v1",
                    "metadata": meta,
                    "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
                },
            ),
        ]
        self.traffic.helm(at, who, work.namespace, name, charted, 1 + at % 30)
