"""ATT&CK in other tools' words: tactics with their numbers, techniques with their pages, severities as numbers.

Source: MITRE ATT&CK Enterprise 18 (the version of `content/attack/techniques.tsv`), (c) The MITRE Corporation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from kubewitness.model.incident import Technique

VERSION: Final = "18"
TACTICS: Final[dict[str, tuple[str, str]]] = {
    "reconnaissance": ("TA0043", "Reconnaissance"),
    "resource-development": ("TA0042", "Resource Development"),
    "initial-access": ("TA0001", "Initial Access"),
    "execution": ("TA0002", "Execution"),
    "persistence": ("TA0003", "Persistence"),
    "privilege-escalation": ("TA0004", "Privilege Escalation"),
    "defense-evasion": ("TA0005", "Defense Evasion"),
    "credential-access": ("TA0006", "Credential Access"),
    "discovery": ("TA0007", "Discovery"),
    "lateral-movement": ("TA0008", "Lateral Movement"),
    "collection": ("TA0009", "Collection"),
    "command-and-control": ("TA0011", "Command and Control"),
    "exfiltration": ("TA0010", "Exfiltration"),
    "impact": ("TA0040", "Impact"),
}
_ID: Final = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?", re.ASCII)


def real(techniques: Iterable[Technique]) -> list[Technique]:
    """Those whose id is one of ATT&CK, each once."""
    found = dict[str, Technique]()
    for one in techniques:
        if _ID.fullmatch(one.id):
            found.setdefault(one.id, one)
    return list(found.values())


def page(technique: str) -> str:
    """Where ATT&CK describes it."""
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}"


def tactics(technique: Technique) -> list[str]:
    """Its tactics by short name, those that ATT&CK has."""
    return [one for one in technique.tactics if one in TACTICS]
