"""Checks of what the components show of themselves: profiles, metrics, and ports without authentication.

Until 1.22 the controller manager and the scheduler open a second port without authentication (10252, 10251) unless
`--port=0` is given; since 1.23 they cannot. Their other port (10257, 10259) asks for a credential, and binds to every
address unless told otherwise.

Source: kubernetes/cmd/kube-controller-manager and kube-scheduler options; CHANGELOG-1.23; kubeproxy.config.k8s.io.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.control_plane.addresses import host_of, is_loopback
from kubewitness.posture.control_plane.api_server import document_named, listening, not_collected
from kubewitness.posture.control_plane.components import SYSTEM
from kubewitness.posture.control_plane.judging import passed, said, told, unresolved, unseen, wanted
from kubewitness.posture.control_plane.nouns import Component
from kubewitness.posture.places import where_of
from kubewitness.posture.yaml_text import read

_PORTS: Final = {"kube-controller-manager": "10252", "kube-scheduler": "10251"}
_INSECURE_GONE: Final = 23
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 (what others bind to)
_PROXY: Final = "kube-proxy"
_CONFIG: Final = "config.conf"
_METRICS: Final = "metricsBindAddress"


def profiling(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether it hands out profiles of itself."""
    config = component.ask("config") if component.program == "kube-scheduler" else None
    if config is not None and config.is_set:  # its flags for this do not count beside a file
        document = document_named(component, config, snapshot)
        if document is None:
            yield not_collected(component, config)
            return
        on = reading.flag(document.value, "enableProfiling") is not False
        where = document.at("enableProfiling")
        text = Text(
            f"enableProfiling is {'on' if on else 'off'} in its configuration file",
            f"其配置文件中 enableProfiling 为{'开启' if on else '关闭'}",
        )
        yield told(component, text, wanted("enableProfiling: false"), where) if on else passed(component, text, where)
        return
    given = component.ask("profiling", "true")
    if given is None:
        yield unseen(component, "profiling")
    elif given.truth is False:
        yield passed(component, said(given), given.where)
    elif given.truth:
        yield told(component, said(given), wanted("--profiling=false"), given.where)
    else:
        yield unresolved(component, given)


def insecure_metrics_port(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """The port without authentication of old versions."""
    old = component.before(_INSECURE_GONE)
    given = component.ask("port")
    if old is False:
        text = Text("since 1.23 it has no port without authentication", "自 1.23 起它不再有无认证的端口")
        yield passed(component, text, component.start.where)
    elif (
        (heard := listening(component, snapshot)) is not None
        and int(_PORTS[component.program]) not in heard
        and not (given and given.is_set)
    ):
        socket = next(iter(heard.values()))
        number = _PORTS[component.program]
        text = Text(f"its process does not listen on {number}", f"其进程没有监听 {number} 端口")
        yield passed(component, text, Where(socket.place.item, socket.place.line))
    elif given is None or (old is None and not given.is_set):
        yield unseen(component, "port") if given is None else _unknown(component)
    elif given.value == "0":
        yield passed(component, said(given), given.where)
    else:
        number = given.value if given.is_set else _PORTS[component.program]
        asked = component.ask("address", _EVERYWHERE)
        address = asked.value if asked else _EVERYWHERE
        text = Text(
            f"plain HTTP on {address}:{number} without authentication",
            f"在 {address}:{number} 上提供没有身份认证的明文 HTTP",
        )
        where = (given.where, *((asked.where,) if asked and asked.is_set else ()))
        if is_loopback(address):
            yield passed(component, text, *where)
        else:
            yield told(component, text, wanted("--port=0"), *where)


def _unknown(component: Component) -> Result:
    reason = Text(
        "neither --port nor the version is known: until 1.22 the port is open unless --port=0 is given",
        "--port 和版本均未知：1.22 及更早版本中，除非指定 --port=0，否则该端口是打开的",
    )
    return not_evaluated(CLUSTER, component.subject, reason)


def bind_address(component: Component, _: Snapshot) -> Iterator[Result]:
    """Where the port with authentication listens."""
    given = component.ask("bind-address", _EVERYWHERE)
    off = component.ask("secure-port")
    if given is None:
        yield unseen(component, "bind-address")
    elif off is not None and off.value == "0":
        yield passed(component, said(off), off.where)
    elif given.unresolved:
        yield unresolved(component, given)
    elif is_loopback(given.value):
        yield passed(component, said(given), given.where)
    else:
        yield told(component, said(given), wanted("--bind-address=127.0.0.1"), given.where)


def own_credentials(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether each controller acts under its own account."""
    given = component.ask("use-service-account-credentials", "false")
    if given is None:
        yield unseen(component, "use-service-account-credentials")
    elif given.truth:
        yield passed(component, said(given), given.where)
    elif given.truth is False:
        yield told(component, said(given), wanted("--use-service-account-credentials=true"), given.where)
    else:
        yield unresolved(component, given)


def proxy_metrics(snapshot: Snapshot) -> Iterator[Result]:
    """Where kube-proxy shows its metrics: out of its ConfigMap, its files or its flags, each value once."""
    found = list(_proxy_addresses(snapshot))
    if not found:
        reason = Text(
            "neither kube-proxy's ConfigMap in kube-system nor its command line is in the evidence",
            "证据中既没有 kube-system 中 kube-proxy 的 ConfigMap，也没有其启动命令行",
        )
        yield not_evaluated(CLUSTER, _PROXY, reason)
        return
    seen = set[tuple[str, str]]()
    for subject, address, where in found:
        if (subject, address) in seen:
            continue
        seen.add((subject, address))
        shown = address or "127.0.0.1:10249"
        text = Text(f"metrics on {shown}", f"指标监听于 {shown}")
        host = host_of(shown)
        if is_loopback(host) or "$" in host:
            yield Result("pass", CLUSTER, subject, text, where=(where,))
        else:
            expected = wanted("metricsBindAddress: 127.0.0.1:10249")
            yield Result("fail", CLUSTER, subject, text, expected, (where,))


def _proxy_addresses(snapshot: Snapshot) -> Iterator[tuple[str, str, Where]]:
    cluster = snapshot.cluster
    for one in cluster.of("ConfigMap") if cluster else ():
        if (one.namespace, one.name) == (SYSTEM, _PROXY):
            text = reading.text(one.document, "data", _CONFIG)
            document = read(text, Where())
            if document is not None:
                address = reading.text(document.value, _METRICS)
                where = where_of(one, f"data.{_CONFIG}", f"{_METRICS}: {address}")
                yield f"{_PROXY} ConfigMap", address, where
    for component in snapshot.components:
        if component.program != _PROXY:
            continue
        config = component.ask("config")
        if config is not None and config.is_set:
            document = document_named(component, config, snapshot)
            if document is not None:
                yield component.subject, reading.text(document.value, _METRICS), document.at(_METRICS)
        elif (given := component.ask("metrics-bind-address", "127.0.0.1:10249")) is not None:
            yield component.subject, given.value, given.where
