"""The checks of the level baseline: what is known to lead from a pod to its node.

Each function is one version of one check of k8s.io/pod-security-admission/policy (v0.34.4 to v0.37.0-beta.0) and names
the check's id; reasons and details are upstream's words, since people search for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Final

from kubewitness.posture.pod_security.nouns import Failure
from kubewitness.posture.pod_security.reading import (
    Container,
    Fields,
    Pod,
    flag_at,
    mapping_at,
    mappings_at,
    number_at,
    text_at,
    texts_at,
)
from kubewitness.posture.pod_security.wording import counted, go_quote, plural, quoted, setters

Run = Callable[[Pod], Failure | None]

APPARMOR_ANNOTATION: Final = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD_ANNOTATION: Final = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_ANNOTATION: Final = "container.seccomp.security.alpha.kubernetes.io/"
CAPABILITIES: Final = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
SELINUX_1_0: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
SELINUX_1_31: Final = SELINUX_1_0 | {"container_engine_t"}
SYSCTLS_1_0: Final = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
})  # fmt: skip
SYSCTLS_1_27: Final = SYSCTLS_1_0 | {"net.ipv4.ip_local_reserved_ports"}
SYSCTLS_1_29: Final = SYSCTLS_1_27 | {
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
SYSCTLS_1_32: Final = SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}
SYSCTLS_1_37: Final = SYSCTLS_1_32 | {"net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"}

_PROFILES: Final = frozenset({"RuntimeDefault", "Localhost"})
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS: Final = ("postStart", "preStop")
_OF_POD: Final = "spec.securityContext"


def host_namespaces(pod: Pod) -> Failure | None:
    """hostNamespaces: the node's network, processes or IPC."""
    shared = [key for key in ("hostNetwork", "hostPID", "hostIPC") if flag_at(pod.spec, key)]
    if not shared:
        return None
    detail = ", ".join(f"{key}=true" for key in shared)
    return Failure("host namespaces", detail, tuple(f"spec.{key}" for key in shared))


def privileged(pod: Pod) -> Failure | None:
    """Check privileged."""
    bad = [one for one in pod.containers if flag_at(one.security, "privileged")]
    if not bad:
        return None
    detail = f"{_named(bad)} must not set securityContext.privileged=true"
    return Failure("privileged", detail, _paths(bad, "privileged"))


def capabilities(pod: Pod) -> Failure | None:
    """capabilities_baseline: any capability beyond those that runtimes give."""
    bad, paths, beyond = list[Container](), list[str](), set[str]()
    for one in pod.containers:
        if added := list(forbidden_additions(one, CAPABILITIES)):
            bad.append(one)
            paths += [path for path, _ in added]
            beyond |= {name for _, name in added}
    if not bad:
        return None
    detail = f"{_named(bad)} must not include {quoted(sorted(beyond))} in securityContext.capabilities.add"
    return Failure("non-default capabilities", detail, tuple(paths))


def forbidden_additions(container: Container, allowed: Set[str]) -> Iterator[tuple[str, str]]:
    """The capabilities a container adds beyond `allowed`, each with its path; names count as they are written."""
    wanted = mapping_at(container.security, "capabilities") or {}
    for number, name in texts_at(wanted, "add"):
        if name not in allowed:
            yield f"{container.path}.securityContext.capabilities.add[{number}]", name


def host_path_volumes(pod: Pod) -> Failure | None:
    """hostPathVolumes: folders and sockets of the node."""
    bad = [(number, one) for number, one in mappings_at(pod.spec, "volumes") if mapping_at(one, "hostPath") is not None]
    if not bad:
        return None
    detail = counted("volume", [text_at(one, "name") or "" for _, one in bad])
    return Failure("hostPath volumes", detail, tuple(f"spec.volumes[{number}].hostPath" for number, _ in bad))


def host_ports(pod: Pod) -> Failure | None:
    """hostPorts: ports of the node's own addresses."""
    shares = bool(flag_at(pod.spec, "hostNetwork"))
    bad, paths, ports = list[Container](), list[str](), set[str]()
    for one in pod.containers:
        found = False
        for number, entry in mappings_at(one.fields, "ports"):
            key = "hostPort"
            port = number_at(entry, key, 32)
            if not port and shares and one.takes_host_ports:
                key = "containerPort"
                port = number_at(entry, key, 32)
            if port:
                found = True
                ports.add(str(port))
                paths.append(f"{one.path}.ports[{number}].{key}")
        if found:
            bad.append(one)
    if not bad:
        return None
    words = f"{plural('uses', 'use', len(bad))} {plural('hostPort', 'hostPorts', len(ports))}"
    return Failure("hostPort", f"{_named(bad)} {words} {', '.join(sorted(ports))}", tuple(paths))


def host_probes(pod: Pod) -> Failure | None:
    """hostProbesAndHostLifecycle: the kubelet made to knock at an address of the pod's choice."""
    names, paths, hosts = set[str](), list[str](), set[str]()
    for one in pod.containers:
        for path, handler in _handlers(one):
            for action in ("httpGet", "tcpSocket"):
                if host := text_at(mapping_at(handler, action) or {}, "host"):
                    names.add(one.name)
                    hosts.add(host)
                    paths.append(f"{one.path}.{path}.{action}.host")
    if not names:
        return None
    words = f"{plural('uses', 'use', len(names))} {counted('probe or lifecycle host', sorted(hosts))}"
    return Failure("probe or lifecycle host", f"{counted('container', sorted(names))} {words}", tuple(paths))


def _handlers(container: Container) -> Iterator[tuple[str, Fields]]:
    for key in _PROBES:
        if (probe := mapping_at(container.fields, key)) is not None:
            yield key, probe
    lifecycle = mapping_at(container.fields, "lifecycle") or {}
    for key in _HOOKS:
        if (hook := mapping_at(lifecycle, key)) is not None:
            yield f"lifecycle.{key}", hook


def app_armor(pod: Pod) -> Failure | None:
    """appArmorProfile: by the field (1.30) and by the annotation before it, in every version of the policy."""
    of_pod, bad, values, paths = profiles(pod, "appArmorProfile")
    wrong = sorted(
        (f"{key}={go_quote(value)}", key)
        for key, value in pod.annotations.items()
        if key.startswith(APPARMOR_ANNOTATION) and not _app_armor_annotation(value)
    )
    listed = [*values, *(text for text, _ in wrong)]
    who = [setters(of_pod, bad)] if of_pod or bad else []
    if wrong:
        who.append(plural("annotation", "annotations", len(wrong)))
    if not who:
        return None
    return Failure(
        plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(listed)),
        f"{' and '.join(who)} must not set AppArmor profile type to {quoted(listed)}",
        (*paths, *(_annotation_path(key) for _, key in wrong)),
    )


def _app_armor_annotation(value: str) -> bool:
    return value in {"", "runtime/default"} or value.startswith("localhost/")


def profiles(pod: Pod, key: str) -> tuple[bool, list[str], list[str], list[str]]:
    """Who sets `key` to a profile that confines nothing: the pod?, containers; the types, sorted; the paths."""
    of_pod, names, values, paths = False, list[str](), set[str](), list[str]()
    if (kind := profile_type(pod.security, key)) is not None and kind not in _PROFILES:
        of_pod = True
        values.add(kind)
        paths.append(f"{_OF_POD}.{key}.type")
    for one in pod.containers:
        if (kind := profile_type(one.security, key)) is not None and kind not in _PROFILES:
            names.append(one.name)
            values.add(kind)
            paths.append(f"{one.path}.securityContext.{key}.type")
    return of_pod, names, sorted(values), paths


def profile_type(security: Fields, key: str) -> str | None:
    """The type of a profile: empty if it has none, None if there is no profile."""
    profile = mapping_at(security, key)
    return None if profile is None else text_at(profile, "type") or ""


def selinux(allowed: Set[str]) -> Run:
    """seLinuxOptions: another type than `allowed`, or any user or role."""

    def run(pod: Pod) -> Failure | None:
        kinds, keys, paths = set[str](), set[str](), list[str]()
        of_pod, names = False, list[str]()
        for path, name, security in (
            (_OF_POD, None, pod.security),
            *((_own(one), one.name, one.security) for one in pod.containers),
        ):
            options = mapping_at(security, "seLinuxOptions") or {}
            wrong = [key for key in ("user", "role") if text_at(options, key)]
            keys |= set(wrong)
            if (kind := text_at(options, "type") or "") not in allowed:
                kinds.add(kind)
                wrong.insert(0, "type")
            paths += [f"{path}.seLinuxOptions.{key}" for key in wrong]
            if wrong and name is None:
                of_pod = True
            elif wrong and name is not None:
                names.append(name)
        if not paths:
            return None
        data = [counted("type", sorted(kinds))] if kinds else []
        data += [f"{key} may not be set" for key in ("user", "role") if key in keys]
        detail = f"{setters(of_pod, names)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}"
        return Failure("seLinuxOptions", detail, tuple(paths))

    return run


def proc_mount(pod: Pod) -> Failure | None:
    """procMount: /proc without its masks."""
    said = [(one, kind) for one in pod.containers if (kind := text_at(one.security, "procMount")) is not None]
    bad = [one for one, kind in said if kind != "Default"]
    if not bad:
        return None
    kinds = {kind for _, kind in said if kind != "Default"}
    detail = f"{_named(bad)} must not set securityContext.procMount to {quoted(sorted(kinds))}"
    return Failure("procMount", detail, _paths(bad, "procMount"))


def seccomp_annotations(pod: Pod) -> Failure | None:
    """seccompProfile_baseline before 1.19: annotations were all there was."""
    keys = {SECCOMP_POD_ANNOTATION, *(SECCOMP_ANNOTATION + one.name for one in pod.containers)}
    said = [(key, value) for key in keys if (value := pod.annotations.get(key)) is not None]
    found = sorted((f"{key}={go_quote(value)}", key) for key, value in said if not _seccomp_annotation(value))
    if not found:
        return None
    words = plural("annotation", "annotations", len(found))
    detail = f"forbidden {words} {', '.join(text for text, _ in found)}"
    return Failure("seccompProfile", detail, tuple(_annotation_path(key) for _, key in found))


def _seccomp_annotation(value: str) -> bool:
    return value in {"runtime/default", "docker/default"} or value.startswith("localhost/")


def seccomp(pod: Pod) -> Failure | None:
    """seccompProfile_baseline from 1.19: a profile that is none."""
    of_pod, bad, values, paths = profiles(pod, "seccompProfile")
    if not paths:
        return None
    detail = f"{setters(of_pod, bad)} must not set securityContext.seccompProfile.type to {quoted(values)}"
    return Failure("seccompProfile", detail, tuple(paths))


def sysctls(allowed: Set[str]) -> Run:
    """Check sysctls: kernel settings beyond those that are the pod's own; upstream keeps the pod's order."""

    def run(pod: Pod) -> Failure | None:
        named = [(number, text_at(one, "name") or "") for number, one in mappings_at(pod.security, "sysctls")]
        bad = [(number, name) for number, name in named if name not in allowed]
        if not bad:
            return None
        paths = tuple(f"{_OF_POD}.sysctls[{number}].name" for number, _ in bad)
        return Failure("forbidden sysctls", ", ".join(name for _, name in bad), paths)

    return run


def windows_host_process(pod: Pod) -> Failure | None:
    """windowsHostProcess: a Windows container that is a process of the node."""
    of_pod = _host_process(pod.security)
    bad = [one for one in pod.containers if _host_process(one.security)]
    if not of_pod and not bad:
        return None
    detail = (
        f"{setters(of_pod, [one.name for one in bad])} must not set securityContext.windowsOptions.hostProcess=true"
    )
    key = "windowsOptions.hostProcess"
    return Failure("hostProcess", detail, (*([f"{_OF_POD}.{key}"] if of_pod else []), *_paths(bad, key)))


def _host_process(security: Fields) -> bool:
    return bool(flag_at(mapping_at(security, "windowsOptions") or {}, "hostProcess"))


def unless_own_users(run: Run) -> Run:
    """From 1.35: not for a pod with users of its own (`hostUsers: false`), whose root is nobody on the node."""
    return lambda pod: None if flag_at(pod.spec, "hostUsers") is False else run(pod)


def _named(containers: list[Container]) -> str:
    return counted("container", [one.name for one in containers])


def _own(container: Container) -> str:
    return f"{container.path}.securityContext"


def _paths(containers: list[Container], key: str) -> tuple[str, ...]:
    return tuple(f"{_own(one)}.{key}" for one in containers)


def _annotation_path(key: str) -> str:
    return f"metadata.annotations[{go_quote(key)}]"
