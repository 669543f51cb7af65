"""What must be rotated: what requests show to have been read or made, and what lay in pods that were entered.

The first is known when an incident is built (`blast.exposed`). The second is known only once all evidence has told what
pods mount (`exposure`), so it is added afterwards, to the list, to the state and to the advice alike: a token that is
told as most likely read must not be missing from what to rotate. What lay on a whole machine stays with that machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.incident.advice import rotate, stolen_accounts
from kubewitness.incident.story import to_rotate
from kubewitness.model.incident import Action, Exposure, Incident, Secret

_KINDS: Final = ("secrets", "serviceaccounts")
_GRADES: Final = ("content", "likely_content", "mounted")
_LATER: Final = ("fix", "verify")


def with_rotation(incident: Incident, exposures: Sequence[Exposure]) -> Incident:
    """The incident with what its exposures add to the credentials that must be rotated."""
    known = {(one.namespace, one.name) for one in incident.secrets}
    more = [
        Secret(one.object.namespace, one.object.name, one.description, one.evidence)
        for one in exposures
        if one.object.kind in _KINDS and _laid_open(one) and not _covered(one, known)
    ]
    if not more:
        return incident
    secrets = tuple(sorted((*incident.secrets, *more), key=lambda one: (one.namespace, one.name)))
    before = to_rotate(incident.secrets)
    status = tuple((label, to_rotate(secrets) if said == before else said) for label, said in incident.status)
    return replace(incident, secrets=secrets, status=status, actions=_with(incident, secrets))


def _laid_open(exposure: Exposure) -> bool:
    """Read, or within reach of a request; a process on a machine may have sent it out without any."""
    return exposure.detail in _GRADES and bool(exposure.requests or exposure.detail != "mounted")


def _covered(exposure: Exposure, known: set[tuple[str, str]]) -> bool:
    """Whether the list has it, by its name or with all Secrets of its namespace or of the cluster."""
    name = exposure.object
    if not name.name or (name.namespace, name.name) in known:
        return True
    return name.kind == "secrets" and ((name.namespace, "") in known or ("", "") in known)


def _with(incident: Incident, now: Sequence[Secret]) -> tuple[Action, ...]:
    """The actions with that of rotating anew, in its old place or, if there was none, where it belongs."""
    actions, before, causes = incident.actions, incident.secrets, incident.root_causes
    accounts = stolen_accounts(causes, before)  # of others the advice already has a way to void them
    old, new = rotate(before, accounts) if before else None, rotate(now, accounts)
    if old in actions:
        return tuple(new if action == old else action for action in actions)
    place = next((n for n, action in enumerate(actions) if action.phase in _LATER), len(actions))
    return (*actions[:place], new, *actions[place:])
