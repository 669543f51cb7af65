"""Logs of components in JSON: klog's JSON format and containerd's."""

from __future__ import annotations

from kubewitness.sources.host.interface import Format

FORMATS: tuple[Format, ...] = ()
