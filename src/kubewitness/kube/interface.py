"""What may be asked of an API server, and what it means when the answer does not come.

There is no way here to change anything: an `Api` has no word for it. Every error says what happened, in the words of
the client that was asked, and what to do next; the call that failed stays with it, so that a manifest can list it.
"""

from __future__ import annotations

import re
from typing import ClassVar, Protocol

from msgspec import Struct

from kubewitness.model.errors import KubewitnessError, UsageError
from kubewitness.model.text import Text

_PREFIX = re.compile(r"^Error from server \(\w{1,40}\): ")  # `what` says it better


class Call(Struct, frozen=True):
    """One run of the client, however it ended."""

    argv: tuple[str, ...]
    exit_code: int
    seconds: float = 0.0
    error: str = ""  # the beginning of what it complained, harmless to a terminal
    timed_out: bool = False


class Answer(Struct, frozen=True):
    """The body of an answer, and the call that brought it."""

    body: bytes
    call: Call


class Whereabouts(Struct, frozen=True):
    """Which cluster is asked, and as whom: the names the caller's own configuration gives them."""

    cluster: str = ""
    server: str = ""
    context: str = ""
    user: str = ""


class Api(Protocol):
    """A client of one API server."""

    def whereabouts(self) -> Whereabouts:
        """What the client's configuration says; asks no server."""

    def get(self, path: str) -> Answer:
        """The body of GET `path`.

        Raises:
            ApiError: there is none.
        """

    def names(self, resource: str, namespace: str = "") -> Answer:
        """The server's own table of the objects of a kind, one a line, labels last: without what is in them.

        Args:
            resource: "secrets" or "configmaps".
            namespace: Of one; of all namespaces if empty, which then is the first column.

        Raises:
            ApiError: there is none.
        """


class ApiError(KubewitnessError):
    """A request without an answer that can be used. `told` is the whole message."""

    what: ClassVar[Text] = Text("The request to the API server failed", "对 API server 的请求失败")
    step: ClassVar[Text] = Text("Try the command by hand to see more", "请手动运行该命令以了解详情")

    def __init__(self, said: str = "", call: Call | None = None) -> None:
        self.said, self.call = said, call
        super().__init__(self.told.en)

    @property
    def happened(self) -> Text:
        """What happened, in the client's words too."""
        said = _PREFIX.sub("", self.said).rstrip(".。 ")
        return Text(f"{self.what.en}{f' ({said})' if said else ''}", f"{self.what.zh}{f'（{said}）' if said else ''}")

    @property
    def told(self) -> Text:
        """What happened, and what to do."""
        return Text(f"{self.happened.en}. {self.step.en}.", f"{self.happened.zh}。{self.step.zh}。")


class KubectlMissing(ApiError, UsageError):
    """There is no client."""

    what = Text("kubectl was not found", "未找到 kubectl")
    step = Text("Install it, or name it with --kubectl PATH", "请安装 kubectl，或用 --kubectl PATH 指定")


class NotConfigured(ApiError, UsageError):
    """The client does not know which cluster."""

    what = Text("kubectl has no usable configuration", "kubectl 没有可用的配置")
    step = Text(
        "Name one with --kubeconfig FILE and --context NAME; `kubectl config get-contexts` lists them",
        "请用 --kubeconfig FILE 和 --context NAME 指定；`kubectl config get-contexts` 可列出全部 context",
    )


class NotLoggedIn(ApiError):
    """The server does not know the caller."""

    what = Text("The cluster did not accept the login", "集群未接受登录")
    step = Text(
        "Log in as usual until `kubectl get --raw /version` answers, then repeat",
        "请按平时的方式登录，直到 `kubectl get --raw /version` 有响应，再重试",
    )


class Forbidden(ApiError):
    """The caller may not."""

    what = Text("Not permitted", "没有权限")
    step = Text(
        "Use an identity that may get and list it, or ask for a part with --namespace",
        "请换用有 get 和 list 权限的身份，或用 --namespace 只收集一部分",
    )


class NotFound(ApiError):
    """This API server does not have it."""

    what = Text("This cluster does not have it", "该集群没有此资源")
    step = Text("Nothing needs to be done", "无需处理")


class Expired(ApiError):
    """A list changed too much between two of its pages (410 Gone)."""

    what = Text("The list expired between two pages", "列表在两页之间已过期")
    step = Text("Repeat when the cluster is less busy", "请在集群较空闲时重试")


class Unreachable(ApiError):
    """No API server answers."""

    what = Text("The API server cannot be reached", "无法连接 API server")
    step = Text(
        "Check address, network and proxy; if the cluster is down, collect from its nodes with `kubewitness collect`",
        "请检查地址、网络和代理；若集群已停止，请在节点上运行 `kubewitness collect`",
    )


class TimedOut(ApiError):
    """It took too long."""

    what = Text("No answer in time", "未在限定时间内得到响应")
    step = Text("Allow more with --timeout SECONDS", "可用 --timeout SECONDS 延长时间")


class Busy(ApiError):
    """The server could not answer just now (429, 500, 503, 504)."""

    what = Text("The API server could not answer", "API server 暂时无法响应")
    step = Text("Repeat later", "请稍后重试")


class TooLarge(ApiError):
    """The answer is larger than what is read."""

    what = Text("The answer is too large", "响应过大")
    step = Text("Collect this part by hand", "请手动收集这一部分")


class Garbled(ApiError):
    """The answer is none of an API server."""

    what = Text("The answer is not what an API server sends", "响应不是 API server 的格式")
    step = Text("Check that the address is that of an API server", "请确认该地址是 API server 的地址")
