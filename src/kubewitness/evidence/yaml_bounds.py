"""YAML by strangers, looked at before anything is built of it.

YAML is a larger language than evidence needs, and its extras are attacks: aliases that expand to gigabytes, nesting
that exhausts the stack, more parts than memory holds. The events of the parser cost little; only a text that stays
within bounds, and without any alias, is composed.
"""

from __future__ import annotations

import yaml


class RefusedError(ValueError):
    """A construct evidence has no need of."""


def look(text: str | bytes, *, depth: int, parts: int, first: bool = False) -> None:
    """Parse `text` without building anything.

    Args:
        text: One document, or several.
        depth: How deep it may be nested.
        parts: How many parts it may have; each takes about a kilobyte while a document is built.
        first: Only the first document counts; what follows it is not looked at.

    Raises:
        RefusedError: it has an alias, or is beyond the bounds.
        yaml.YAMLError: it is malformed.
    """
    level = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.AliasEvent):
            raise RefusedError("YAML with aliases, refused")
        if isinstance(event, yaml.CollectionStartEvent):
            level += 1
            if level > depth:
                raise RefusedError(f"YAML nested more than {depth} deep, refused")
        elif isinstance(event, yaml.CollectionEndEvent):
            level -= 1
        elif first and isinstance(event, yaml.DocumentEndEvent):
            return
        if count > parts:
            raise RefusedError(f"YAML document with more than {parts} parts, refused")


def first_document(text: str, *, depth: int, parts: int) -> yaml.Node | None:
    """The first document of `text`; None if there is none.

    Raises:
        ValueError: it is malformed, or has what is refused.
    """
    try:
        look(text, depth=depth, parts=parts, first=True)
        return next(iter(yaml.compose_all(text, Loader=yaml.CSafeLoader)), None)
    except (yaml.YAMLError, RecursionError):
        raise ValueError("malformed YAML") from None
