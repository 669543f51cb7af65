"""Credentials an intruder had issued that outlive what it leaves open: certificates and tokens.

Removing a binding takes rights away, not the credential. A certificate is checked against the CA alone: it lives until
its own end, whatever becomes of the signing request, and whoever writes a binding for its name arms it again. A token
of the TokenRequest API lives until its end too, unless its account is deleted, which voids it.

Source: "Certificate Signing Requests" (spec.expirationSeconds, approval) and "Authenticating" in the Kubernetes
documentation; k8s.io/api/authentication/v1 (TokenRequest).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from kubewitness.incident.certificates import issued, seconds_of
from kubewitness.incident.requests import Request
from kubewitness.incident.when import moment
from kubewitness.model.event import parse_time
from kubewitness.model.text import Text
from kubewitness.rules.features.untyped import mapping

_NAMED: Final = 3


def standing(requests: Sequence[Request], end: str) -> tuple[tuple[Text, Text], ...]:
    """What is still valid when the evidence ends (`end`): a line for certificates, one for tokens."""
    return (*_certificates(requests), *_tokens(requests, end))


def _certificates(requests: Sequence[Request]) -> list[tuple[Text, Text]]:
    certificates = issued(requests)
    if not certificates:
        return []
    who = dict.fromkeys(one.user or "?" for one in certificates)
    ends = [_after(one.since, one.seconds) for one in certificates]
    last = max((one for one in ends if one), default="")
    known = Text(f" until {moment(last)} at the latest", f"，最迟至 {moment(last)}") if last and all(ends) else None
    known = known or Text(
        " until an end that the log does not tell (a year after issue is usual)",
        "，其到期时间日志未记录（通常为签发后一年）",
    )
    count = f"{len(certificates)} issued" if len(certificates) > 1 else "One issued"
    en, zh = ", ".join(list(who)[:_NAMED]), "、".join(list(who)[:_NAMED])
    text = Text(
        f"{count} for {en}: valid{known.en}. Deleting bindings or the signing request voids nothing; only a new "
        "CA does.",
        f"已为 {zh} 签发 {len(certificates)} 份：持续有效{known.zh}。"
        "删除绑定或签名请求都不会使其失效，只有更换 CA 才行。",
    )
    return [(Text("Certificates", "证书"), text)]


def _tokens(requests: Sequence[Request], end: str) -> list[tuple[Text, Text]]:
    alive = dict[str, str]()  # account → until when
    for request in requests:
        if not request.succeeded or request.resource != "serviceaccounts":
            continue
        account = f"{request.namespace}/{request.name}"
        if request.verb == "delete" and not request.subresource:
            alive.pop(account, None)  # its tokens name the account's uid, which never comes back
        elif request.verb == "create" and request.subresource == "token":
            until = _token_end(request)
            if not until or until > end:
                alive[account] = max(until, alive.get(account, ""))
    if not alive:
        return []
    shown = list(sorted(alive.items())[:_NAMED])
    more = len(alive) - len(shown)
    en = ", ".join(f"{account} (until {moment(until) if until else 'a time not logged'})" for account, until in shown)
    zh = "、".join(
        f"{account}（有效期至 {moment(until)}）" if until else f"{account}（有效期未记录）" for account, until in shown
    )
    en, zh = en + (f" and {more} more" if more else ""), zh + (f"等 {len(alive)} 个" if more else "")
    text = Text(
        f"Minted and not seen to end: {en}. Deleting the account voids them; removing its bindings does not.",
        f"已签发且未见失效：{zh}。删除账号才会使其失效，删除绑定不会。",
    )
    return [(Text("Tokens", "令牌"), text)]


def _token_end(request: Request) -> str:
    """When the token ends, as the server answered or else as was asked for; empty if nothing tells."""
    status = mapping(mapping(request.final.response_object).get("status"))
    answered = status.get("expirationTimestamp")
    if isinstance(answered, str) and (when := parse_time(answered)) is not None:
        return _stamp(when)
    return _after(request.time, seconds_of(request.final.request_object))


def _after(time: str, seconds: int) -> str:
    when = parse_time(time)
    if when is None or not seconds:
        return ""
    try:
        return _stamp(when + timedelta(seconds=seconds))
    except OverflowError:
        return ""


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
