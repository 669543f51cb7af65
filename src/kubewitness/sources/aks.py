"""Azure Kubernetes Service: diagnostic records, Log Analytics rows, resource-specific columns.

* Blob storage and Event Hubs: `records[]` (or one record a line), `category` kube-audit or kube-audit-admin, the event
  as a string in `properties.log`. Other categories (kube-apiserver, guard, …) are component logs.
* Log Analytics, `AzureDiagnostics`: columns `Category` and `log_s`.
* Log Analytics, `AKSAudit` and `AKSAuditAdmin` (also `ArcK8sAudit`): one column a field, `dynamic` ones as JSON or as a
  string of JSON.
* An API answer: `{"tables": [{"columns": [{"name": …}], "rows": [[…]]}]}`.

Source: Azure Monitor table references for AKSAudit, AKSAuditAdmin and AzureDiagnostics; the aks-audit-log samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from kubewitness.sources.envelopes import wrapper_time
from kubewitness.sources.interface import Foreign, Found, Inner, Rebuilt
from kubewitness.sources.values import STRING, Fields, encode, first_byte, inside, listed, string

_AUDIT: Final = ("kube-audit", "kube-audit-admin")

_COLUMNS: Final = {
    "AuditId": "auditID",
    "Level": "level",
    "Stage": "stage",
    "Verb": "verb",
    "RequestUri": "requestURI",
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "UserAgent": "userAgent",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestObject": "requestObject",
    "ResponseObject": "responseObject",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}
_DYNAMIC: Final = ("user", "impersonatedUser", "sourceIPs", "objectRef", "responseStatus", "annotations")


@dataclass(frozen=True, slots=True)
class DiagnosticRecord:
    """One record with `category` and `properties.log`."""

    format: str = "AKS diagnostic records"

    def recognises(self, fields: Fields) -> bool:
        """By the category, in either spelling."""
        return ("category" in fields or "Category" in fields) and (
            "properties" in fields or "log_s" in fields or "resourceId" in fields
        )

    def open(self, fields: Fields) -> Iterator[Found]:
        """The event, or the name of the other category."""
        category = string(fields.get("category")) or string(fields.get("Category"))
        if category not in _AUDIT:
            yield Foreign(f"AKS diagnostic record of category {category or 'unknown'}, not kube-audit")
            return
        log = fields.get("log_s") or inside(fields.get("properties")).get("log")
        if log is None:
            yield Foreign("AKS kube-audit record without a log")
            return
        text = string(log).encode("utf-8", "replace") if first_byte(log) == STRING else bytes(log)
        yield Inner(text, wrapper_time(fields))


@dataclass(frozen=True, slots=True)
class ResourceSpecific:
    """A row of `AKSAudit`."""

    format: str = "AKS AKSAudit table"

    def recognises(self, fields: Fields) -> bool:
        """By the columns every row has."""
        return "AuditId" in fields and ("RequestUri" in fields or "Verb" in fields)

    def open(self, fields: Fields) -> Iterator[Found]:
        """The columns under their audit names."""
        yield Rebuilt(renamed(fields, _COLUMNS), time=wrapper_time(fields))


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """A Log Analytics API answer: columns and rows."""

    format: str = "Log Analytics query result"

    def recognises(self, fields: Fields) -> bool:
        """By `tables`, or a single table."""
        return "tables" in fields or ("columns" in fields and "rows" in fields)

    def open(self, fields: Fields) -> Iterator[Found]:
        """Each row as an object of its columns."""
        for table in map(inside, listed(fields["tables"])) if "tables" in fields else (fields,):
            names = [string(inside(column).get("name")) or string(column) for column in listed(table.get("columns"))]
            for row in listed(table.get("rows")):
                cells = zip(names, listed(row, scalars=True), strict=False)
                yield Inner(joined({name: cell for name, cell in cells if name}))


def renamed(fields: Fields, names: dict[str, str]) -> Fields:
    """`fields` under audit names; parts written as strings of JSON are taken out of their strings."""
    result: Fields = {}
    for column, name in names.items():
        raw = fields.get(column)
        if raw is not None:
            result[name] = loosened(raw) if name in _DYNAMIC else raw
    return result


def loosened(raw: Raw) -> Raw:
    """An object or array that was written as a string; anything else as it is. An empty string is absent."""
    if first_byte(raw) != STRING:
        return raw
    text = string(raw).strip()
    if not text:
        return Raw(b"null")
    return Raw(text.encode("utf-8", "replace")) if text[0] in "{[" else raw


def joined(fields: Fields) -> bytes:
    """The JSON object of undecoded members."""
    return bytes(encode(fields))
