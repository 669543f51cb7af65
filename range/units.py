"""Unit files of a node as kubeadm's packages install them, and the command line that systemd would make of them.

The kubelet's drop-in is the heart of the second incident: with its `KUBELET_CONFIG_ARGS` line commented out,
ExecStart still names the variable, systemd puts nothing in its place, and the kubelet starts without its
configuration file.
"""

from __future__ import annotations

import shlex
from pathlib import Path

KUBELET_UNIT = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
KUBELET_DROP_IN = """\
[Service]
Environment="KUBELET_KUBECONFIG_ARGS={kubeconfigs}"
{comment}Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
_KUBECONFIGS = "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
CONTAINERD_UNIT = """\
[Unit]
Description=containerd container runtime
After=network.target local-fs.target

[Service]
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def write_units(root: Path, config_commented_out: bool) -> None:
    """Put the unit files below `root`."""
    folder = root / "etc/systemd/system"
    (folder / "kubelet.service.d").mkdir(parents=True, exist_ok=True)
    (folder / "kubelet.service").write_text(KUBELET_UNIT)
    drop_in = KUBELET_DROP_IN.format(comment="#" if config_commented_out else "", kubeconfigs=_KUBECONFIGS)
    (folder / "kubelet.service.d/10-kubeadm.conf").write_text(drop_in)
    (folder / "containerd.service").write_text(CONTAINERD_UNIT)


def command_line(root: Path, unit: str) -> list[str]:
    """The words of `unit`'s ExecStart below `root`, as systemd builds them from the unit and its drop-ins.

    Knows what the range's own units use: an empty ExecStart= resets, `$NAME` alone is split into words (none if
    unset), Environment= with quoted assignments, EnvironmentFile= with a leading "-" for files that may be missing.
    Source: systemd.service(5), "Command lines"; systemd.exec(5).
    """
    folder = root / "etc/systemd/system"
    files = [folder / unit, *sorted((folder / f"{unit}.d").glob("*.conf"))]
    environment, start = dict[str, str](), ""
    for line in (line.strip() for path in files for line in path.read_text().splitlines()):
        key, separator, value = line.partition("=")
        if not separator or line.startswith(("#", ";")):
            continue
        if key == "ExecStart":
            start = value
        elif key == "Environment":
            environment.update(_assignments(value))
        elif key == "EnvironmentFile":
            path = root / value.lstrip("-").lstrip("/")
            if path.exists():
                environment.update(_assignments(path.read_text()))
    words = list[str]()
    for word in start.split():
        words += environment.get(word[1:], "").split() if word.startswith("$") else [word]
    return words


def _assignments(text: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in shlex.split(text, comments=True))
    return {name: value for name, separator, value in pairs if separator}
