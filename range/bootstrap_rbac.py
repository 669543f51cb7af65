"""Makes `content/bootstrap/rbac.json`: the roles and bindings that API servers of each version make by themselves.

    python -m range.bootstrap_rbac TESTDATA       write the file anew
    python -m range.bootstrap_rbac dump 1.34 OUT  what an API server of the range has made, as JSON

Two sources. What Kubernetes publishes beside its code, files that its own tests hold equal to the code:
`plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata/*.yaml`. TESTDATA has one folder a release (`v1.34.4`) with
these files as the Go module k8s.io/kubernetes of that release holds them; `cluster-roles-featuregates.yaml`, where it
exists, tells what comes in addition with every feature gate on. And an API server of the range, asked for what it made
at its start: where there is one of a version, both have to be equal.

Of each object and each rule the file says from which known version until which it was there. What lies between known
versions stays between them: nobody is told that a rule came with 1.24 because 1.21 lacks it and 1.28 has it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from range.build import cache_folder
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network
from range.sandbox import run_inside
from range.script import Generation

REPO: Final = Path(__file__).resolve().parents[1]
TARGET: Final = REPO / "src/kubewitness/content/bootstrap/rbac.json"
KINDS: Final = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_API: Final = "/apis/rbac.authorization.k8s.io/v1"
_LABEL: Final = "kubernetes.io/bootstrapping"
_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"
_GATED: Final = "cluster-roles-featuregates.yaml"
_FIELDS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


class Source(NamedTuple):
    """Where a version's objects come from: of an API server of the range, if it has one of that version, else files."""

    minor: int
    release: str
    generation: Generation | None = None  # of the range
    tree: str = ""  # of a published copy, where the release has no module to be had
    exact: bool = True  # False: shortly before the first release of that version

    @property
    def told(self) -> str:
        """In words."""
        where = f" ({self.tree})" if self.tree else ""
        return f"testdata of {self.release}{where}" + (", equal to what an API server made" if self.generation else "")


SOURCES: Final = (
    Source(8, "1.8.0-alpha", None, "cosmoskitten/kubernetes@a64eeb47f6ed of 2017-08-28", exact=False),
    Source(12, "1.12.0-beta", None, "duglin/kubernetes@a6eb49f0dc9a of 2018-09-07", exact=False),
    Source(14, "1.14.10", None, "yifengyou/kubernetes-1.14.0@76823b01d277"),
    Source(16, "1.16.15"), Source(17, "1.17.17"), Source(18, "1.18.20"), Source(19, "1.19.16"),
    Source(20, "1.20.15", "1.20"), Source(21, "1.21.14"), Source(22, "1.22.17"), Source(23, "1.23.17"),
    Source(24, "1.24.17"), Source(25, "1.25.16"), Source(26, "1.26.15"), Source(27, "1.27.16"),
    Source(28, "1.28.15"), Source(29, "1.29.14"), Source(30, "1.30.14"), Source(31, "1.31.14"),
    Source(32, "1.32.11"), Source(33, "1.33.7"), Source(34, "1.34.4", "1.34"), Source(35, "1.35.0"),
    Source(36, "1.36.0"),
)  # fmt: skip


def live(generation: Generation) -> list[dict[str, Any]]:
    """What an API server of the range makes at its start, as its lists; the caller must be a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "dump.json"
        command = [sys.executable, "-m", "range.bootstrap_rbac", "dump", generation, str(out)]
        subprocess.run(command, cwd=REPO, check=True, timeout=600)
        lists: list[dict[str, Any]] = json.loads(out.read_text())
    return lists


def _dump(generation: Generation, out: Path) -> int:
    work = out.with_suffix(".work")

    def body() -> int:
        make_network({HOST: CONTROL_PLANE}, {})
        programs = cache_folder(generation) / "usr/bin"
        plane = ControlPlane(work / "control-plane", programs, Authority(work / "pki"), generation)
        plane.start(audit_policy("metadata"))
        out.write_text(json.dumps(_settled(plane)))
        plane.stop()
        return 0

    return run_inside(work, body)


def _settled(plane: ControlPlane) -> list[Any]:
    """The four lists once nothing has changed for two seconds: the controller manager fills the aggregated roles."""
    before, calm = list[Any](), 0
    for _ in range(120):
        after = [plane.get(f"{_API}/{kind.lower()}s") for kind in KINDS]
        calm = calm + 1 if [one["items"] for one in after] == before else 0
        if calm == 4:
            return after
        before = [one["items"] for one in after]
        time.sleep(0.5)
    raise SystemExit("the roles of the API server never settled")


def items_of(lists: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The objects of lists, each with its kind; only those that an API server made for itself."""
    for one in lists:
        for item in one["items"]:
            if (item["metadata"].get("labels") or {}).get(_LABEL) == "rbac-defaults":
                yield {"kind": one["kind"].removesuffix("List"), **item}


def published(folder: Path) -> Iterator[dict[str, Any]]:
    """The objects of a version's files, without those of feature gates."""
    for path in sorted(folder.glob("*.yaml")):
        if path.name != _GATED:
            yield from _read(path)


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["items"]
    return found


class Row(NamedTuple):
    """One thing that an object says: JSON of a rule, subject, reference, selector or label."""

    kind: str
    namespace: str
    name: str
    part: str
    content: str


def rows(item: dict[str, Any]) -> Iterator[Row]:
    """All that counts of an object."""
    meta = item["metadata"]
    place = (item["kind"], meta.get("namespace", ""), meta["name"])
    yield Row(*place, "object", "")
    for key, value in (meta.get("labels") or {}).items():
        if key.startswith(_AGGREGATE):
            yield Row(*place, "label", json.dumps({key: value}))
    aggregation = item.get("aggregationRule")
    for selector in (aggregation or {}).get("clusterRoleSelectors") or ():
        yield Row(*place, "selector", json.dumps(selector["matchLabels"], sort_keys=True))
    # The rules of an aggregated role are its controller's.
    for rule in () if aggregation else item.get("rules") or ():
        yield Row(*place, "rule", json.dumps({name: sorted(rule[name]) for name in _FIELDS if rule.get(name)}))
    for subject in item.get("subjects") or ():
        kept = {name: subject[name] for name in ("kind", "name", "namespace") if subject.get(name)}
        yield Row(*place, "subject", json.dumps(kept))
    if "roleRef" in item:
        reference = item["roleRef"]
        yield Row(*place, "roleRef", json.dumps({"kind": reference["kind"], "name": reference["name"]}))


def spans(present: Sequence[bool], minors: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last known version of each stretch in which something was there."""
    since: int | None = None
    for index, there in enumerate([*present, False]):
        if there and since is None:
            since = minors[index]
        elif not there and since is not None:
            yield since, minors[index - 1]
            since = None


def write(folder: Path) -> None:
    """Gather everything and write the file."""
    minors, every, gated = [one.minor for one in SOURCES], dict[Row, set[int]](), dict[Row, set[int]]()
    for source in SOURCES:
        files = folder / f"v{source.release}"
        mine = {row for item in published(files) for row in rows(item)}
        for row in mine:
            every.setdefault(row, set()).add(source.minor)
        if source.generation:
            made = {row for item in items_of(live(source.generation)) for row in rows(item)}
            if made != mine:
                raise SystemExit(f"{source.told} differ: {sorted(made ^ mine)}")
        if (files / _GATED).exists():
            for row in {row for item in _read(files / _GATED) for row in rows(item)} - mine:
                gated.setdefault(row, set()).add(source.minor)
    out = [
        {**_entry(row, since, until), **({"gated": True} if some is gated else {})}
        for some in (every, gated)
        for row, known in some.items()
        for since, until in spans([minor in known for minor in minors], minors)
    ]
    out.sort(
        key=lambda one: json.dumps([one["kind"], one.get("namespace", ""), one["name"], _ORDER.index(one["part"]), one])
    )
    versions = [{"minor": one.minor, "from": one.told, "exact": one.exact} for one in SOURCES]
    head = ",\n".join(json.dumps(one) for one in versions)
    body = ",\n".join(json.dumps(one) for one in out)
    TARGET.write_text(f'{{"versions": [\n{head}\n],\n"rows": [\n{body}\n]}}\n')


_ORDER: Final = ("object", "label", "selector", "roleRef", "subject", "rule")


def _rank(one: dict[str, Any]) -> tuple[str, str, str, int, str]:
    return one["kind"], one.get("namespace", ""), one["name"], _ORDER.index(one["part"]), json.dumps(one)


def _entry(row: Row, since: int, until: int) -> dict[str, Any]:
    said = {row.part: json.loads(row.content)} if row.content else {}
    place = {"kind": row.kind, **({"namespace": row.namespace} if row.namespace else {}), "name": row.name}
    return {**place, "since": since, "until": until, "part": row.part, **said}


if __name__ == "__main__":
    if sys.argv[1] == "dump":
        sys.exit(_dump("1.20" if sys.argv[2] == "1.20" else "1.34", Path(sys.argv[3])))
    write(Path(sys.argv[1]))
