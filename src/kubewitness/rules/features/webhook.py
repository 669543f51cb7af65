"""Who an admission webhook calls and for what: the four facts that tell a guard from a tap.

Source: admissionregistration/v1 types.go (MutatingWebhook, ValidatingWebhook).
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.body import documents
from kubewitness.rules.features.interface import FieldTable, distinct, once
from kubewitness.rules.features.untyped import MAX_VALUES, mapping, mappings, text, texts

_RESOURCES = frozenset({"mutatingwebhookconfigurations", "validatingwebhookconfigurations"})


class Webhook(NamedTuple):
    """One webhook of a configuration."""

    name: str
    url: str
    service: str  # "namespace/name"
    failure_policy: str
    calls: tuple[str, ...]  # "CREATE pods"


@once
def webhooks_of(event: Event) -> tuple[Webhook, ...]:
    """The webhooks in the body of a request on webhook configurations."""
    if event.resource not in _RESOURCES:
        return ()
    return tuple(_webhook(raw) for document in documents(event) for raw in mappings(document.get("webhooks")))


def _webhook(raw: dict[str, object]) -> Webhook:
    client = mapping(raw.get("clientConfig"))
    service = mapping(client.get("service"))
    calls = (
        f"{operation} {resource}"
        for rule in mappings(raw.get("rules"))
        for operation in texts(rule.get("operations"))
        for resource in texts(rule.get("resources"))
    )
    return Webhook(
        name=text(raw.get("name")),
        url=text(client.get("url")),
        service=f"{text(service.get('namespace'))}/{text(service.get('name'))}" if service else "",
        failure_policy=text(raw.get("failurePolicy")),
        calls=tuple(dict.fromkeys(islice(calls, MAX_VALUES))),
    )


FIELDS: FieldTable = {
    "webhook.urls": lambda event: distinct([webhook.url for webhook in webhooks_of(event)]),
    "webhook.services": lambda event: distinct([webhook.service for webhook in webhooks_of(event)]),
    "webhook.failurePolicy": lambda event: distinct([webhook.failure_policy for webhook in webhooks_of(event)]),
    "webhook.resources": lambda event: distinct([call for webhook in webhooks_of(event) for call in webhook.calls])[
        :MAX_VALUES
    ],
}
