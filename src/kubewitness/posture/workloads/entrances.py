"""Checks of what is reached from outside, and what stands behind it: consoles, databases, programming interfaces.

What stands behind a Service is known by the images of its pods, else by the port: a database on its own port is one
whatever its image is called. Ordinary applications are listed, not accused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.access.state import Who, state_of
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.filling import filled
from kubewitness.posture.places import where_of
from kubewitness.posture.platforms import is_platform_or_agent
from kubewitness.posture.pods.exposed import Exposed, ways
from kubewitness.posture.pods.gathered import Workload, workloads
from kubewitness.posture.reading import nodes, number, text, texts
from kubewitness.posture.workloads.closing import closed

_PASSES: Final = 200


class Kind(NamedTuple):
    """What one does not leave open. `severity`: by a port of the nodes or a load balancer for everybody."""

    id: str
    name: Text
    image: re.Pattern[str]  # the last two parts of the image's name, without tag
    ports: frozenset[int]
    severity: Severity


def _kind(id_: str, en: str, zh: str, image: str, severity: Severity, *ports: int) -> Kind:
    return Kind(id_, Text(en, zh), re.compile(rf"(?:[^/]{{1,100}}/)?(?:{image})"), frozenset(ports), severity)


_KINDS: Final = (
    _kind(
        "kubernetes_dashboard", "Kubernetes Dashboard", "Kubernetes Dashboard",
        r"kubernetes-dashboard(?:-amd64)?|dashboard-(?:web|api|auth)|kubernetesui/dashboard", "high",
    ),
    _kind("kubelet", "the kubelet's API", "kubelet API", r"(?!)", "high", 10250, 10255),
    _kind("docker", "the API of Docker", "Docker API", r"dind", "high", 2375),
    _kind("etcd", "etcd", "etcd", r"etcd", "high", 2379),
    _kind(
        "scope", "Weave Scope, a console with a shell in every pod", "Weave Scope（可进入任意 Pod 的 shell）",
        r"weaveworks/scope", "high",
    ),
    _kind("argo", "Argo", "Argo", r"argocli|argoexec|argo-server|argocd(?:-server)?", "medium", 2746),
    _kind("jenkins", "Jenkins", "Jenkins", r"jenkins(?:-controller|-master|-lts)?", "medium"),
    _kind("rancher", "Rancher", "Rancher", r"rancher/rancher", "medium"),
    _kind("portainer", "Portainer", "Portainer", r"portainer(?:-.{1,10})?", "medium"),
    _kind(
        "notebook", "a notebook that runs code", "可执行代码的 Notebook",
        r"jupyter.{0,30}|.{0,20}-notebook|jupyterhub.{0,20}", "medium",
    ),
    _kind("mysql", "MySQL", "MySQL", r"mysql(?:-server)?|mariadb|percona(?:-server|-xtradb-cluster)?", "medium", 3306),
    _kind("postgresql", "PostgreSQL", "PostgreSQL", r"postgres(?:ql)?|postgis|pgbouncer", "medium", 5432),
    _kind("redis", "Redis", "Redis", r"redis(?:-stack.{0,10}|-server|-cluster)?|valkey", "medium", 6379),
    _kind("mongodb", "MongoDB", "MongoDB", r"mongo(?:db)?(?:-(?:community|enterprise)-server)?", "medium", 27017),
    _kind("search", "Elasticsearch", "Elasticsearch", r"elasticsearch(?:-.{1,10})?|opensearch", "medium", 9200),
    _kind("memcached", "Memcached", "Memcached", r"memcached", "medium", 11211),
    _kind(
        "other_database", "a database", "数据库",
        r"cassandra|couchdb|influxdb|clickhouse(?:-server)?|cockroach", "medium",
    ),
    _kind(
        "database_console", "a console of databases", "数据库管理界面",
        r"phpmyadmin|pgadmin4|adminer|mongo-express", "medium",
    ),
)  # fmt: skip


def services(snapshot: Snapshot) -> Iterator[Result]:
    """Ways in from outside, worst things behind them first."""
    cluster = snapshot.cluster
    if cluster is None:
        return
    passed = 0
    for one, behind in ways(cluster).behind:
        found = [kind for kind in _KINDS if _stands_behind(kind, one, behind)]
        for kind in found:
            yield _told(one, kind, behind)
        if not found and passed < _PASSES:
            passed += 1
            yield Result("pass", CLUSTER, str(one.source), _way(one), where=(where_of(one.source),), aspect=one.means)


def external_addresses(snapshot: Snapshot) -> Iterator[Result]:
    """Services that take addresses of others for their own."""
    cluster = snapshot.cluster
    if cluster is None:
        return
    for one, _ in ways(cluster).behind:
        if one.means == "externalIPs":
            shown = ", ".join(one.addresses[:5])
            text_ = Text(f"externalIPs: {shown}", f"externalIPs：{shown}")
            where = where_of(one.source, "spec.externalIPs", shown)
            yield Result("fail", CLUSTER, str(one.source), text_, _BALANCER, (where,))


_BALANCER: Final = Text(
    "a load balancer, or DenyServiceExternalIPs among the API server's admission plugins",
    "使用负载均衡器，或在 API server 的准入插件中启用 DenyServiceExternalIPs",
)


def _stands_behind(kind: Kind, one: Exposed, behind: tuple[Workload, ...]) -> bool:
    images = {_named(text(box, "image")) for each in behind for box in _served(one, each)}
    if any(kind.image.fullmatch(image) for image in images):
        return True
    return one.means != "Ingress" and any(
        own in kind.ports or (inner.isdecimal() and int(inner[:9]) in kind.ports) for _, own, inner in one.ports
    )


def _served(one: Exposed, behind: Workload) -> list[Mapping[str, object]]:
    """The containers that the ways lead to: those that name the ports, or all where a port is named by none."""
    boxes = [box for _, box in behind.boxes()]
    out = list[Mapping[str, object]]()
    for _, _, inner in one.ports:
        named = [box for box in boxes if any(inner in _port_names(port) for _, port in nodes(box, "ports"))]
        if not named:
            return boxes
        out += named
    return out or boxes


def _port_names(port: object) -> tuple[str, str]:
    return str(number(port, "containerPort")), text(port, "name")


def _named(image: str) -> str:
    """The last two parts of an image's name: "docker.io/library/redis:7" → "library/redis"."""
    bare = image[:1000].partition("@")[0]
    head, slash, last = bare.rpartition("/")
    name = last.partition(":")[0]
    return f"{head.rpartition('/')[2]}/{name}" if slash else name


def _way(one: Exposed) -> Text:
    ports = ", ".join(str(outer or own) for outer, own, _ in one.ports[:5])
    if one.means == "NodePort":
        return Text(f"on port {ports} of every node", f"每个节点的端口 {ports}")
    if one.means == "LoadBalancer":
        if one.is_internal:
            return Text(f"internal load balancer, port {ports}", f"内网负载均衡器，端口 {ports}")
        source = ", ".join(one.ranges[:5]) or "0.0.0.0/0"
        return Text(f"load balancer, port {ports}, from {source}", f"负载均衡器，端口 {ports}，来源 {source}")
    if one.means == "externalIPs":
        addresses = ", ".join(one.addresses[:5])
        return Text(f"at {addresses}, port {ports}", f"地址 {addresses}，端口 {ports}")
    kind = one.source.kind
    hosts = (
        [text(rule, "host") for rule in _rules(one)]
        if kind == "Ingress"
        else texts(one.source.document, "spec", "hostnames")
    )
    host = next(iter(hosts), "")[:100] or "*"
    return Text(f"by {kind}, host {host}", f"通过 {kind}，主机 {host}")


def _rules(one: Exposed) -> Iterator[object]:
    yield from (rule for _, rule in nodes(one.source.document, "spec", "rules"))


def _told(one: Exposed, kind: Kind, behind: tuple[Workload, ...]) -> Result:
    way = _way(one)
    names = ", ".join(str(each) for each in behind[:3])
    observed = Text(
        f"{kind.name.en} is reached from outside: {way.en}" + (f" ({names})" if names else ""),
        f"可从外部访问 {kind.name.zh}：{way.zh}" + (f"（{names}）" if names else ""),
    )
    if not one.is_open:
        return Result("pass", CLUSTER, str(one.source), observed, where=(where_of(one.source),), aspect=kind.id)
    severity: Severity = kind.severity
    reason = Text("", "")
    if one.means == "Ingress" and severity == "medium":
        severity = "low"
        reason = Text("through an Ingress, which may ask for a login", "经由 Ingress，后者可能要求登录")
    expected = Text("reached from inside, or from known addresses alone", "仅可从内部或已知地址访问")
    return Result(
        "fail",
        CLUSTER,
        str(one.source),
        observed,
        expected,
        (where_of(one.source, "spec"),),
        reason,
        severity,
        closed(one),
        aspect=kind.id,
    )


def dashboards(snapshot: Snapshot) -> Iterator[Result]:
    """The Dashboard: whether one has to log in, and as whom it acts."""
    cluster = snapshot.cluster
    state = state_of(snapshot)
    if cluster is None or state is None:
        return
    admins = {
        grant.who: grant.binding.key.name
        for grant in state.grants
        if not grant.scope and "everything" in state.rights(grant.role)
    }
    reach = ways(cluster).into
    for one in workloads(cluster):
        boxes = [(path, box) for path, box in one.boxes() if _KINDS[0].image.fullmatch(_named(text(box, "image")))]
        if not boxes:
            continue
        account = one.account
        who = Who("ServiceAccount", f"{one.namespace}/{account}")
        is_admin, remedy = who in admins, filled("workloads/dashboard", {"NAME": admins.get(who, "")})
        words = [(path, word) for path, box in boxes for key in ("command", "args") for word in texts(box, key)]
        skips = [
            path
            for path, word in words
            if word.partition("=")[0] == "--enable-skip-login" and not word.endswith("=false")
        ]
        open_ = any(each.is_open for each in reach.get((one.kind, one.namespace, one.name), ()))
        acts = Text(f"acts as {account}, cluster-admin", f"以 {account} 身份运行，且该身份是 cluster-admin")
        if skips:
            said = Text("--enable-skip-login: no login is asked for", "--enable-skip-login：无需登录")
            told = Text(f"{said.en}; {acts.en}", f"{said.zh}；{acts.zh}") if is_admin else said
            severity: Severity = "critical" if is_admin and open_ else "high" if is_admin or open_ else "medium"
            yield Result(
                "fail",
                CLUSTER,
                str(one),
                told,
                _LOGIN,
                (one.where(f"{skips[0]}.args"),),
                severity=severity,
                remedy=remedy,
                aspect="skip_login",
            )
        elif is_admin:
            severity = "high" if open_ else "medium"
            yield Result(
                "fail",
                CLUSTER,
                str(one),
                acts,
                _LOGIN,
                (one.where("spec.serviceAccountName", account),),
                severity=severity,
                remedy=remedy,
            )
        else:
            yield Result("pass", CLUSTER, str(one), _ASKS, where=(one.where(),))


_LOGIN: Final = Text("every user logs in with rights of his own", "每个用户以自己的权限登录")
_ASKS: Final = Text("it asks for a login and has few rights itself", "需要登录，且自身权限很少")


def without_policy(snapshot: Snapshot) -> Iterator[Result]:
    """Namespaces in which every pod may be reached by every other."""
    cluster = snapshot.cluster
    if cluster is None or not cluster.has_all("NetworkPolicy"):
        return
    others = [kind for kind in _OTHER_POLICIES if cluster.of(kind)]
    unseen = not others and any(one.name in _DEFINITIONS for one in cluster.of("CustomResourceDefinition"))
    guarded = {one.namespace for one in cluster.of("NetworkPolicy", *_OTHER_POLICIES)}
    if any(one.kind in _OF_CLUSTER for one in cluster.of(*_OTHER_POLICIES)):
        yield Result("pass", CLUSTER, "", Text("policies over the whole cluster", "存在作用于整个集群的策略"))
        return
    here = dict[str, list[Workload]]()
    for one in workloads(cluster):
        if not is_platform_or_agent(one.namespace):
            here.setdefault(one.namespace, []).append(one)
    for namespace, inside in sorted(here.items()):
        subject = f"Namespace {namespace}"
        if namespace in guarded:
            yield Result("pass", CLUSTER, subject, Text("it has a NetworkPolicy", "已有 NetworkPolicy"))
        elif unseen:
            yield Result("not_evaluated", CLUSTER, subject, reason=_UNSEEN)
        else:
            observed = Text(
                f"no NetworkPolicy; workloads: {len(inside)}", f"没有 NetworkPolicy；工作负载数：{len(inside)}"
            )
            where = (inside[0].where(),)
            remedy = filled("workloads/network_policy", {"NAMESPACE": namespace})
            yield Result("fail", CLUSTER, subject, observed, _DENY, where, remedy=remedy)


_OF_CLUSTER: Final = (
    "CiliumClusterwideNetworkPolicy",
    "GlobalNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
)
_OTHER_POLICIES: Final = ("CiliumNetworkPolicy", *_OF_CLUSTER)
_DEFINITIONS: Final = frozenset({"ciliumnetworkpolicies.cilium.io", "globalnetworkpolicies.crd.projectcalico.org"})
_DENY: Final = Text("a policy that denies by default", "默认拒绝的策略")
_UNSEEN: Final = Text(
    "the network has policies of its own kind (Cilium, Calico), which are not in the evidence",
    "网络插件有自己的策略类型（Cilium、Calico），证据中未包含",
)
