"""Where programs do not belong: temporary folders, names beginning with a dot, memory only."""

from __future__ import annotations

import re
from posixpath import basename, normpath
from typing import Literal

Hiding = Literal["memory", "hidden_name", "temporary", "dots_folder"]

_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/shm/", "/dev/mqueue/")  # noqa: S108 - to be recognised
_DELETED = " (deleted)"
# Tools make these themselves, under names nobody chose: `go run`, AppImage, Ansible, an X server's sockets.
_BUILT = re.compile(r"(?:/var)?/tmp/(?:go-build\d+/|\.mount_[A-Za-z0-9._-]{1,40}/|\.?ansible[._-]|\.X11-unix/)")
_WRAPPED = re.compile(r"/nix/store/.*/\.[^/]+-wrapped_*")  # what Nix calls the program behind its wrapper


def without_deleted(path: str) -> str:
    """The path without the kernel's mark of a deleted file."""
    return path.removesuffix(_DELETED)


def is_deleted(path: str) -> bool:
    """The kernel says that the file is gone."""
    return path.endswith(_DELETED)


def hiding_of(path: str) -> Hiding | None:
    """What is odd about a program at that path; None if nothing is."""
    path = without_deleted(path)[:4096]
    if path.startswith("/memfd:"):
        # runc copies itself into memory before it enters a container, so that the container cannot overwrite it
        return None if path.startswith(("/memfd:runc_cloned:", "/memfd:crun_cloned:")) else "memory"
    if path.startswith("/"):
        path = normpath(path)
    if any(part in ("...", ".. ", " ", ". ") for part in path.split("/")):
        return "dots_folder"
    if _BUILT.match(path) or _WRAPPED.fullmatch(path):
        return None
    temporary = path.startswith(_TEMPORARY)
    name = basename(path)
    if len(name) > 1 and name.startswith(".") and not name.startswith("..") and "/" in path:
        return "hidden_name"
    if temporary:
        return "hidden_name" if any(part.startswith(".") and len(part) > 1 for part in path.split("/")) else "temporary"
    return None
