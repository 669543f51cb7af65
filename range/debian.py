"""Debian's packages and source packages: fetched and unpacked into a folder, never installed.

Source packages need sources of kind `deb-src`, which few machines have. So apt-get is given a private state: the
machine's own sources, each asked for its source packages instead. Nothing of the machine's apt is changed.
Source of the two forms: sources.list(5).
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from range.sandbox import RangeError

_ROOT = ["-o", "APT::Sandbox::User=root"]  # folders of root's are closed to the user that apt-get would become


def run(command: list[str], folder: Path, what: str, environment: dict[str, str] | None = None) -> str:
    """Run one step of a build and give back what it printed.

    Raises:
        RangeError: it failed; the message says what could not be had and ends with what the step printed last.
    """
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise RangeError(f"{what} could not be had ({command[0]} ended with {done.returncode}):\n{last}")
    return done.stdout


def unpack(packages: Sequence[str], folder: Path) -> Path:
    """The folder below `folder` into which `packages` were unpacked.

    Raises:
        RangeError: one could not be fetched.
    """
    folder.mkdir()
    fetch = ["apt-get", *_ROOT, "download", "--quiet", *packages]
    if subprocess.run(fetch, cwd=folder, capture_output=True, check=False).returncode:
        run(["apt-get", "update", "--quiet"], folder, "the package lists")
        run(fetch, folder, "Debian's packages")
    unpacked = folder / "unpacked"
    for package in sorted(folder.glob("*.deb")):
        run(["dpkg", "-x", str(package), str(unpacked)], folder, package.name)
    return unpacked


def source(name: str, version: str, digest: str, folder: Path) -> Path:
    """The original archive of source package `name`, fetched into `folder`; its SHA-256 has to be `digest`.

    `version` is the upstream part; which of Debian's revisions of it there is does not matter.

    Raises:
        RangeError: the machine's sources have no such package, or it is another archive.
    """
    parts, state = folder / "sources", folder / "state"
    for made in (parts, state / "lists/partial", state / "cache/archives/partial"):
        made.mkdir(parents=True)
    for number, path in enumerate(_configured(Path("/etc/apt"))):
        (parts / f"{number}{path.suffix}").write_text(asking_for_sources(path.read_text(errors="replace")))
    private = [
        *_ROOT, "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={parts}",
        "-o", f"Dir::State::Lists={state / 'lists'}", "-o", f"Dir::Cache={state / 'cache'}",
    ]  # fmt: skip
    run(["apt-get", *private, "update", "--quiet"], folder, "the lists of source packages")
    shown = run(["apt-cache", *private, "showsrc", "--only-source", name], folder, f"the source package {name}")
    found = re.findall(r"^Version: (\S+)", shown, re.M)
    wanted = [one for one in found if one.startswith(f"{version}-")]
    if not wanted:
        there = ", ".join(found) or "none"
        raise RangeError(f"the machine's package sources have {name} {there}, not {version}; Debian 12 has it")
    get = ["apt-get", *private, "source", "--quiet", "--download-only", f"{name}={wanted[-1]}"]
    run(get, folder, f"the source package {name}")
    archive = next(iter(sorted(folder.glob("*.orig.tar.*"))), None)
    if not archive or hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        raise RangeError(f"{name} {version}: the archive is not the known one (SHA-256 {digest})")
    return archive


def asking_for_sources(text: str) -> str:
    """A file of sources in either of apt's forms, changed to ask for source packages."""
    text = re.sub(r"(?im)^Types:.*$", "Types: deb-src", text)
    return re.sub(r"(?m)^\s*deb(?=\s)", "deb-src", text)


def _configured(folder: Path) -> list[Path]:
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return [path for path in files if path.is_file() and path.suffix in {".list", ".sources"}]
