"""Compiles Kubernetes 1.20.2, the generation of both incidents, from Debian 12's source package.

The tree is compiled where it expects to be, below a GOPATH, with Debian's Go 1.19, unpacked for the purpose. Two
things are needed before:

- json-iterator and reflect2 of that time know the runtime of Go 1.15 from inside; under Go 1.18 and newer the API
  server crashes on its first list of secrets in JSON. Debian's newer packages of the two take their place.
- The archive lacks one generated file, the API's OpenAPI definitions. The generator is in the tree.

`components_1_20/main.go` joins the components into one program as `components/main.go` does for today's, so that
most of the compiling and linking is done once.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from range.debian import run, source, unpack

VERSION = "v1.20.2"
COMPONENTS = ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
SOURCE = ("kubernetes", "1.20.5+really1.20.2", "b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc")
LIBRARIES = {
    "golang-github-json-iterator-go-dev": "github.com/json-iterator/go",
    "golang-github-modern-go-reflect2-dev": "github.com/modern-go/reflect2",
}
PACKAGES = ("golang-1.19-go", "golang-1.19-src", *LIBRARIES)
MAIN = Path(__file__).parent / "components_1_20/main.go"
_TREE = "k8s.io/kubernetes"
_OPENAPI = "pkg/generated/openapi"


def compile_components(target: Path, work: Path, say: Callable[[str], None]) -> None:
    """Compile everything into the one program `target`; `work` is an empty folder that may be thrown away after.

    Raises:
        RangeError: a package is not to be had or a step failed.
    """
    say(f"fetching Kubernetes {VERSION}'s source package and Go 1.19")
    unpacked = unpack(PACKAGES, work / "packages")
    (work / "source").mkdir()
    archive = source(*SOURCE, work / "source")
    tree = work / "gopath/src" / _TREE
    tree.mkdir(parents=True)
    run(["tar", "-xf", str(archive), "--strip-components=1"], tree, archive.name)
    for library in LIBRARIES.values():
        replace_library(tree / "vendor" / library, unpacked / "usr/share/gocode/src" / library)
    say(f"compiling Kubernetes {VERSION}")
    started = time.monotonic()
    toolchain = unpacked / "usr/lib/go-1.19"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GO") or name == "GOCACHE"},
        "GOROOT": str(toolchain), "GOPATH": str(work / "gopath"), "GO111MODULE": "off", "GOPROXY": "off",
        "PATH": f"{toolchain / 'bin'}:{os.environ.get('PATH', '')}",
    }  # fmt: skip
    generator = work / "openapi-gen"
    build = ["go", "build", "-trimpath"]
    run([*build, "-o", str(generator), f"{_TREE}/vendor/k8s.io/code-generator/cmd/openapi-gen"], tree,
        "the generator of OpenAPI definitions", environment)  # fmt: skip
    generate = [str(generator), "--go-header-file", os.devnull, "--output-file-base", "zz_generated.openapi"]
    generate += ["--output-package", f"{_TREE}/{_OPENAPI}", "--report-filename", str(work / "violations")]
    run([*generate, "--input-dirs", ",".join(api_packages(tree))], tree, "the OpenAPI definitions", environment)
    (tree / "cmd/range").mkdir()
    shutil.copy2(MAIN, tree / "cmd/range/main.go")
    known = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": "20", "gitTreeState": "clean"}
    stamps = " ".join(
        f"-X {_TREE}/vendor/k8s.io/{package}.{name}={value}"
        for package in ("component-base/version", "client-go/pkg/version")
        for name, value in known.items()
    )
    run([*build, "-ldflags", f"-s -w {stamps}", "-o", str(target), f"{_TREE}/cmd/range"], tree,
        f"Kubernetes {VERSION}", environment)  # fmt: skip
    say(f"compiled in {time.monotonic() - started:.0f} s")


def replace_library(old: Path, new: Path) -> None:
    """Put the library `new` in the place of `old`, without its tests."""
    shutil.rmtree(old)
    shutil.copytree(new, old, ignore=shutil.ignore_patterns("*_test.go", "*_tests"))


def api_packages(tree: Path) -> list[str]:
    """Import paths of the packages that ask for OpenAPI definitions with the tag `+k8s:openapi-gen=`."""
    found = set[str]()
    for part in ("cmd", "pkg", "plugin", "staging/src/k8s.io"):
        for path in (tree / part).rglob("*.go"):
            inside = str(path.parent.relative_to(tree))
            if path.name.endswith("_test.go") or re.search(r"/(code-generator|sample-apiserver)(/|$)", inside):
                continue
            if b"+k8s:openapi-gen=" in path.read_bytes():
                found.add(f"{_TREE}/{inside.replace('staging/src/', 'vendor/')}")
    return sorted(found)
