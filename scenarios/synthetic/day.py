"""A Sunday of a small cluster: one control plane, three workers, kubeadm, Kubernetes 1.22, a handful of people.

Its audit policy is the usual one for such a cluster: leases, health checks of the kubelet and watches of the system's
own components are not logged, secrets, tokens and reads are logged at Metadata, writes of workloads and RBAC at
RequestResponse, the rest at Request; stage RequestReceived is omitted. Nothing in this day is an attack, but much of
it looks like one to a hasty rule: a node joins with an anonymous read of cluster-info, a Helm chart brings a
DaemonSet with hostPath, hostPID and hostNetwork, a developer opens a shell, an administrator deletes a namespace, a
scanner from the internet is turned away, an exporter asks for what it may not see.
"""

from __future__ import annotations

import random

from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.cascades import Cascades
from scenarios.synthetic.clock import Action, Clock
from scenarios.synthetic.cluster import AUTHENTICATED, Cluster, Node, Workload
from scenarios.synthetic.traffic import Traffic, anonymous
from scenarios.synthetic.wire import SECOND, Log, Who, client, dump, forbidden, micros, rbac, ref

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
LAPTOP = "v1.22.15 (linux/amd64) kubernetes/1d79bc3"
_RBAC = "rbac.authorization.k8s.io"


class Day:
    """The benign day; scenarios add their own people and intruders before `lines`."""

    def __init__(self, seed: int, date: str) -> None:
        self.start = micros(f"{date}T00:00:00Z")
        self.end = self.start + 24 * HOUR
        self.log = Log(random.Random(seed), detailed=False)  # noqa: S311
        self.cluster = Cluster(self.log, "1.22.15", "1d79bc3")
        for number, name in enumerate(("k8s-master-1", "k8s-worker-1", "k8s-worker-2", "k8s-worker-3")):
            self.cluster.add_node(name, number)
        self.traffic = Traffic(self.cluster, events=True)
        self.cascades = Cascades(self.traffic)
        self.clock = Clock(self.log, self.start)
        self.door = ""  # a binding that also allows anonymous health checks while it exists
        masters = ("system:masters",)
        self.admin = self.cluster.person("kubernetes-admin", "10.20.0.4", LAPTOP, masters)
        editor = rbac("shop-developers", "edit", 'Group "developers"', "RoleBinding")
        editor = editor.replace('"shop-developers"', '"shop-developers/shop"')
        self.alice = self.cluster.person("alice", "10.20.8.21", LAPTOP, reason=editor)
        self.bob = self.cluster.person("bob", "10.20.8.34", "v1.25.2 (darwin/arm64) kubernetes/5835544", reason=editor)
        self._workloads()
        self._background()
        self._people()

    def at(self, clock: str) -> int:
        """A time of the day: '16:50' or '17:30:24.602'."""
        hours, minutes, *seconds = clock.split(":")
        return (
            self.start + int(hours) * HOUR + int(minutes) * MINUTE + int(float(seconds[0] if seconds else 0) * SECOND)
        )

    def lines(self, first: int = 0, last: int = 0) -> list[str]:
        """The day's log, or the part of it written from `first` until `last`."""
        if first:
            for _ in self.clock.run(first):
                pass
        return list(self.clock.run(last or self.end))

    # ---- what runs by itself ----------------------------------------------------------------------------------------

    def _workloads(self) -> None:
        for namespace, name, image, replicas in (
            ("shop", "web", "registry.example.com/shop/web:4.18.2", 3),
            ("shop", "cart", "registry.example.com/shop/cart:2.7.0", 2),
            ("shop", "orders", "registry.example.com/shop/orders:3.1.4", 2),
            ("default", "status-page", "nginx:1.23", 1),
        ):
            work = Workload(namespace, name, image, self.log.uuid(), self.log.suffix(10), replicas)
            for number in range(replicas):
                pod = f"{name}-{work.hash}-{self.log.suffix()}"
                work.pods.append((pod, self.log.uuid(), self.cluster.nodes[1 + number % 3]))
            self.cluster.workloads.append(work)

    def _background(self) -> None:
        clock, traffic, cluster = self.clock, self.traffic, self.cluster
        prometheus = "system:serviceaccount:monitoring:prometheus"
        for node in cluster.nodes:
            clock.every(300, self._node_status(node), 0.01)
            clock.every(3600, lambda at, n=node: traffic.review(n.kubelet, at, token=False, about=prometheus), 0.2)  # type: ignore[misc]
            clock.every(1200, lambda at, n=node: traffic.review(n.kubelet, at, token=True), 0.2)  # type: ignore[misc]
        clock.every(36, self._balancer_check, 0.02)
        clock.every(600, traffic.self_check)
        collector = traffic.controllers["generic-garbage-collector"]
        clock.every(4 * 3600, self._discovery(collector), 0.02)
        clock.every(300, self._renew_token, 0.3)
        go = "v0.0.0 (linux/amd64) kubernetes/$Format"
        coredns = cluster.operator("kube-system", "coredns", f"coredns/{go}", binding="system:coredns")
        state = cluster.operator("monitoring", "kube-state-metrics", f"kube-state-metrics/{go}")
        ingress = cluster.operator("ingress-nginx", "ingress-nginx", f"nginx-ingress-controller/{go}")
        metrics = cluster.operator("monitoring", "prometheus", "Prometheus/2.39.1")
        self.argo = cluster.operator("argocd", "argocd-application-controller", f"argocd-application-controller/{go}")
        for who, watched in (
            (coredns, (("endpointslices", "discovery.k8s.io"), ("namespaces", ""))),
            (state, (("pods", ""), ("jobs", "batch"))),
            (ingress, (("ingresses", "networking.k8s.io"), ("secrets", ""))),
        ):
            for resource, group in watched:
                root = f"/apis/{group}/v1" if group else "/api/v1"
                clock.every(450, traffic.watch(who, f"{root}/{resource}", resource, group), 0.2)
        clock.every(120, traffic.probe(metrics, "/metrics"), 0.02)
        clock.every(
            1800, lambda at: traffic.refused(at, state, "list", "horizontalpodautoscalers", "autoscaling"), 0.02
        )
        for work in cluster.workloads[:3]:
            clock.every(900, self._compare(work), 0.05)
        clock.every(3600, self._controller_tokens, 0.01)
        report = self.cascades.cron_run("shop", "report", "registry.example.com/shop/report:1.9.0", ["--since", "15m"])
        clock.cron(60, report)
        backup = ["sh", "-c", "pg_dump -h db shop | gzip > /backup/shop.sql.gz"]
        clock.cron(360, self.cascades.cron_run("shop", "db-backup", "postgres:14", backup, seconds=75))

    def _node_status(self, node: Node) -> Action:
        """The kubelet's heartbeat, of which the policy keeps no body."""
        path, target = f"/api/v1/nodes/{node.name}/status?timeout=10s", ref("nodes", "", node.name, sub="status")

        def go(at: int) -> None:
            self.log.request(at, node.kubelet, "patch", path, target)

        return go

    def _discovery(self, who: Who) -> Action:
        """A controller asks for all API groups, as it does every so often."""

        def go(at: int) -> None:
            self.traffic.discovery(who, at)

        return go

    def _balancer_check(self, at: int) -> None:
        """The load balancer asks for health without credentials; whichever binding allows it first is named."""
        who = anonymous("10.20.0.2", "HAProxy-health")
        if self.door and self.log.rng.random() < 0.5:
            who = who.by(rbac(self.door, "cluster-admin", 'User "system:anonymous"'))
        self.log.request(at, who, "get", "/healthz", took=300 + self.log.rng.getrandbits(8))

    def _renew_token(self, at: int) -> None:
        work = self.cluster.workloads[at // SECOND % 4]
        self.traffic.token_request(work.pods[at % len(work.pods)][2], work.namespace, "default", at)

    def _compare(self, work: Workload) -> Action:
        """Argo CD compares an application with its repository."""
        path, target = (
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/" + work.name,
            ref("applications", "argocd", work.name, group="argoproj.io", version="v1alpha1"),
        )

        def go(at: int) -> None:
            self.log.request(at, self.argo, "get", path, target)

        return go

    def _controller_tokens(self, at: int) -> None:
        """The controller manager renews the tokens of its controllers."""
        for name in self.traffic.controllers:
            at += 40_000 + self.log.rng.getrandbits(15)
            path = f"/api/v1/namespaces/kube-system/serviceaccounts/{name}/token"
            target = ref("serviceaccounts", "kube-system", name, sub="token")
            self.log.request(at, self.traffic.manager, "create", path, target, code=201)

    # ---- what people do ---------------------------------------------------------------------------------------------

    def _people(self) -> None:
        clock, cluster = self.clock, self.cluster
        web, cart, orders, _ = cluster.workloads
        for when, who, namespace in (
            ("07:58", self.admin, "kube-system"), ("08:41", self.alice, "shop"), ("09:17", self.bob, "shop"),
            ("10:26", self.alice, "shop"), ("11:48", self.bob, "shop"), ("13:12", self.admin, "default"),
            ("14:33", self.alice, "shop"), ("15:02", self.bob, "shop"), ("16:44", self.admin, "default"),
            ("18:30", self.bob, "shop"), ("20:05", self.admin, "kube-system"),
        ):  # fmt: skip
            clock.once(self.at(when), self._session(who, namespace))
        clock.once(self.at("08:30"), self._join)
        clock.once(self.at("09:41:12.5"), lambda at: self._rollout(at, self.alice, web, "4.18.3", "kubectl-set"))
        clock.once(self.at("10:05:33.1"), self._install_exporter)
        clock.once(self.at("11:21:07.4"), self._shell)
        clock.once(self.at("13:47:51.9"), lambda at: self._rollout(at, self.argo, orders, "3.2.0", "argocd-controller"))
        clock.once(self.at("15:31:20.2"), lambda at: self._rollout(at, self.argo, cart, "2.7.1", "argocd-controller"))
        clock.once(self.at("16:02:44.8"), self._clean_namespace)
        for when, address in (
            ("03:12:55", "198.51.100.23"),
            ("12:06:31", "198.51.100.118"),
            ("21:40:02", "192.0.2.45"),
        ):
            clock.once(self.at(when), self._scanner(address))
        clock.once(self.at("14:35:40"), lambda at: self.traffic.refused(at, self.alice, "list", "nodes"))

    def _session(self, who: Who, namespace: str) -> Action:
        def go(at: int) -> None:
            self.traffic.kubectl(at, who, namespace)

        return go

    def _rollout(self, at: int, who: Who, work: Workload, version: str, how: str) -> None:
        self.cascades.rollout(at, who, work, f"{work.image.rsplit(':', 1)[0]}:{version}", apply=how)

    def _join(self, at: int) -> None:
        """`kubeadm join` of k8s-worker-3 after it was reinstalled: anonymous discovery, then a certificate request."""
        log, node = self.log, self.cluster.nodes[3]
        agent = self.cluster.agent("kubeadm")
        door = "kubeadm:bootstrap-signer-clusterinfo"
        reason = rbac(f"{door}/kube-public", door, 'User "system:anonymous"', "RoleBinding", "Role")
        info = ref("configmaps", "kube-public", "cluster-info")
        path = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
        log.request(at, anonymous(node.ip, agent).by(reason), "get", path + "?timeout=10s", info)
        groups = ("system:bootstrappers", "system:bootstrappers:kubeadm:default-node-token", AUTHENTICATED)
        binding = rbac("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", f'Group "{groups[1]}"')
        joining = client("system:bootstrap:9a08jv", node.ip, agent, groups=groups, reason=binding)
        door = "kubeadm:nodes-kubeadm-config"
        config = rbac(f"{door}/kube-system", door, f'Group "{groups[1]}"', "RoleBinding", "Role")
        path = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config?timeout=10s"
        target = ref("configmaps", "kube-system", "kubeadm-config")
        log.request(at + 900_000, joining.by(config), "get", path, target)
        csr, group = f"csr-{log.suffix()}", "certificates.k8s.io"
        requests = f"/apis/{group}/v1/certificatesigningrequests"
        kubelet = joining.using(self.cluster.agent("kubelet"))
        at += 4 * SECOND
        log.request(at, kubelet, "create", requests, ref("certificatesigningrequests", group=group), code=201)
        approver = self.cluster.controller("certificate-controller")
        for delay, sub in ((60_000, "approval"), (130_000, "status")):
            target = ref("certificatesigningrequests", "", csr, group=group, sub=sub, uid=log.uuid(), rv=log.rv())
            log.request(at + delay, approver, "update", f"{requests}/{csr}/{sub}", target)
        log.request(
            at + 400_000, kubelet, "get", f"{requests}/{csr}", ref("certificatesigningrequests", "", csr, group=group)
        )

    def _install_exporter(self, at: int) -> None:
        """A monitoring chart with a DaemonSet that sees the whole host, as node exporters do."""
        name, ns = "node-exporter", "monitoring"
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm"}
        meta: Object = {"name": name, "namespace": ns, "creationTimestamp": None, "labels": labels}
        mounts = [{"name": "root", "readOnly": True, "mountPath": "/host/root", "mountPropagation": "HostToContainer"}]
        limits = {"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "50m", "memory": "32Mi"}}
        exporter = bodies.container(
            name, "quay.io/prometheus/node-exporter:v1.4.0", args=["--path.rootfs=/host/root"], volumeMounts=mounts,
            resources=limits, ports=[{"containerPort": 9100, "hostPort": 9100, "protocol": "TCP"}],
            securityContext={"runAsNonRoot": True, "runAsUser": 65534, "readOnlyRootFilesystem": True},
        )  # fmt: skip
        spec = bodies.pod_spec(
            [exporter], name, volumes=[{"name": "root", "hostPath": {"path": "/", "type": ""}}], hostNetwork=True,
            hostPID=True, tolerations=[{"operator": "Exists", "effect": "NoSchedule"}],
        )  # fmt: skip
        template = {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": spec}
        daemon: Object = {
            "kind": "DaemonSet",
            "apiVersion": "apps/v1",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": template,
                "updateStrategy": {"type": "RollingUpdate"},
            },
            "status": {
                "currentNumberScheduled": 0,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": 0,
                "numberReady": 0,
            },
        }
        rules = [{"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"]}]
        role: Object = {"kind": "ClusterRole", "apiVersion": f"{_RBAC}/v1",
                        "metadata": {"name": name, "creationTimestamp": None, "labels": labels},
                        "rules": rules}  # fmt: skip
        grant = bodies.cluster_role_binding(name, name, [bodies.account_subject(ns, name)])
        port = {"name": "metrics", "port": 9100, "protocol": "TCP", "targetPort": 9100}
        charted: list[tuple[str, str, Object]] = [
            ("serviceaccounts", "", {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": meta}),
            ("clusterroles", _RBAC, role),
            ("clusterrolebindings", _RBAC, grant),
            ("services", "", {"kind": "Service", "apiVersion": "v1", "metadata": meta, "spec": {"ports": [port]}}),
            ("daemonsets", "apps", daemon),
        ]
        self.traffic.helm(at, self.admin, ns, name, charted, 1)
        self.cascades.daemon_set(at + 2 * SECOND, daemon, self.log.uuid(), spec, labels)

    def _shell(self, at: int) -> None:
        """Alice looks into her own pod."""
        web = self.cluster.workloads[0]
        pod = web.pods[0][0]
        path = f"/api/v1/namespaces/shop/pods/{pod}"
        self.log.request(at, self.alice, "get", path, ref("pods", "shop", pod))
        self.traffic.exec(at + 80_000, self.alice, "shop", pod, "web", ["sh"], 214)

    def _clean_namespace(self, at: int) -> None:
        """The administrator deletes a preview namespace; the namespace controller empties it."""
        ns, log = "preview-1142", self.log
        path, target = f"/api/v1/namespaces/{ns}", ref("namespaces", ns, ns)
        options = dump({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"})
        log.request(at, self.admin, "delete", path, target, level="Request", sent=options)
        controller = self.traffic.controllers["namespace-controller"]
        at += 500_000
        for resource, group in (
            ("pods", ""), ("secrets", ""), ("configmaps", ""), ("services", ""), ("serviceaccounts", ""),
            ("events", ""), ("deployments", "apps"), ("replicasets", "apps"), ("jobs", "batch"),
            ("ingresses", "networking.k8s.io"), ("roles", _RBAC), ("rolebindings", _RBAC),
            ("endpointslices", "discovery.k8s.io"),
        ):  # fmt: skip
            root = f"/apis/{group}/v1" if group else "/api/v1"
            where, about = f"{root}/namespaces/{ns}/{resource}", ref(resource, ns, group=group)
            log.request(at, controller, "deletecollection", where, about)
            log.request(at + 9_000, controller, "list", where, about)
            at += 25_000 + log.rng.getrandbits(14)
        log.request(at, controller, "update", path + "/finalize", ref("namespaces", ns, ns, sub="finalize"))

    def _scanner(self, address: str) -> Action:
        """Somebody on the internet knocks and sees what everybody may see."""

        def go(at: int) -> None:
            who = anonymous(address, "Mozilla/5.0 zgrab/0.x")
            root = forbidden("system:anonymous", "get", "")
            self.log.request(at, who, "get", "/", failure=root)
            self.log.request(at + 240_000, who, "get", "/version")

        return go
