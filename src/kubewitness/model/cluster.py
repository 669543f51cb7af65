"""A cluster as its API server tells it: objects and where each was read. From a dump, an archive, a manifest, live."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from kubewitness.model.evidence import Place

NOT_SERVED: Final = "not served by this API server"  # as the collector says it in an archive's manifest


class KubeObject(Struct, frozen=True):
    """One object. `document` is as found and hostile: read it with `posture.reading`."""

    kind: str  # "ClusterRoleBinding"
    api_version: str  # "rbac.authorization.k8s.io/v1"
    namespace: str  # empty: none, or cluster-wide
    name: str
    document: dict[str, Any]
    place: Place
    path: str = ""  # JSON path of the object inside its item: "items[3]"; empty: the item's record is the object

    @property
    def group(self) -> str:
        """Its API group, empty for the core one."""
        return self.api_version.rpartition("/")[0]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Cluster(Struct):
    """What the evidence holds of one cluster.

    Attributes:
        name: As the evidence names it; empty if nothing does.
        objects: In the order of reading, each once.
        whole: Kinds ("ClusterRoleBinding") of which the evidence holds a list over all namespaces.
        refused: Resource ("clusterroles") → why the collector did not get it.
        version: Of the API server, "v1.34.4"; empty if nothing tells.
        live: Asked just now, not from files.
        command_lines: Of the control plane where the evidence has them as text, with their places.
        sources: Items read for it.
        kinds: Of `of`; nobody else needs it.
        named: Of `get`.
        looked: Of both.
    """

    name: str = ""
    objects: list[KubeObject] = []
    whole: set[str] = set()
    refused: dict[str, str] = {}
    version: str = ""
    live: bool = False
    command_lines: list[tuple[str, Place]] = []
    sources: list[str] = []
    kinds: dict[str, list[KubeObject]] = {}
    named: dict[tuple[str, str, str], KubeObject] = {}
    looked: int = -1  # objects there were when these two were made

    def _look(self) -> None:
        """Objects by kind and by name: checks ask for them one by one."""
        if self.looked == len(self.objects):
            return
        self.kinds, self.named, self.looked = {}, {}, len(self.objects)
        for one in self.objects:
            self.kinds.setdefault(one.kind, []).append(one)
            self.named.setdefault((one.kind, one.namespace, one.name), one)

    def of(self, *kinds: str) -> list[KubeObject]:
        """The objects of these kinds."""
        self._look()
        if len(kinds) == 1:
            return list(self.kinds.get(kinds[0], ()))
        return [one for one in self.objects if one.kind in kinds]

    def get(self, kind: str, namespace: str, name: str) -> KubeObject | None:
        """One object."""
        self._look()
        return self.named.get((kind, namespace, name))

    def has_all(self, kind: str) -> bool:
        """Whether the evidence holds all objects of this kind; a kind that the API server does not have has none."""
        return kind in self.whole or self.why_not(kind) == NOT_SERVED

    def why_not(self, kind: str) -> str:
        """Why objects of this kind are missing; empty if nothing tells."""
        low = kind.lower()
        names = (f"{low}s", f"{low}es", f"{low.removesuffix('y')}ies", "cluster")
        return next((why for name in names if (why := self.refused.get(name))), "")
