"""Steps: an intruder's requests in order, like ones folded.

Requests fold into one step if they are the same sort of deed by the same actor and follow each other within `PAUSE`;
what others do in between does not break a step, an act that changed something does. Writes to different objects never
fold. A step carries every request it stands for, so nothing the intruder did is left out of the chain.

A chain of thousands of acts is no story any more: beyond `_LEGIBLE` steps, of each kind of act the first few are told
singly and all later ones are one step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from kubewitness.incident.deeds import MISSING, Deed, deed_of
from kubewitness.incident.requests import Request
from kubewitness.model.event import parse_time
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text
from kubewitness.rules.attack import techniques
from kubewitness.rules.ir import Rule

PAUSE = timedelta(minutes=10)
_NAMES = 6
_NAME = 120  # characters of a name in whose name something was done
_LEGIBLE = 150  # steps
_SINGLY = 3  # acts of one kind, in a chain that is longer
_MORE = "more"


class StepDraft:
    """Requests that are one step, before words and citations."""

    def __init__(self, deed: Deed, request: Request) -> None:
        self.deed = deed
        self.requests = [request]

    @property
    def first(self) -> Request:
        """The earliest request."""
        return self.requests[0]

    def takes(self, request: Request) -> bool:
        """Whether `request` continues this step."""
        before, now = parse_time(self.requests[-1].time), parse_time(request.time)
        return bool(before and now and now - before <= PAUSE)

    def phrase(self, names: int = _NAMES) -> Text:
        """What was done, in words that name at most `names` objects, and in whose name if in another's."""
        said, other = self._phrase(names), self.first.impersonated[:_NAME]
        return Text(f"{said.en} in the name of {other}", f"冒用 {other} 的名义{said.zh}") if other else said

    def _phrase(self, names: int) -> Text:
        n = len(self.requests)
        many = self.deed.many
        if n == 1 or many is None:
            return self.deed.phrase
        labels = list(dict.fromkeys(_label(request, self.deed) for request in self.requests))
        more = len(labels) > names
        listed = (
            ", ".join(labels[:names]) + (", …" if more else ""),
            "、".join(labels[:names]) + ("…" if more else ""),
        )
        if len(labels) == 1 and self.deed.act == "read":
            return self.deed.phrase
        both = zip((many.en, many.zh), listed, strict=True)
        return Text(*(text.replace("{n}", str(n)).replace("{names}", said) for text, said in both))

    def technique_ids(self, rules: Sequence[Rule]) -> tuple[str, ...]:
        """Techniques of the rules that matched, most severe first; else the deed's own."""
        ordered = sorted(rules, key=lambda rule: -SEVERITIES.index(rule.severity))
        found = dict.fromkeys(t for rule in ordered if rule.severity != "informational" for t in rule.techniques)
        if self.deed.technique:
            found = (
                dict.fromkeys([self.deed.technique, *found])
                if self.deed.act != "refused"
                else {self.deed.technique: None}
            )
        return tuple(t for t in found if t in techniques())[:4]


def _label(request: Request, deed: Deed) -> str:
    if deed.act == "refused":
        return f"{request.verb} {request.resource or request.path}"
    if (
        deed.act == "delete"
        or deed.fold[:1] in ((_MORE,), (MISSING,))
        or (request.resource == "secrets" and request.name)
    ):
        return "/".join(part for part in (request.resource, request.home, request.name) if part)
    return request.resource or request.path


def drafts(requests: Sequence[Request]) -> list[StepDraft]:
    """Steps in the order of their first requests."""
    out: list[StepDraft] = []
    open_: dict[tuple[str, ...], StepDraft] = {}
    for request in requests:
        deed = deed_of(request)
        key = (request.identity, request.address, request.impersonated, deed.act, *deed.fold)
        current = open_.get(key) if deed.fold else None
        if current is not None and current.takes(request):
            current.requests.append(request)
            continue
        draft = StepDraft(deed, request)
        out.append(draft)
        if deed.act in ("create", "change", "delete", "execute") and request.succeeded:
            open_.clear()  # an act that changed something is a turn of the story: what follows it is told after it
        open_[key] = draft
    return out if len(out) <= _LEGIBLE else _legible(out)


def _legible(steps: Sequence[StepDraft]) -> list[StepDraft]:
    """The same requests in fewer steps."""
    counted = Counter(_kind(step.first, step.deed) for step in steps)
    told = Counter[tuple[str, ...]]()
    rest = dict[tuple[str, ...], StepDraft]()
    out = list[StepDraft]()
    for step in steps:
        kind = _kind(step.first, step.deed)
        told[kind] += 1
        if told[kind] <= _SINGLY or counted[kind] <= _SINGLY + 1:
            out.append(step)
        elif kind in rest:
            rest[kind].requests += step.requests
        else:
            rest[kind] = StepDraft(_more(step.first, step.deed), step.first)
            rest[kind].requests += step.requests[1:]
            out.append(rest[kind])
    for step in rest.values():
        step.requests.sort(key=lambda request: (request.time, request.audit_id))
    return out


def _kind(request: Request, deed: Deed) -> tuple[str, ...]:
    what = (request.verb, request.resource, request.subresource) if deed.act != "refused" else ()
    return (request.identity, request.address, request.impersonated, deed.act, *what, str(request.succeeded))


def _more(request: Request, deed: Deed) -> Deed:
    what = "/".join(part for part in (request.resource or request.path, request.subresource) if part)
    many = Text(
        f"went on like this, {{n}} requests ({request.verb} {what}): {{names}}",
        f"继续同类操作，共 {{n}} 次请求（{request.verb} {what}）：{{names}}",
    )
    return replace(deed, fold=(_MORE,), many=many)


def worst(rules: Sequence[Rule], refused: bool) -> Severity:
    """The highest severity among the rules; a refused step is never above low."""
    top = max((SEVERITIES.index(rule.severity) for rule in rules), default=0)
    return SEVERITIES[min(top, 1) if refused else top]
