"""Which machine an item belongs to, and where on that machine the file lay.

Nothing in a folder of evidence says so reliably; these are the customs: a folder below `nodes/` or `hosts/`; an
archive of UAC (`live_response/…`, `[root]/…`); a copied file system, told by paths every machine has
(`…/etc/systemd/…`); an archive of one machine; else the folder an item lies in. What lies deeper inside a folder
already known belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from kubewitness.sources.host.collected import below

_GROUPS: Final = frozenset(("nodes", "hosts"))
_PATHS = re.compile(
    r"(?:^|/)(etc/(?:systemd|kubernetes|default|sysconfig|containerd|crio|docker|cni|cron[^/]*|ssh|pam\.d|profile\.d|init\.d"
    r"|ld\.so\.conf\.d|sudoers\.d|iptables|nftables|rancher|modprobe\.d|modules-load\.d|sysctl\.d|logrotate\.d|audit|rsyslog\.d"
    r"|apt|yum\.repos\.d|security|udev)/[^/]"
    r"|etc/(?:hosts|hostname|passwd|group|shadow|sudoers|crontab|ld\.so\.preload|ld\.so\.conf|profile|rc\.local|bash\.bashrc"
    r"|environment|resolv\.conf|os-release|machine-id|fstab|nftables\.conf|sysctl\.conf|crictl\.yaml|anacrontab)$"
    r"|var/(?:lib/(?:kubelet|etcd|containerd|docker|rancher|cloud|systemd|cni)|log|spool)/[^/]"
    r"|(?:usr/)?lib/systemd/[^/]|run/systemd/[^/]"
    r"|root/\.[^/]|home/[^/]+/\.[^/]|proc/(?:\d{1,9}/[^/]|net/[^/]|(?:modules|mounts|version|uptime|stat|cmdline)$))"
)
_TOP = re.compile(r"(?:etc|var|root|home|usr|opt|tmp|proc|run|srv|boot|lib|lib64|dev|sys)/[^/]")
_PARTS: Final = frozenset(
    (
        "process",
        "processes",
        "network",
        "system",
        "logs",
        "log",
        "firewall",
        "state",
        "files",
        "live",
        "commands",
        "containers",
    )
)
_MAX_NAME: Final = 253  # of a host name
_SUFFIX = re.compile(r"(?:\.(?:tar|t?gz|tgz|zip|zst|xz|bz2|txt|log|json))+$")
# What an archive of UAC, or of our own, has at its top; chkrootkit/ and the like hold what nobody reads.
_COLLECTED = re.compile(
    r"(?:^|[/!])(live_response/|\[root\]/|recovered/[0-9a-f]{64}$|manifest\.jsonl$|uac\.log(?:\.stderr)?$|bodyfile/bodyfile\.txt$"
    r"|hash_executables/hash_executables\.|chkrootkit/[^/]+$)"
)
_UAC = re.compile(r"uac-(.+?)-(?:linux|macos|freebsd|openbsd|netbsd|solaris|aix|esxi|android)-\d{8,14}")


def machine_path(name: str) -> str:
    """The absolute path on its machine, "" if the name of the item does not tell."""
    folder = _known(name)
    inner = name[len(folder) :] if folder is not None else name
    if (at := inner.find("[root]/")) >= 0:
        return inner[at + 6 :]
    if folder is not None and _TOP.match(inner):
        return "/" + inner
    found = _PATHS.search(inner.replace("!", "/"))
    if not found or (
        folder is None and name.startswith("/") and found.start() == 0 and found[1].startswith(("root/", "home/"))
    ):
        return ""  # an investigator's own home holds evidence, it is none
    return "/" + inner[found.start(1) :]


def _known(name: str) -> str | None:
    """The machine's folder where the name says so by custom, with its slash."""
    parts = re.split("([/!])", name)
    for at in range(0, len(parts) - 4, 2):
        if parts[at] in _GROUPS and parts[at + 2] and (at < 2 or parts[at - 2] != "etc"):
            return "".join(parts[: at + 4])
    found = _COLLECTED.search(name)
    return name[: found.start(1)] if found else None


def is_collected(name: str) -> bool:
    """The item is part of a collector's archive: it is known to be there even if nobody reads it."""
    return _COLLECTED.search(name) is not None


def folder_of(name: str) -> str:
    """The folder of the machine an item belongs to, with its slash or `!`; "" for the folder of names without one."""
    if (known := _known(name)) is not None:
        return known
    if machine_path(name) and (found := _PATHS.search(name.replace("!", "/"))):
        return name[: found.start(1)]
    folder = name[: max(name.rfind("/"), name.rfind("!")) + 1]
    while (cut := max(folder.rfind("/", 0, -1), folder.rfind("!", 0, -1)) + 1) and folder[cut:-1] in _PARTS:
        folder = folder[:cut]
    return folder


def grouped(kinds: Mapping[str, str], tops: Sequence[str] = ()) -> dict[str, str]:
    """Each item's machine as the folder of it.

    What lies below another machine's folder belongs to it, unless both have a process list: then they are two.

    Args:
        kinds: What each item is, by its name.
        tops: Top folders of our own archives: all that is below one belongs to it.
    """
    homes = _homes(tops)
    own = {name: next((homes[top] for top in tops if below(name, top)), folder_of(name)) for name in kinds}
    listed = {own[name] for name, kind in kinds.items() if kind == "processes"}
    customary = {folder for name, folder in own.items() if _known(name) is not None or folder in homes.values()}
    loose = set(own.values()) - customary
    copied = sorted(
        {folder for name, folder in own.items() if folder in loose and folder and machine_path(name)}, key=len
    )
    # A folder called nodes/ inside a copied file system is that machine's, whatever an intruder calls it.
    inside = {
        folder: root for folder in customary for root in reversed(copied)
        if folder.startswith(root) and _TOP.match(folder[len(root) :])
    }  # fmt: skip
    known = set(own.values())
    return {
        name: inside.get(folder, folder) if folder in customary else _outer(folder, known, listed)
        for name, folder in own.items()
    }


def _homes(tops: Sequence[str]) -> dict[str, str]:
    """The machine's folder of each archive: what lies beside it below `nodes/` is of the same one, if it is alone."""
    customary = {top: _known(top + "live_response/") or top for top in tops}
    folders = list(customary.values())
    return {top: folder if folders.count(folder) == 1 else top for top, folder in customary.items()}


def _outer(folder: str, folders: set[str], listed: set[str]) -> str:
    for end in (0, *(at + 1 for at, char in enumerate(folder[:-1]) if char in "/!")):
        outer = folder[:end]
        if outer in folders and not (outer in listed and folder in listed):
            return outer
    return folder


def name_of(folder: str) -> str:
    """A machine's name as its folder or archive is called; a folder called `..` or `.` names nothing."""
    for last in reversed(re.split("[/!]", folder)):
        found = _UAC.match(last)
        name = found[1] if found else _SUFFIX.sub("", last)
        if name.strip(". "):
            return "".join(char if char.isprintable() else "?" for char in name[:_MAX_NAME])
    return "host"
