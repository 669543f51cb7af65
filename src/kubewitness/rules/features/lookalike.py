"""Names that imitate a component of the cluster: `kube-proxyy`, `kube-controller`, `kubrnetesio/kube-controller`.

A name imitates a real one if it differs from every real one but

* is one slip away from one, or two from a long one (insertion, deletion, substitution, swap of neighbours),
* turns into one when digits are read as the letters they look like (`c0redns`),
* is one without its last word (`kube-controller` for kube-controller-manager; core components only), or
* is one with a few letters glued on (`kube-proxyd`; core components only; for organisations `kubernetesio`).

Real names and organisations are data (content/components/). Names of objects are judged for workloads only: the names
of leases, secrets, config maps and roles are built from component names all day. Images are judged on registries where
anybody can register an organisation; in a private registry a name says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from kubewitness.model.event import Event
from kubewitness.rules.features.components import names
from kubewitness.rules.features.interface import FieldTable, Values, distinct, once
from kubewitness.rules.features.objects import object_name
from kubewitness.rules.features.pod_spec import WORKLOADS, pod_specs, registry_of

_RESOURCES = WORKLOADS | {"pods"}
_MAX_NAME = 63  # a DNS label; longer ones imitate nothing
_MAX_IMAGES = 100
_OPEN_REGISTRIES = frozenset({"docker.io", "quay.io", "ghcr.io"})
_MIN_LENGTH = 6  # shorter names are near too many words
_LONG = 12  # from here on a name may differ by two
_GLUED = re.compile(r"[a-z0-9]{1,4}")
# What controllers append: five characters of this alphabet, for pods of a ReplicaSet a hash before it.
_GENERATED = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]{8,10})$")
_HASH = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{6,10}$")
_LETTERS = (str.maketrans("013457", "oleast"), str.maketrans("013457", "oieast"))  # a 1 reads as l or i
_ORGANIZATION_TAIL = re.compile(r"[-_.]?(?:io|inc|org|com|dev|hub|k8s|cr|x|[0-9]{1,2})$")


def edit_distance(one: str, other: str, limit: int) -> int:
    """Optimal string alignment distance, `limit + 1` as soon as it must exceed `limit`."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    mine, theirs = set(one), set(other)
    if len(mine - theirs) > limit or len(theirs - mine) > limit:  # one slip brings at most one new letter
        return limit + 1
    before: list[int] = []
    previous = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        current = [i]
        for j, right in enumerate(other, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, previous = previous, current
    return min(previous[-1], limit + 1)


def _near(name: str, real: Iterable[str]) -> str:
    """The real name that `name` is one slip away from; empty if none."""
    if len(name) < _MIN_LENGTH:
        return ""
    candidates = [candidate for candidate in real if len(candidate) >= _MIN_LENGTH]
    for table in _LETTERS:
        readable = name.translate(table)
        if readable != name and readable in candidates:
            return readable
    # A number at the end is a second instance, not a slip.
    if name[-1].isdigit() and name[:-1].rstrip("-") in candidates:
        return ""
    return next((candidate for candidate in candidates if edit_distance(name, candidate, 1) == 1), "")


@lru_cache(maxsize=4096)
def imitated_component(name: str) -> str:
    """The component whose name `name` imitates; empty if none, or if it is a real one."""
    if len(name) > _MAX_NAME or name in _real_names():
        return ""
    core = _imitated_core(name)
    if core:
        return core
    near = _near(name, _ordered("system_names", "addon"))
    # People write the names of what they install themselves with and without hyphens.
    return near if near.replace("-", "") != name.replace("-", "") else ""


@lru_cache(maxsize=4096)
def _imitated_core(name: str) -> str:
    core = _ordered("system_names", "core")
    near = _near(name, core)
    if near or len(name) > _MAX_NAME:
        return near
    for candidate in core:
        if len(candidate) >= _LONG and edit_distance(name, candidate, 2) <= 2:
            return candidate
        words = candidate.split("-")
        if words[0] == "kube" and len(words) > 2 and name == "-".join(words[:-1]):
            return candidate
        glued = name[len(candidate) :] if len(candidate) >= _MIN_LENGTH and name.startswith(candidate) else ""
        if _GLUED.fullmatch(glued) and not glued.isdecimal():
            return candidate
    return ""


@cache
def _ordered(table_name: str, kind: str) -> tuple[str, ...]:
    return tuple(sorted(names(table_name, kind)))


@cache
def _real_names() -> frozenset[str]:
    return names("system_names", "core") | names("system_names", "addon")


def _stems(name: str) -> Iterator[str]:
    """`name`, and what is left of it without the parts that controllers append."""
    yield name
    stem = _GENERATED.sub("", name)
    if stem != name:
        yield stem
        bare = _HASH.sub("", stem)
        if bare != stem:
            yield bare


@once
def _lookalike_name(event: Event) -> Values:
    name = object_name(event).removesuffix("*").rstrip("-")
    if event.resource not in _RESOURCES or event.subresource not in ("", "ephemeralcontainers") or not name:
        return ()
    real = _real_names()
    stems = list(_stems(name[: 4 * _MAX_NAME]))
    # A static pod is named after its node: kube-apiserver-node-1. Every pod of a component starts like this.
    if any(stem in real for stem in stems) or (event.resource == "pods" and _is_of_component(name, real)):
        return ()
    return next(((component,) for stem in stems if (component := imitated_component(stem))), ())


def _is_of_component(name: str, real: frozenset[str]) -> bool:
    words = name[: 4 * _MAX_NAME].split("-")
    return any("-".join(words[:count]) in real for count in range(1, len(words)))


@lru_cache(maxsize=4096)
def imitated_by_image(image: str) -> str:
    """The registry, organisation or component that an image reference imitates; empty if none."""
    registry = registry_of(image)
    first, _, rest = image.partition("/")
    path = rest if first in (registry, "index.docker.io") else image
    *folders, last = path.split("@")[0].split("/")
    registries = names("image_sources", "registry")
    if registry not in registries:
        host = registry.partition(":")[0]
        return next((real for real in sorted(registries) if len(real) >= 7 and edit_distance(host, real, 1) == 1), "")
    if registry not in _OPEN_REGISTRIES or not folders:
        return ""
    organization = folders[0]
    known = _ordered("image_sources", "organization")
    if organization in known or len(organization) > _MAX_NAME:
        return ""
    for candidate in (organization, _ORGANIZATION_TAIL.sub("", organization)):
        if candidate != organization and candidate == "kubernetes":
            return candidate
        near = _near(candidate, known)
        if near:
            return near
    name = last.partition(":")[0]
    return "" if name in _real_names() else _imitated_core(name)


@once
def _lookalike_image(event: Event) -> Values:
    images = distinct([image for spec in pod_specs(event) for image in spec.images])[:_MAX_IMAGES]
    return distinct([imitated_by_image(image[:512]) for image in images])


FIELDS: FieldTable = {"lookalike.name": _lookalike_name, "lookalike.image": _lookalike_image}
