"""Files that a listing shows where programs do not belong: executables under a name beginning with a dot, or in a
folder named to be overlooked (`...`), or ones that run as their owner (setuid), in folders for temporary files.

A listing shows that a file was there, not what it was or that it ran. X servers, desktops, systemd and snaps leave
folders of such names there; they hold sockets and no executables, and are silent. So are the folders that tools make
inside a project that somebody keeps under /tmp (`x/.git/hooks`, `x/.venv/bin`); who hides something puts the hidden
name itself into the temporary folder, or on the file. Other hidden folders inside visible ones are told, low.

Source: the paths of `facts` about campaigns (/var/tmp/.system, /tmp/.x1mr, /var/tmp/...), file(1) modes of ls(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.stating import state
from kubewitness.model.host import FileEntry, Host
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text

_TEMPORARY = re.compile(r"(?:/var)?/tmp/|/dev/(?:shm|mqueue)/|/run/shm/")
_USUAL = re.compile(
    r"(?:/var)?/tmp/(?:\.(?:X11|font|ICE|Test|XIM)-unix(?:/|$)|systemd-private-|snap[-.]|\.X\d{1,3}-lock$"
    r"|\.(?:com\.google\.Chrome|org\.chromium\.Chromium|vscode|NET|dotnet)[./])"
)
# What tools call the folder they make inside a project: version control, builds, packages. Right below the temporary
# folder (/tmp/.git) such a name belongs to no project.
_PROJECT = re.compile(
    r"/(?:\.(?:git|hg|svn|venv|env|tox|nox|cache|mypy_cache|eggs|npm|yarn|pnpm|cargo|rustup|terraform|gradle|mvn|m2|husky"
    r"|github|gitlab|circleci|devcontainer|vscode|idea|next|nuget|bundle|pytest_cache)|node_modules/\.bin)/"
)


def hidden_file(host: Host) -> Iterator[HostFinding]:
    """Executables that lie hidden in temporary folders, one finding for each severity."""
    found = dict[Severity, list[tuple[FileEntry, Text]]]()
    for entry in host.listing:
        if judged := _judged(entry):
            found.setdefault(judged[0], []).append((entry, judged[1]))
    for severity, entries in found.items():
        times = sorted(entry.modified for entry, _ in entries if entry.modified)
        yield state(
            "hidden_file",
            host,
            "; ".join(entry.path for entry, _ in entries[:20]),
            [(entry.place, f"{entry.mode} {entry.owner} {entry.size} {entry.path}") for entry, _ in entries[:8]],
            count=len(entries),
            first=times[0] if times else "",
            last=times[-1] if times else "",
            severity=severity,
            confidence="medium" if severity == "medium" else "low",
            reasons=(reason for _, reason in entries[:20]),
        )


def _judged(entry: FileEntry) -> tuple[Severity, Text] | None:
    path = entry.path[:4096]
    if not _TEMPORARY.match(path) or _USUAL.match(path):
        return None
    shown = path[:200]
    hiding = hiding_of(path)
    if entry.kind == "directory":
        if hiding == "dots_folder" and path.rstrip("/").rpartition("/")[2] not in (".", ".."):
            return "medium", Text(f"a folder named to be overlooked: {shown}", f"目录名故意让人忽视：{shown}")
        return None
    if entry.kind != "file" or "x" not in entry.mode.lower().replace("s", "x")[1:]:
        return None
    if "s" in entry.mode[1:7].lower():
        said = Text(
            f"it runs as its owner {entry.owner} (setuid): {shown}",
            f"以属主 {entry.owner} 的身份运行（setuid）：{shown}",
        )
        return "medium", said
    if hiding == "hidden_name" and (inside := _TEMPORARY.sub("", path, count=1)) and not _hides(inside):
        if _PROJECT.search("/" + inside):
            return None
        return "low", Text(f"an executable in a hidden folder: {shown}", f"位于隐藏目录中的可执行文件：{shown}")
    if hiding in ("hidden_name", "dots_folder"):
        return "medium", Text(f"a hidden executable: {shown}", f"隐藏的可执行文件：{shown}")
    if hiding and path.startswith(("/dev/shm/", "/dev/mqueue/", "/run/shm/")):  # noqa: S108 - to be recognised
        return "low", Text(f"an executable in a folder of memory: {shown}", f"位于内存目录中的可执行文件：{shown}")
    return None


def _hides(inside: str) -> bool:
    """Whether the file itself, or the folder right below the temporary one, has the hidden name."""
    return inside.startswith(".") or inside.rpartition("/")[2].startswith(".")
