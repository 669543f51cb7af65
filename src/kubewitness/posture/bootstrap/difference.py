"""What was found altered in Kubernetes' own roles and bindings, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from kubewitness.model.text import Text
from kubewitness.posture.rbac.nouns import Key

Kind = Literal[
    "extra_rule",
    "missing_rule",
    "extra_subject",
    "missing_subject",
    "swapped_role",
    "altered_aggregation",
    "protected",
    "missing_object",
    "other_version",
    "foreign_label",
    "injected_rule",
]
Explained = Literal["", "older", "newer", "gated"]


class Difference(Struct, frozen=True):
    """One way in which an object is not as Kubernetes makes it.

    Attributes:
        key: The altered object; of `injected_rule` the foreign role that is selected.
        before: What Kubernetes makes, a line each.
        after: What is there instead.
        explained: Kubernetes itself made it so: another version did, or a feature gate. Empty: somebody altered it.
        minor: With "older": the youngest version it can be left from; with "newer": the oldest it can come from.
        into: Of `injected_rule`: the default roles that have the rules by now.
    """

    kind: Kind
    key: Key
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    explained: Explained = ""
    minor: int = 0
    into: tuple[str, ...] = ()

    @property
    def finding(self) -> bool:
        """Whether somebody altered it; else it is information."""
        return not self.explained

    @property
    def text(self) -> Text:
        """In words, without the lines."""
        said = _SAID[self.kind]
        en, zh = said.en.format(key=self.key), said.zh.format(key=self.key)
        if self.into:
            into = ", ".join(self.into), "、".join(self.into)
            en, zh = f"{en} ({into[0]})", f"{zh}（{into[1]}）"
        if self.explained:
            why = _WHY[self.explained]
            en, zh = f"{en}; {why.en.format(minor=self.minor)}", f"{zh}；{why.zh.format(minor=self.minor)}"
        return Text(en, zh)


_SAID: Final[Mapping[Kind, Text]] = {
    "extra_rule": Text("{key} has rules that Kubernetes does not give it", "{key} 含有 Kubernetes 默认没有的规则"),
    "missing_rule": Text("{key} lacks rules that Kubernetes gives it", "{key} 缺少 Kubernetes 默认的规则"),
    "extra_subject": Text(
        "{key} has subjects that Kubernetes does not give it", "{key} 含有 Kubernetes 默认没有的主体"
    ),
    "missing_subject": Text("{key} lacks subjects that Kubernetes gives it", "{key} 缺少 Kubernetes 默认的主体"),
    "swapped_role": Text(
        "{key} points to another role than Kubernetes' own", "{key} 指向的角色与 Kubernetes 默认的不同"
    ),
    "altered_aggregation": Text(
        "{key} selects other roles than Kubernetes makes it select", "{key} 的聚合选择器与 Kubernetes 默认的不同"
    ),
    "protected": Text(
        "{key} is shut off from repair: its annotation autoupdate is false, so an API server's start restores nothing",
        "{key} 被排除在自动修复之外：注解 autoupdate 为 false，API server 启动时不会还原它",
    ),
    "missing_object": Text("{key} of Kubernetes' own is not there", "缺少 Kubernetes 自带的 {key}"),
    "other_version": Text("{key} is not among this version's own objects", "{key} 不属于此版本自带的对象"),
    "foreign_label": Text(
        "{key} carries the label of Kubernetes' own objects, but no version of Kubernetes makes it",
        "{key} 带有 Kubernetes 自带对象的标签，但没有任何版本的 Kubernetes 会创建它",
    ),
    "injected_rule": Text(
        "{key} puts rights with which one gains others into Kubernetes' own roles, by an aggregation label",
        "{key} 通过聚合标签向 Kubernetes 自带的角色注入可用于提权的权限",
    ),
}
_WHY: Final[Mapping[Explained, Text]] = {
    "older": Text(
        "left from 1.{minor} or older: an upgrade adds what is missing and removes nothing",
        "遗留自 1.{minor} 或更早版本：升级只补充缺少的内容，从不删除",
    ),
    "newer": Text("as 1.{minor} or a newer version makes it", "与 1.{minor} 或更新版本的默认内容一致"),
    "gated": Text("as with a feature gate on", "启用特性门控后的默认内容"),
}
