"""What `check` says is wrong with access goes away by the commands it names, on a real API server.

A control plane without nodes; in it what an intruder does to roles and bindings, each kind once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.posture.access.checks import CHECKS
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Snapshot, run
from kubewitness.sources.kube_cluster import read_cluster
from range.build import cache_folder, defect
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from range.script import Generation
from tests.posture.access.cluster import Document, binding, fresh, role

REPO = Path(__file__).resolve().parents[2]
_KINDS = "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,pods,secrets,namespaces"
_ROUNDS = 20
_SECRETS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets"]}


def tampering(version: str) -> list[Document]:
    """An intruder's work."""
    own = {(one["kind"], one["metadata"]["name"]): one for one in fresh(version)}
    wider = own["ClusterRole", "system:public-info-viewer"]
    controller = own["ClusterRoleBinding", "system:controller:job-controller"]
    eve = {"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}
    return [
        binding("open", "cluster-admin", "User eve", "User system:anonymous", "Group system:unauthenticated"),
        binding("b", "edit", "Group system:authenticated", namespace="kube-public"),
        wider | {"rules": [*wider["rules"], _SECRETS]},
        controller | {"subjects": [*controller["subjects"], eve]},
        role("shop", ("get list", "", "secrets"), labels={"rbac.authorization.k8s.io/aggregate-to-view": "true"}),
        role("system:controller:kube-controller", ("*", "*", "*")),
        binding("gone", "gone", "User bob"),
    ]


def _inside(work: Path, out: Path, generation: Generation) -> int:
    make_network({HOST: CONTROL_PLANE, "office": "10.77.20.5"}, {})
    programs = cache_folder(generation) / "usr/bin"
    plane = ControlPlane(work / "control-plane", programs, Authority(work / "pki"), generation)
    plane.start(audit_policy("metadata"))
    version = f"v{generation}.0"
    config = plane.kubeconfig("root-of-all", "root-of-all", ("system:masters",))
    environment = {
        **os.environ,
        "HOME": str(out),
        "KUBECONFIG": str(config),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*on_host("office"), "bash", "-c", command],
            cwd=out, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def failures(name: str) -> list[dict[str, Any]]:
        (out / name).write_text(shell(f"kubectl get -A -o json {_KINDS}").stdout)
        cluster = read_cluster(list(walk([str(out / name)], None, ()))).cluster
        assert cluster
        cluster.version = version
        told = run(CHECKS, catalogue(), Snapshot(cluster))
        return [
            {
                "key": one.key,
                "fix": one.remedy.fix if one.remedy else "",
                "do": one.remedy.command if one.remedy else "",
            }
            for one in told
            if one.status == "fail"
        ]

    (out / "work.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": tampering(version)}))
    tampered = shell("kubectl apply --server-side --force-conflicts -f work.json")
    assert tampered.returncode == 0, tampered.stderr
    before = after = failures("before.json")
    said = []
    for number in range(_ROUNDS):  # as a person does: the worst first, then look again
        command = next((one["do"] for one in after if one["do"]), "")
        if not command:
            break
        ran = shell(f"set -e\n{command}")
        said.append([command, ran.returncode, ran.stdout + ran.stderr])
        shell("sleep 2" if "label" in command else "true")  # aggregation is a controller's
        after = failures(f"after-{number}.json")
    (out / "told.json").write_text(json.dumps({"before": before, "said": said, "after": after}))
    plane.stop()
    return 0


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if reason := missing() or defect(cache_folder(request.param)):
        pytest.skip(f"no range of {request.param} here: {reason}; run make range")
    out = tmp_path_factory.mktemp(f"repaired-{request.param}")
    command = [sys.executable, "-m", "tests.range_live.test_access_repair", str(out), request.param]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((out / "told.json").read_text())
    return found


def test_every_piece_of_the_work_is_seen(told: dict[str, Any]) -> None:
    seen = {one["key"].removeprefix("checks/access/").partition("|")[0] for one in told["before"]}
    assert seen == {
        "attack_path", "anonymous_grant", "everybody_grant", "altered_default", "injected_rights", "disguised",
        "administrators", "dangling",
    }  # fmt: skip


def test_the_commands_run_and_leave_nothing_to_say(told: dict[str, Any]) -> None:
    assert [one for one in told["said"] if one[1] != 0] == []
    assert told["after"] == []


if __name__ == "__main__":
    _out, _generation = Path(sys.argv[1]), sys.argv[2]
    assert _generation in {"1.34", "1.20"}
    _work = _out / "work"
    sys.exit(run_inside(_work, lambda: _inside(_work, _out, "1.20" if _generation == "1.20" else "1.34")))
