"""Random pods near the edges of Pod Security: mostly clean ones with a few fields set to something else.

Most of them are what an API server takes for a pod at all: it validates before it judges.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

Fields = dict[str, Any]
UNSET: Final = object()

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_FLAGS: Final = (True, False, None, UNSET)
_ADDED: Final = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "NET_BIND_SERVICE", "NET_RAW", "SYS_ADMIN", "NET_ADMIN", "ALL",
    "chown", "CAP_CHOWN", "BPF", "", None,
)  # fmt: skip
_DROPPED: Final[tuple[Any, ...]] = (
    ["ALL"],
    ["ALL"],
    ["NET_RAW", "ALL"],
    ["all"],
    ["CAP_ALL"],
    ["NET_RAW"],
    [],
    None,
    [None],
    UNSET,
)
_SYSCTLS: Final = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem", "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat", "kernel.msgmax",
    "net.core.somaxconn", "vm.overcommit_memory", "net/ipv4/tcp_syncookies",
)  # fmt: skip
_SELINUX: Final[dict[str, tuple[Any, ...]]] = {
    "type": (
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
        "container_engine_t",
        "spc_t",
        "",
        None,
        "CONTAINER_T",
    ),
    "user": ("", "system_u", None),
    "role": ("", "system_r", None),
    "level": ("s0:c1,c2", ""),
}
_SOURCES: Final[dict[str, Any]] = {
    "configMap": {"name": "c"},
    "csi": {"driver": "csi.example.com"},
    "downwardAPI": {},
    "emptyDir": {},
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        }
    },
    "persistentVolumeClaim": {"claimName": "c"},
    "projected": {"sources": []},
    "secret": {"secretName": "s"},
    "hostPath": {"path": "/"},
    "gcePersistentDisk": {"pdName": "d"},
    "awsElasticBlockStore": {"volumeID": "v"},
    "gitRepo": {"repository": "r"},
    "nfs": {"server": "s", "path": "/"},
    "iscsi": {"targetPortal": "10.0.0.1:3260", "iqn": "iqn.2001-04.com.example:storage", "lun": 0},
    "glusterfs": {"endpoints": "e", "path": "p"},
    "rbd": {"monitors": ["m"], "image": "i"},
    "flexVolume": {"driver": "example.com/d"},
    "cinder": {"volumeID": "v"},
    "cephfs": {"monitors": ["m"]},
    "flocker": {"datasetName": "d"},
    "fc": {"targetWWNs": ["50060e801049cfd1"], "lun": 0},
    "azureFile": {"secretName": "s", "shareName": "s"},
    "vsphereVolume": {"volumePath": "v"},
    "quobyte": {"registry": "reg:7861", "volume": "v"},
    "azureDisk": {"diskName": "d", "diskURI": "https://a.blob.core.windows.net/vhds/d.vhd"},
    "photonPersistentDisk": {"pdID": "p"},
    "portworxVolume": {"volumeID": "v"},
    "scaleIO": {"gateway": "g", "system": "s", "volumeName": "v", "secretRef": {"name": "s"}},
    "storageos": {"volumeName": "v"},
}
_HOSTS: Final = ("", None, UNSET, "127.0.0.1", "localhost", "169.254.169.254", "example.com")


def restricted_pod(containers: int = 1, inits: int = 0) -> Fields:
    """A pod that every level admits."""

    def container(name: str) -> Fields:
        return {
            "name": name,
            "image": "example.com/a:1",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }

    spec: Fields = {"containers": [container("abc"[number]) for number in range(containers)]}
    if inits:
        spec["initContainers"] = [{**container("xyz"[number]), "restartPolicy": "Always"} for number in range(inits)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def random_pod(chance: random.Random) -> Fields:
    """One pod."""
    pod = restricted_pod(chance.choice((1, 1, 2, 3)), chance.choice((0, 0, 1, 2)))
    start = chance.random()
    if start < 0.15:  # nothing said at all
        for one in _containers(pod):
            del one["securityContext"]
    elif start < 0.3:  # said once, for the pod
        pod["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        for one in _containers(pod):
            del one["securityContext"]["runAsNonRoot"], one["securityContext"]["seccompProfile"]
    elif start < 0.38:
        _for_windows(chance, pod)
    elif start < 0.44:
        _host_process(chance, pod)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 6))):
        chance.choice(_CHANGES)(chance, pod)
    return pod


def random_debuggers(chance: random.Random) -> list[Fields]:
    """Ephemeral containers."""
    pod = restricted_pod(chance.choice((1, 1, 2)))
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        chance.choice(_CHANGES_OF_CONTAINERS)(chance, pod)
    return [{**one, "name": "debug-" + one["name"]} for one in _containers(pod)]


def completed(pod: Fields) -> Fields:
    """The pod after the API server copied annotations of AppArmor to fields (pkg/registry/core/pod/strategy.go)."""
    pod = deepcopy(pod)
    if ((pod["spec"].get("os") or {}).get("name")) == "windows":
        return pod
    of_pod = (pod["spec"].get("securityContext") or {}).get("appArmorProfile")
    for one in _containers(pod):
        said = (pod["metadata"].get("annotations") or {}).get(_APPARMOR + one["name"])
        security = one.get("securityContext") or {}
        copied = {"type": "Unconfined"}
        if said == "unconfined" and not security.get("appArmorProfile") and of_pod != copied:
            one["securityContext"] = {**security, "appArmorProfile": copied}
    return pod


def _containers(pod: Fields) -> list[Fields]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def _set(fields: Fields, key: str, value: Any) -> None:
    if value is UNSET:
        fields.pop(key, None)
    else:
        fields[key] = value


def _below(fields: Fields, key: str) -> Fields:
    if not isinstance(fields.get(key), dict):
        fields[key] = {}
    return fields[key]  # type: ignore[no-any-return]


def _security(chance: random.Random, pod: Fields, of_pod: float = 0.4) -> Fields:
    """A security context of the pod or of one container."""
    return _below(pod["spec"] if chance.random() < of_pod else chance.choice(_containers(pod)), "securityContext")


def _for_windows(chance: random.Random, pod: Fields) -> None:
    pod["spec"]["os"] = {"name": "windows"}
    for one in _containers(pod):
        one["securityContext"] = chance.choice(({}, {"runAsNonRoot": True}, {"runAsNonRoot": True}))


def _host_process(chance: random.Random, pod: Fields) -> None:
    pod["spec"]["hostNetwork"] = True
    if chance.random() < 0.5:
        pod["spec"]["securityContext"] = {"windowsOptions": {"hostProcess": True}}
        return
    for one in _containers(pod):
        one["securityContext"]["windowsOptions"] = {"hostProcess": True}


def _namespaces(chance: random.Random, pod: Fields) -> None:
    _set(pod["spec"], chance.choice(("hostNetwork", "hostPID", "hostIPC")), chance.choice(_FLAGS))


def _users(chance: random.Random, pod: Fields) -> None:
    _set(pod["spec"], "hostUsers", chance.choice((False, False, True, None)))
    if chance.random() < 0.5 and pod["spec"]["hostUsers"] is False:
        for one in _containers(pod):
            _below(one, "securityContext")["procMount"] = "Unmasked"


def _os(chance: random.Random, pod: Fields) -> None:
    pod["spec"]["os"] = chance.choice(({"name": "linux"}, {"name": "windows"}, None))


def _privileged(chance: random.Random, pod: Fields) -> None:
    security = _security(chance, pod, 0)
    _set(security, "privileged", value := chance.choice(_FLAGS))
    if value:
        _set(security, "allowPrivilegeEscalation", chance.choice((True, None, UNSET)))


def _escalation(chance: random.Random, pod: Fields) -> None:
    _set(_security(chance, pod, 0), "allowPrivilegeEscalation", chance.choice(_FLAGS))


def _capabilities(chance: random.Random, pod: Fields) -> None:
    security = _security(chance, pod, 0)
    if chance.random() < 0.1:
        _set(security, "capabilities", chance.choice(({}, None, UNSET)))
        return
    wanted = _below(security, "capabilities")
    if chance.random() < 0.7:
        wanted["add"] = [chance.choice(_ADDED) for _ in range(chance.choice((0, 1, 1, 2, 3)))]
    if chance.random() < 0.5:
        _set(wanted, "drop", chance.choice(_DROPPED))


def _non_root(chance: random.Random, pod: Fields) -> None:
    _set(_security(chance, pod), "runAsNonRoot", chance.choice(_FLAGS))


def _run_as(chance: random.Random, pod: Fields) -> None:
    _set(_security(chance, pod), "runAsUser", chance.choice((0, 0, 1, 65534, None)))


def _seccomp(chance: random.Random, pod: Fields) -> None:
    profiles = (
        {"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Unconfined"},
        {"type": "Localhost", "localhostProfile": "p.json"}, None, UNSET,
    )  # fmt: skip
    _set(_security(chance, pod), "seccompProfile", chance.choice(profiles))


def _seccomp_annotation(chance: random.Random, pod: Fields) -> None:
    names = [one["name"] for one in _containers(pod)]
    key = chance.choice((_SECCOMP_POD, _SECCOMP + chance.choice(names), _SECCOMP + "nobody"))
    values = ("runtime/default", "docker/default", "localhost/p.json", "unconfined", "unconfined")
    _below(pod["metadata"], "annotations")[key] = chance.choice(values)
    if chance.random() < 0.8:  # a field that says something else is no valid pod
        for one in (pod["spec"], *_containers(pod)):
            (one.get("securityContext") or {}).pop("seccompProfile", None)


def _app_armor(chance: random.Random, pod: Fields) -> None:
    profiles = (
        {"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Unconfined"},
        {"type": "Localhost", "localhostProfile": "p"}, None,
    )  # fmt: skip
    _security(chance, pod)["appArmorProfile"] = chance.choice(profiles)


def _app_armor_annotation(chance: random.Random, pod: Fields) -> None:
    values = ("runtime/default", "localhost/p", "", "unconfined", "unconfined", None)
    name = chance.choice(_containers(pod))["name"]
    _below(pod["metadata"], "annotations")[_APPARMOR + name] = chance.choice(values)


def _selinux(chance: random.Random, pod: Fields) -> None:
    options = _below(_security(chance, pod), "seLinuxOptions")
    for _ in range(chance.choice((0, 1, 1, 2))):
        key = chance.choice(("type", "type", "user", "role", "level"))
        options[key] = chance.choice(_SELINUX[key])


def _proc_mount(chance: random.Random, pod: Fields) -> None:
    _set(_security(chance, pod, 0), "procMount", chance.choice(("Default", "Unmasked", None)))


def _windows(chance: random.Random, pod: Fields) -> None:
    _set(_below(_security(chance, pod), "windowsOptions"), "hostProcess", chance.choice((False, None, True)))


def _sysctls(chance: random.Random, pod: Fields) -> None:
    names = chance.sample(_SYSCTLS, chance.choice((0, 1, 2, 3, 5)))
    _below(pod["spec"], "securityContext")["sysctls"] = [{"name": name, "value": "1"} for name in names]


def _volumes(chance: random.Random, pod: Fields) -> None:
    kinds = chance.choices([*sorted(_SOURCES), *["hostPath"] * 5], k=chance.choice((1, 1, 2, 3)))
    volumes = [{"name": f"v{number}", kind: _SOURCES[kind]} for number, kind in enumerate(kinds)]
    if chance.random() < 0.2:
        volumes.append({"name": "bare", **chance.choice(({}, {"hostPath": None}))})
    pod["spec"]["volumes"] = volumes


def _ports(chance: random.Random, pod: Fields) -> None:
    number = chance.randrange(1, 65536)
    port: Fields = {"containerPort": number}
    hosts = (0, 0, UNSET, None, number, 65535)
    _set(port, "hostPort", chance.choice(hosts))
    if chance.random() < 0.3:
        port["protocol"] = "UDP"
    chance.choice(_containers(pod)).setdefault("ports", []).append(port)


def _probes(chance: random.Random, pod: Fields) -> None:
    action: Fields = {"port": 80}
    kind = chance.choice(("httpGet", "tcpSocket"))
    _set(action, "host", chance.choice(_HOSTS))
    one = chance.choice(_containers(pod))
    where = chance.choice(("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"))
    if where.endswith("Probe"):
        one[where] = {kind: action}
    else:
        _below(one, "lifecycle")[where] = {kind: action}


def _context(chance: random.Random, pod: Fields) -> None:
    one = pod["spec"] if chance.random() < 0.4 else chance.choice(_containers(pod))
    _set(one, "securityContext", chance.choice(({}, None, UNSET)))


Change = Callable[[random.Random, Fields], None]
_CHANGES_OF_CONTAINERS: Final[tuple[Change, ...]] = (
    _privileged, _escalation, _capabilities, _capabilities, _non_root, _run_as, _seccomp, _app_armor, _selinux,
    _proc_mount, _context,
)  # fmt: skip
_CHANGES: Final[tuple[Change, ...]] = (
    *_CHANGES_OF_CONTAINERS, _namespaces, _users, _os, _seccomp_annotation, _app_armor_annotation, _windows, _sysctls,
    _sysctls, _volumes, _volumes, _ports, _probes, _probes,
)  # fmt: skip
