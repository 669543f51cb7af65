"""What let an intruder act in other people's names: the binding that gives the verb `impersonate`.

The authorizer is asked twice for such a request: whether the asker may be the other one, and whether the other one may
do it. The audit event bears the second answer alone, so the binding it names is the other one's own, in order and no
way in. The first answer is worked out again, of the roles and bindings that the log saw written.

Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation.go (withImpersonation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kubewitness.correlate.rbac.changes import changes_in
from kubewitness.correlate.rbac.questions import questions_of
from kubewitness.correlate.rbac.state import History
from kubewitness.detect.ledger import Ledger
from kubewitness.incident.requests import Request
from kubewitness.model.event import parse_time
from kubewitness.posture.rbac.evaluate import evaluate

_ASKED: Final = 20  # pairs of asker and name that are looked into


class Disguise(NamedTuple):
    """A binding that let somebody take on names."""

    reason: str  # as the authorizer would have written it
    first: Request
    requests: int  # of the intruder's granted ones, those in these names


def disguises(requests: Sequence[Request], ledger: Ledger) -> list[Disguise]:
    """The bindings that gave the right to act in the names taken on, as far as the log tells."""
    spoken = dict[tuple[str, str], list[Request]]()
    for request in requests:
        if request.impersonated and not request.refused:
            spoken.setdefault((request.identity, request.impersonated), []).append(request)
    if not spoken:
        return []
    history, found = History(changes_in(ledger)), dict[str, Disguise]()
    for same in list(spoken.values())[:_ASKED]:
        when = parse_time(same[0].time)
        if when is None:
            continue
        policy = history.at(when).policy
        answers = [evaluate(policy, asked).grant for asked in questions_of(same[0].final)[:-1]]
        for reason in dict.fromkeys(grant.reason for grant in answers if grant is not None):
            known = found.get(reason)
            count = len(same) + (known.requests if known else 0)
            found[reason] = Disguise(reason, known.first if known else same[0], count)
    return list(found.values())
