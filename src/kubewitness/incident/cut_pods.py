"""What a Pod Security level for the namespace would have stopped of the pods that an intruder had made.

Every pod and every workload that the intruder made or changed is judged by the levels baseline and restricted, as the
API server's admission plugin would; so are the pods that others made in that namespace while the log ran. A level that
is enforced refuses pods, not the workloads they come from: a DaemonSet is made, and stays without a pod.

The log has the specifications only at level Request and above; of pods without one nothing is known. Static pods are
run by the kubelet whatever the level says: only their mirror is refused, so they are nobody's loss. The pods of
kube-system are a cluster's own and mostly older than the log; many need what baseline forbids, so nothing is known of
the loss there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Cut, CutPart, ObjectName
from kubewitness.posture.pod_security import Level, evaluate, pod_of

Pod = Mapping[str, object]

_LEVELS: Final[tuple[Level, ...]] = ("baseline", "restricted")
_WORKLOADS: Final = frozenset(
    ("pods", "replicationcontrollers", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs")
)
_READ: Final = 5_000  # requests of those who make pods that are read again
_PODS: Final = 5_000  # of others, that are judged
_BY: Final = 10
_NAMESPACES: Final = 3
SYSTEM: Final = "kube-system"
_MIRROR: Final = "kubernetes.io/config.mirror"


def makers(scan: Scan) -> tuple[list[AccessorKey], bool]:
    """Who made pods, as far as they are few enough to be read again; whether that is all of them."""
    found = [key for key, profile in scan.profiles.by_key.items() if _makes(profile)]
    out, left = list[AccessorKey](), _READ
    for key in sorted(found, key=lambda key: (scan.profiles.by_key[key].requests, key)):
        profile = scan.profiles.by_key[key]
        if profile.places is not None and profile.requests <= left:
            left -= profile.requests
            out.append(key)
    return out, len(out) == len(found)


def _makes(profile: Profile) -> bool:
    return any(kind.verb == "create" and kind.resource == "pods" and not kind.subresource for kind in profile.allowed)


def made(requests: Iterable[Request]) -> dict[str, dict[ObjectName, Pod | None]]:
    """Pods and workloads that the intruder made or changed, by namespace, each with its last known pod."""
    out = dict[str, dict[ObjectName, Pod | None]]()
    for request in requests:
        if _written(request) and request.resource in _WORKLOADS and request.verb in {"create", "update", "patch"}:
            kept = out.setdefault(request.namespace, {})
            kept[request.object] = _pod(request) or kept.get(request.object)
    return out


def pod_cuts(
    theirs: Mapping[str, Mapping[ObjectName, Pod | None]],
    others: Iterable[Request],
    implicated: Collection[object],
    *,
    whole: bool,
) -> Iterator[Cut]:
    """What each level would have refused.

    Args:
        theirs: what the intruder made.
        others: requests of those who make pods.
        implicated: keys of the requests of intruders.
        whole: `others` are all.
    """
    pods = dict[str, list[tuple[str, Pod | None]]]()
    count = 0
    for request in others:
        mine = request.key in implicated or request.namespace not in theirs
        if mine or not _written(request) or (request.resource, request.verb) != ("pods", "create"):
            continue
        pod = _pod(request)
        if pod is not None and (_is_mirror(pod) or _owned(pod, theirs[request.namespace])):
            continue
        count += 1
        if count > _PODS:
            whole = False
            break
        pods.setdefault(request.namespace, []).append((_owner(pod) or request.name, pod))
    most = sorted(theirs, key=lambda namespace: (-len(theirs[namespace]), namespace))
    for namespace in most[:_NAMESPACES]:
        yield from _cuts(namespace, list(theirs[namespace].values()), pods.get(namespace, []), whole)


def _cuts(
    namespace: str, own: Sequence[Pod | None], others: Sequence[tuple[str, Pod | None]], whole: bool
) -> Iterator[Cut]:
    before = 0
    unknown = not whole or namespace == SYSTEM or any(pod is None for _, pod in others)
    for level in _LEVELS:
        refused = sum(1 for pod in own if pod is not None and evaluate(pod, level))
        if refused <= before:
            continue  # no more than the milder one
        before = refused
        by = Counter(name[:200] for name, pod in others if pod is not None and evaluate(pod, level))
        if by.total() > refused:
            continue
        ranked = sorted(by.items(), key=lambda pair: (-pair[1], pair[0]))
        name = ObjectName("namespaces", "", namespace)
        yield Cut(
            (name,), refused, len(own), by.total(), dict(ranked[:_BY]), len(by),
            parts=(CutPart("pod_security", name, f"enforce={level}"),), of="pods", unknown=unknown,
        )  # fmt: skip


def _written(request: Request) -> bool:
    return request.succeeded and not request.subresource and "dryRun=" not in request.final.record.requestURI


def _pod(request: Request) -> Pod | None:
    """The pod of a workload or itself, as it was stored, else as it was sent."""
    for body in (request.final.response_object, request.final.request_object):
        if isinstance(body, dict) and (found := pod_of(body)) is not None:
            return found[0]
    return None


def _metadata(pod: Pod) -> Mapping[str, object]:
    meta = pod.get("metadata")
    return meta if isinstance(meta, dict) else {}


def _is_mirror(pod: Pod) -> bool:
    annotations = _metadata(pod).get("annotations")
    return isinstance(annotations, dict) and _MIRROR in annotations


def _owners(pod: Pod) -> Iterator[tuple[str, str]]:
    owners = _metadata(pod).get("ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        kind, name = (owner.get("kind"), owner.get("name")) if isinstance(owner, dict) else (None, None)
        if isinstance(kind, str) and isinstance(name, str) and name:
            yield kind, name


def _owner(pod: Pod | None) -> str:
    return next((f"{kind} {name}" for kind, name in _owners(pod)), "") if pod is not None else ""


def _owned(pod: Pod, theirs: Iterable[ObjectName]) -> bool:
    """Whether it was made for a workload of the intruder's: for itself, or for what a controller made of it."""
    names = [name for _, name in _owners(pod)]
    return any(name == one.name or name.startswith(f"{one.name}-") for name in names for one in theirs if one.name)
