"""STIX 2.1 objects with ids that follow from what they say, collected each once.

Objects of ours (SDOs, SROs) have UUIDv5 ids in a namespace of our own. Observables (SCOs) have the ids that the
specification prescribes, so that tools join them with what they know: UUIDv5 of the contributing properties as
canonical JSON. A process has none of those and is to have a random id (UUIDv4); ours has that form, but its bits come
from a hash.

Tool identity and ATT&CK techniques are the same objects in every bundle, so their times never change either.

Source: OASIS STIX 2.1, sections 2.9 (identifiers), 3 and 6.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

from kubewitness.model.document import Document
from kubewitness.model.incident import Technique
from kubewitness.model.text import Language
from kubewitness.report.exports import attack
from kubewitness.report.exports.interface import Fields, Json, address, clean, filled, first_moment, stamp, whole

_OURS: Final = UUID("8f5c1c3e-6f0b-4f4e-9a53-2f6f0a7d6b11")
_OBSERVABLES: Final = UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # the namespace that STIX 2.1 prescribes
ALWAYS: Final = "2022-10-23T00:00:00.000000Z"


def named(kind: str, *parts: str) -> str:
    """An id of ours: the same for the same parts."""
    return f"{kind}--{uuid5(_OURS, json.dumps([kind, *parts]))}"


def _observable(kind: str, **contributing: str) -> str:
    canonical = json.dumps(contributing, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{kind}--{uuid5(_OBSERVABLES, canonical)}"


def _random(kind: str, *parts: str) -> str:
    return f"{kind}--{UUID(bytes=sha256(json.dumps([kind, *parts]).encode()).digest()[:16], version=4)}"


TOOL: Final = named("identity", "kubewitness")


class Bundle:
    """Objects by id, in the order in which they came; `made` is when the document was.

    An object begins with what it tells of (`since`) and changes with each document, so that a report that was made
    again brings newer versions of the same objects.
    """

    def __init__(self, document: Document, language: Language) -> None:
        self.language: Language = language
        self.made = stamp(first_moment(document.generated, document.coverage.last, document.coverage.first))
        self.began = self.made
        self.objects = dict[str, Fields]()
        self._put(
            "identity", TOOL, created=ALWAYS, modified=ALWAYS, name="Kubewitness", identity_class="system",
            description="Investigates Kubernetes intrusions from audit logs and node evidence.",
        )  # fmt: skip

    def _put(self, kind: str, name: str, /, **fields: Json | None) -> str:
        self.objects.setdefault(name, filled(type=kind, spec_version="2.1", id=name, **fields))
        return name

    def since(self, time: str) -> None:
        """What is said from now on is of that time."""
        self.began = time

    def foreign(self, value: Fields) -> None:
        """An object of somebody else, as published."""
        self.objects.setdefault(str(value["id"]), value)

    def say(self, kind: str, name: str, /, **fields: Json | None) -> str:
        """An object of ours, in our words; its id."""
        return self._put(
            kind, name, created_by_ref=TOOL, created=self.began, modified=max(self.began, self.made),
            lang=self.language, **fields,
        )  # fmt: skip

    def relate(self, source: str, relation: str, target: str, **fields: Json | None) -> str:
        """A relationship; its id."""
        name = named("relationship", source, relation, target)
        return self._put(
            "relationship", name, created_by_ref=TOOL, created=self.began, modified=max(self.began, self.made),
            relationship_type=relation, source_ref=source, target_ref=target, **fields,
        )  # fmt: skip

    def technique(self, technique: Technique) -> str:
        """An ATT&CK technique; its id."""
        phases: list[Json] = [
            {"kill_chain_name": "mitre-attack", "phase_name": tactic} for tactic in attack.tactics(technique)
        ]
        reference = {"source_name": "mitre-attack", "external_id": technique.id, "url": attack.page(technique.id)}
        return self._put(
            "attack-pattern", named("attack-pattern", technique.id), created_by_ref=TOOL, created=ALWAYS,
            modified=ALWAYS, name=technique.name or technique.id, external_references=[reference],
            kill_chain_phases=phases,
        )  # fmt: skip

    def address(self, text: str) -> str:
        """An address; its id, empty if it is none."""
        found = address(text)
        if found is None:
            return ""
        kind, value = f"ipv{found.version}-addr", str(found)
        return self._put(kind, _observable(kind, value=value), value=value)

    def account(self, identity: str, *, on_node: bool = False) -> str:
        """An account of Kubernetes, or `user@host` of a machine; its id, empty for a kubelet or nobody."""
        text = clean(identity)
        user, at, _ = text.partition("@")
        if not text or (on_node and not (user and at)):
            return ""
        if on_node:
            name = _observable("user-account", account_type="unix", user_id=text, account_login=user)
            return self._put("user-account", name, account_type="unix", user_id=text, account_login=user)
        name = _observable("user-account", account_type="kubernetes", user_id=text)
        return self._put("user-account", name, account_type="kubernetes", user_id=text)

    def process(self, seen: str, command: str, pid: int | None = None) -> str:
        """A process or command of the incident `seen`; its id."""
        name = _random("process", seen, command, str(pid))
        return self._put("process", name, pid=pid, command_line=command)

    def file(self, path: str) -> str:
        """A file; its id, empty without a name."""
        folder, _, name = clean(path).rpartition("/")
        if not name:
            return ""
        if not folder:
            return self._put("file", _observable("file", name=name), name=name)
        folder = posixpath.normpath(folder)
        parent = self._put("directory", _observable("directory", path=folder), path=folder)
        file_id = _observable("file", name=name, parent_directory_ref=parent)
        return self._put("file", file_id, name=name, parent_directory_ref=parent)

    def write(self, name: str) -> bytes:
        """The bundle; `name` tells it from others."""
        every = sorted(self.objects)
        bundle_id = named("bundle", name, self.language, self.made, *every)
        return whole({"type": "bundle", "id": bundle_id, "objects": list(self.objects.values())})


def refs(names: Iterable[str]) -> list[str]:
    """Ids, each once, none empty."""
    return list(dict.fromkeys(filter(None, names)))
