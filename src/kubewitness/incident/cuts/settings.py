"""What the API server's answer to requests without a credential would have stopped, and whose work it would break.

`--anonymous-auth=false` turns everybody away who shows none: load balancers and the probes of a kubeadm control plane
as well. Since Kubernetes 1.32 an AuthenticationConfiguration can keep the health endpoints open and nothing else; its
paths are compared as they are, so /livez does not open /livez/etcd.

Source: KEP-4633; k8s.io/apiserver/pkg/authentication/request/anonymous.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from kubewitness.correlate.rbac.counterfactual import Asked
from kubewitness.model.incident import Cut, CutPart

HEALTH: Final = ("/livez", "/readyz", "/healthz")
_BY: Final = 10


def anonymous_cuts(refused: int, total: int, others: Iterable[Asked], unread: Mapping[str, int]) -> list[Cut]:
    """Both settings. `others`: anonymous requests of others; `unread`: such that were only counted, by agent."""
    if not refused:
        return []
    asked = Counter(map(_what, others))
    counted = Counter({agent: count for agent, count in unread.items() if count})
    health = {what for what in asked if what in HEALTH}
    return [
        _cut("--anonymous-auth=false", refused, total, asked + counted, bool(counted)),
        _cut(
            f"anonymous.conditions={','.join(HEALTH)}", refused, total,
            Counter({what: count for what, count in asked.items() if what not in health}) + counted, bool(counted),
        ),
    ]  # fmt: skip


def _what(asked: Asked) -> str:
    """What somebody without a credential asked for: better known than who."""
    question = asked.questions[-1]
    return question.path or f"{question.verb} {question.combined}"


def _cut(setting: str, refused: int, total: int, broken: Counter[str], at_most: bool) -> Cut:
    ranked = sorted(broken.items(), key=lambda pair: (-pair[1], pair[0]))
    return Cut(
        (), refused, total, broken.total(), dict(ranked[:_BY]), len(ranked), at_most,
        parts=(CutPart("api_server", what=setting),),
    )  # fmt: skip
