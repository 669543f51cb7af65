"""Departures in words, in English and Chinese: one sentence for an identity, one for what its like never did either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kubewitness.detect.behaviour.acts import Words, of_many, touched, words
from kubewitness.detect.behaviour.departures import DAYS, Departure, What
from kubewitness.detect.behaviour.detail import Detail
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import UserKind, kind_of_name

_ACTS = 4  # named in one sentence
_EACH = 2  # networks, clients, namespaces, hours
_NAME = 120

_ORDER: dict[What, int] = {
    "act": 0, "resource": 0, "network": 1, "site": 1, "scope": 1, "family": 2, "namespace": 3, "hour": 4,
}  # fmt: skip
_PLACE = Text("come from {}", "来自{}")
_ACT = Text("{}", "{}")
_FORMS: dict[What, Text] = {
    "act": _ACT,
    "resource": _ACT,
    "network": _PLACE,
    "site": _PLACE,
    "scope": _PLACE,
    "family": Text("used {}", "使用 {}"),
    "namespace": Text("worked in namespace {}", "在 namespace {} 中操作"),
    "hour": Text("worked at {} UTC", "在 {}（UTC）活动"),
}
_SCOPE = {
    "public": Text("a public address ({})", "公网地址（{}）"),
    "private": Text("a private address ({})", "内网地址（{}）"),
    "loopback": Text("the control plane's own machine ({})", "控制面节点本机（{}）"),
    "linkLocal": Text("a link-local address ({})", "链路本地地址（{}）"),
}
_KIND: dict[UserKind, Text] = {
    "serviceaccount": Text("service account", "服务账号"),
    "human": Text("user", "用户"),
    "node": Text("node", "节点"),
    "controlPlane": Text("part of the control plane", "控制面组件"),
    "system": Text("system identity", "系统身份"),
    "anonymous": Text("anonymous caller", "匿名访问者"),
    "rejected": Text("rejected credential", "被拒凭据"),
}
_SHORT = Text(
    en=f"Hours of the day were not compared: that takes habits of {DAYS} days, a log of another week may be given "
    "with --baseline.",
    zh=f"未比较活动时刻：至少需要 {DAYS} 天的历史记录，可用 --baseline 提供其他时段的日志。",
)


def sentences(identity: str, found: Sequence[Departure], requests: int, peers: int) -> list[Text]:
    """What is to be said of one identity; nothing if it did nothing unusual.

    Args:
        identity: the name, as the log has it.
        found: its departures, the most telling first.
        requests: how many other requests of it are known.
        peers: how many others of its kind are known.
    """
    if not found:
        return []
    out = []
    if requests:
        out.append(_own(identity, _chosen(found), requests))
    rare = _chosen([one for one in found if one.rare])
    if peers and rare:
        out.append(_peers(identity, rare, requests, peers))
    return out


def too_short(detail: Detail | None) -> bool:
    """Whether hours could not be compared for want of days."""
    return detail is not None and len(detail.days) < DAYS


def hours_not_compared() -> Text:
    """Says so."""
    return _SHORT


def _chosen(found: Sequence[Departure]) -> list[Departure]:
    """Those that go into one sentence."""
    kept: list[Departure] = []
    counts: dict[int, int] = {}
    for one in found:
        sort = _ORDER[one.what]
        counts[sort] = counts.get(sort, 0) + 1
        if counts[sort] <= (_EACH if sort else _ACTS):
            kept.append(one)
    return sorted(kept, key=lambda one: _ORDER[one.what])


def _own(identity: str, found: Sequence[Departure], requests: int) -> Text:
    who_en, who_zh = _name(identity)
    counted = "1 other request" if requests == 1 else f"{requests:,} other requests"
    return Text(
        en=f"{who_en} had otherwise never {', never '.join(_en(found))} ({counted} compared).",
        zh=f"{who_zh}此外从未{'，从未'.join(_zh(found))}（已对比其余 {requests:,} 个请求）。",
    )


def _sorts(found: Sequence[Departure]) -> list[list[Departure]]:
    """Those of one sort together, in the order in which they come."""
    sorts: dict[int, list[Departure]] = {}
    for one in found:
        sorts.setdefault(_ORDER[one.what], []).append(one)
    return list(sorts.values())


def _peers(identity: str, found: Sequence[Departure], requests: int, peers: int) -> Text:
    kind = _KIND[kind_of_name(identity)]
    what, zh = ", never ".join(_en(found)), "，从未".join(_zh(found))
    if peers > 1:
        what = of_many(what)
    if requests:
        if peers == 1:
            return Text(f"The one other {kind.en} has never {what} either.", f"另外 1 个{kind.zh}也从未{zh}。")
        plural = "parts of the control plane" if kind.en.startswith("part") else _plural(kind.en)
        return Text(
            f"The {peers:,} other {plural} have never {what} either.", f"其余 {peers:,} 个{kind.zh}也都从未{zh}。"
        )
    who_en, who_zh = _name(identity)
    others = "the one other has" if peers == 1 else f"the {peers:,} others have"
    return Text(
        en=f"{who_en} has no other requests to compare with; of its kind ({kind.en}), {others} never {what}.",
        zh=f"{who_zh}没有其他请求可供对比；其余 {peers:,} 个同类身份（{kind.zh}）从未{zh}。",
    )


def _plural(noun: str) -> str:
    return {"system identity": "system identities"}.get(noun, noun + "s")


def _name(identity: str) -> tuple[str, str]:
    if kind_of_name(identity) == "anonymous":
        return "A caller without any credential", "匿名访问（不带凭据）"
    name = identity[:_NAME]
    return name, f"{name} "


def _act(one: Departure) -> Words:
    return touched(one.value) if one.what == "resource" else words(one.value)


def _en(found: Sequence[Departure]) -> list[str]:
    """One phrase for each sort, behind "never"."""
    return [_FORMS[some[0].what].en.format(_or(dict.fromkeys(map(_value_en, some)))) for some in _sorts(found)]


def _zh(found: Sequence[Departure]) -> list[str]:
    return [_FORMS[some[0].what].zh.format("、".join(dict.fromkeys(map(_value_zh, some)))) for some in _sorts(found)]


def _or(values: Iterable[str]) -> str:
    *some, last = values
    return f"{', '.join(some)} or {last}" if some else last


def _value_en(one: Departure) -> str:
    if one.what in ("act", "resource"):
        return _act(one).done if one.succeeded else f"tried to {_act(one).to}"
    if one.what == "scope":
        return _SCOPE[one.value].en.format(one.shown)
    if one.what in ("network", "site"):
        return f"{one.value} ({one.shown})"
    return f"{one.value}:00" if one.what == "hour" else one.value


def _value_zh(one: Departure) -> str:
    if one.what in ("act", "resource"):
        return _act(one).zh if one.succeeded else f"尝试{_act(one).zh}"
    if one.what == "scope":
        return _SCOPE[one.value].zh.format(one.shown)
    if one.what in ("network", "site"):
        return f" {one.value}（{one.shown}）"
    return f"{one.value}:00" if one.what == "hour" else one.value
