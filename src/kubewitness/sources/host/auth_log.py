"""Who logged in: sshd, sudo, su and cron in syslog."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
