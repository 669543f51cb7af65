"""`kubewitness check --probe HOST[:PORT]`: what an address says to somebody without a credential.

The person names the address, and that is the consent; nothing else is asked. What is sent depends on the port alone:
the kubelet's /pods, the read-only port's too, Docker's and etcd's /version, the API server's /api. None of them
changes anything, and every result says what was sent. Without a port the kubelet's is asked, 10250.

Source: kubelet paths in pkg/kubelet/server/server.go; 401 is anonymous access off, 403 is on and denied, 200 is open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kubewitness.kube.probe import Answer, Question, ask
from kubewitness.model.errors import UsageError
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.exposure import sentences

_DEFAULT: Final = 10250
_TARGETS: Final = 256
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62}){0,20}\.?\Z"
)
_SIX: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9]{1,16})?\Z")


@dataclass(frozen=True)
class Port:
    """What is asked at a port, and what the answers mean."""

    name: str
    path: str
    tls: bool
    severity: Severity  # of 200
    opened: Text


_KUBELET: Final = Port(
    "kubelet", "/pods", True, "critical",
    Text("it lists all pods of the node for anybody, and runs commands in them the same way",
         "它向任何人列出该节点的全部 Pod，也同样会在其中执行命令"),
)  # fmt: skip
_API: Final = Port(
    "API server", "/api", True, "medium",
    Text("it lets people without a credential discover its API; what else they may do is in RBAC",
         "它允许无凭据者探查 API；此外还能做什么由 RBAC 决定"),
)  # fmt: skip
_ETCD: Final = Port(
    "etcd", "/version", True, "critical",
    Text("it answers without a client certificate: all objects of the cluster, secrets too, can be read and written",
         "它不要求客户端证书即可应答：集群的全部对象（包括 Secret）可被读写"),
)  # fmt: skip
PORTS: Final[dict[int, Port]] = {
    10250: _KUBELET,
    10255: Port(
        "kubelet read-only port", "/pods", False, "medium",
        Text("it tells anybody all pods of the node with their environment",
             "它向任何人公开该节点的全部 Pod 及其环境变量"),
    ),
    2375: Port(
        "Docker", "/version", False, "critical",
        Text("whoever reaches it is root on the machine", "任何能访问它的人就是该机器的 root"),
    ),
    2376: Port(
        "Docker", "/version", True, "critical",
        Text("whoever reaches it is root on the machine: no certificate was asked for",
             "任何能访问它的人就是该机器的 root：它没有要求证书"),
    ),
    2379: _ETCD,
    6443: _API,
    443: _API,
    8443: _API,
    16443: _API,
    8080: Port(
        "API server's insecure port", "/api", False, "critical",
        Text("whoever reaches it has every right over the cluster", "任何能访问它的人都拥有集群的全部权限"),
    ),
    8001: Port(
        "kubectl proxy", "/api", False, "high",
        Text("whoever reaches it has the rights of the person who started it", "任何能访问它的人都拥有启动者的权限"),
    ),
}  # fmt: skip

Ask = Callable[[Question], Answer]


def probe(targets: Sequence[str], *, timeout: float = 5.0, asking: Ask = ask) -> list[Result]:
    """Ask each of these addresses once.

    Raises:
        UsageError: one of them is none, or there are too many.
    """
    if len(targets) > _TARGETS:
        raise UsageError(f"--probe: {len(targets)} addresses are more than {_TARGETS}: name those that are yours")
    questions = [_question(target, timeout) for target in dict.fromkeys(targets)]  # before anything is sent
    return [_of(question, asking) for question in dict.fromkeys(questions)]


def address(target: str) -> tuple[str, int]:
    """Host and port of HOST[:PORT]; a port makes brackets of an IPv6 address necessary.

    Raises:
        UsageError: it is no such thing.
    """
    host, port = target, str(_DEFAULT)
    if found := re.fullmatch(r"\[([^\[\]]{1,64})\](?::(\d{1,5}))?", target):
        host, port = found[1], found[2] or port
        fits = _SIX.match(host) is not None and ":" in host
    elif target.count(":") > 1:
        fits = _SIX.match(target) is not None
    else:
        host, colon, given = target.partition(":")
        port = given if colon else port
        fits = _NAME.match(host) is not None
    if not fits or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise UsageError(f"--probe {target[:100]!r} is no HOST[:PORT], such as 192.0.2.7:10250 or [2001:db8::7]:10250")
    return host, int(port)


def _question(target: str, timeout: float) -> Question:
    host, port = address(target)
    about = _port(port)
    return Question(host, port, about.path, about.tls, timeout, 512 if about.path == "/version" else 0)


def _port(port: int) -> Port:
    """An unusual port is taken for a kubelet's, and said so."""
    return PORTS.get(port, _KUBELET)


def _of(question: Question, asking: Ask) -> Result:
    answer, about, before = asking(question), _port(question.port), None
    if about is _ETCD and answer.error == "tls" and not answer.certificate_asked:  # it may speak without TLS
        before, question = question, replace(question, tls=False)
        answer = asking(question)
    host = f"[{question.host}]" if ":" in question.host else question.host
    subject = f"{host}:{question.port}"
    sent = f"{question.request}" + (f" (certificate SHA-256 {answer.fingerprint})" if answer.fingerprint else "")
    where = (Where(path=question.path, text=sent[:300]),)
    target = f"node/{question.host}"
    expected = Text("401, 403 or no answer at all", "401、403，或完全没有应答")
    said = _said(question, answer, before)
    if answer.status == 0:
        return _silent(answer, Result("pass", target, subject, said, expected, where))
    if answer.status == 401 or (answer.certificate_asked and not answer.status):
        return Result("pass", target, subject, said, expected, where)
    if answer.status == 403:
        if about is _KUBELET:
            reason = Text(
                "anonymous requests are accepted and left to RBAC: one careless binding opens the node",
                "匿名请求被接受，由 RBAC 决定：一个疏忽的绑定就会使该节点暴露",
            )
            return Result("fail", target, subject, said, Text("401", "401"), where, reason, "low")
        return Result("pass", target, subject, said, expected, where)
    if 200 <= answer.status < 300 and _is_that(question, answer):
        return Result("fail", target, subject, said, expected, where, about.opened, about.severity)
    reason = Text(
        f"it answers {answer.status}, which tells neither open nor closed; it may be another service",
        f"应答为 {answer.status}，无法判断是否开放；可能是其他服务",
    )
    return Result("not_evaluated", target, subject, said, expected, where, reason)


def _is_that(question: Question, answer: Answer) -> bool:
    """Whether the answer is one of what is asked for, where its first bytes tell."""
    if question.path != "/version":
        return True
    marks = (b"etcd", b"etcdserver") if question.port == 2379 else (b"ApiVersion", b"Version")
    return any(mark in answer.body for mark in marks)


def _silent(answer: Answer, made: Result) -> Result:
    """No answer: closed, or something that cannot be told from here."""
    if answer.error in {"refused", "timeout"} and not answer.sent:
        return made
    if answer.certificate_asked:
        return made
    reason = {
        "name": Text("the name was not found", "无法解析该名称"),
        "unreachable": Text("there is no way to that address from here", "从此处无法到达该地址"),
        "tls": Text("no TLS connection came about", "无法建立 TLS 连接"),
        "not http": Text("what answers is no HTTP", "应答的不是 HTTP"),
    }.get(answer.error, Text("the answer did not come in time", "未在时限内收到应答"))
    detail = f": {answer.detail}" if answer.detail else ""
    told = Text(reason.en + detail, reason.zh + detail.replace(": ", "：", 1))
    return Result("not_evaluated", made.target, made.subject, made.observed, made.expected, made.where, told)


def _said(question: Question, answer: Answer, before: Question | None) -> Text:
    asked = Text(f"sent: {question.request}, without a credential.", f"已发送：{question.request}，不带凭据。")
    if before is not None:
        first = Text(f"sent: {before.request}, and no TLS came about;", f"已发送：{before.request}，对方不支持 TLS；")
        asked = sentences([first, asked])
    if question.port not in PORTS:
        other = Text("Taken for a kubelet's port.", "按 kubelet 端口处理。")
        asked = sentences([asked, other])
    if answer.status:
        return sentences([asked, Text(f"Answer: {answer.status}.", f"应答：{answer.status}。")])
    if answer.certificate_asked:
        return sentences([asked, Text("It asks for a client certificate.", "对方要求客户端证书。")])
    words = {
        "refused": Text("The connection was refused.", "连接被拒绝。"),
        "timeout": Text("No answer in time.", "超时无应答。"),
        "unreachable": Text("The address cannot be reached from here.", "从此处无法到达该地址。"),
    }
    return sentences([asked, words.get(answer.error, Text("No answer that could be read.", "没有可读取的应答。"))])
