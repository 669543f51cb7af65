"""Checks of the API server's doors: what it asks of whom, and what it decides with.

Source: k8s.io/apiserver and kubernetes/pkg/kubeapiserver/options of 1.18 to 1.36; CHANGELOG-1.20 (insecure port),
KEP-4633 (conditions on anonymous requests), KEP-3221 (structured authorization).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.host import Host, Socket
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.control_plane.addresses import is_loopback, over_tls, split_url
from kubewitness.posture.control_plane.components import files_named
from kubewitness.posture.control_plane.judging import passed, said, told, unknown, unresolved, unseen, wanted
from kubewitness.posture.control_plane.nouns import Component, Given
from kubewitness.posture.filling import filled
from kubewitness.posture.yaml_text import Document, read

_INSECURE_GONE: Final = 20  # the minor version that cannot open the insecure port any more
_INSECURE: Final = 8080
_COMM: Final = 15  # characters of a process's name that the kernel keeps
_MODES: Final = {"alwaysallow": "AlwaysAllow", "node": "Node", "rbac": "RBAC", "webhook": "Webhook", "abac": "ABAC"}


def hosts(snapshot: Snapshot) -> Iterator[Host]:
    """The machines of the evidence."""
    return (one.host for one in snapshot.machines)


def document_named(component: Component, given: Given, snapshot: Snapshot) -> Document | None:
    """What the file says that a flag names; None if it is not in the evidence, or cannot be read."""
    file = files_named(component, given.name, hosts(snapshot))
    return read(file.text, Where(file.place.item, file.place.line, path=file.path)) if file else None


def listening(component: Component, snapshot: Snapshot) -> dict[int, Socket] | None:
    """The ports its process listens on, by a list of sockets that names owners; None if there is none."""
    found = {
        socket.local_port: socket
        for host in hosts(snapshot)
        if host.name == component.instance
        for socket in host.sockets
        if socket.state == "LISTEN" and any(name == component.program[:_COMM] for name, _ in socket.owners)
    }
    return found or None


def not_collected(component: Component, given: Given, aspect: str = "") -> Result:
    """Not evaluated: a file that a flag names."""
    path = given.value[:200]
    return unknown(
        component,
        Text(
            f"--{given.name} names {path}, which the evidence does not hold or which cannot be read",
            f"--{given.name} 指定了 {path}，但证据中没有该文件或无法读取",
        ),
        given.where,
        aspect=aspect,
    )


def insecure_port(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """A port without authentication and authorization: every request on it is root's."""
    old = component.before(_INSECURE_GONE)
    port, alias = component.ask("insecure-port"), component.ask("port")
    if port is None or alias is None:
        if old is False:
            yield _cannot(component)
        else:
            yield unseen(component, "insecure-port")
        return
    given = port if port.is_set else alias
    if given.is_set and given.value == "0":
        yield passed(component, said(given), given.where)
    elif old is False:
        yield _cannot(component)
    elif given.unresolved:
        yield unresolved(component, given)
    elif given.is_set or old:  # a later version would not have started with it
        number = given.value if given.is_set else "8080"
        asked = (component.ask(name) for name in ("insecure-bind-address", "address"))
        bind = next((one for one in asked if one and one.is_set), None)
        address = bind.value if bind else "127.0.0.1"
        local = is_loopback(address)
        severity: Severity = "critical" if not local else "high" if given.is_set else "medium"
        yield told(
            component,
            Text(
                f"plain HTTP on {address}:{number}, without authentication and authorization",
                f"在 {address}:{number} 上提供明文 HTTP，没有身份认证和鉴权",
            ),
            wanted("--insecure-port=0"),
            given.where if given.is_set else component.start.where,
            *((bind.where,) if bind else ()),
            severity=severity,
            reason=Text(
                "only programs on that machine reach it" if local else "whoever reaches the address is cluster-admin",
                "只有该机器上的程序能够访问" if local else "任何能访问该地址的人都等同于 cluster-admin",
            ),
        )
    elif (heard := listening(component, snapshot)) is not None and _INSECURE not in heard:
        socket = next(iter(heard.values()))
        yield passed(
            component,
            Text("its process does not listen on 8080", "其进程没有监听 8080 端口"),
            Where(socket.place.item, socket.place.line),
        )
    else:
        yield unknown(
            component,
            Text(
                "neither the flag nor the version is known: up to 1.19 the port is open unless --insecure-port=0",
                "参数和版本均未知：1.19 及更早版本中，除非指定 --insecure-port=0，否则该端口是打开的",
            ),
            component.start.where,
        )


def _cannot(component: Component) -> Result:
    return passed(
        component,
        Text("since 1.20 the API server cannot open an insecure port", "自 1.20 起 API server 已无法打开不安全端口"),
        component.start.where,
    )


def authorization_mode(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Who decides what is allowed."""
    config = component.ask("authorization-config")
    if config is not None and config.is_set:
        document = document_named(component, config, snapshot)
        if document is None:
            yield not_collected(component, config)
            return
        found = [reading.text(one, "type") for _, one in reading.nodes(document.value, "authorizers")]
        yield from _modes(component, found, Given(config.name, ",".join(found), document.at("authorizers")))
        return
    given = component.ask("authorization-mode", "AlwaysAllow")
    if given is None:
        yield unseen(component, "authorization-mode")
    elif given.unresolved:
        yield unresolved(component, given)
    else:
        yield from _modes(component, list(given.words), given)


def _modes(component: Component, listed: list[str], given: Given) -> Iterator[Result]:
    modes = {_MODES.get(one.lower(), one) for one in listed}
    expected = wanted("--authorization-mode=Node,RBAC")
    if "AlwaysAllow" in modes:
        yield told(
            component, said(given), expected, given.where, severity="critical", aspect="AlwaysAllow",
            reason=Text(
                "whoever can log in, every pod with its token included, may do everything",
                "任何通过身份认证者（包括持有令牌的每个 Pod）都可以做任何事",
            ),
        )  # fmt: skip
        return
    failed = False
    if "RBAC" not in modes:
        failed = True
        yield told(
            component, said(given), expected, given.where, aspect="RBAC",
            severity="low" if "Webhook" in modes else "high",
            reason=Text(
                "RBAC is not asked: roles and bindings mean nothing", "未启用 RBAC：角色和绑定不起任何作用"
            ),
        )  # fmt: skip
    if "Node" not in modes:
        failed = True
        yield told(
            component, said(given), expected, given.where, aspect="Node", severity="low",
            reason=Text(
                "without the Node authorizer a kubelet's rights are not limited to its own pods",
                "没有 Node 鉴权器，kubelet 的权限就不会限制在自己节点的 Pod 范围内",
            ),
        )  # fmt: skip
    if not failed:
        yield passed(component, said(given), given.where)


def token_file(component: Component, _: Snapshot) -> Iterator[Result]:
    """Passwords and tokens in a file: they never expire, and every change needs a restart."""
    for name, severity in (("token-auth-file", "medium"), ("basic-auth-file", "high")):
        given = component.ask(name)
        if given is None:
            yield unseen(component, name, aspect=name)
        elif given.is_set and given.value:
            gone = name == "basic-auth-file" and component.before(19) is False
            if not gone:
                rated: Severity = "high" if severity == "high" else "medium"
                yield told(
                    component, said(given), Text(f"no --{name}", f"不使用 --{name}"), given.where,
                    severity=rated, aspect=name,
                    remedy=filled("control_plane/token_file", {"FLAG": f"{name}={given.value}"}),
                )  # fmt: skip
        else:
            yield passed(component, said(given), given.where, aspect=name)


def account_lookup(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether a token is refused once its service account is deleted."""
    given = component.ask("service-account-lookup", "true")
    if given is None:
        yield unseen(component, "service-account-lookup")
    elif given.truth is False:
        yield told(component, said(given), wanted("--service-account-lookup=true"), given.where)
    elif given.truth:
        yield passed(component, said(given), given.where)
    else:
        yield unresolved(component, given)


def front_proxy(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether the clients of the cluster may speak for anybody, by header, as only its aggregation proxy may."""
    names = ("requestheader-client-ca-file", "client-ca-file", "requestheader-allowed-names")
    given = [component.ask(name) for name in names]
    proxy, clients, allowed = given
    if proxy is None or clients is None or allowed is None:
        yield unseen(component, names[0])
    elif not proxy.value or proxy.value != clients.value:
        yield passed(component, said(proxy), proxy.where, clients.where)
    else:
        yield told(
            component,
            said(proxy),
            Text("an authority of its own, and allowed names", "独立的 CA，并指定允许的名称"),
            proxy.where,
            clients.where,
            severity="low" if allowed.words else "critical",
            reason=Text(
                "certificates of that authority and one of the allowed names may be anybody"
                if allowed.words
                else "every client certificate of the cluster may say that it is anybody, system:masters included",
                "由该 CA 签发且名称在允许之列的证书可以冒充任何人"
                if allowed.words
                else "集群的任何客户端证书都可以自称是任何人，包括 system:masters",
            ),
        )


def etcd_servers(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether everything the cluster knows crosses the network in plain text, to an etcd that asks nobody."""
    given = component.ask("etcd-servers")
    if given is not None and not given.value and component.start.distribution:
        reason = Text("it keeps its data inside the same process", "其数据保存在同一进程内")
        yield Result("not_applicable", CLUSTER, component.subject, reason=reason)
        return
    if given is None or not given.value:
        yield unseen(component, "etcd-servers")
        return
    found = [(url, split_url(url)) for url in given.words]
    plain = [url for url, parts in found if parts and parts[0] == "http" and not is_loopback(parts[1])]
    if any("$" in url for url in plain) or any(parts is None and "$" in url for url, parts in found):
        yield unresolved(component, given)
    elif plain:
        remedy = filled("control_plane/etcd_servers", {"SERVER_URLS": over_tls(given.words)})
        yield told(component, said(given), wanted("--etcd-servers=https://…"), given.where, remedy=remedy)
    else:
        yield passed(component, said(given), given.where)


def kubelet_ca(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether the API server checks that it talks to its kubelets."""
    yield from _present(component, "kubelet-certificate-authority")


def client_ca(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether client certificates are checked at all."""
    yield from _present(component, "client-ca-file")


def _present(component: Component, name: str) -> Iterator[Result]:
    given = component.ask(name)
    if given is None:
        yield unseen(component, name)
    elif given.value:
        yield passed(component, said(given), given.where)
    else:
        yield told(component, said(given), Text(f"--{name}=FILE", f"--{name}=文件"), given.where)


def encryption(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether Secrets lie encrypted in etcd."""
    old = component.ask("experimental-encryption-provider-config")
    given = component.ask("encryption-provider-config")
    if given is None or old is None:
        yield unseen(component, "encryption-provider-config")
        return
    given = given if given.is_set or not old.is_set else old
    expected = Text("a provider other than identity first for secrets", "secrets 的首个 provider 不是 identity")
    if not given.is_set:
        yield told(component, said(given), expected, given.where)
        return
    document = document_named(component, given, snapshot)
    if document is None:
        yield not_collected(component, given)
        return
    for number, one in reading.nodes(document.value, "resources"):
        covered = reading.texts(one, "resources")
        if not {"secrets", "*.*", "*."} & set(covered):
            continue
        providers = reading.at(one, "providers")
        first = next(iter(providers), None) if isinstance(providers, list) else None
        name = next(iter(first), "") if isinstance(first, dict) else ""
        where = document.at("resources", number, "providers", 0)
        text = Text(f"the first provider for secrets is {name}", f"secrets 的首个 provider 是 {name}")
        if name in {"", "identity"}:
            yield told(component, text, expected, where, given.where)
        else:
            yield passed(component, text, where, given.where)
        return
    where = document.at("resources")
    yield told(
        component, Text("the file names no provider for secrets", "该文件没有为 secrets 指定 provider"), expected, where
    )
