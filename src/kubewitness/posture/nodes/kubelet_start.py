"""How the kubelet is started: its configuration read or not, the same after a restart or not, and its static pods."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.exposed import ANONYMOUS, MODE, READ_ONLY
from kubewitness.posture.exposure import clauses
from kubewitness.posture.filling import filled
from kubewitness.posture.kubelet import Disagreement
from kubewitness.posture.kubelet_view import View
from kubewitness.posture.nodes.kubelet_door import SUBJECT, address_of
from kubewitness.posture.nodes.kubelet_settings import CLIENT_CA, WEBHOOK, places, without_kubelet
from kubewitness.posture.nodes.telling import at_line, at_place, failed, passed, same, unknown

_MANIFESTS: Final = re.compile(
    r"(?:/etc/kubernetes/manifests|/var/lib/rancher/(?:k3s|rke2)/agent/pod-manifests|/etc/kubelet\.d)/[^/]{1,200}"
    r"\.(?:ya?ml|json|manifest)"
)
_ORDINARY: Final = re.compile(
    r"(?:etcd|kube-(?:apiserver|controller-manager|scheduler|proxy|vip|addon-manager|lb|haproxy)|"
    r"cloud-controller-manager|haproxy|keepalived|"
    r"nginx-proxy|konnectivity-server|etcd-events|kube-apiserver-\w{1,20}|recycler-pod|coredns|mdns-publisher)"
    r"(?:-\w{1,20})?"
)
_WEIGHTY: Final = (ANONYMOUS, MODE, READ_ONLY, WEBHOOK, CLIENT_CA, "address", "staticPodURL", "staticPodPath")


def _unread(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """The configuration file is there, and the kubelet does not read it."""
    configuration = machine.kubelet
    if configuration is None:
        yield without_kubelet(machine)
        return
    views = [view for view in (configuration.running, configuration.after_restart) if view is not None]
    lacking = [view for view in views if view.lacks_config and not view.files]
    if lacking and configuration.never_loaded:
        files = ", ".join(line.path[:200] for line in configuration.never_loaded[:3])
        cause = clauses(reason.text for reason in configuration.because)
        en, zh = _started(views, lacking)
        where = [at_line(reason.line) for reason in configuration.because]
        where += [at_place(view.line.place, view.line.text, view.line.path) for view in lacking if view.line]
        where += [at_line(line) for line in configuration.never_loaded]
        yield failed(
            machine,
            SUBJECT,
            Text(
                f"The kubelet {en} without --config, so {files} is never read{': ' if cause.en else ''}{cause.en}.",
                f"kubelet {zh} --config，{files} 从未被读取{'：' if cause.zh else ''}{cause.zh}。",
            ),
            Text("--config names the file", "--config 指定该文件"),
            *where,
            remedy=filled("nodes/kubelet_config_unread", {"NODE": address_of(machine, snapshot)}),
        )
        return
    named = next((view for view in views if view.config and view.config_line), None)
    if named is not None and named.config_line is not None:
        yield passed(
            machine,
            SUBJECT,
            same(f"--config={named.config}"),
            at_place(named.config_line.place, named.config_line.text),
        )
    elif lacking:
        observed = Text("configured by flags alone, and there is no file", "仅通过命令行参数配置，没有配置文件")
        yield passed(
            machine, SUBJECT, observed, *(at_place(view.line.place, view.line.text) for view in lacking if view.line)
        )
    else:
        reason = Text("the evidence does not hold the kubelet's whole command line", "证据中的 kubelet 命令行不完整")
        yield unknown(machine, SUBJECT, reason)


def _started(views: list[View], lacking: list[View]) -> tuple[str, str]:
    if len(lacking) < len(views) and lacking[0] is not views[0]:
        return "will be restarted", "下次重启时将没有"
    return "was started", "启动时没有"


def _restart(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """What a restart of the kubelet would change."""
    configuration = machine.kubelet
    if configuration is None:
        yield without_kubelet(machine)
        return
    running, after = configuration.running, configuration.after_restart
    if running is None or after is None:
        reason = Text(
            "the evidence does not show both: what runs and the unit files", "证据未同时包含运行中的进程和 unit 文件"
        )
        yield unknown(machine, SUBJECT, reason)
        return
    weighty = [
        one for one in configuration.disagreements if one.name in _WEIGHTY or after.lacks_config != running.lacks_config
    ]
    for one in weighty:
        now, then = one.running.value, one.after_restart.value
        yield failed(
            machine,
            SUBJECT,
            Text(
                f"{one.name} is {now or '(empty)'} now and will be {then or '(empty)'} after the next restart",
                f"{one.name} 现在是 {now or '（空）'}，下次重启后将变为 {then or '（空）'}",
            ),
            Text("the same before and after a restart", "重启前后一致"),
            *places(configuration, after, one.after_restart),
            *places(configuration, running, one.running),
            severity=_severity(one),
            aspect=one.name,
        )
    if not weighty and running.settings and after.settings:
        yield passed(
            machine,
            SUBJECT,
            Text("what runs is what the unit files say, in all that matters", "凡重要的设置，运行中的与 unit 文件一致"),
            *(at_place(view.line.place, view.line.text, view.line.path) for view in (running, after) if view.line),
        )


def _severity(one: Disagreement) -> Severity:
    """A restart that opens is worse than one that closes."""
    opens = {ANONYMOUS: "true", MODE: "AlwaysAllow"}.get(one.name)
    if opens is not None and one.after_restart.value == opens:
        return "high"
    return "medium" if one.name in {ANONYMOUS, MODE, READ_ONLY} else "low"


def _static_pods(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """Manifests that the kubelet runs by itself, beyond those every control plane has."""
    found = [file for file in machine.host.files if _MANIFESTS.fullmatch(file.path)]
    for file in found:
        name = posixpath.splitext(posixpath.basename(file.path))[0]
        where = at_place(file.place, file.text[:200].partition("\n")[0], file.path)
        subject = f"static pod {name}"
        if _ORDINARY.fullmatch(name):
            yield passed(machine, subject, same(file.path), where)
        else:
            yield failed(
                machine,
                subject,
                Text(f"{file.path} is run by the kubelet itself", f"{file.path} 由 kubelet 自行运行"),
                Text("a manifest that you put there", "由您放置的清单"),
                where,
            )
    if found:
        return
    if machine.kubelet is None:
        yield without_kubelet(machine)
    elif any(entry.path.startswith("/etc/kubernetes/") for entry in machine.host.copied):
        none = Text("no static pod is in the folders the collector copies", "收集器复制的目录中没有静态 Pod")
        yield passed(machine, SUBJECT, none)
    else:
        yield unknown(
            machine, SUBJECT, Text("the folder of static pods is not in the evidence", "证据中没有静态 Pod 目录")
        )


CHECKS: Final = (
    NodeCheck("checks/nodes/kubelet_config_unread", _unread),
    NodeCheck("checks/nodes/kubelet_restart", _restart),
    NodeCheck("checks/nodes/static_pods", _static_pods),
)
