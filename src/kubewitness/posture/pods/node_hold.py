"""What of a pod gets hold of the node it runs on: privileged containers, folders of the node, sockets of the runtime.

A volume shows what its mount takes of it: `subPath` of a folder may be harmless where the folder is not, and the other
way round. A socket is talked to through a mount that is read-only, too. An init container that has ended before the pod
serves anybody holds nothing that somebody who gets into the pod could use.

Source: "Pod Security Standards"; "Volumes: using subPath" of the Kubernetes documentation.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from kubewitness.posture.reading import flag, nodes, text

# Folders with which one gets hold of the node, if they can be written.
_FOLDERS: Final = frozenset(
    ("/", "/etc", "/etc/kubernetes", "/etc/kubernetes/manifests", "/etc/kubernetes/pki", "/etc/cron.d",
     "/etc/systemd/system", "/root", "/root/.ssh", "/home", "/var", "/var/lib", "/var/lib/kubelet", "/var/lib/docker",
     "/var/lib/containerd", "/var/lib/etcd", "/var/spool/cron", "/proc", "/sys", "/dev", "/usr", "/usr/bin",
     "/usr/local/bin", "/bin", "/sbin", "/lib", "/opt/cni/bin", "/etc/cni/net.d", "/boot")
)  # fmt: skip
_SOCKET: Final = re.compile(
    r"(?:/var)?/run(?:/(?:docker\.sock|containerd(?:/containerd\.sock)?|k3s/containerd(?:/containerd\.sock)?"
    r"|crio(?:/crio\.sock)?|dockershim\.sock|cri-dockerd\.sock|podman(?:/podman\.sock)?))?"
)
_LONGEST: Final = 4096  # a path
_VARIABLE: Final = re.compile(r"\$\(([A-Za-z_.-][\w.-]{0,250})\)")


class Hold(NamedTuple):
    """A folder or socket of the node in a container."""

    means: Literal["folder", "socket"]
    folder: str
    box: Mapping[str, object]
    path: str  # of the mount: "spec.containers[0].volumeMounts[1]"


def boxes(spec: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The containers of a pod, of every sort, with their paths."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for number, box in nodes(spec, key):
            yield f"spec.{key}[{number}]", box


def is_brief(path: str, box: object) -> bool:
    """Whether it is an init container, and none of those that stay (sidecars since 1.28)."""
    return path.startswith("spec.initContainers") and text(box, "restartPolicy") != "Always"


def is_privileged(box: object) -> bool:
    """Whether a container sees the node's devices and is held by nothing."""
    return flag(box, "securityContext", "privileged") is True


def mounted(spec: object, path: str, box: Mapping[str, object]) -> Iterator[Hold]:
    """What a container at that path gets of the node by its mounts, in their order."""
    volumes = _volumes(spec)
    for at, mount in nodes(box, "volumeMounts"):
        volume = volumes.get(text(mount, "name"))
        folder = _shown(volume, mount, box) if volume else ""
        if _SOCKET.fullmatch(folder):
            yield Hold("socket", folder, box, f"{path}.volumeMounts[{at}]")
        elif folder in _FOLDERS and not flag(mount, "readOnly"):
            yield Hold("folder", folder, box, f"{path}.volumeMounts[{at}]")


def holds_node(spec: object) -> bool:
    """Whether whoever gets into the pod is as good as root of its node."""
    return any(
        is_privileged(box) or any(True for _ in mounted(spec, path, box))
        for path, box in boxes(spec)
        if not is_brief(path, box)
    )


def _volumes(spec: object) -> dict[str, str]:
    """The volumes that are folders of the node, by name."""
    out = dict[str, str]()
    for _, volume in nodes(spec, "volumes"):
        raw = text(volume, "hostPath", "path")[:_LONGEST]
        if raw:
            out[text(volume, "name")] = "/" + posixpath.normpath(raw).lstrip("/")
    return out


def _shown(folder: str, mount: object, box: object) -> str:
    """What of the folder the mount shows."""
    part = text(mount, "subPath")[:_LONGEST] or _expanded(text(mount, "subPathExpr"), box)
    return posixpath.normpath(posixpath.join(folder, part.lstrip("/"))) if part else folder


def _expanded(expression: str, box: object) -> str:
    """With the variables whose values the container gives itself; what only its node knows stays as it is."""
    if "$(" not in expression:
        return expression[:_LONGEST]
    values = dict[str, str]()

    def filled(raw: str) -> str:
        return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), raw[:_LONGEST])[:_LONGEST]

    for _, one in nodes(box, "env"):
        if isinstance(value := one.get("value"), str):
            values[text(one, "name")] = filled(value)
    return filled(expression)
