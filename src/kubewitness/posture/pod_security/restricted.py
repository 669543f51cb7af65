"""The checks of the level restricted: what a pod has to say of itself, so that it is confined as far as can be.

As in `baseline`, each function is one version of one check of upstream's.
"""

from __future__ import annotations

from typing import Final

from kubewitness.posture.pod_security.baseline import Run, forbidden_additions, profile_type, profiles
from kubewitness.posture.pod_security.nouns import Failure
from kubewitness.posture.pod_security.reading import (
    Fields,
    Pod,
    flag_at,
    mapping_at,
    mappings_at,
    number_at,
    text_at,
    texts_at,
)
from kubewitness.posture.pod_security.wording import counted, plural, quoted, setters

_FREE: Final = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip
_BOUND: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd",
    "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
    "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip
_BIND: Final = frozenset({"NET_BIND_SERVICE"})


def volumes(pod: Pod) -> Failure | None:
    """restrictedVolumes: storage of the node or of a server, named in the pod itself.

    A source that is none of the API's is of a version yet to come, and forbidden as upstream forbids what it does not
    know. An API server that does not know it drops it from a manifest, and the volume becomes an emptyDir.
    """
    names, kinds, paths = list[str](), set[str](), list[str]()
    for number, one in mappings_at(pod.spec, "volumes"):
        if (kind := _bound(one)) is None:
            continue
        names.append(text_at(one, "name") or "")
        kinds.add(kind)
        paths.append(f"spec.volumes[{number}]" + (f".{kind}" if kind in _BOUND else ""))
    if not names:
        return None
    words = f"{plural('uses', 'use', len(names))} {counted('restricted volume type', sorted(kinds))}"
    return Failure("restricted volume types", f"{counted('volume', names)} {words}", tuple(paths))


def _bound(volume: Fields) -> str | None:
    """The type that restricts a volume; None if it may be used."""
    if any(mapping_at(volume, key) is not None for key in _FREE):
        return None
    for key in _BOUND:
        if mapping_at(volume, key) is not None:
            return key
    return "unknown" if any(key != "name" and mapping_at(volume, key) is not None for key in volume) else None


def privilege_escalation(pod: Pod) -> Failure | None:
    """allowPrivilegeEscalation: it has to be false, since unset is true."""
    bad = [one for one in pod.containers if flag_at(one.security, "allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    return Failure(
        "allowPrivilegeEscalation != false",
        f"{counted('container', [one.name for one in bad])} must set securityContext.allowPrivilegeEscalation=false",
        tuple(f"{one.path}.securityContext.allowPrivilegeEscalation" for one in bad),
    )


def capabilities(pod: Pod) -> Failure | None:
    """capabilities_restricted: all dropped, none added but NET_BIND_SERVICE."""
    keeping, adding, beyond, paths = list[str](), list[str](), set[str](), list[str]()
    for one in pod.containers:
        dropped = texts_at(mapping_at(one.security, "capabilities") or {}, "drop")
        if all(name != "ALL" for _, name in dropped):
            keeping.append(one.name)
            paths.append(f"{one.path}.securityContext.capabilities.drop")
        if added := list(forbidden_additions(one, _BIND)):
            adding.append(one.name)
            paths += [path for path, _ in added]
            beyond |= {name for _, name in added}
    details = []
    if keeping:
        details.append(f'{counted("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        who = counted("container", adding)
        details.append(f"{who} must not include {quoted(sorted(beyond))} in securityContext.capabilities.add")
    return Failure("unrestricted capabilities", "; ".join(details), tuple(paths)) if details else None


def run_as_non_root(pod: Pod) -> Failure | None:
    """runAsNonRoot: said by the pod or by every container; who says false is named first, and alone."""
    of_pod = flag_at(pod.security, "runAsNonRoot")
    own = [(one, flag_at(one.security, "runAsNonRoot")) for one in pod.containers]
    refusing = [one for one, value in own if value is False]
    key = "securityContext.runAsNonRoot"
    if of_pod is False or refusing:
        paths = [*([f"spec.{key}"] if of_pod is False else []), *(f"{one.path}.{key}" for one in refusing)]
        who = setters(of_pod is False, [one.name for one in refusing])
        return Failure("runAsNonRoot != true", f"{who} must not set {key}=false", tuple(paths))
    silent = [one for one, value in own if value is None and not of_pod]
    if not silent:
        return None
    who = counted("container", [one.name for one in silent])
    paths = [f"{one.path}.{key}" for one in silent]
    return Failure("runAsNonRoot != true", f"pod or {who} must set {key}=true", tuple(paths))


def run_as_user(pod: Pod) -> Failure | None:
    """runAsUser: not 0 where it is said; the image's own user is runAsNonRoot's affair."""
    key = "securityContext.runAsUser"
    of_pod = number_at(pod.security, "runAsUser", 64) == 0
    bad = [one for one in pod.containers if number_at(one.security, "runAsUser", 64) == 0]
    if not of_pod and not bad:
        return None
    paths = (*([f"spec.{key}"] if of_pod else []), *(f"{one.path}.{key}" for one in bad))
    return Failure("runAsUser=0", f"{setters(of_pod, [one.name for one in bad])} must not set runAsUser=0", paths)


def seccomp(pod: Pod) -> Failure | None:
    """seccompProfile_restricted: a real profile for the pod or for every container."""
    of_pod, bad, values, paths = profiles(pod, "seccompProfile")
    if paths:
        detail = f"{setters(of_pod, bad)} must not set securityContext.seccompProfile.type to {quoted(values)}"
        return Failure("seccompProfile", detail, tuple(paths))
    if profile_type(pod.security, "seccompProfile") is not None:
        return None
    silent = [one for one in pod.containers if profile_type(one.security, "seccompProfile") is None]
    if not silent:
        return None
    who = counted("container", [one.name for one in silent])
    return Failure(
        "seccompProfile",
        f'pod or {who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
        tuple(f"{one.path}.securityContext.seccompProfile.type" for one in silent),
    )


def unless_windows(run: Run) -> Run:
    """From 1.25: not for a pod that says it is for Windows, where the field cannot be set."""
    return lambda pod: None if text_at(mapping_at(pod.spec, "os") or {}, "name") == "windows" else run(pod)
