"""The settings of the kubelet that let somebody in, one check each, judged by what is in effect and not by what a file
says: flags, files that were read, and the defaults, which without `--config` are the old and open ones.

Every result tells what decided the setting (the line, or why there is none) and the lines that lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.control_plane.addresses import is_loopback
from kubewitness.posture.control_plane.judging import provider
from kubewitness.posture.exposed import ANONYMOUS, MODE, READ_ONLY, State, why
from kubewitness.posture.exposure import sentences
from kubewitness.posture.filling import filled
from kubewitness.posture.kubelet import KubeletConfiguration
from kubewitness.posture.kubelet_view import Setting, View
from kubewitness.posture.nodes.kubelet_door import SUBJECT, address_of, keys, stands
from kubewitness.posture.nodes.kubelet_door import rated as door_rated
from kubewitness.posture.nodes.telling import (
    NOTHING,
    at_line,
    at_place,
    beside_the_point,
    failed,
    passed,
    same,
    unknown,
)

WEBHOOK: Final = "authentication.webhook.enabled"
CLIENT_CA: Final = "authentication.x509.clientCAFile"
OLD_DEFAULT: Final = "default without --config"

Rated = tuple[Severity, Text, Text] | None  # severity, expected, what makes it that severe
Judge = Callable[[str, View, Machine, Snapshot], Rated]


def setting_check(name: str, setting: str, judge: Judge) -> NodeCheck:
    """A check of one setting. `judge` gives None for a value that is right."""

    def run(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
        configuration = machine.kubelet
        if configuration is None:
            yield without_kubelet(machine)
            return
        view, state = view_of(configuration, setting)
        found = view.get(setting) if view else None
        if view is None or found is None:
            yield unknown(machine, SUBJECT, not_known(configuration, setting))
            return
        causes = why(configuration, (found,), state) if found.value or found.origin == OLD_DEFAULT else ()
        observed = sentences([*causes] or [same(f"{setting}={found.value or '(empty)'}")])
        where = places(configuration, view, found)
        rated = judge(found.value, view, machine, snapshot)
        if rated is None:
            yield passed(machine, SUBJECT, same(f"{setting}={found.value}"), *where)
        else:
            severity, expected, reason = rated
            includes = _same_door(machine, view) if setting == ANONYMOUS else ()
            yield failed(
                machine, SUBJECT, observed, expected, *where, reason=reason, severity=severity, includes=includes,
                remedy=filled(f"nodes/{name}", {"NODE": address_of(machine, snapshot)}),
            )  # fmt: skip

    return NodeCheck(f"checks/nodes/{name}", run)


def _same_door(machine: Machine, view: View) -> tuple[str, ...]:
    """Where everybody is let in and may do everything, that is one failure, the firewall before it included."""
    open_ = view.value(MODE) == "AlwaysAllow"
    return keys(machine, "kubelet_authorization", "only_firewall") if open_ else ()


def view_of(configuration: KubeletConfiguration, setting: str) -> tuple[View | None, State]:
    """What tells of a setting: what runs, else what the unit's files say."""
    running, after = configuration.running, configuration.after_restart
    if running is not None and running.get(setting):
        return running, "running"
    if running is None and after is not None and after.get(setting):
        return after, "files"
    return None, "running"


def without_kubelet(machine: Machine) -> Result:
    """That nothing shows a kubelet."""
    host = machine.host
    words = [process.command.split(maxsplit=2)[:2] for process in host.processes]
    inside = next((word[0].rpartition("/")[2] for word in words if word and word[0].endswith(_INSIDE)), "")
    if inside:
        reason = Text(
            f"{inside} runs the kubelet inside itself; its settings are not in the evidence",
            f"{inside} 在自身进程内运行 kubelet，证据中没有其设置",
        )
        return unknown(machine, SUBJECT, reason)
    if host.processes:
        reason = Text("there is no kubelet among its processes", "该机器的进程中没有 kubelet")
        return beside_the_point(machine, SUBJECT, reason)
    reason = Text(
        "the evidence shows neither processes nor the unit files of a kubelet",
        "证据中既没有进程列表，也没有 kubelet 的 unit 文件",
    )
    return unknown(machine, SUBJECT, reason)


_INSIDE: Final = ("k3s", "k0s", "kubelite", "rke2")


def not_known(configuration: KubeletConfiguration, setting: str) -> Text:
    """Why a setting is not known."""
    view = configuration.running or configuration.after_restart
    if view is not None and view.unread:
        names = ", ".join(path[:200] for path in view.unread[:3])
        return Text(
            f"{setting} is not known: {names} is named and not in the evidence, or cannot be read",
            f"无法得知 {setting}：命令行指定了 {names}，但证据中没有该文件，或无法读取",
        )
    return Text(
        f"{setting} is not known: the evidence does not hold the kubelet's whole command line",
        f"无法得知 {setting}：证据中的 kubelet 命令行不完整",
    )


def places(configuration: KubeletConfiguration, view: View, setting: Setting) -> list[Where]:
    """What decided a setting first, then what lost."""
    found: list[Where] = []
    if setting.origin == OLD_DEFAULT:
        found += [at_line(reason.line) for reason in configuration.because]
    if setting.line:
        found.append(at_line(setting.line))
    elif setting.origin == "default with --config" and view.config_line:
        found.append(at_line(view.config_line))
    if view.line:
        found.append(at_line(view.line) if view.line.path else at_place(view.line.place, view.line.text))
    found += [at_line(entry.line) for entry in setting.lost if entry.value != setting.value]
    return found


def _anonymous(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    if value != "true":
        return None
    mode, expected = view.value(MODE), same("authentication.anonymous.enabled=false")
    if mode == "AlwaysAllow":
        severity, reason = door_rated(stands(machine, view, snapshot))
        return severity, expected, reason
    if is_loopback(view.value("address")):
        return "medium", expected, _LOCAL
    if mode == "Webhook":
        return "low", expected, _LEFT_TO_RBAC
    return "high", expected, NOTHING


def _mode(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    if value != "AlwaysAllow":
        return None
    loopback = stands(machine, view, snapshot).width == "loopback"
    return ("medium" if loopback else "high"), same("authorization.mode=Webhook"), (_LOCAL if loopback else NOTHING)


def _read_only(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del machine
    if value in {"0", ""}:
        return None
    if is_loopback(view.value("address")):
        return "low", same("readOnlyPort=0"), _LOCAL
    if provider(snapshot) == "Google GKE" or view.config.startswith("/home/kubernetes/"):
        return "low", same("readOnlyPort=0"), _GKE
    return "medium", same("readOnlyPort=0"), NOTHING


def _webhook(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del view, machine, snapshot
    return ("low", same(f"{WEBHOOK}=true"), NOTHING) if value == "false" else None


def _client_ca(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del view, machine, snapshot
    expected = Text("the cluster's CA, such as /etc/kubernetes/pki/ca.crt", "集群 CA，例如 /etc/kubernetes/pki/ca.crt")
    return None if value else ("medium", expected, NOTHING)


def _rotation(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del view, machine, snapshot
    return ("low", same("rotateCertificates=true"), NOTHING) if value == "false" else None


def _serving(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del machine, snapshot
    own = value == "true" or view.value("tlsCertFile")
    expected = Text("serverTLSBootstrap=true or tlsCertFile given", "serverTLSBootstrap=true，或指定 tlsCertFile")
    return None if own else ("informational", expected, _SELF_SIGNED)


def _kernel(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del view, machine, snapshot
    return ("informational", same("protectKernelDefaults=true"), NOTHING) if value == "false" else None


def _url(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del view, machine, snapshot
    return ("medium", Text("not set", "不设置"), NOTHING) if value else None


def _healthz(value: str, view: View, machine: Machine, snapshot: Snapshot) -> Rated:
    del machine, snapshot
    if is_loopback(value) or view.value("healthzPort") == "0":
        return None
    return "low", same("healthzBindAddress=127.0.0.1"), NOTHING


_LOCAL: Final = Text("only the node itself reaches the address it listens on", "它监听的地址只有节点自身能访问")
_LEFT_TO_RBAC: Final = Text(
    "what a request without a credential may do is left to RBAC, which grants nothing here by default",
    "无凭据请求能做什么由 RBAC 决定，而 RBAC 默认不授予任何 kubelet 权限",
)
_GKE: Final = Text("GKE itself opens it on older nodes", "较旧的 GKE 节点会自行开放该端口")
_SELF_SIGNED: Final = Text(
    "the default of kubeadm: the API server cannot tell the kubelet from somebody who took its address",
    "这是 kubeadm 的默认做法：API server 无法分辨 kubelet 与冒用其地址者",
)

CHECKS: Final = (
    setting_check("kubelet_anonymous", ANONYMOUS, _anonymous),
    setting_check("kubelet_authorization", MODE, _mode),
    setting_check("kubelet_read_only_port", READ_ONLY, _read_only),
    setting_check("kubelet_token_webhook", WEBHOOK, _webhook),
    setting_check("kubelet_client_ca", CLIENT_CA, _client_ca),
    setting_check("kubelet_static_pod_url", "staticPodURL", _url),
    setting_check("kubelet_healthz_address", "healthzBindAddress", _healthz),
    setting_check("kubelet_certificate_rotation", "rotateCertificates", _rotation),
    setting_check("kubelet_serving_certificate", "serverTLSBootstrap", _serving),
    setting_check("kubelet_kernel_defaults", "protectKernelDefaults", _kernel),
)
