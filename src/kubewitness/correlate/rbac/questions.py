"""What the authorizer was asked for a request, from the request's audit event.

The name and namespace the authorizer saw are those of the URL. For a create without a subresource the audit event fills
the name in afterwards, from the body; the authorizer saw none. A request made as somebody else was judged by that one's
rights, after the asker's right to be them.

Source: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go; pkg/audit/request.go (LogRequestObject).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from kubewitness.model.event import Event
from kubewitness.posture.rbac.nouns import Attributes, Disguise, impersonations

_VALUES: Final = 1_000  # of impersonated extras


def attributes_of(event: Event) -> Attributes:
    """The question whose answer let the request through or not."""
    user = event.impersonated or event.user
    asked = Attributes(user.username, user.groups, event.verb)
    ref = event.object_ref
    path = event.record.requestURI.partition("?")[0]
    if not ref.resource:
        return asked._replace(path=unquote(path) or "/")
    created = event.verb == "create" and not ref.subresource
    namespace = "" if created and "/namespaces/" not in path else ref.namespace
    return asked._replace(
        group=ref.apiGroup,
        resource=ref.resource,
        subresource=ref.subresource,
        name="" if created else ref.name,
        namespace=namespace,
    )


def questions_of(event: Event) -> tuple[Attributes, ...]:
    """All that had to be allowed: to be somebody else, if that was asked, and the request itself."""
    asked = attributes_of(event)
    taken = event.impersonated
    if taken is None:
        return (asked,)
    extra = tuple(
        (key.lower(), value)
        for key, values in sorted(taken.extra.items())
        if isinstance(values, list)
        for value in values[:_VALUES]
        if isinstance(value, str)
    )
    # Groups that come with being anybody, or an account, are added without being asked for.
    groups = tuple(one for one in taken.groups if not _given(one))
    disguise = Disguise(taken.username, groups, taken.uid, extra)
    return (*impersonations(event.user.username, event.user.groups, disguise), asked)


def _given(group: str) -> bool:
    return group in {"system:authenticated", "system:unauthenticated"} or group.startswith("system:serviceaccounts")
