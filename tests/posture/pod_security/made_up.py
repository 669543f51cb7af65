"""Pods of a few words: a clean one, and the same with one field set."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from kubewitness.posture.pod_security import Level, Version, evaluate

_STEP = re.compile(r"[^.\[\]]+|\[[^\]]*\]")


def clean(*names: str) -> dict[str, Any]:
    """A pod that every level admits, with containers of these names (`app` if none is given)."""
    return {"metadata": {"name": "p"}, "spec": {"containers": [container(name) for name in names or ("app",)]}}


def container(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def changed(*changes: tuple[str, Any], pod: dict[str, Any] | None = None) -> dict[str, Any]:
    """A clean pod with the value at each path (as in `Violation.paths`) set; `...` takes it away."""
    made = deepcopy(pod or clean())
    for path, value in changes:
        keys: list[Any] = [_key(step) for step in _STEP.findall(path)]
        *steps, last = keys
        at: Any = made
        for step, following in zip(steps, [*steps[1:], last], strict=True):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(at, list):
                at += [empty] * (step - len(at) + 1)
                at = at[step]
            else:
                at = at.setdefault(step, empty)
        if value is ...:
            del at[last]
        elif isinstance(at, list):
            at += [None] * (last - len(at) + 1)
            at[last] = value
        else:
            at[last] = value
    return made


def _key(step: str) -> str | int:
    if not step.startswith("["):
        return step
    inner = step[1:-1]
    return int(inner) if inner.isdigit() else inner.strip('"')


def failed(pod: dict[str, Any], level: Level, version: Version | None = None) -> set[str]:
    """The ids of the checks."""
    return {one.check for one in evaluate(pod, level, version)}
