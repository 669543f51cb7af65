"""What Pod Security speaks of: levels, versions, and what a pod does that a level forbids."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Level = Literal["privileged", "baseline", "restricted"]
Version = tuple[int, int]
"""Of the policy, (1, 29) for `v1.29`. Where None may stand beside it, None is `latest`."""

NEWEST: Final[Version] = (1, 37)
"""The newest version this package knows; as upstream, what is newer is judged as this one."""
OLDEST: Final[Version] = (1, 0)


class Violation(NamedTuple):
    """One check that a pod fails, in the words of the API server's refusal.

    `reason` and `detail` are upstream's; they hold text of the pod, which is evidence and may hold anything.
    """

    check: str  # upstream's id, such as "hostNamespaces" or "capabilities_baseline"
    level: Level  # of the check: a pod judged by restricted also fails checks of baseline
    reason: str
    detail: str
    paths: tuple[str, ...]  # "spec.containers[0].securityContext.privileged"; a field that should be set counts too


class Failure(NamedTuple):
    """What a check found, before it is known whose check it was."""

    reason: str
    detail: str
    paths: tuple[str, ...]
