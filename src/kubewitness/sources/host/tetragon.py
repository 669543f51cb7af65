"""Events of Tetragon."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
