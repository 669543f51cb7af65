"""linux_audit as laurel writes it: one JSON object an event."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
