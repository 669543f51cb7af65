"""Parts of machines for tests of nodes and fleets."""

from __future__ import annotations

from typing import Any

from kubewitness.model.evidence import Place
from kubewitness.model.host import Firewall, FirewallRule


def filtered(rules: str, policy: str = "ACCEPT", family: str = "ip", **more: Any) -> Firewall:
    """A dump of the filter table with these lines of `-A`."""
    place = Place("iptables-save.txt", 1, 0)
    found = [line.strip() for line in rules.splitlines() if line.strip()]
    kept = tuple(
        FirewallRule("filter", line.split()[1], line, Place("iptables-save.txt", number, 0))
        for number, line in enumerate(found, 5)
    )
    return Firewall(family, "iptables-save", place, (("filter", "INPUT", policy),), kept, **more)
