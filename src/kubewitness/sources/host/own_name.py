"""What a machine calls itself."""

from __future__ import annotations

import re

from kubewitness.model.host import Host, Process

HOST_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]{0,252})\s*(?:\n|$)")
_OVERRIDE = re.compile(r"(?:^|[\s\"'])--hostname-override[= ]\"?([A-Za-z0-9.-]{1,253})")
_NODE_NAME = re.compile(r'"NodeName":"([a-z0-9.-]{1,253})"')


def override(process: Process) -> str:
    """The name that a running kubelet was given, "" if it is none or in a container."""
    words = process.command.split(None, 1)
    if not words or words[0].rpartition("/")[2] != "kubelet" or process.container:
        return ""
    found = _OVERRIDE.search(process.command)
    return found[1] if found else ""


def own_name(host: Host, collected: str) -> str:
    """What the machine calls itself: the running kubelet's override, its log, the collector's word, the host name file.

    The kubelet's word comes first because the API server and its audit log know the node by that name.
    """
    if name := next(filter(None, map(override, host.processes)), ""):
        return name
    for line in host.logs:
        if line.component == "kubelet" and (found := _NODE_NAME.search(line.fields.get("nodeConfig", ""))):
            return found[1]
    if collected:
        return collected
    for file in host.files:
        if file.path == "/etc/hostname" and (told := HOST_NAME.match(file.text)):
            return told[1]
    return ""
