"""A cluster out of its objects: dumps of kubectl in JSON or YAML, manifests, our own archive of a cluster.

Objects come one a document, or as a list of any kind around them. The same object twice (a dump of `all` beside one of
pods) counts once, the later resourceVersion of it. Of which kinds the evidence holds *all* objects is what makes an
absence mean something: a list over the whole cluster says so by its kind (`PodList`, written by the API server) or by
its archive; a `List` of kubectl may be of one namespace, and does not, unless objects of a kind lie in several
namespaces, that of the system among them: then somebody asked for all.

What is no object is a failure only where the item holds some; items that hold none are left to others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.json_text import members
from kubewitness.evidence.opening import Source
from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.collection import MANIFEST, Header, Omitted, Record
from kubewitness.model.evidence import Note, ParseFailure, Place
from kubewitness.sources import command_lines, kube_objects, list_lines, list_pieces, yaml_pieces

KIND: Final = kube_objects.KIND
_LIMIT: Final = 2_000_000  # objects
_HEAD: Final = 64 * 1024
_NESTED: Final = 4  # lists inside lists
_YAML = re.compile(rb"^(?:apiVersion|kind): ", re.M)
_AUDIT: Final = "audit.k8s.io/"
_CLOSED = re.compile(
    rb'\](?:\s{0,99},\s{0,99}"\w{1,40}"\s{0,9}:\s{0,9}(?:"[^"]{0,200}"|\{[^{}]{0,999}\})){0,9}\s{0,99}\}\s{0,99}\Z'
)
_RECORD: Final = msgspec.json.Decoder(Record)
# Objects that every cluster has: a list without them is a part.
_WITNESS: Final = {"ClusterRole": "cluster-admin", "ClusterRoleBinding": "cluster-admin", "Namespace": "kube-system"}
_SYSTEM: Final = "kube-system"
_LASTING: Final = frozenset(
    (("Namespace", _SYSTEM), ("ClusterRole", "cluster-admin"), ("ClusterRole", "edit"), ("ClusterRole", "view"))
)
_VERSION = re.compile(r"v\d{1,3}\.\d{1,4}\.\d{1,6}[\w.+-]{0,80}")
_CUT_BEHIND: Final = "the list is cut off behind this object"
_CUT_HERE: Final = "the list is cut off in this object"
_ARCHIVED: Final = "cluster/version.json"
_WEIGHT: Final = ("conditions", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
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
        told = _decoded(b"".join(source.open())[:65536])
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
        head = next(iter(source.open()), b"")[:_HEAD]
        if b"apiVersion" not in head and b'"kind"' not in head and not _YAML.search(head):
            return
        if source.kind == "lines" and _is_audit(head):
            return  # an audit log, maybe of gigabytes
        kind, version = _list_of(head)
        is_list = bool(version) and b"apiVersion" in head
        failures = list[ParseFailure]()
        try:
            lists = [_Listed(kind, _age_of(_metadata(head)), _elements(source, kind, version, failures))]
        except list_pieces.NotOfThisFormError:
            failures.clear()
            lists = self._framed(source, kind, version, failures)
            if failures and is_list and not any(one.objects for one in lists):
                lists = _saved(source, kind, version, failures)
        if not (failures and is_list) and not any(one.objects for one in lists) and not _empty_list(kind, head):
            return
        self._out.failures += failures
        self._mine(source)
        for listed in lists:
            for one in listed.objects:
                self._add(one)
            whole = self._complete(source, listed.kind, listed.objects, broken=bool(failures or source.failure))
            self._whole |= whole
            if listed.age and len(whole) == 1:
                (own,) = whole
                self._lists.setdefault(own, []).append((listed.age, source.name, listed.objects))

    def _framed(self, source: Source, kind: str, version: str, failures: list[ParseFailure]) -> list[_Listed]:
        """The lists of an item with their kinds, the first for what lies in none; with care for what is broken."""
        loose = list[KubeObject]()
        lists = [_Listed(kind, 0, loose)]
        for frame in frame_documents(source.open(), source.name):
            if isinstance(frame, ParseFailure):
                failures.append(frame)
                continue
            document = _decoded(frame.data)
            if isinstance(document, list) or (isinstance(document, dict) and isinstance(document.get("items"), list)):
                lines = list_lines.of_json(frame) if source.kind != "yaml" else list_lines.of_yaml(source, frame.place)
                found = _objects(document, _Around(frame.place, kind, version, lines=lines))
                own = (_text(document.get("kind")) or "List") if isinstance(document, dict) else kind
                age = _age_of(document.get("metadata")) if isinstance(document, dict) else 0
                objects = list(found)
                if source.kind == "yaml" and _lacks_its_end(document):
                    cut = objects.pop().place if objects else frame.place  # half an object would be judged as one
                    failures.append(unreadable(cut, _CUT_HERE))
                lists.append(_Listed(own, age, objects))
            elif isinstance(document, dict):  # an object, or an element of a list that is taken apart
                loose += _objects(document, _Around(frame.place, kind, version))
            elif frame.data.strip():
                failures.append(unreadable(frame.place, "no JSON and no YAML of Kubernetes", frame.data[:256]))
        if kind and loose and source.kind != "yaml" and not _is_closed(source):
            failures.append(unreadable(loose[-1].place, _CUT_BEHIND))
        return lists

    def _add(self, one: KubeObject) -> None:
        name = _identity(one)
        if (one.kind, one.name) in _LASTING and (uid := _text(one.document["metadata"].get("uid"))):
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


def _saved(source: Source, kind: str, version: str, failures: list[ParseFailure]) -> list[_Listed]:
    """The objects of a small list of kubectl that does not decode: a disk was full, a copy was cut off."""
    broken = list[ParseFailure]()
    try:
        objects = _elements(source, kind, version, broken, small=True)
    except list_pieces.NotOfThisFormError:
        return []
    failures[:] = broken or failures
    return [_Listed(kind, 0, objects)]


def _lacks_its_end(document: object) -> bool:
    """Whether this is a list as kubectl writes it, fields by the alphabet, that ends before it names its kind."""
    return isinstance(document, dict) and list(document) == ["apiVersion", "items"]


def _elements(
    source: Source, kind: str, version: str, failures: list[ParseFailure], *, small: bool = False
) -> list[KubeObject]:
    """The objects of a huge list, or of a small one that is broken.

    Raises:
        NotOfThisFormError: it is none.
    """
    out = list[KubeObject]()
    in_yaml = source.kind == "yaml" and not small
    frames = yaml_pieces.pieces(source) if in_yaml else list_pieces.pieces(source, small=small)
    for number, frame in enumerate(frames):
        document = _decoded(frame.data)
        if isinstance(document, dict):
            out += _objects(document, _Around(frame.place, kind, version, f"items[{number}]"))
        else:
            failures.append(unreadable(frame.place, "no object of Kubernetes", frame.data[:256]))
        if frame.data.endswith(b"\n"):
            failures.append(unreadable(frame.place, _CUT_BEHIND))
    if len(failures) * 10 > len(out) and not small:
        raise list_pieces.NotOfThisFormError
    return out


def _is_audit(head: bytes) -> bool:
    """Whether the first record is an audit event."""
    found = dict(members(head.partition(b"\n")[0], limit=64).found)
    return _string(found.get(b'"apiVersion"')).startswith(_AUDIT)


def _is_closed(source: Source) -> bool:
    """Whether a list that was taken apart has its end."""
    tail = b""
    for chunk in source.open():
        tail = (tail + chunk)[-4096:]
    return _CLOSED.search(tail) is not None


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _list_of(head: bytes) -> tuple[str, str]:
    """Kind and version of the list an item is; of kubectl's `List`, which says so at its end, ("List", "v1")."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] == b"{":
        values = dict(members(text, limit=64).found)
        kind, version = _string(values.get(b'"kind"')), _string(values.get(b'"apiVersion"'))
        if kind.endswith("List"):
            return kind, version
        cut = members(text, limit=64).cut_key
        return ("List", version) if not kind and (b'"items"' in values or cut == b'"items"') else ("", "")
    found = re.search(rb"^kind: *(\w{1,80})List *$", text, re.M)
    if found:
        return found[1].decode() + "List", "v1"
    return ("List", "v1") if re.search(rb"^items: *$", text, re.M) else ("", "")


def _string(value: bytes | None) -> str:
    found = _decoded(value) if value else None
    return found if isinstance(found, str) else ""


def _empty_list(kind: str, head: bytes) -> bool:
    return kind.endswith("List") and kind != "List" and b"apiVersion" in head


class _Listed(NamedTuple):
    """A list: of what kind, how old, and what is in it."""

    kind: str
    age: int
    objects: list[KubeObject]


class _Around(NamedTuple):
    """What lies around an object: where, in which list."""

    place: Place
    kind: str
    version: str
    path: str = ""
    depth: int = 0
    lines: Sequence[Place] = ()  # of the elements of the outermost list, if they could be told

    def within(self, kind: str, version: str, path: str, position: int, count: int) -> _Around:
        told = len(self.lines) == count
        place = self.lines[position] if told else self.place
        return _Around(place, kind, version, f"{self.path}{path}", self.depth + 1)


def _objects(document: object, around: _Around) -> Iterator[KubeObject]:
    """The objects of a document, lists unrolled."""
    if around.depth > _NESTED:
        return
    if isinstance(document, list):
        for position, one in enumerate(document):
            yield from _objects(one, around.within("", "", f"[{position}]", position, len(document)))
        return
    if not isinstance(document, dict):
        return
    items, own, told = document.get("items"), document.get("kind"), document.get("apiVersion")
    if isinstance(items, list) and (not isinstance(own, str) or own.endswith("List")):
        kind, version = own if isinstance(own, str) else around.kind, told if isinstance(told, str) else around.version
        dot = "." if around.path else ""
        for position, one in enumerate(items):
            yield from _objects(one, around.within(kind, version, f"{dot}items[{position}]", position, len(items)))
        return
    found = _object(document, around)
    if found is not None:
        yield found


def _object(document: dict[str, Any], around: _Around) -> KubeObject | None:
    kind = _text(document.get("kind")) or around.kind.removesuffix("List")
    version = _text(document.get("apiVersion")) or around.version
    meta = document.get("metadata")
    if not kind or not version or not isinstance(meta, dict) or version.startswith(_AUDIT):
        return None
    name = _text(meta.get("name"))
    if not name:
        return None
    _lighten(kind, document)
    return KubeObject(kind, version, _text(meta.get("namespace")), name, document, around.place, around.path)


def _lighten(kind: str, document: dict[str, Any]) -> None:
    """Without what no check asks and what is most of the weight of ten thousands of pods."""
    document["metadata"].pop("managedFields", None)
    status = document.get("status")
    if kind == "Pod" and isinstance(status, dict):
        for key in _WEIGHT:
            status.pop(key, None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _identity(one: KubeObject) -> tuple[str, str, str, str]:
    return one.kind, one.group, one.namespace, one.name


def _age(one: KubeObject) -> int:
    return _age_of(one.document.get("metadata"))


def _age_of(metadata: object) -> int:
    """The resourceVersion, which grows with every write to the cluster; 0 if there is none."""
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return int(version) if isinstance(version, str) and version.isdecimal() and len(version) < 21 else 0


def _metadata(head: bytes) -> object:
    """Of a list that begins like this."""
    value = dict(members(head.lstrip(), limit=64).found).get(b'"metadata"')
    return _decoded(value) if value else None


def _resource(path: str) -> str:
    """The kind a member of an archive holds, as far as its name tells: "cluster/core/pods.json" → "pods"."""
    return path.rpartition("/")[2].removesuffix(".json")
