"""What somebody asked the authorizer about: the body of the access reviews.

A kubelet asks with a SubjectAccessReview whether the caller of its own API may do something: the only trace in the
audit log of a kubelet that is probed directly.

Source: authorization/v1 types.go; v1beta1 called `groups` `group`.
"""

from __future__ import annotations

from typing import NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents
from kubewitness.rules.features.interface import FieldTable, distinct, once
from kubewitness.rules.features.untyped import MAX_VALUES, mapping, text, texts

_RESOURCES = frozenset({"subjectaccessreviews", "localsubjectaccessreviews", "selfsubjectaccessreviews"})


class Question(NamedTuple):
    """May `user` do `verb` on `resource` ("nodes/proxy") or on the URL path?"""

    user: str  # empty for a review of oneself
    groups: tuple[str, ...]
    verb: str
    resource: str
    namespace: str
    path: str


@once
def questions_of(event: Event) -> tuple[Question, ...]:
    """The questions in the body of an access review."""
    if event.resource not in _RESOURCES:
        return ()
    found = []
    for document in documents(event):
        spec = mapping(document.get("spec"))
        resource, path = mapping(spec.get("resourceAttributes")), mapping(spec.get("nonResourceAttributes"))
        subresource = text(resource.get("subresource"))
        found.append(
            Question(
                user=text(spec.get("user")),
                groups=texts(spec.get("groups")) or texts(spec.get("group")),
                verb=text(resource.get("verb")) or text(path.get("verb")),
                resource=text(resource.get("resource")) + (f"/{subresource}" if subresource else ""),
                namespace=text(resource.get("namespace")),
                path=text(path.get("path")),
            )
        )
    return tuple(found)


FIELDS: FieldTable = {
    "sar.user": lambda event: distinct([question.user for question in questions_of(event)]),
    "sar.groups": lambda event: distinct([group for q in questions_of(event) for group in q.groups])[:MAX_VALUES],
    "sar.verb": lambda event: distinct([question.verb for question in questions_of(event)]),
    "sar.resource": lambda event: distinct([question.resource for question in questions_of(event)]),
    "sar.namespace": lambda event: distinct([question.namespace for question in questions_of(event)]),
    "sar.path": lambda event: distinct([question.path for question in questions_of(event)]),
}
