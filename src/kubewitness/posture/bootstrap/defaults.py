"""The defaults of a version: the objects an API server makes in an empty cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubewitness.posture.bootstrap.known import Version, known
from kubewitness.posture.rbac.nouns import GROUP, Binding, Key, Role


class Defaults(NamedTuple):
    """What an API server makes by itself.

    Attributes:
        version: The version that was asked for; None: the newest known.
        minor: The known version whose objects these are.
        objects: By place. An aggregated role has no rules of its own: it has those of what it selects.
        told: Where they come from.
        exact: They are those of that version. Else of the nearest known one, the older of two.
    """

    version: Version | None
    minor: int
    objects: Mapping[Key, Role | Binding]
    told: str
    exact: bool


def defaults(version: Version | None) -> Defaults:
    """The defaults of a version; of the nearest known one if it is not known itself."""
    every = known()
    accepted = every.accepted(version) if version else every.minors[-1:]
    # Of a version that is only known as it was before its release, that.
    minor = version.minor if version and version.minor in accepted else accepted[0]
    source = next(one for one in every.sources if one.minor == minor)
    exact = source.exact and (version is None or version.minor == minor)
    return Defaults(version, minor, every.objects[minor], source.told, exact)


def document_of(made: Role | Binding) -> dict[str, object]:
    """What decides of an object as JSON: what a patch is applied to."""
    if isinstance(made, Binding):
        subjects = [
            {"kind": one.kind, "name": one.name, **({"namespace": one.namespace} if one.namespace else {})}
            for one in made.subjects
        ]
        reference = {"apiGroup": GROUP, "kind": made.role_kind, "name": made.role_name}
        return {"metadata": {"name": made.name}, "roleRef": reference, **({"subjects": subjects} if subjects else {})}
    rules = [
        {
            name: list(values)
            for name, values in (
                ("verbs", rule.verbs),
                ("apiGroups", rule.groups),
                ("resources", rule.resources),
                ("resourceNames", rule.names),
                ("nonResourceURLs", rule.urls),
            )
            if values
        }
        for rule in made.rules
    ]
    selectors = [
        {"matchLabels": {one.key: value for one in each.requirements for value in one.values}}
        for each in made.selectors or ()
    ]
    return {
        "metadata": {"name": made.name, "labels": dict(made.labels)},
        "rules": rules or None,
        **({"aggregationRule": {"clusterRoleSelectors": selectors}} if selectors else {}),
    }
