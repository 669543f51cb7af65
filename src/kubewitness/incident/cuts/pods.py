"""What a Pod Security level for the namespace would have stopped of the pods that an intruder had made.

Every pod and every workload that the intruder made or changed is judged by the levels baseline and restricted, as the
API server's admission plugin would; so are the pods that others made in that namespace while the log ran. A level that
is enforced refuses pods, not the workloads they come from: a DaemonSet is made, and stays without a pod.

The log has the specifications only at level Request and above; of pods without one nothing is known. Pods that a dump
shows are counted too: they would be refused when they are made the next time. Static pods are run by the kubelet
whatever the level says: only their mirror is refused, so they are nobody's loss. The pods of kube-system are a
cluster's own and mostly older than the log; many need what baseline forbids, so without a dump nothing is known of the
loss there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.detect.run import Scan
from kubewitness.evidence.opening import Source
from kubewitness.incident.cuts.dumps import documents
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


def standing(sources: Iterable[Source]) -> dict[str, list[Pod]]:
    """Pods in dumps of the cluster, by namespace."""
    out = dict[str, list[Pod]]()
    for document in documents(sources, b'"Pod'):
        for pod in _pods_in(document):
            namespace = _metadata(pod).get("namespace")
            if isinstance(namespace, str):
                out.setdefault(namespace, []).append(pod)
    return out


def _pods_in(document: object) -> Iterator[Pod]:
    if not isinstance(document, dict):
        return
    items = document.get("items")
    # The items of a PodList do not say what they are.
    listed = isinstance(items, list) and document.get("kind") == "PodList"
    for item in items if isinstance(items, list) else [document]:
        if isinstance(item, dict) and (listed or item.get("kind") == "Pod"):
            yield item


def pod_cuts(
    theirs: Mapping[str, Mapping[ObjectName, Pod | None]],
    others: Iterable[Request],
    implicated: Collection[object],
    dumped: Mapping[str, Sequence[Pod]],
    *,
    whole: bool,
) -> Iterator[Cut]:
    """What each level would have refused.

    Args:
        theirs: what the intruder made.
        others: requests of those who make pods.
        implicated: keys of the requests of intruders.
        dumped: pods that stood in the cluster.
        whole: `others` are all.
    """
    pods = {namespace: dict[str, Pod | None]() for namespace in theirs}
    for request in others:
        mine = request.key in implicated or request.namespace not in theirs
        if not mine and _written(request) and (request.resource, request.verb) == ("pods", "create"):
            pods[request.namespace][request.name or request.audit_id] = _pod(request)
    for namespace, found in pods.items():
        for pod in dumped.get(namespace, ()):
            found[str(_metadata(pod).get("name"))] = pod
    most = sorted(theirs, key=lambda namespace: (-len(theirs[namespace]), namespace))
    for namespace in most[:_NAMESPACES]:
        own = theirs[namespace]
        bare = {one.name for one in own if one.kind == "pods"}
        kept = [
            (_owner(pod) or f"Pod {name}", pod)
            for name, pod in sorted(pods[namespace].items())
            if name not in bare and not (pod is not None and (_is_mirror(pod) or _owned(pod, own)))
        ]
        known = whole and len(kept) <= _PODS and (namespace != SYSTEM or namespace in dumped)
        yield from _cuts(namespace, list(own.values()), kept[:_PODS], known)


def _cuts(
    namespace: str, own: Sequence[Pod | None], others: Sequence[tuple[str, Pod | None]], known: bool
) -> Iterator[Cut]:
    before = 0
    unknown = not known or any(pod is None for _, pod in others)
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
