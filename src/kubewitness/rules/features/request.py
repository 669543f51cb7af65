"""What was asked for and how it ended, beyond the raw words of the event."""

from __future__ import annotations

from urllib.parse import unquote_plus

from kubewitness.model.event import Event
from kubewitness.rules.features.interface import FieldTable, Values, once, one
from kubewitness.rules.features.untyped import MAX_VALUES, mapping, texts

_WIDE_VERBS = frozenset({"list", "watch", "deletecollection", "get"})


@once
def query_of(event: Event) -> tuple[tuple[str, str], ...]:
    """The decoded query of the request URI in its order; repeated names stay."""
    query = event.record.requestURI.partition("?")[2].partition("#")[0]
    found = []
    for part in query.split("&", MAX_VALUES)[:MAX_VALUES]:
        name, _, value = part.partition("=")
        if name:
            found.append((unquote_plus(name), unquote_plus(value)))
    return tuple(found)


def path_of(event: Event) -> str:
    """The path of the request URI."""
    return event.record.requestURI.partition("?")[0].partition("#")[0]


def is_dry_run(event: Event) -> bool:
    """The request asked not to be carried out: in the query, or for a deletion in its options."""
    if any(name == "dryRun" and value for name, value in query_of(event)):
        return True
    if not event.verb.startswith("delete"):
        return False
    return bool(texts(mapping(event.request_object).get("dryRun")))


def scope_of(event: Event) -> Values:
    """Says "cluster" if a reading or deleting request is not bound to a namespace, "namespace" if any request is."""
    if event.record.objectRef is None:
        return ()
    if event.namespace:
        return ("namespace",)
    return ("cluster",) if event.verb in _WIDE_VERBS else ()


FIELDS: FieldTable = {
    "request.decision": lambda event: one(event.decision),
    "request.succeeded": lambda event: (event.succeeded,),
    "request.path": lambda event: one(path_of(event)),
    "request.dryRun": lambda event: (is_dry_run(event),),
    "request.scope": scope_of,
}
