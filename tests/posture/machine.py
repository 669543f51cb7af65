"""Machines made by hand: a kubeadm node, and what was done to it."""

from __future__ import annotations

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostFile, LogLine, Process, Socket

UNIT = "/lib/systemd/system/kubelet.service"
DROP_IN = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
CONFIG = "/var/lib/kubelet/config.yaml"
FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
EXTRA = "/etc/default/kubelet"

CONFIG_LINE = 'Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"'
NODE = {
    UNIT: "[Unit]\nDescription=kubelet\n\n[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\n",
    DROP_IN: f"""# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--kubeconfig=/etc/kubernetes/kubelet.conf"
{CONFIG_LINE}
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
""",
    CONFIG: """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
authorization:
  mode: Webhook
""",
    FLAGS: 'KUBELET_KUBEADM_ARGS="--node-ip=10.0.0.5"\n',
    EXTRA: "",
}
COMMENTED = NODE | {DROP_IN: NODE[DROP_IN].replace(CONFIG_LINE, "#" + CONFIG_LINE)}


def file(path: str, text: str) -> HostFile:
    """A file of the machine."""
    return HostFile(path, text, Place("node" + path, 1, 0, len(text.encode())))


def files(texts: dict[str, str]) -> list[HostFile]:
    """All files of the machine."""
    return [file(path, text) for path, text in texts.items()]


def process(command: str, pid: int = 60, **more: object) -> Process:
    """A line of the process list."""
    return Process(pid, command, Place("ps.txt", pid, 0), ppid=1, **more)  # type: ignore[arg-type]


def listening(port: int, address: str = "*", owner: str = "kubelet", pid: int = 60) -> Socket:
    """A line of ss."""
    return Socket("tcp", "LISTEN", address, port, "*", 0, Place("ss.txt", port, 0), ((owner, pid),))


def host(texts: dict[str, str], command: str = "", *sockets: Socket, version: str = "") -> Host:
    """The machine; with a running kubelet if `command` is given."""
    logs = []
    if version:
        place = Place("kubelet.log", 1, 0)
        logs.append(LogLine("kubelet", "", "info", "Kubelet version", {"kubeletVersion": version}, place))
    running = [process(command)] if command else []
    return Host("node1", processes=running, sockets=list(sockets), logs=logs, files=files(texts))
