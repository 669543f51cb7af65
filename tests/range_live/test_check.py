"""`check cluster` on real API servers: live and from a dump of kubectl the same answers, and an untouched one is quiet.

A control plane without nodes is enough. First as it comes, then with the first incident's binding.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubewitness.model.judgement import SEVERITIES
from range.build import cache_folder, defect
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from range.script import Generation

REPO = Path(__file__).resolve().parents[2]
OFFICE = "10.77.20.5"
_RBAC = "rbac.authorization.k8s.io"
_KINDS = (
    "clusterroles,clusterrolebindings,roles,rolebindings,namespaces,nodes,pods,services,serviceaccounts,"
    "deployments,daemonsets,statefulsets,replicasets,jobs,cronjobs,ingresses,networkpolicies,"
    "certificatesigningrequests,persistentvolumes,"
    "mutatingwebhookconfigurations,validatingwebhookconfigurations"
)
_OPEN: dict[str, Any] = {
    "kind": "ClusterRoleBinding", "apiVersion": f"{_RBAC}/v1", "metadata": {"name": "open"},
    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": "system:anonymous"}],
}  # fmt: skip


def _inside(work: Path, out: Path, generation: Generation) -> int:
    make_network({HOST: CONTROL_PLANE, "office": OFFICE}, {})
    programs = cache_folder(generation) / "usr/bin"
    plane = ControlPlane(work / "control-plane", programs, Authority(work / "pki"), generation)
    plane.start(audit_policy("metadata"))
    config = plane.kubeconfig("root-of-all", "root-of-all", ("system:masters",))

    def ran(*command: str) -> subprocess.CompletedProcess[bytes]:
        environment = {**os.environ, "HOME": str(out / "home"), "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1795300000"}
        return subprocess.run(
            [*on_host("office"), *command],
            cwd=REPO, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=200, env=environment,
        )  # fmt: skip

    check = (sys.executable, "-m", "kubewitness", "check", "cluster", "--format", "json", "--quiet")
    for state in ("untouched", "open"):
        if state == "open":
            plane.apply(json.dumps(_OPEN))
        live = ran(*check, "--kubeconfig", str(config), "--kubectl", str(programs / "kubectl"))
        (out / f"{state}-live.json").write_bytes(live.stdout)
        (out / f"{state}-live.txt").write_bytes(live.stderr)
        told = ran(str(programs / "kubectl"), "--kubeconfig", str(config), "get", "-A", "-o", "json", _KINDS)
        (out / f"{state}.dump.json").write_bytes(told.stdout)
        read = ran(*check, str(out / f"{state}.dump.json"))
        (out / f"{state}-read.json").write_bytes(read.stdout)
        codes = {"live": live.returncode, "read": read.returncode}
        (out / f"{state}-codes.json").write_text(json.dumps(codes))
    plane.stop()
    return 0


class Checked:
    """What the runs said."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def report(self, state: str, road: str) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.out / f"{state}-{road}.json").read_bytes())
        return report

    def failures(self, state: str, road: str) -> list[dict[str, Any]]:
        return [one for one in self.report(state, road)["results"] if one["status"] == "fail"]


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checked:
    if reason := missing() or defect(cache_folder(request.param)):
        pytest.skip(f"no range of {request.param} here: {reason}; run make range")
    out = tmp_path_factory.mktemp(f"checked-{request.param}")
    # In a process of its own: after unshare its children live in the sandbox.
    command = [sys.executable, "-m", "tests.range_live.test_check", str(out), request.param]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return Checked(out)


def test_the_cluster_is_asked_and_its_version_known(checked: Checked) -> None:
    report = checked.report("untouched", "live")
    assert report["version"].startswith("v1.")
    assert report["complete"], (checked.out / "untouched-live.txt").read_text()
    assert not report["parse_failures"]


@pytest.mark.parametrize("state", ["untouched", "open"])
def test_what_is_judged_both_ways_is_judged_alike(checked: Checked, state: str) -> None:
    """A dump may lack what an archive has (the version, empty lists); what both judge they judge alike."""
    live, read = (
        {one["key"]: one["status"] for one in checked.report(state, road)["results"]} for road in ("live", "read")
    )
    judged = {"pass", "fail"}
    both = {key for key in live.keys() & read.keys() if live[key] in judged and read[key] in judged}
    assert {key: live[key] for key in both} == {key: read[key] for key in both}


@pytest.mark.parametrize("road", ["live", "read"])
def test_an_untouched_cluster_gives_nothing_above_low(checked: Checked, road: str) -> None:
    loud = [one for one in checked.failures("untouched", road) if SEVERITIES.index(one["severity"]) > 1]
    assert [(one["check"], one["subject"], one["observed"]["en"]) for one in loud] == []


if __name__ == "__main__":
    _out, _generation = Path(sys.argv[1]), sys.argv[2]
    assert _generation in {"1.34", "1.20"}
    _work = _out / "work"
    sys.exit(run_inside(_work, lambda: _inside(_work, _out, "1.20" if _generation == "1.20" else "1.34")))
