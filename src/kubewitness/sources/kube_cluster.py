"""A cluster out of its objects: dumps of kubectl in JSON or YAML, manifests, our own archive of a cluster.

The objects come item by item (`kube_lists`), each out of its document (`kube_documents`). The same object twice (a dump
of `all` beside one of pods) counts once, the later resourceVersion of it. Of which kinds the evidence holds *all*
objects is what makes an absence mean something: a list over the whole cluster says so by its kind (`PodList`, written
by the API server) or by its archive; a `List` of kubectl may be of one namespace, and does not, unless objects of a
kind lie in several namespaces, that of the system among them: then somebody asked for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.opening import Source
from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.collection import MANIFEST, Header, Omitted, Record
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.sources import command_lines, kube_objects
from kubewitness.sources.kube_documents import age_of, decoded, text_of
from kubewitness.sources.kube_lists import lists_of

KIND: Final = kube_objects.KIND
_LIMIT: Final = 2_000_000  # objects
_RECORD: Final = msgspec.json.Decoder(Record)
# Objects that every cluster has: a list without them is a part.
_WITNESS: Final = {"ClusterRole": "cluster-admin", "ClusterRoleBinding": "cluster-admin", "Namespace": "kube-system"}
_SYSTEM: Final = "kube-system"
_LASTING: Final = frozenset(
    (("Namespace", _SYSTEM), ("ClusterRole", "cluster-admin"), ("ClusterRole", "edit"), ("ClusterRole", "view"))
)
_VERSION = re.compile(r"v\d{1,3}\.\d{1,4}\.\d{1,6}[\w.+-]{0,80}")
_ARCHIVED: Final = "cluster/version.json"
# Objects of these kinds lie in no namespace: any list of them is of the whole cluster.
_CLUSTER_WIDE: Final = frozenset(
    ("ClusterRole", "ClusterRoleBinding", "Node", "Namespace", "PersistentVolume", "CertificateSigningRequest",
     "CustomResourceDefinition", "APIService", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
     "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy",
     "MutatingAdmissionPolicyBinding", "StorageClass", "PriorityClass", "RuntimeClass", "IngressClass")
)  # fmt: skip


@dataclass
class ClusterEvidence:
    """What was read.

    Attributes:
        cluster: None if no item holds an object of Kubernetes.
        items: What each item is, by its name.
    """

    cluster: Cluster | None = None
    items: dict[str, str] = field(default_factory=dict)
    failures: list[ParseFailure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def read_cluster(sources: Iterable[Source]) -> ClusterEvidence:
    """Read the objects among `sources`; every one is read to its end, so its hash is known."""
    sources = list(sources)
    known = kube_objects.read_objects(sources)
    out = ClusterEvidence(items=known.items, failures=known.failures, notes=known.notes)
    reader = _Reader(out)
    manifests = [one for one in sources if known.items.get(one.name) == kube_objects.MANIFEST_KIND]
    for source in manifests:  # before what they speak of, though they are an archive's last members
        reader.manifest(source)
    for source in sources:
        kind = known.items.get(source.name, "")
        if kind == kube_objects.MANIFEST_KIND:
            continue
        if source.name.endswith(_ARCHIVED):
            reader.version(source)
        elif kind == command_lines.KIND:
            reader.command_lines(source)
        elif not source.is_archive and source.kind in {"lines", "documents", "yaml"}:
            reader.item(source)
    if reader.found:
        out.cluster = reader.cluster()
    return out


class _Reader:
    """Puts one cluster together."""

    def __init__(self, out: ClusterEvidence) -> None:
        self._out = out
        self._objects: dict[tuple[str, str, str, str], KubeObject] = {}
        self._whole = set[str]()
        self._refused = dict[str, str]()
        self._version = self._name = ""
        self._command_lines = list[tuple[str, Place]]()
        self._sources = list[str]()
        self._partial = set[str]()  # archives of some namespaces
        self._archives = set[str]()
        self._lists = dict[str, list[tuple[int, str, list[KubeObject]]]]()  # whole ones of a kind, with their age
        self._born = dict[str, dict[str, KubeObject]]()  # objects that every cluster has, by their uid

    @property
    def found(self) -> bool:
        """Whether there is a cluster at all."""
        return bool(self._objects or self._command_lines or self._version)

    def cluster(self) -> Cluster:
        """What was read."""
        other = self._of_another()
        if other is not None:
            first, one = other
            reason = f"{one} is of another cluster than that of {first.place.item}: check one cluster at a time"
            self._out.failures.append(unreadable(one.place, reason))
            self._whole.clear()  # the objects of one hide those of the other
        for kind, lists in self._lists.items():
            if len(lists) > 1 and other is None:
                self._only_newest(kind, lists)
        return Cluster(
            self._name,
            list(self._objects.values()),
            self._whole,
            self._refused,
            self._version,
            command_lines=self._command_lines,
            sources=self._sources,
        )

    def _of_another(self) -> tuple[KubeObject, KubeObject] | None:
        """An object and its like of another cluster, if the evidence is of several clusters.

        The namespace kube-system lives as long as its cluster. A role may have been made anew; two of them hardly.
        """
        differ = [list(some.values()) for some in self._born.values() if len(some) > 1]
        if len(differ) > 1 or any(some[0].kind == "Namespace" for some in differ):
            return differ[0][0], differ[0][1]
        return None

    def _only_newest(self, kind: str, lists: list[tuple[int, str, list[KubeObject]]]) -> None:
        """Of two lists of all there was, the later one says what is: the rest was deleted in between."""
        newest, name, kept = max(lists, key=lambda one: one[0])
        names = {_identity(one) for one in kept}
        for age, older, objects in lists:
            gone = {_identity(one) for one in objects} - names if age < newest else set()
            for one in gone:
                self._objects.pop(one, None)
            if gone:
                reason = f"{len(gone)} {kind} of this list are not in the later one of {name}: deleted, not judged"
                self._out.notes.append(Note(Place(older, 0, 0), reason))

    def version(self, source: Source) -> None:
        """The API server's answer to /version."""
        told = decoded(b"".join(source.open())[:65536])
        git = told.get("gitVersion") if isinstance(told, dict) else None
        if isinstance(git, str) and _VERSION.fullmatch(git):
            self._version = git
            self._mine(source)

    def command_lines(self, source: Source) -> None:
        """What the control plane was started with."""
        offset = 0
        for number, line in enumerate(b"".join(source.open()).split(b"\n"), 1):
            if line.strip():
                place = Place(source.name, number, offset, len(line))
                self._command_lines.append((line.decode("utf-8", "replace").strip(), place))
            offset += len(line) + 1
        self._mine(source)

    def manifest(self, source: Source) -> None:
        """What an archive says of itself: its cluster, and what it could not get."""
        top = source.name.removesuffix(MANIFEST)
        self._archives.add(top)
        for line in b"".join(source.open()).split(b"\n"):
            try:
                record = _RECORD.decode(line) if line.strip() else None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue  # the manifest's own reader complains
            if isinstance(record, Header):
                self._name = self._name or record.host
                git = record.options.get("kubernetes", "")
                self._version = self._version or (git if _VERSION.fullmatch(git) else "")
                if record.options.get("namespaces"):
                    self._partial.add(top)
            elif isinstance(record, Omitted):
                self._refused.setdefault(_resource(record.path), record.reason[:300])
        self._mine(source)

    def item(self, source: Source) -> None:
        """The objects of one item, if it holds any."""
        found = lists_of(source)
        if found is None:
            return
        self._out.failures += found.failures
        self._mine(source)
        for listed in found.lists:
            for one in listed.objects:
                self._add(one)
            whole = self._complete(source, listed.kind, listed.objects, broken=bool(found.failures or source.failure))
            self._whole |= whole
            if listed.age and len(whole) == 1:
                (own,) = whole
                self._lists.setdefault(own, []).append((listed.age, source.name, listed.objects))

    def _add(self, one: KubeObject) -> None:
        name = _identity(one)
        if (one.kind, one.name) in _LASTING and (uid := text_of(one.document["metadata"].get("uid"))):
            self._born.setdefault(str(one), {}).setdefault(uid, one)
        known = self._objects.get(name)
        if known is None and len(self._objects) >= _LIMIT:
            return
        if known is None or _age(known) < _age(one):
            self._objects[name] = one

    def _mine(self, source: Source) -> None:
        self._out.items.setdefault(source.name, KIND)
        self._sources.append(source.name)

    def _complete(self, source: Source, kind: str, found: list[KubeObject], *, broken: bool) -> set[str]:
        """The kinds of which this item holds all objects of the cluster."""
        if broken:
            return set()
        top = next((one for one in self._archives if source.name.startswith(one)), None)
        own = kind.removesuffix("List")
        if top is not None:
            refused = _resource(source.name.removeprefix(top)) in self._refused
            part = own == "ConfigMap" or (top in self._partial and own not in _CLUSTER_WIDE)  # others are left alone
            return set() if not own or refused or part else {own}
        if not kind:
            return set()  # manifests, single objects
        spread = dict[str, set[str]]()
        for one in found:
            spread.setdefault(one.kind, set()).add(one.namespace)
        # One list over several namespaces, that of the system among them: it was asked for with -A, each of its kinds.
        everywhere = any(len(places) > 1 and _SYSTEM in places for places in spread.values())
        out = set[str]()
        for one_kind in {own, *spread} - {""}:
            if one_kind in _CLUSTER_WIDE:
                witness = _WITNESS.get(one_kind)
                whole = witness is None or any((it.kind, it.name) == (one_kind, witness) for it in found)
            else:
                whole = everywhere
            if whole and (one_kind in spread or own == one_kind):
                out.add(one_kind)
        return out


def _identity(one: KubeObject) -> tuple[str, str, str, str]:
    return one.kind, one.group, one.namespace, one.name


def _age(one: KubeObject) -> int:
    return age_of(one.document.get("metadata"))


def _resource(path: str) -> str:
    """The kind a member of an archive holds, as far as its name tells: "cluster/core/pods.json" → "pods"."""
    return path.rpartition("/")[2].removesuffix(".json")
