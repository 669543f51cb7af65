"""`kubewitness.first_seen` of a rule file: the rule speaks only of what never occurred before.

    kubewitness:
      first_seen:
        fields: [user.username, source.network]   # the combination that must be new
        known: [user.username]                    # of them, what must be old: the account was there while learning
        history: requests                         # what counts as an occurrence, see below
        learn: 20%                                # the first part of the log's time shows what is usual
        at_least: 6h                              # and is at least this long
        settled: 4                                # silent on accounts that came from more networks than this

`history` is a condition over the rule's detections (wider than its own: what others do teaches what is usual), or the
word `requests`: everything anybody asked for, matched or not; then the fields are about the accessor alone. Without it,
only what the rule's own condition matches counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubewitness.model.errors import ContentError
from kubewitness.rules.documents import Document
from kubewitness.rules.fields import is_known, of_accessor
from kubewitness.rules.ir import AnyOf, FirstSeen, Node
from kubewitness.rules.sigma import parse_condition

_KEYS = frozenset({"fields", "known", "history", "learn", "at_least", "settled"})
_PLACE = ("kubewitness", "first_seen")
_SHARE = re.compile(r"(\d{1,2})%")
_TIME = re.compile(r"(\d{1,4})([mhd])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_first_seen(document: Document, condition: Node, nodes: Mapping[str, Node]) -> tuple[FirstSeen | None, Node]:
    """The block of a document, and the condition that tells what the engine must look at (the rule's own if no block).

    Raises:
        ContentError: the block is not as described above.
    """
    block = document.value.get("kubewitness")
    given = block.get("first_seen") if isinstance(block, Mapping) else None
    if given is None:
        return None, condition
    if not isinstance(given, Mapping) or not given.get("fields"):
        raise document.error("first_seen needs fields", *_PLACE)
    for key in given:
        if key not in _KEYS:
            raise document.error(f"unknown key {key!r} in first_seen", *_PLACE, str(key))
    fields, known = _fields(document, given, "fields"), _fields(document, given, "known")
    if strangers := set(known) - set(fields):
        raise document.error(f"known names {', '.join(sorted(strangers))}, which is none of fields", *_PLACE, "known")
    history = given.get("history")
    if history == "requests" and (bad := [field for field in fields if not of_accessor(field)]):
        raise document.error(
            f"{bad[0]} is not about the accessor: no history of all requests is kept", *_PLACE, "history"
        )
    settled = given.get("settled", 0)
    if not isinstance(settled, int) or isinstance(settled, bool) or settled < 0:
        raise document.error("settled must be a number", *_PLACE, "settled")
    first_seen = FirstSeen(
        fields=fields,
        known=known,
        requests=history == "requests",
        learn=_share(document, given.get("learn", "20%")),
        at_least=_seconds(document, given.get("at_least", "0m")),
        settled=settled,
        only=condition if history not in (None, "requests") else None,
    )
    if first_seen.only is None:
        return first_seen, condition
    try:
        wider = parse_condition(str(history), nodes)
    except ContentError as error:
        raise document.error(error.message, *_PLACE, "history") from error
    return first_seen, AnyOf((wider, condition))


def _fields(document: Document, given: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = given.get(key, [])
    if not isinstance(value, list) or not all(isinstance(field, str) for field in value):
        raise document.error(f"{key} must be a list of field names", *_PLACE, key)
    for field in value:
        if not is_known(field):
            raise document.error(f"no audit event has a field {field!r}", *_PLACE, key)
    return tuple(value)


def _share(document: Document, value: object) -> float:
    found = _SHARE.fullmatch(str(value))
    if found is None:
        raise document.error(f"learn must be a share of the log such as 20%, not {value!r}", *_PLACE, "learn")
    return int(found[1]) / 100


def _seconds(document: Document, value: object) -> float:
    found = _TIME.fullmatch(str(value))
    if found is None:
        raise document.error(f"at_least must be a time such as 6h, not {value!r}", *_PLACE, "at_least")
    return int(found[1]) * _SECONDS[found[2]]
