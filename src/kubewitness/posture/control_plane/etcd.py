"""Checks of etcd: whoever may read and write it is above every role of the cluster.

Its settings come from flags, from variables, or from a file (`--config-file`) beside which neither counts. A client
certificate is asked for with `--client-cert-auth`, or as soon as `--trusted-ca-file` is given, and never on http.

Open on loopback alone it is milder and no pass: whatever program runs on that machine without being root, and every pod
in its network, reads all Secrets and writes itself a cluster-admin past RBAC and the audit log. That is why kubeadm
asks for certificates on loopback, too.

Source: go.etcd.io/etcd server/embed/config.go, etcdmain/config.go; etcd.conf.yml.sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.control_plane.addresses import is_loopback, over_tls, split_url
from kubewitness.posture.control_plane.api_server import document_named, hosts, not_collected
from kubewitness.posture.control_plane.flags import Flag
from kubewitness.posture.control_plane.judging import passed, said, told, unknown, unresolved, unseen, wanted
from kubewitness.posture.control_plane.nouns import Component, Given
from kubewitness.posture.filling import filled

_SECTIONS: Final = (("client-transport-security", ""), ("peer-transport-security", "peer-"))
_OPEN: Final = "rwx"


class _Doors(NamedTuple):
    """One of etcd's two doors, by the flags that make it."""

    urls: str
    default: str
    asks: str
    trusted: str
    severities: tuple[Severity, Severity]  # reachable from elsewhere, or not
    remedy: str  # whose, and its word for the URLs
    word: str


_CLIENTS: Final = _Doors(
    "listen-client-urls",
    "http://localhost:2379",
    "client-cert-auth",
    "trusted-ca-file",
    ("critical", "medium"),
    "control_plane/etcd_client_auth",
    "CLIENT_URLS",
)
_PEERS: Final = _Doors(
    "listen-peer-urls",
    "http://localhost:2380",
    "peer-client-cert-auth",
    "peer-trusted-ca-file",
    ("high", "low"),
    "control_plane/etcd_peer_auth",
    "PEER_URLS",
)


def settled(component: Component, snapshot: Snapshot) -> Component | None:
    """The component with the flags of its configuration file, if it names one; None if that is not to be read."""
    config = component.ask("config-file")
    if config is None or not config.is_set:
        return component
    document = document_named(component, config, snapshot)
    if document is None:
        return None
    flags: dict[str, Flag] = {}
    value = document.value
    for key, one in reading.node(value).items():
        if isinstance(one, str | int | bool):
            flags[key] = Flag(key, _text(one), document.at(key))
    for section, prefix in _SECTIONS:
        for key, one in reading.node(value, section).items():
            if isinstance(one, str | int | bool):
                name = "auto-tls" if key == "auto-tls" else key
                flags[prefix + name] = Flag(prefix + name, _text(one), document.at(section, key))
    start = replace(component.start, flags=flags, complete=True)
    return replace(component, starts=(start, *component.starts[1:]))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def client_auth(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether etcd serves those who show no certificate."""
    yield from _doors(component, snapshot, _CLIENTS)


def peer_auth(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether etcd takes those who show no certificate for a member."""
    yield from _doors(component, snapshot, _PEERS)


def _doors(component: Component, snapshot: Snapshot, kind: _Doors) -> Iterator[Result]:
    own = settled(component, snapshot)
    if own is None:
        yield _unsettled(component)
        return
    urls, asks = kind.urls, kind.asks
    listening, checked, trusted = own.ask(urls, kind.default), own.ask(asks, "false"), own.ask(kind.trusted)
    if listening is None or checked is None or trusted is None:
        yield unseen(own, urls)
        return
    asked = checked.truth is True or bool(trusted.value)
    settles = asked and all(url.startswith(("https://", "unix")) for url in listening.words)
    doors = [(url, *found) for url in listening.words if (found := split_url(url))]
    if (not doors or listening.unresolved) and not settles:  # https and certificates: whatever the address is
        yield unresolved(own, listening) if listening.unresolved else _unread(own, listening)
        return
    weak = [door for door in doors if door[1] == "http" or (door[1] == "https" and not asked)]
    expected = wanted(f"--{asks}=true, --{urls}=https://…")
    if not weak:
        yield passed(own, said(checked if checked.truth else trusted), checked.where, listening.where)
        return
    outside = [door for door in weak if not is_loopback(door[2])]
    shown = ", ".join(url for url, *_ in outside or weak)[:300]
    plain = any(scheme == "http" for _, scheme, _ in outside or weak)
    severity = kind.severities[0] if outside else kind.severities[1]
    text = Text(
        f"{shown}: {'plain HTTP' if plain else 'no client certificate is asked for'}",
        f"{shown}：{'明文 HTTP' if plain else '不要求客户端证书'}",
    )
    reason = Text(
        "reachable from other machines" if outside else "reachable by that machine's programs and host-network pods",
        "其他机器可访问" if outside else "该机器上的程序可访问，包括使用主机网络的 Pod",
    )  # fmt: skip
    remedy = filled(kind.remedy, {kind.word: over_tls(listening.words)})
    if remedy and not outside:
        remedy = replace(remedy, detail=_ON_LOOPBACK)
    yield told(own, text, expected, listening.where, checked.where, severity=severity, reason=reason, remedy=remedy)


_ON_LOOPBACK: Final = Text(
    "Until then no packet filter helps: let nothing of others run on that machine, and no pod use its network.",
    "在此之前，包过滤规则无济于事：不要让他人的程序在该机器上运行，也不要让 Pod 使用其主机网络。",
)


def _unsettled(component: Component) -> Result:
    given = component.ask("config-file")
    return not_collected(component, given) if given else unseen(component, "config-file")


def _unread(component: Component, given: Given) -> Result:
    reason = Text(f"--{given.name} holds no URL that can be read", f"--{given.name} 中没有可识别的 URL")
    return unknown(component, reason, given.where)


def auto_tls(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Certificates that etcd makes for itself: nobody can check whose they are."""
    own = settled(component, snapshot)
    if own is None:
        yield _unsettled(component)
        return
    for name in ("auto-tls", "peer-auto-tls"):
        found = own.ask(name, "false")
        if found is None:
            yield unseen(own, name, aspect=name)
        elif found.truth:
            yield told(own, said(found), wanted(f"--{name}=false"), found.where, aspect=name)
        else:
            yield passed(own, said(found), found.where, aspect=name)


def own_authority(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether the authority etcd trusts also signs other people's certificates: each of them then opens it."""
    own = settled(component, snapshot)
    trusted = own.ask("trusted-ca-file") if own else None
    if own is None or trusted is None:
        yield unseen(component, "trusted-ca-file")
        return
    if not trusted.is_set:
        reason = Text(
            "it trusts no authority: it asks nobody for a certificate", "它不信任任何 CA：不要求任何人出示证书"
        )
        yield Result("not_applicable", CLUSTER, component.subject, reason=reason)
        return
    servers = [
        one for one in snapshot.components if one.program == "kube-apiserver" and one.instance == component.instance
    ]
    clients = next((given for one in servers if (given := one.ask("client-ca-file")) and given.is_set), None)
    if clients is None:
        reason = Text(
            "the API server's --client-ca-file on that machine is not in the evidence",
            "证据中没有该机器上 API server 的 --client-ca-file",
        )
        yield unknown(component, reason, trusted.where)
    elif clients.value == trusted.value:
        expected = Text("an authority of its own for etcd", "etcd 使用独立的 CA")
        yield told(own, said(trusted), expected, trusted.where, clients.where)
    else:
        yield passed(own, said(trusted), trusted.where, clients.where)


def data_mode(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Who on the machine may read the data: everything the cluster knows, Secrets included."""
    own = settled(component, snapshot) or component
    given = own.ask("data-dir")
    if given is None or not given.value.startswith("/"):
        yield unseen(own, "data-dir")
        return
    path = given.value.rstrip("/")
    machine = next((one for one in hosts(snapshot) if one.name == component.instance), None)
    found = {
        one.path.rstrip("/"): one
        for one in (machine.listing if machine else ())
        if one.path.rstrip("/") in {path, f"{path}/member"} and len(one.mode) >= 10
    }
    top = found.get(path)
    if top is None:
        reason = Text(
            f"no listing of {path[:200]} on that machine is in the evidence",
            f"证据中没有该机器上 {path[:200]} 的文件列表",
        )
        yield unknown(own, reason, given.where)
        return
    where = Where(top.place.item, top.place.line, path=top.path, text=f"{top.mode} {top.owner}"[:200])
    text = Text(f"{top.path}: {top.mode}", f"{top.path}：{top.mode}")
    group, others = top.mode[4:7], top.mode[7:10]
    inner = found.get(f"{path}/member")
    closed = inner is not None and inner.mode[4:10] == "------"
    if not any(char in _OPEN for char in group + others) or closed:
        yield passed(own, text, where)
    else:
        severity: Severity = "medium" if any(char in _OPEN for char in others) else "low"
        yield told(own, text, Text("drwx------ (0700)", "drwx------（0700）"), where, severity=severity)
