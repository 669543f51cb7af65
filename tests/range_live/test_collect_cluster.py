"""`collect --cluster` on real API servers: no value of a Secret comes along, and nothing is asked but to read.

A control plane without nodes is enough. The command runs on an actor's host with that generation's kubectl, once as an
administrator and once as somebody who may only view.
"""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from range.build import cache_folder, defect
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from range.script import Generation

REPO = Path(__file__).resolve().parents[2]
OFFICE = "10.77.20.5"
MARKER = "marker-of-a-secret-value"
_RBAC = "rbac.authorization.k8s.io"
_OBJECTS: list[dict[str, Any]] = [
    {"kind": "Namespace", "metadata": {"name": "shop"}},
    {
        "kind": "Secret", "metadata": {"name": "db", "namespace": "shop", "labels": {"app": "shop"}},
        "stringData": {"password": MARKER},
    },
    {
        "kind": "ConfigMap", "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        "data": {"ClusterConfiguration": f"kind: ClusterConfiguration\npassword: {MARKER}\n"},
    },
    {"kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "kube-system"}, "data": {"x": MARKER}},
    {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": "registry.example.com/shop/web:1.0",
                 "env": [{"name": "DB_PASSWORD", "value": MARKER}, {"name": "POOL", "value": "pool.example.com"}]},
            ]}},
        },
    },
    {
        "kind": "ClusterRoleBinding", "apiVersion": f"{_RBAC}/v1", "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": "jane"}],
    },
]  # fmt: skip
_COLLECT = """\
import sys
from dataclasses import replace
from pathlib import Path
from kubewitness.cli import collect_cluster
from kubewitness.cli.session import Session
collect_cluster.Options = lambda namespaces, size: replace(_Options(namespaces, size), page=20)
sys.exit(collect_cluster.run(Session(), output=Path(sys.argv[1]), kubeconfig=Path(sys.argv[2]), kubectl=sys.argv[3]))
""".replace("collect_cluster.Options =", "_Options = collect_cluster.Options\ncollect_cluster.Options =")


def _inside(work: Path, out: Path, generation: Generation) -> int:
    make_network({HOST: CONTROL_PLANE, "office": OFFICE}, {})
    programs = cache_folder(generation) / "usr/bin"
    plane = ControlPlane(work / "control-plane", programs, Authority(work / "pki"), generation)
    plane.start(audit_policy("metadata"))
    plane.apply(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"apiVersion": "v1", **one} for one in _OBJECTS]})
    )
    # The administrator's kubectl tells what crosses the wire: the bodies of the answers it decodes, all of them.
    teller = out / "kubectl"
    teller.write_text(f'#!/bin/sh\nexec {programs}/kubectl "$@" -v=10 2>>{out}/wire.txt\n')
    teller.chmod(0o755)
    said = {}
    for user, groups in (("root-of-all", ("system:masters",)), ("jane", ())):
        config = plane.kubeconfig(user, user, groups)
        done = subprocess.run(
            [*on_host("office"), sys.executable, "-c", _COLLECT, str(out / f"{user}.tar.zst"), str(config),
             str(teller if groups else programs / "kubectl")],
            cwd=REPO, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=150,
            env={**os.environ, "HOME": str(out / "home"), "LC_ALL": "C"},
        )  # fmt: skip
        said[user] = done.returncode, done.stdout + done.stderr
    plane.stop()
    shutil.copy2(plane.audit_log, out / "audit.log")
    (out / "said.json").write_text(json.dumps(said))
    return 0


class Collected:
    """What the two runs said and wrote, and what the API server heard."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.said: dict[str, tuple[int, str]] = json.loads((out / "said.json").read_text())
        lines = map(json.loads, (out / "audit.log").read_text().splitlines())
        self.heard = [event for event in lines if event["sourceIPs"] == [OFFICE]]

    def members(self, user: str) -> dict[str, bytes]:
        data = zstandard.ZstdDecompressor().stream_reader((self.out / f"{user}.tar.zst").read_bytes()).read()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {info.name.partition("/")[2]: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]

    def list(self, user: str, name: str) -> list[dict[str, Any]]:
        items = json.loads(self.members(user)[f"cluster/{name}.json"])["items"]
        assert isinstance(items, list)
        return items


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    if reason := missing() or defect(cache_folder(request.param)):
        pytest.skip(f"no range of {request.param} here: {reason}; run make range")
    out = tmp_path_factory.mktemp(f"collected-{request.param}")
    # In a process of its own: after unshare its children live in the sandbox.
    command = [sys.executable, "-m", "tests.range_live.test_collect_cluster", str(out), request.param]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return Collected(out)


def test_an_administrator_gets_everything(collected: Collected) -> None:
    status, text = collected.said["root-of-all"]
    assert status == 0, text
    assert "Not collected" not in text
    names = {one["metadata"]["name"] for one in collected.list("root-of-all", "rbac.authorization.k8s.io/clusterroles")}
    assert {"cluster-admin", "view", "system:node"} <= names  # several pages of twenty
    assert len({name for name in names if name.startswith("system:controller:")}) > 20


def test_no_value_of_a_secret_is_in_the_archive_but_its_name_is(collected: Collected) -> None:
    members = collected.members("root-of-all")
    assert not [name for name, data in members.items() if MARKER.encode() in data]
    [secret] = [one for one in collected.list("root-of-all", "core/secrets") if one["metadata"]["name"] == "db"]
    assert secret["metadata"] == {"namespace": "shop", "name": "db", "labels": {"app": "shop"}}
    assert (secret["type"], secret["keys"]) == ("Opaque", 1)


def test_no_value_of_a_secret_crosses_the_wire(collected: Collected) -> None:
    wire = (collected.out / "wire.txt").read_text()
    tables = [line for line in wire.splitlines() if '"kind":"Table"' in line and '"db"' in line]
    assert tables
    assert base64.b64encode(MARKER.encode()).decode() not in wire


def test_objects_are_whole_but_for_what_was_taken_out(collected: Collected) -> None:
    [web] = collected.list("root-of-all", "apps/deployments")
    assert web["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "DB_PASSWORD", "value": "redacted by kubewitness"}, {"name": "POOL", "value": "pool.example.com"},
    ]  # fmt: skip
    maps = {one["metadata"]["name"]: one for one in collected.list("root-of-all", "core/configmaps")}
    assert maps["kubeadm-config"]["data"]["ClusterConfiguration"].startswith(
        "kind: ClusterConfiguration\npassword: REDA"
    )
    assert "data" not in maps["theirs"]


def test_who_may_only_view_gets_what_can_be_seen_and_is_told_the_rest(collected: Collected) -> None:
    status, text = collected.said["jane"]
    assert status == 3
    assert "core/secrets.json: Not permitted" in text
    assert {"default", "shop"} <= {one["metadata"]["name"] for one in collected.list("jane", "core/namespaces")}
    omitted = [json.loads(line) for line in collected.members("jane")["manifest.jsonl"].splitlines()]
    assert any(one["record"] == "omitted" and "secrets" in one["path"] for one in omitted)


def test_nothing_was_asked_but_to_read(collected: Collected) -> None:
    assert {event["verb"] for event in collected.heard} == {"get", "list"}
    assert {event["user"]["username"] for event in collected.heard} == {"root-of-all", "jane"}


def test_of_secrets_the_server_was_asked_for_a_list_and_never_for_one(collected: Collected) -> None:
    asked = [event for event in collected.heard if event.get("objectRef", {}).get("resource") == "secrets"]
    assert {event["verb"] for event in asked} == {"list"}


def test_nothing_is_left_in_the_home_folder(collected: Collected) -> None:
    assert not (collected.out / "home").exists()


if __name__ == "__main__":
    _out, _generation = Path(sys.argv[1]), sys.argv[2]
    assert _generation in {"1.34", "1.20"}
    _work = _out / "work"
    sys.exit(run_inside(_work, lambda: _inside(_work, _out, "1.20" if _generation == "1.20" else "1.34")))
