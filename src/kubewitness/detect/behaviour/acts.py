"""Acts in words: "list secrets" is "listed secrets", 列出 secrets."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """An act as a participle ("had never ..."), an infinitive ("tried to ...") and in Chinese."""

    done: str
    to: str
    zh: str


_SPECIAL = {
    "pods/exec": Words("run commands in pods", "run commands in pods", "在 Pod 中执行命令"),
    "pods/attach": Words("attached to pods", "attach to pods", "附着到 Pod 的进程"),
    "pods/portforward": Words("forwarded ports of pods", "forward ports of pods", "转发 Pod 端口"),
    "pods/log": Words("read logs of pods", "read logs of pods", "读取 Pod 日志"),
    "pods/ephemeralcontainers": Words("put containers into pods", "put containers into pods", "向 Pod 加入临时容器"),
    "nodes/proxy": Words("reached a kubelet through nodes/proxy", "reach a kubelet through nodes/proxy",
                         "经 nodes/proxy 访问 kubelet"),
    "serviceaccounts/token": Words("asked for tokens of service accounts", "ask for tokens of service accounts",
                                   "申请服务账号的 token"),
    "selfsubjectaccessreviews": Words("asked what it may do", "ask what it may do", "查询自身权限"),
    "selfsubjectrulesreviews": Words("asked what it may do", "ask what it may do", "查询自身权限"),
    "selfsubjectreviews": Words("asked who it is", "ask who it is", "查询自身身份"),
}  # fmt: skip
_VERBS = {
    "get": Words("read {}", "read {}", "读取 {}"),
    "list": Words("listed {}", "list {}", "列出 {}"),
    "watch": Words("watched {}", "watch {}", "监视 {}"),
    "create": Words("created {}", "create {}", "创建 {}"),
    "update": Words("changed {}", "change {}", "修改 {}"),
    "patch": Words("changed {}", "change {}", "修改 {}"),
    "delete": Words("deleted {}", "delete {}", "删除 {}"),
    "deletecollection": Words("deleted all {} at once", "delete all {} at once", "批量删除 {}"),
    "impersonate": Words("acted as other {}", "act as other {}", "冒用其他 {}"),
}
_OTHER = Words("asked to {verb} {}", "{verb} {}", "{verb} {}")


def touched(resource: str) -> Words:
    """Anything at all done with a resource."""
    return _SPECIAL.get(resource) or Words(f"touched {resource}", f"touch {resource}", f"接触 {resource}")


def words(act: str) -> Words:
    """The words for an act as `use.act` writes it."""
    verb, _, resource = act.partition(" ")
    special = _SPECIAL.get(resource)
    if special is not None:
        return special
    form = _VERBS.get(verb, _OTHER)
    return Words(*(text.replace("{verb}", verb).replace("{}", resource) for text in form))


def of_many(text: str) -> str:
    """The English words for acts when several did them: "asked who they are"."""
    return text.replace("who it is", "who they are").replace("what it may do", "what they may do")
