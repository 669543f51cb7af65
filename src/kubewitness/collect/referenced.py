"""Files that the machine's own words lead to: what a kubelet's flags name, what a unit reads its environment from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kubewitness.collect.rooted import Root
from kubewitness.model.collection import ProcessRecord

_PROGRAMS: Final = frozenset(
    ("kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "containerd", "dockerd",
    "crio", "k3s",
     "rke2", "hyperkube")
)  # fmt: skip
_FLAGS: Final = frozenset(
    ("config", "kubeconfig", "bootstrap-kubeconfig", "pod-manifest-path", "config-dir", "audit-policy-file",
     "audit-webhook-config-file", "admission-control-config-file", "authorization-config", "authentication-config",
     "authorization-webhook-config-file", "authentication-token-webhook-config-file", "encryption-provider-config",
     "egress-selector-config-file", "config-file", "kubelet-arg", "image-credential-provider-config")
)  # fmt: skip
_FLAG: Final = re.compile(r"--?([a-z][a-z0-9-]{1,60})=(.{1,1000})")
_PATH: Final = re.compile(r"/[^\x00-\x1f*?\[\]]{1,1000}")
_ENVIRONMENT: Final = re.compile(r"^EnvironmentFile=-?(/[^\s*?\[\]]{1,500})\s*$", re.M)
_STATIC: Final = re.compile(r"^\s{0,8}[\"']?staticPodPath[\"']?\s?:\s?[\"']?(/[^\s\"',*?\[\]]{1,500})", re.M)
_EXEC_FLAG: Final = re.compile(r"--([a-z][a-z0-9-]{1,60})[= ](/[^\s\"'\\*?\[\]]{1,500})")
_UNITS: Final = (
    "/etc/systemd/system/{}.service", "/etc/systemd/system/{}.service.d/*.conf",
    "/run/systemd/system/{}.service.d/*.conf",
    "/usr/lib/systemd/system/{}.service", "/usr/lib/systemd/system/{}.service.d/*.conf",
    "/lib/systemd/system/{}.service",
)  # fmt: skip


def patterns(root: Root, processes: Iterable[ProcessRecord]) -> list[str]:
    """Paths to copy; of a folder, what lies in it."""
    found: dict[str, None] = {}
    for process in processes:
        if process.argv and process.argv[0].rpartition("/")[2] in _PROGRAMS:
            found |= dict.fromkeys(path for name, path in _flags(process.argv) if name in _FLAGS)
    for pattern in _UNITS:
        for unit in ("kubelet", "containerd", "docker", "crio", "kube-proxy"):
            for path in root.matching(pattern.format(unit)):
                text = root.text(path)
                found |= dict.fromkeys(_ENVIRONMENT.findall(text))
                found |= dict.fromkeys(value for name, value in _EXEC_FLAG.findall(text) if name in _FLAGS)
    for path in list(found):
        if (manifests := _STATIC.search(root.text(path))) is not None:
            found[manifests[1]] = None
    return [pattern for path in found if _PATH.fullmatch(path) for pattern in (path, path.rstrip("/") + "/*")]


def audit_logs(processes: Iterable[ProcessRecord]) -> list[str]:
    """Where API servers on this machine write their audit log, the rotated ones beside it included."""
    found: dict[str, None] = {}
    for process in processes:
        if process.argv and process.argv[0].rpartition("/")[2] in {"kube-apiserver", "k3s", "rke2", "hyperkube"}:
            for name, path in _flags(process.argv):
                if name == "audit-log-path" and _PATH.fullmatch(path):
                    stem, dot, end = path.rpartition(".")
                    found |= dict.fromkeys((path, f"{stem}-*{dot}{end}" if dot and "/" not in end else f"{path}-*"))
    return list(found)


def _flags(argv: tuple[str, ...]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for word, following in zip(argv, (*argv[1:], ""), strict=True):
        if flag := _FLAG.fullmatch(word):
            found.append((flag[1], flag[2]))
        elif word.startswith("--") and following.startswith("/"):
            found.append((word[2:], following))
    return found
