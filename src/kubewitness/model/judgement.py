"""The axes of a judgement, never mixed: severity (harm if true), confidence (chance it is true), kind (meaning)."""

from __future__ import annotations

from typing import Literal

Severity = Literal["informational", "low", "medium", "high", "critical"]
Confidence = Literal["low", "medium", "high"]
SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")

# What a match means to the incident builder:
#   intrusion  the act itself betrays an intruder (anonymous write that was allowed, miner image, reverse shell)
#   activity   legitimate tools do it too; it counts once its actor is a suspect, or in combination
#   exposure   a weakness somebody made (grant to anonymous, wildcard role); a finding of its own, an attacker's step
#              only if a suspect did it
#   context    feeds correlations and the story, is no finding by itself
Kind = Literal["intrusion", "activity", "exposure", "context"]
