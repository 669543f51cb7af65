"""Logs of containers as the runtime keeps them: CRI and docker's json-file."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
