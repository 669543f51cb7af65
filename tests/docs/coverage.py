"""The page docs/coverage.md, made from content/coverage.tsv and the rules themselves.

`python -m tests.docs.coverage` says whether the page is as it would be made; with `--refresh` it is written anew.

The table holds words and ids. What no hand should copy is worked out: whether a rule can speak at level Metadata
follows from its condition. Fields that lie in a body have no value there; if the condition is false whatever the other
fields are (three-valued logic), the rule needs bodies.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from kubewitness.rules.ir import AllOf, CorrelationRule, Negate, Node, Predicate, Rule
from kubewitness.rules.loader import content_folder, shipped_rules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
TABLE = content_folder() / "coverage.tsv"
INCIDENT = "incident"  # the builder of incidents: no rule, the account made of all

_HEADER = ["row", "technique", "technique_zh", "attack", "ids", "unseen"]
_BODY_ROOTS = frozenset(
    {
        "requestObject", "responseObject", "podSpec", "rbac", "csr", "webhook", "secret", "configmap", "service",
        "ingress", "volume", "sar", "patch", "hostPath", "capabilities",
    }
)  # fmt: skip
# Their conditions are code: the subjects of bindings and the rules of roles that they compare lie in bodies.
_DETECTORS_OF_BODIES = frozenset(
    {
        "detectors/granted_own_request", "detectors/granted_after_refusal", "detectors/role_raised_to_wildcard",
        "detectors/older_role_given_wildcard", "detectors/borrowed_account", "detectors/borrowed_account_reads_secrets",
    }
)  # fmt: skip
_BODY_FIELDS = frozenset({"object.labels", "object.annotations", "object.mirror", "lookalike.image"})


class Row(NamedTuple):
    """One line of the table."""

    number: str  # "also" below the numbered ones
    technique: str
    technique_zh: str
    attack: tuple[str, ...]
    ids: tuple[str, ...]
    unseen: str


@cache
def rows() -> tuple[Row, ...]:
    """The table, in its order."""
    lines = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    if lines[0] != _HEADER or any(len(line) != len(_HEADER) for line in lines):
        raise ValueError(f"{TABLE}: each line has the columns {' '.join(_HEADER)}")
    return tuple(Row(n, en, zh, tuple(a.split(",")), tuple(ids.split(",")), un) for n, en, zh, a, ids, un in lines[1:])


@cache
def known() -> dict[str, Rule | CorrelationRule | None]:
    """What an id may stand for; None for typed detectors and the builder of incidents."""
    pack = shipped_rules()
    detectors = (content_folder() / "detectors").glob("*.yml")
    found: dict[str, Rule | CorrelationRule | None] = {f"detectors/{path.stem}": None for path in detectors}
    found |= {str(one.id): one for one in pack.correlations}
    return {INCIDENT: None} | found | {one.id.removeprefix("k8s_audit/"): one for one in pack.rules}


def techniques_of(identifier: str) -> tuple[str, ...]:
    """The ATT&CK ids that a rule, correlation or detector claims."""
    one = known()[identifier]
    if one is not None:
        return one.techniques
    if identifier == INCIDENT:
        return ()
    tags = yaml.safe_load((content_folder() / f"{identifier}.yml").read_text(encoding="utf-8"))["tags"]
    return tuple(tag.removeprefix("attack.").upper() for tag in tags)


def needs_bodies(identifier: str) -> bool:
    """Whether what an id stands for can say nothing of a log at level Metadata."""
    one = known()[identifier]
    if isinstance(one, Rule):
        return _judge(one.condition) is False or any(map(_in_body, one.first_seen.fields if one.first_seen else ()))
    if isinstance(one, CorrelationRule):
        base = [needs_bodies(rule.removeprefix("k8s_audit/")) for rule in one.rules]
        return any(base) if one.type.startswith("temporal") else all(base)
    return identifier in _DETECTORS_OF_BODIES


def _in_body(field: str) -> bool:
    return field.partition(".")[0] in _BODY_ROOTS or field in _BODY_FIELDS


def _judge(node: Node) -> bool | None:
    """The condition where no body was logged; None if that depends on the rest of the event."""
    if isinstance(node, Predicate):
        if not _in_body(node.field):
            return None
        return node.op == "null" or (node.op == "exists" and node.value is False)
    if isinstance(node, Negate):
        part = _judge(node.part)
        return None if part is None else not part
    parts = [_judge(part) for part in node.parts]
    deciding = not isinstance(node, AllOf)  # one true part decides an "any", one false part an "all"
    if deciding in parts:
        return deciding
    return None if None in parts else isinstance(node, AllOf)


def level(row: Row) -> str:
    """What a log must hold for a row: "Metadata", "bodies", or both words if it depends on the rule."""
    needs = {needs_bodies(identifier) for identifier in row.ids}
    if len(needs) == 2:
        return "Metadata, more with bodies"
    return "bodies" if True in needs else "Metadata"


_TOP = """\
# Coverage

<!-- Made from content/coverage.tsv by `python -m tests.docs.coverage --refresh`; do not edit by hand. -->

What intruders do to a cluster and an audit log can show, which rules speak of it, and what stays unseen even so. A
test holds this page to the rules: every id exists, every rule that can make a finding stands here, and whether it needs
request bodies is worked out from its condition.

- **Rules** are ids without `k8s_audit/`: `kubewitness rules show k8s_audit/NAME`. With `°` they need bodies (level
  Request or RequestResponse), the others work on Metadata too. `correlations/` join several matches, `detectors/` are
  written in code, `incident` is the account of the whole.
- **Level**: what the log must hold. [audit-policy.yaml](audit-policy.yaml) gives each kind of object what it needs.
- What no audit log holds is in [limitations.md](limitations.md).
"""
_HEAD = "| {} | Technique | ATT&CK | Rules | Level | What remains unseen |\n| ---: | --- | --- | --- | --- | --- |\n"


def page() -> str:
    """The page as it should be."""
    numbered = [row for row in rows() if row.number != "also"]
    also = [row for row in rows() if row.number == "also"]
    made = sum(identifier != INCIDENT for identifier in {i for row in rows() for i in row.ids})
    count = f"\n{len(numbered)} techniques, {made} rules, correlations and detectors.\n\n"
    text = _TOP + count + _HEAD.format("#") + "".join(map(_line, numbered))
    return text + "\n## Also\n\n" + _HEAD.format("") + "".join(map(_line, also))


def _line(row: Row) -> str:
    ids = "<br>".join(f"`{identifier}`{'°' if needs_bodies(identifier) else ''}" for identifier in row.ids)
    number = "" if row.number == "also" else row.number
    words = f"{row.technique}<br>{row.technique_zh}"
    return f"| {number} | {words} | {'<br>'.join(row.attack)} | {ids} | {level(row)} | {row.unseen} |\n"


def main() -> int:
    """Compare, or write with `--refresh`."""
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    if "--refresh" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    sys.stdout.write(f"differs: {PAGE.name}; write it with --refresh\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
