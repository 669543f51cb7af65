"""What of a script cannot be had on a cluster that is not the range's own, and the script in that cluster's words.

Images need care. Workloads of a script bear the names of real images, a miner's among them, and the range's nodes
have inert ones under these names. A node that has none would pull the real thing; so a step that names an image is
played only if every node has the inert one. A node tells: busybox and alpine are one image in the range's archive,
never in the world, and all images of the archive are of one size within a few bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from range.external.target import MASTERS
from range.images import NAMES
from range.script import Actor, Background, Credential, Script, Step

# Real images of these two are what a cluster lives on, so the archive for other clusters does not replace them.
PORTABLE = tuple(name for name in NAMES if not name.startswith("registry.k8s.io/"))
_SAME = ("docker.io/library/busybox:1.36", "docker.io/library/alpine:3.20")
_SPREAD = 4096  # bytes by which sizes of the archive's images may differ: their configurations
_IMAGE = re.compile(r"""(?:--image[= ]|\bimage\\?["']?\s*[:=]\s*\\?["']?|\bset image \S+ [\w.-]+=)([\w./:@-]+)""")
_METADATA = re.compile(r"169\.254\.169\.254|metadata\.google\.internal|fd00:ec2::254|100\.100\.100\.200")


class Obstacle(Struct, frozen=True):
    """Why a step cannot be played; without a step, why the scenario as a whole will not go as its script says."""

    where: str
    why: str
    step: Step | None = None


class Nodes(Struct, frozen=True):
    """What the cluster's nodes are called and which images all of them have."""

    names: tuple[str, ...]
    inert: frozenset[str]  # images of the range's archive
    others: frozenset[str]


def nodes_of(answer: Mapping[str, Any]) -> Nodes:
    """The ready nodes of a NodeList."""
    ready = [
        node
        for node in answer.get("items", [])
        if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", []))
    ]
    inert = [_inert(node["status"].get("images", [])) for node in ready]
    every = [{name for one in node["status"].get("images", []) for name in one.get("names") or ()} for node in ready]
    return Nodes(
        tuple(sorted(node["metadata"]["name"] for node in ready)),
        frozenset.intersection(*inert) if inert else frozenset(),
        frozenset(set.intersection(*every)) - frozenset(NAMES) if every else frozenset(),
    )


def _inert(images: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    known = next((image for image in images if set(_SAME) <= set(image.get("names") or ())), None)
    if not known:
        return frozenset()
    alike = [image for image in images if abs(image["sizeBytes"] - known["sizeBytes"]) <= _SPREAD]
    return frozenset(name for image in alike for name in image.get("names") or ()) & frozenset(NAMES)


def stand_ins(
    actors: Mapping[str, Actor], credentials: Mapping[str, Credential], steps: Iterable[Step]
) -> frozenset[str]:
    """Administrators' credentials in system:masters, which no cluster signs: the user's kubeconfig stands in."""
    used = {(step.as_, actors[step.actor].role) for step in steps}
    return frozenset(
        name
        for name, credential in credentials.items()
        if credential.signed and MASTERS in credential.groups
        if all(role == "administrator" for as_, role in used if as_ == name)
    )


def places(script: Script) -> Iterator[tuple[str, Step]]:
    """Every step of a scenario with its place."""
    yield from ((f"setup[{number}]", step) for number, step in enumerate(script.setup))
    for phase in script.phases:
        yield from ((f"phase {phase.name!r}, step {number + 1}", step) for number, step in enumerate(phase.steps))


def obstacles(
    script: Script, actors: Mapping[str, Actor], credentials: Mapping[str, Credential], instead: frozenset[str]
) -> Iterator[Obstacle]:
    """What can be told without the cluster."""
    if script.kubernetes != "1.34":
        yield Obstacle("kubernetes", f"it is a script for Kubernetes {script.kubernetes}, which the range has itself")
    for name, kind in script.nodes.items():
        if kind != "hardened":
            yield Obstacle(f"nodes.{name}", f"a node of kind {kind} is to be had on the range's own cluster only")
    for place, step in places(script):
        if why := unplayable(step, actors, credentials, instead):
            yield Obstacle(place, why, step)


def unplayable(
    step: Step, actors: Mapping[str, Actor], credentials: Mapping[str, Credential], instead: frozenset[str]
) -> str:
    """Why `step` cannot be played on any cluster but the range's; empty if it can."""
    for action in ("node", "pod", "kubelet"):
        if getattr(step, action) is not None:
            return f"{action}: steps past the API server reach into the range's own nodes only"
    if actors[step.actor].pod and not step.until:
        return f"the actor {step.actor} is inside a pod"
    credential = credentials.get(step.as_)
    if credential and credential.signed and MASTERS in credential.groups and step.as_ not in instead:
        return f"the credential {step.as_} is in {MASTERS}, for which no cluster signs a certificate"
    if _METADATA.search(_text(step)):
        return "it asks the cloud's metadata service, which would answer for real"
    return ""


def lacking(script: Script, nodes: Nodes) -> Iterator[Obstacle]:
    """What the cluster's nodes have not."""
    if len(nodes.names) != len(script.nodes):
        count = len(nodes.names)
        yield Obstacle(
            "nodes", f"the scenario is written for {len(script.nodes)}, the cluster has {count} that are ready"
        )
    for place, step in places(script):
        if why := without(step, script.nodes, nodes):
            yield Obstacle(place, why, step)


def without(step: Step, written_for: Iterable[str], nodes: Nodes) -> str:
    """Which node or image the cluster lacks for `step`; empty if none."""
    gone = [name for name in tuple(written_for)[len(nodes.names) :] if _node(name).search(_text(step))]
    if gone:
        return f"there is no node for {gone[0]}"
    lost = sorted(images(step) - nodes.inert - nodes.others)
    if not lost:
        return ""
    what = "the range's inert image" if lost[0] in NAMES else "the image"
    return f"not every node has {what} {lost[0]}, and would pull it"


def images(step: Step) -> set[str]:
    """The images a step names."""
    text = _text(step)
    return {name for name in NAMES if name in text} | set(_IMAGE.findall(text))


def in_its_words(step: Step, written_for: Iterable[str], nodes: Nodes) -> Step:
    """`step` with the script's names of nodes replaced by the cluster's own, in order."""
    text = msgspec.json.encode(step).decode()
    for name, own in zip(written_for, nodes.names, strict=False):
        text = _node(name).sub(json.dumps(own)[1:-1], text)
    return msgspec.json.decode(text, type=Step)


def reworded(script: Script, nodes: Nodes, left_out: Iterable[Step]) -> Script:
    """The script as it is to be played."""
    gone = {id(step) for step in left_out}

    def kept(steps: Iterable[Step]) -> tuple[Step, ...]:
        return tuple(in_its_words(step, script.nodes, nodes) for step in steps if id(step) not in gone)

    phases = tuple(replace(phase, steps=kept(phase.steps)) for phase in script.phases)
    return replace(script, setup=kept(script.setup), phases=phases)


def reworded_background(background: Background, written_for: Sequence[str], nodes: Nodes) -> Background:
    """Ordinary traffic as it is to be played."""
    setup, steps = (
        tuple(in_its_words(step, written_for, nodes) for step in part) for part in (background.setup, background.steps)
    )
    return replace(background, setup=setup, steps=steps)


def _text(step: Step) -> str:
    """All words of a step's action."""
    parts = [step.kubectl.args, step.kubectl.manifest] if step.kubectl else []
    if step.request:
        body = step.request.body
        parts += [step.request.path, body if isinstance(body, str) else json.dumps(body)]
    return "\n".join([*parts, step.until.path if step.until else ""])


def _node(name: str) -> re.Pattern[str]:
    """The node's name where it is not a part of a longer one ("%3Dnode1" is none)."""
    return re.compile(rf"(?<![a-z0-9_-]){re.escape(name)}(?![a-z0-9_-])")
