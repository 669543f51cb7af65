"""The way to what a step is about, in words: from the request over object, pod, node and container to the process."""

from __future__ import annotations

from itertools import pairwise

from kubewitness.correlate.links import short_name
from kubewitness.model.incident import Edge, Entity, Incident, Step
from kubewitness.model.text import Text

_WORDS = {
    "request": Text("request ", "请求 "),
    "pod": Text("pod ", "Pod "),
    "node": Text("node ", "节点 "),
    "container": Text("container ", "容器 "),
    "address": Text("address ", "地址 "),
    "file": Text("file ", "文件 "),
    "step": Text("step ", "步骤 "),
    "setting": Text("setting ", "设置 "),
    "pods": Text("pods ", "Pod "),
}


def entity_words(entity: Entity) -> Text:
    """An entity as a reader names it; hostile."""
    name, word = short_name(entity), _WORDS.get(entity.kind, Text("", ""))
    return Text(word.en + name, word.zh + name)


def way(step: Step, incident: Incident) -> Text:
    """The step's path in one line; an arrow that is inferred is drawn dashed."""
    if not step.path:
        return Text("", "")
    inferred = {(one.source, one.target) for one in incident.edges if one.inferred}
    en = zh = ""
    for number, entity in enumerate(step.path):
        arrow = ""
        if number:
            arrow = " ⇢ " if (step.path[number - 1], entity) in inferred else " → "
        words = entity_words(entity)
        en, zh = en + arrow + words.en, zh + arrow + words.zh
    return Text(en, zh)


def edges_along(step: Step, incident: Incident) -> tuple[Edge, ...]:
    """The edges of the step's path, in its order: why each is there."""
    stations = [one for one in step.path if one.kind != "node"]
    pairs = {*pairwise(stations), *pairwise(step.path)}
    order = {entity: number for number, entity in enumerate(step.path)}
    found = {(one.source, one.target): one for one in incident.edges if (one.source, one.target) in pairs}
    return tuple(sorted(found.values(), key=lambda one: (order[one.source], order[one.target])))
