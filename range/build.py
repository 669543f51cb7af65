"""Builds what the range runs, once, into a cache outside the checkout: components, container runtime, images.

The cache's name is the fingerprint of everything it was made from, so a changed recipe is another cache. It is made
in a folder beside and renamed when it is whole: a build that was cut short is never mistaken for one.

There is one cache for each generation of Kubernetes:

- 1.34: the components and etcd are `components/`, a Go module on k8s.io/kubernetes, pinned by go.sum. containerd, runc,
  CNI plugins, busybox, iptables, nftables are Debian's packages, unpacked, not installed.
- 1.20: the components are compiled by `build_1_20`; all else is shared with 1.34, whose cache has to be there first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from range import build_1_20
from range.debian import run, unpack
from range.images import APPLETS, ENTRYPOINTS, NAMES, write_images
from range.sandbox import RangeError
from range.script import Generation

KUBERNETES = "v1.34.4"
VERSIONS: dict[Generation, str] = {"1.34": KUBERNETES, "1.20": build_1_20.VERSION}
COMPONENTS = ("etcd", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
PACKAGES = (
    "containerd", "runc", "containernetworking-plugins", "busybox-static", "libseccomp2", "conntrack",
    "iptables", "libxtables12", "libip4tc2", "libip6tc2", "libnftnl11", "libmnl0", "libnetfilter-conntrack3",
    "libnfnetlink0", "nftables", "libnftables1", "libjansson4",
)  # fmt: skip
_SOURCE = Path(__file__).parent / "components"
RECIPE = 2  # raise it when the same sources make something else
RECIPE_1_20 = 1
_WHOLE = "whole.json"  # written last: the size of every file, to notice a cache that somebody trimmed


def cache_folder(generation: Generation = "1.34") -> Path:
    """Where the cache of this recipe is or will be."""
    if generation == "1.20":
        return _cache_folder_1_20()
    digest = hashlib.sha256()
    for path in (*sorted(_SOURCE.rglob("*.go")), _SOURCE / "go.mod", _SOURCE / "go.sum"):
        digest.update(path.read_bytes())
    digest.update(repr((KUBERNETES, PACKAGES, NAMES, APPLETS, ENTRYPOINTS, RECIPE)).encode())
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubewitness-range"
    return Path(os.environ.get("KUBEWITNESS_RANGE_CACHE") or default) / f"{KUBERNETES}-{digest.hexdigest()[:12]}"


def _cache_folder_1_20() -> Path:
    shared = cache_folder()
    made_from = (shared.name, build_1_20.SOURCE, build_1_20.PACKAGES, RECIPE_1_20)
    digest = hashlib.sha256(build_1_20.MAIN.read_bytes() + repr(made_from).encode())
    return shared.parent / f"{build_1_20.VERSION}-{digest.hexdigest()[:12]}"


def defect(cache: Path) -> str:
    """What is wrong with the cache; empty if it is whole."""
    try:
        sizes = msgspec.json.decode((cache / _WHOLE).read_bytes(), type=dict[str, int])
    except (OSError, msgspec.DecodeError):
        return "it was never finished" if cache.exists() else "it has not been built"
    bad = [name for name, size in sizes.items() if not (cache / name).exists() or (cache / name).stat().st_size != size]
    return f"{bad[0]} is missing or has another size" if bad else ""


def build(say: Callable[[str], None], generation: Generation = "1.34") -> Path:
    """The cache of a generation, built if it is not there.

    Raises:
        RangeError: a tool is missing or a step failed; the message ends with what the step printed last.
    """
    cache = cache_folder(generation)
    reason = defect(cache)
    if not reason:
        return cache
    if generation == "1.20":
        build(say)
    say(f"building the range into {cache} ({reason}); about 10 minutes on two cores the first time")
    compiler = ("go", "Go 1.24 or newer") if generation == "1.34" else ("gcc", "a C compiler")
    for tool, hint in (compiler, ("apt-get", "Debian or Ubuntu"), ("dpkg", "Debian or Ubuntu")):
        if not shutil.which(tool):
            raise RangeError(f"{tool} is not on the PATH; building the range needs {hint}")
    shutil.rmtree(cache, ignore_errors=True)
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=cache.parent) as name:
        folder = Path(name) / "cache"
        if generation == "1.34":
            _make(folder, Path(name), say)
        else:
            _make_1_20(folder, Path(name), say)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        (folder / _WHOLE).write_text(json.dumps({str(path.relative_to(folder)): path.stat().st_size for path in files}))
        folder.rename(cache)
    say(f"the range with Kubernetes {VERSIONS[generation]} is built")
    return cache


def _make(folder: Path, work: Path, say: Callable[[str], None]) -> None:
    for part in ("usr/bin", "usr/sbin", "images"):
        (folder / part).mkdir(parents=True)
    _unpack_packages(folder, work / "packages", say)
    _compile(folder, say)
    write_images(folder / "usr/bin/busybox", folder / "usr/bin/inert", folder / "images/images.tar")


def _make_1_20(folder: Path, work: Path, say: Callable[[str], None]) -> None:
    """Everything of 1.34's cache by hard links, which take no room, and the components of 1.20 in their place."""
    program = work / "components"
    build_1_20.compile_components(program, work, say)
    shutil.copytree(cache_folder(), folder, symlinks=True, copy_function=os.link)
    (folder / _WHOLE).unlink()
    for name in build_1_20.COMPONENTS:
        (folder / "usr/bin" / name).unlink()
        (folder / "usr/bin" / name).hardlink_to(program)


def _unpack_packages(folder: Path, packages: Path, say: Callable[[str], None]) -> None:
    say(f"unpacking {len(PACKAGES)} Debian packages (containerd, runc, CNI plugins, iptables ...)")
    unpacked = unpack(PACKAGES, packages)
    shutil.move(unpacked / "usr/lib/cni", folder / "cni")
    for part in ("usr/bin", "usr/sbin", "usr/lib"):
        shutil.copytree(unpacked / part, folder / part, symlinks=True, dirs_exist_ok=True)
    busybox = next(path for path in (unpacked / "bin/busybox", unpacked / "usr/bin/busybox") if path.exists())
    shutil.copy2(busybox, folder / "usr/bin/busybox")
    # Debian picks the back end with "alternatives"; the range always takes nft, today's default.
    for family in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            link = folder / "usr/sbin" / f"{family}{suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to("xtables-nft-multi")


def _compile(folder: Path, say: Callable[[str], None]) -> None:
    say(f"compiling Kubernetes {KUBERNETES} and etcd (a Go module; instant if Go has it in its own cache)")
    started = time.monotonic()
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    known = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = " ".join(
        f"-X {package}.{name}={value}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for name, value in known.items()
    )
    binary = folder / "usr/bin" / COMPONENTS[0]
    flags = ["-trimpath", "-ldflags"]
    run(["go", "build", *flags, f"-s -w {stamps}", "-o", str(binary), "."], _SOURCE, "the components")
    for name in COMPONENTS[1:]:
        (folder / "usr/bin" / name).hardlink_to(binary)
    inert = folder / "usr/bin/inert"
    static = {**os.environ, "CGO_ENABLED": "0"}
    run(["go", "build", *flags, "-s -w", "-o", str(inert), "./inert"], _SOURCE, "the inert program", static)
    (folder / "usr/sbin/init").hardlink_to(inert)
    say(f"compiled in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    try:
        print(build(lambda text: print(text, file=sys.stderr)))
    except RangeError as error:
        sys.exit(f"range: {error}")
