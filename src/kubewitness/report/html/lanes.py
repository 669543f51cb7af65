"""The picture's rows: which addresses, identities and objects get a lane, and what folds together.

Only what an incident's steps touched is drawn, the objects that matter most first; objects that were only asked for and
never existed share one row, as do Secrets that were only read, and whatever is too much for one look.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kubewitness.model.incident import Incident, ObjectLife, ObjectName, Step
from kubewitness.model.text import Text
from kubewitness.report.html.inert import clipped, middle
from kubewitness.report.html.words import kind_word, word

MOST_ADDRESSES = 4
MOST_IDENTITIES = 6
MOST_OBJECTS = 12
_SERVICE_ACCOUNT = "system:serviceaccount:"
_RANK = {"cause": 0, "backdoor": 1, "workload": 2, "secret": 3, "other": 4}


@dataclass(frozen=True)
class Lane:
    """A row of addresses or identities: its names, how it is called, and what it is."""

    names: frozenset[str]
    title: Text
    sub: Text
    full: str = ""


@dataclass(frozen=True)
class Row:
    """A row of objects: one life, or several folded."""

    lives: tuple[ObjectLife, ...]
    title: Text
    sub: Text
    full: str
    ghost: bool = False  # never existed
    touched: dict[str, frozenset[int]] = field(default_factory=dict)  # manner → step numbers


def short_identity(identity: str) -> str:
    """system:serviceaccount:kube-system:default → kube-system:default; everything else as it is."""
    return identity.removeprefix(_SERVICE_ACCOUNT)


def same(text: str) -> Text:
    """A name: the same in both languages."""
    return Text(text, text)


def object_word(name: ObjectName) -> str:
    """DaemonSet kube-system/kube-controller; Secret kube-system/* for all of a namespace."""
    where = f"{name.namespace}/{name.name or '*'}" if name.namespace else name.name or "*"
    return f"{kind_word(name.kind)} {where}".strip()


def _ordered(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def addresses(steps: tuple[Step, ...]) -> list[Lane]:
    """A lane an address, in order of appearance."""
    names = _ordered(step.address for step in steps if step.act != "effect" or step.address)
    shown = names if len(names) <= MOST_ADDRESSES else names[: MOST_ADDRESSES - 1]
    lanes = [
        Lane(frozenset({name}), same(middle(name, 27)), word("lane_address"), name)
        if name
        else Lane(frozenset({""}), word("lane_unknown_address"), same(""))
        for name in shown
    ]
    rest = names[len(shown) :]
    if rest:
        lanes.append(
            Lane(frozenset(rest), word("lane_other_addresses", n=len(rest)), word("lane_address"), ", ".join(rest))
        )
    return lanes


def identities(steps: tuple[Step, ...]) -> list[Lane]:
    """A lane an identity, in order of appearance."""
    names = _ordered(step.identity for step in steps)
    shown = names if len(names) <= MOST_IDENTITIES else names[: MOST_IDENTITIES - 1]
    lanes = [_identity(name) for name in shown]
    rest = names[len(shown) :]
    if rest:
        lanes.append(Lane(frozenset(rest), word("lane_others", n=len(rest)), word("lane_identity"), ", ".join(rest)))
    return lanes


def _identity(name: str) -> Lane:
    if not name:
        return Lane(frozenset({""}), word("lane_rejected"), word("lane_identity"))
    if name == "system:anonymous":
        sub = word("lane_anonymous")
    elif name.startswith(_SERVICE_ACCOUNT):
        sub = word("lane_service_account")
    else:
        sub = word("lane_node" if name.startswith("system:node:") else "lane_identity")
    return Lane(frozenset({name}), same(middle(short_identity(name), 26)), sub, name)


def objects(incident: Incident) -> list[Row]:
    """A row an object, the way in first; what is alike folds."""
    lives = incident.lives or _lives_of(incident.steps)
    missing = [life for life in lives if _only_missing(life)]
    secrets = [life for life in lives if life.object.kind == "secrets" and _only_read(life)]
    folded = (missing if len(missing) > 1 else []) + (secrets if len(secrets) > 2 else [])
    single = sorted(
        (life for life in lives if life not in folded), key=lambda life: (_RANK[life.role], _first(life), life.object)
    )
    room = MOST_OBJECTS - (len(missing) > 1) - (len(secrets) > 2)
    rest = single[room - 1 :] if len(single) > room else []
    rows = [_row((life,)) for life in (single[: room - 1] if rest else single)]
    if len(secrets) > 2:
        rows.append(_row(tuple(secrets), word("life_secrets_n", n=len(secrets)), word("life_secrets_sub")))
    if len(missing) > 1:
        rows.append(_row(tuple(missing), word("life_missing_n", n=len(missing)), word("life_missing_sub")))
    rows.sort(key=lambda row: min((life.role != "cause", _first(life)) for life in row.lives))
    if rest:
        rows.append(_row(tuple(rest), word("life_rest_n", n=len(rest)), word("life_rest_sub")))
    return rows


def _row(lives: tuple[ObjectLife, ...], title: Text | None = None, sub: Text | None = None) -> Row:
    name = lives[0].object
    if title is None or sub is None:
        kind = kind_word(name.kind)
        title = same(middle(name.name, 28)) if name.name else word("life_all", kind=clipped(kind, 18))
        role = lives[0].role
        if role in ("cause", "backdoor"):
            sub = _listed(same(clipped(kind, 19)), word(f"life_{role}"))
        elif not name.name and not name.namespace:
            sub = word("whole_cluster")
        else:
            parts = [kind] if name.name else []
            parts += [name.namespace] if name.namespace else []
            sub = same(clipped(", ".join(parts), 31))
    touched = {
        "create": frozenset(life.created_step for life in lives if life.created_step),
        "delete": frozenset(life.deleted_step for life in lives if life.deleted_step),
        "change": frozenset(n for life in lives for n in life.changed_steps),
        "read": frozenset(n for life in lives for n in life.read_steps),
        "missing": frozenset(n for life in lives for n in life.missing_steps),
    }
    full = "; ".join(object_word(life.object) for life in lives[:40])
    return Row(lives, title, sub, full, all(_only_missing(life) for life in lives), touched)


def _listed(one: Text, other: Text) -> Text:
    return Text(f"{one.en}, {other.en}", f"{one.zh}，{other.zh}")


def _only_missing(life: ObjectLife) -> bool:
    return bool(life.missing_steps) and not (
        life.created or life.created_step or life.deleted_step or life.read_steps or life.changed_steps
    )


def _only_read(life: ObjectLife) -> bool:
    return not (life.created_step or life.deleted_step or life.changed_steps or life.missing_steps)


def _first(life: ObjectLife) -> int:
    steps = (
        life.created_step,
        life.deleted_step,
        *life.changed_steps[:1],
        *life.read_steps[:1],
        *life.missing_steps[:1],
    )
    return min((number for number in steps if number), default=1 << 30)


def _lives_of(steps: tuple[Step, ...]) -> tuple[ObjectLife, ...]:
    """Lives as far as the steps alone tell them, for an incident that brings none."""
    touched: dict[ObjectName, dict[str, list[int]]] = {}
    for step in steps:
        for name in step.objects[:50]:
            touched.setdefault(name, {}).setdefault(step.act, []).append(step.number)
    return tuple(
        ObjectLife(
            object=name,
            created_step=acts.get("create", [0])[0],
            deleted_step=acts.get("delete", [0])[-1],
            changed_steps=tuple(acts.get("change", [])),
            read_steps=tuple(sorted(acts.get("read", []) + acts.get("execute", []) + acts.get("refused", []))),
        )
        for name, acts in touched.items()
    )
