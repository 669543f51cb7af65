"""Keeps secrets out of reports. A report travels further than the log it was made of.

At level RequestResponse the log holds the values of every Secret that was read. The evidence stays as it is; the copy
of an event that a report embeds has the values of Secrets and issued tokens replaced by their length.
"""

from __future__ import annotations

from typing import Any

import msgspec

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DEPTH = 6  # lists of lists of Secrets do not exist; hostile bodies do


def mask(original: bytes) -> tuple[str, bool]:
    """The text of an event without secret values, and whether anything was left out."""
    text = original.decode("utf-8", "replace")
    if b'"secrets"' not in original and b"Secret" not in original and b'"token"' not in original:
        return text, False
    try:
        event = msgspec.json.decode(original)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text, False
    if not isinstance(event, dict):
        return text, False
    reference = event.get("objectRef")
    about_secrets = isinstance(reference, dict) and reference.get("resource") == "secrets"
    masked = False
    for body in ("requestObject", "responseObject"):
        masked = _mask(event.get(body), about_secrets, _DEPTH) or masked
    return (msgspec.json.encode(event).decode() if masked else text), masked


def _mask(body: Any, secret: bool, depth: int) -> bool:
    masked = False
    if isinstance(body, list) and depth:
        for entry in body:
            masked = _mask(entry, secret, depth - 1) or masked
    if not isinstance(body, dict) or not depth:
        return masked
    secret = secret or body.get("kind") in ("Secret", "SecretList")
    masked = _mask(body.get("items"), secret, depth - 1)
    if secret:
        for key in ("data", "stringData"):
            masked = _blank_all(body.get(key)) or masked
        meta = body.get("metadata")
        notes = meta.get("annotations") if isinstance(meta, dict) else None
        if isinstance(notes, dict) and _APPLIED in notes:
            masked = _blank(notes, _APPLIED)
        if "value" in body and "path" in body:  # a JSON patch operation
            masked = _blank(body, "value")
    status = body.get("status")
    if isinstance(status, dict) and "token" in status:
        masked = _blank(status, "token")
    return masked


def _blank_all(values: Any) -> bool:
    masked = False
    for key in values if isinstance(values, dict) else ():
        masked = _blank(values, key)
    return masked


def _blank(holder: dict[str, Any], key: str) -> bool:
    value = holder[key]
    length = len(value) if isinstance(value, str) else len(msgspec.json.encode(value))
    holder[key] = f"(masked, {length} characters)"
    return True
