"""The kernel's audit (linux_audit): raw records of auditd."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
