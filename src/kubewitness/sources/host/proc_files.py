"""Files of single processes copied out of /proc, and what ls says of them."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
