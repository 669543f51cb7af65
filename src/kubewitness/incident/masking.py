"""Keeps secrets out of reports. A report travels further than the log it was made of.

At level RequestResponse the log holds the values of every Secret that was read. The evidence stays as it is; the copy
of an event that a report embeds has the values of Secrets and issued tokens replaced by their length, wherever the
export puts the bodies (`requestObject`, Google's `request`, strings of JSON inside strings).
"""

from __future__ import annotations

from typing import Any

import msgspec

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRETS = ("Secret", "SecretList")
_SIGNS = (b"ecret", b"oken")
_DEPTH = 40


def mask(original: bytes, about_secrets: bool = False) -> tuple[str, bool]:
    """The text of an event without secret values, and whether anything was left out.

    Args:
        original: the event as found.
        about_secrets: the request was about Secrets, whatever its bodies call themselves.
    """
    text = original.decode("utf-8", "replace")
    if not any(sign in original for sign in _SIGNS):
        return text, False
    try:
        event = msgspec.json.decode(original)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text, False
    masked = _mask(event, about_secrets, _DEPTH)
    return (msgspec.json.encode(event).decode() if masked else text), masked


def _mask(node: Any, secret: bool, depth: int) -> bool:
    """Blank what is secret in `node`, in place."""
    masked = False
    if isinstance(node, list) and depth:
        for index, entry in enumerate(node):
            masked = _member(node, index, entry, secret, depth) or masked
    if isinstance(node, dict) and depth:
        kind = node.get("kind") or str(node.get("@type", "")).rpartition(".")[2]
        secret = secret or kind in _SECRETS
        for key, value in node.items():
            if secret and key in ("data", "stringData") and isinstance(value, dict):
                for name in value:
                    masked = _blank(value, name)
            elif (secret and (key == _APPLIED or (key == "value" and "path" in node))) or (
                key == "token" and isinstance(value, str) and "expirationTimestamp" in node
            ):
                masked = _blank(node, key)
            else:
                masked = _member(node, key, value, secret, depth) or masked
    return masked


def _member(holder: Any, key: Any, value: Any, secret: bool, depth: int) -> bool:
    """A member that is itself a container, or a string of JSON."""
    if not isinstance(value, str):
        return _mask(value, secret, depth - 1)
    if value[:1] not in ("{", "[") or not any(sign.decode() in value or secret for sign in _SIGNS):
        return False
    try:
        inner = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return False
    if not _mask(inner, secret, depth - 1):
        return False
    holder[key] = msgspec.json.encode(inner).decode()
    return True


def _blank(holder: dict[str, Any], key: str) -> bool:
    value = holder[key]
    length = len(value) if isinstance(value, str) else len(msgspec.json.encode(value))
    holder[key] = f"(masked, {length} characters)"
    return True
