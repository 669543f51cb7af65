"""Which data an intruder got at, and how surely the evidence can tell.

Five grades, the surest first: the answer that carried the values is in the log (`content`); a read succeeded and the
log does not hold the answer (`likely_content`); the data lay in a pod that was entered or run, or on a machine that
fell (`mounted`); only names were in the answer (`names`); a right is not seen to have been used (`possible`).

The log does not record the header Accept. kubectl asks for a table when it prints a list, whose answer has names and no
values, and for whole objects with `-o yaml`; both requests look the same at level Metadata. So a read by kubectl counts
as likely content, and its words say that it may have been names.

Source: k8s.io/apiserver/pkg/endpoints/handlers/response.go (tables, PartialObjectMetadata), audit.k8s.io/v1 levels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from kubewitness.incident.citing import Citer
from kubewitness.incident.deeds import WORKLOADS
from kubewitness.incident.exposure.pod_contents import Contents, Pod, contents_of
from kubewitness.incident.requests import TURNED_AWAY, Request
from kubewitness.model.event import Event
from kubewitness.model.incident import Evidence, Exposure, ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.untyped import mapping, mappings, text

Detail = Literal["content", "likely_content", "names", "mounted", "possible"]

ORDER: Final[tuple[Detail, ...]] = ("content", "likely_content", "mounted", "names", "possible")
_MOST: Final = 300
_LISTED: Final = 200  # objects named from one answer
_CITED: Final = 3
_CREDENTIAL = re.compile(r"(?i)passw|secret|cred|token|kubeconfig|api-?_?key|private-?_?key|\.env$|database-?url|dsn")
_TABLES: Final = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_READS: Final = ("get", "list", "watch")
_ENVIRONMENT = re.compile(r"(?:^|[\s;&|])(?:print)?env(?:$|[\s;&|])|/environ\b")
_TOKEN = re.compile(r"/serviceaccount\b")


class Exposures:
    """The exposures of one incident while they are gathered; of one object the surest grade is kept."""

    def __init__(self, citer: Citer) -> None:
        self._citer = citer
        self._found: dict[ObjectName, Exposure] = {}

    def add(
        self, name: ObjectName, detail: Detail, description: Text, *, request: Request | None = None,
        evidence: Sequence[Evidence] = (), time: str = "",
    ) -> None:  # fmt: skip
        """Note one; a weaker word about the same object is dropped."""
        known = self._found.get(name)
        if known is not None and ORDER.index(known.detail) < ORDER.index(detail):
            return
        if known is None and len(self._found) >= _MOST:
            return
        same = known if known is not None and known.detail == detail else None
        cited = same.evidence if same else ()
        if request is not None:
            time = request.time
            cited = (*cited, self._citer.event(request.final)) if len(cited) < _CITED else cited
        self._found[name] = Exposure(
            object=name,
            detail=detail,
            description=same.description if same else description,
            first=min(filter(None, (same.first if same else "", time)), default=""),
            last=max(same.last if same else "", time),
            requests=(same.requests if same else 0) + (request is not None),
            evidence=(*cited, *evidence)[:_CITED],
        )

    def has(self, name: ObjectName) -> bool:
        """Whether anything is known of it."""
        return name in self._found

    def all(self) -> tuple[Exposure, ...]:
        """The surest first, then by object."""
        return tuple(sorted(self._found.values(), key=lambda one: (ORDER.index(one.detail), one.object)))


def from_requests(out: Exposures, requests: Sequence[Request]) -> None:
    """What the intruder asked the API server for."""
    for request in requests:
        if not request.succeeded:
            continue
        if request.subresource == "token" and request.resource == "serviceaccounts" and request.verb == "create":
            out.add(
                ObjectName("serviceaccounts", request.namespace, request.name), "content",
                Text("a token of it was issued to the intruder", "向入侵者签发了它的令牌"), request=request,
            )  # fmt: skip
        elif request.verb in _READS and not request.subresource and request.resource in ("secrets", "configmaps"):
            _read(out, request)


def _read(out: Exposures, request: Request) -> None:
    body = request.final.response_object
    found = list(_answered(request, body)) if isinstance(body, dict) else []
    for name, values in found:
        if request.resource == "configmaps" and not _holds_credential(name, values):
            continue
        if values:
            said = Text("the answer in the log carries its values", "日志中的响应含有其内容")
            out.add(name, "content", said, request=request)
        else:
            said = Text("the answer in the log has its name and no values", "日志中的响应只有名称，没有内容")
            out.add(name, "names", said, request=request)
    if found or (isinstance(body, dict) and text(body.get("kind")) not in ("", "Status")):
        return
    name = ObjectName(request.resource, request.namespace, request.name)
    if request.resource == "configmaps" and request.name and not _CREDENTIAL.search(request.name):
        return
    out.add(name, "likely_content", _unlogged(request), request=request)


def _unlogged(request: Request) -> Text:
    """A read whose answer is not in the log."""
    level = request.final.record.level or "?"
    if request.verb == "watch":
        return Text(
            f"watched: every value and change of it (level {level}, the answer is not in the log)",
            f"被 watch：内容及其变更均会收到（{level} 级别，日志没有响应）",
        )
    if request.agent.startswith("kubectl/"):
        return Text(
            "given to kubectl: its values with -o yaml, names alone as a plain table; the log "
            f"(level {level}) cannot tell which, so count it as read",
            f"已返回给 kubectl：用 -o yaml 则含内容，以表格显示则只有名称；日志（{level} 级别）无法区分，应视为已读取",
        )
    return Text(
        f"read with its values, most likely: a client that is not kubectl gets whole objects (level {level}, the "
        "answer is not in the log)",
        f"很可能连同内容被读取：非 kubectl 客户端得到的是完整对象（{level} 级别，日志没有响应）",
    )


def _answered(request: Request, body: Mapping[str, object]) -> Iterable[tuple[ObjectName, tuple[str, ...]]]:
    """The objects in an answer, each with the keys of its values (none: the answer has no values)."""
    kind = text(body.get("kind"))
    if kind == "Table":
        entries = [mapping(row.get("object")) for row in mappings(body.get("rows"))]
    elif "items" in body:
        entries = mappings(body.get("items"))
    else:
        entries = [dict(body)] if kind not in ("Status", "") else []
    for entry in entries[:_LISTED]:
        about = mapping(entry.get("metadata"))
        if not (name := text(about.get("name"))[:253]):
            continue
        values = {} if kind in _TABLES else {**mapping(entry.get("data")), **mapping(entry.get("stringData"))}
        where = text(about.get("namespace"))[:253] or request.namespace
        yield ObjectName(request.resource, where, name), tuple(values)


def _holds_credential(name: ObjectName, keys: Iterable[str]) -> bool:
    return any(_CREDENTIAL.search(one[:253]) for one in (name.name, *keys))


def from_pods(
    out: Exposures, requests: Sequence[Request], entered: Sequence[ObjectName], known: Mapping[Pod, Contents]
) -> None:
    """What lay in pods that the intruder entered, and what it put into workloads of its own or of others.

    Args:
        out: Grows.
        requests: The intruder's.
        entered: Pods entered or made, through whichever API.
        known: What pods mount, as far as any body in the evidence tells.
    """
    for request in requests:
        if request.succeeded and request.resource in WORKLOADS and not request.subresource and _writes(request):
            contents = _asked_for(request)
            said = Text(
                f"put into {request.resource} {request.namespace}/{request.name} by the intruder",
                f"被入侵者放入 {request.resource} {request.namespace}/{request.name}",
            )
            mounted(out, request.namespace, contents, said, request)
    own = {(r.namespace, r.name) for r in requests if r.resource == "pods" and _writes(r) and not r.subresource}
    passages = _Passages(requests)
    for pod in entered:
        ways = passages.into(pod)
        way = next((r for r in ways if r.succeeded or (r.resource == "nodes" and r.code not in TURNED_AWAY)), None)
        if way is None:
            continue
        held = known.get((pod.namespace, pod.name))
        where = f"{pod.namespace}/{pod.name}"
        if held is None and (pod.namespace, pod.name) not in own:
            out.add(
                ObjectName("pods", pod.namespace, pod.name), "mounted",
                Text(
                    "entered; all that is mounted in it could be read, and what that is no body in the evidence tells",
                    "被进入；其中挂载的内容均可读取，但证据中没有其 spec，不知挂载了什么",
                ), request=way,
            )  # fmt: skip
            continue
        ran = " ".join(r.command for r in ways if r.command)
        said = Text(f"lies in pod {where}, which the intruder entered", f"位于被入侵者进入的 Pod {where} 中")
        mounted(out, pod.namespace, held or Contents(), said, way, ran=ran)


class _Passages:
    """Requests that lead into pods, by pod: an intruder with thousands of both would have each held against each."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self._streams = dict[Pod, list[Request]]()
        self._passed_on = dict[str, list[Request]]()  # to kubelets, by each part of their path
        self._kubelets = [request for request in requests if request.resource == "nodes"]
        for request in requests:
            if request.subresource:
                self._streams.setdefault((request.namespace, request.name), []).append(request)
        for request in self._kubelets:
            for part in dict.fromkeys(request.path.split("/")):
                self._passed_on.setdefault(part, []).append(request)

    def into(self, pod: ObjectName) -> list[Request]:
        """Those that name it, by its subresources and then by paths of kubelets."""
        odd = "/" in pod.namespace  # no namespace of a cluster, and no part of a path
        kubelets = self._kubelets if odd else self._passed_on.get(pod.namespace, [])
        named = f"/{pod.namespace}/{pod.name}/"
        return [
            *self._streams.get((pod.namespace, pod.name), ()),
            *(request for request in kubelets if named in f"{request.path}/"),
        ]


def _writes(request: Request) -> bool:
    return request.verb in ("create", "update", "patch")


def _asked_for(request: Request) -> Contents:
    """What the intruder's own body names; an answer holds the whole object, with what others had put in."""
    return contents_of(request.final.request_object)


def mounted(
    out: Exposures, namespace: str, contents: Contents, said: Text, way: Request | None, *, ran: str = "",
    evidence: Sequence[Evidence] = (),
) -> None:  # fmt: skip
    """Everything that a pod holds lay open. `ran`: commands that were run in it; `way`: the request that reached it."""
    printed = bool(_ENVIRONMENT.search(ran[:4096]))
    if printed:
        said = Text(f"{said.en}; its environment was printed there", f"{said.zh}，且打印过环境变量")
    for name in sorted(contents.secrets):
        out.add(ObjectName("secrets", namespace, name), "mounted", said, request=way, evidence=evidence)
    for name in sorted(name for name in contents.configs if _CREDENTIAL.search(name)):
        out.add(ObjectName("configmaps", namespace, name), "mounted", said, request=way, evidence=evidence)
    if contents.account:
        read = bool(_TOKEN.search(ran[:4096]))
        account = ObjectName("serviceaccounts", namespace, contents.account)
        token = Text(f"its token {said.en}", f"其令牌{said.zh}")
        if read:
            token = Text(f"{token.en}; a command named its file", f"{token.zh}；有命令涉及该文件")
        out.add(account, "likely_content" if read else "mounted", token, request=way, evidence=evidence)


def pods_told(events: Iterable[Event]) -> dict[Pod, Contents]:
    """What pods mount, as bodies in events tell: of their creation, and of answers that show them."""
    out = dict[Pod, Contents]()
    for event in events:
        if event.resource != "pods" or event.subresource:
            continue
        for body in (mapping(event.response_object), mapping(event.request_object)):
            for entry in mappings(body.get("items"))[:_LISTED] if "items" in body else [body]:
                about = mapping(entry.get("metadata"))
                name, where = text(about.get("name")) or event.name, text(about.get("namespace")) or event.namespace
                if name and "spec" in entry:
                    out.setdefault((where, name), contents_of(entry))
    return out
