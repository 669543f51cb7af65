"""What the host rules say about themselves: `content/host/<name>.yml`, with the keys of a detector's description.

The logic of these rules is code, because it reads grammar, state and several tables at once; the words are data.
Title, description, level, tags, falsepositives and the block `kubewitness` (confidence, kind, runbook, the Chinese
side) are those of `rules.metadata`. A finding may be milder or graver than its file says where the evidence is weaker
or stronger.
"""

from __future__ import annotations

from functools import cache

from kubewitness.detect.descriptions import descriptions
from kubewitness.rules.ir import Rule
from kubewitness.rules.loader import content_folder


def described(name: str) -> Rule:
    """The description of the rule `host/<name>`, as a rule whose condition no event meets.

    Raises:
        ContentError: the shipped file is wrong.
    """
    return descriptions("host")[name]


@cache
def mining_pools() -> frozenset[str]:
    """Registered domains of mining pools."""
    text = (content_folder() / "host" / "mining_pools.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
