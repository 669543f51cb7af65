"""The recorder on somebody's own cluster, played against a range cluster.

One cluster is started for all tests of this file; the command runs on an actor's host, where the cluster is reached by
its address and nothing else is to be had.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from range.build import cache_folder, defect
from range.cluster import Cluster
from range.labels import Labels, read_labels
from range.network import on_host
from range.sandbox import missing, run_inside
from range.script import load

REPO = Path(__file__).resolve().parents[2]
SCENARIO = """\
title: {en: A thief with a leaked certificate, zh: 证书泄露后的入侵者}
about: {en: Small and quick, zh: 小而快}
background: []
calm: 0
settle: 0
actors:
  admin: {role: administrator, address: 10.77.20.10}
  thief: {role: intruder, address: 203.0.113.9}
  ghost: {role: intruder, address: 203.0.113.10}
credentials:
  masters: {user: root-of-all, groups: ["system:masters"]}
  jane: {user: jane, groups: [developers]}
setup:
  - {actor: admin, as: masters, kubectl: {args: create namespace vault}}
  - actor: admin
    as: masters
    kubectl:
      args: apply -f -
      manifest: |
        apiVersion: v1
        kind: Secret
        metadata: {name: keys, namespace: vault}
        stringData: {key: made-up}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: jane, namespace: vault}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
        subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: box, namespace: vault}
        spec:
          terminationGracePeriodSeconds: 1
          nodeSelector: {kubernetes.io/hostname: node1}
          containers: [{name: box, image: "registry.example.com/shop/web:1.0", imagePullPolicy: IfNotPresent}]
  - actor: admin
    as: admin
    request:
      path: /apis/rbac.authorization.k8s.io/v1/clusterrolebindings
      method: POST
      expect: [201]
      body:
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: jane-looks}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
        subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
  - {actor: admin, until: {path: /api/v1/namespaces/vault/pods/box, field: status.phase, value: Running}}
phases:
  - name: takes
    steps:
      - {actor: thief, as: anonymous, step: knocks, request: {path: /api/v1/secrets, agent: knock/1, expect: [403]}}
      - {actor: thief, as: jane, step: reads secrets, kubectl: {args: get secrets -n vault}}
      - {actor: thief, as: jane, step: reads secrets, request: {path: /api/v1/namespaces/vault/secrets/keys}}
      - {actor: thief, as: jane, step: runs a command, kubectl: {args: exec -n vault box -- id}}
      - {actor: thief, as: jane, step: asks for a token, keep: {a: ""}, kubectl: {args: create token default -n vault}}
      - {actor: ghost, as: "kept:a", step: comes back, kubectl: {args: get pods -n vault, expect: [1]}}
      - {actor: ghost, as: "serviceaccount:vault/default", step: comes back, request: {path: /version}}
expected:
  incidents:
    - {actors: [thief, ghost], entry_identity: jane, entry_address: 203.0.113.9, root_causes: [Credential/jane]}
"""
UNPLAYABLE = """\
title: {en: Past the API server, zh: 绕过 API Server}
about: {en: Small and quick, zh: 小而快}
background: []
calm: 0
settle: 0
actors: {thief: {role: intruder, address: 203.0.113.9}}
phases:
  - name: takes
    steps:
      - {actor: thief, as: anonymous, step: looks, request: {path: /version}}
      - {actor: thief, step: breaks in, node: {node: node1, command: "true"}}
      - {actor: thief, step: pulls, as: admin, kubectl: {args: run pulled --image=registry.example.com/not/there:1}}
"""


def _inside(work: Path, out: Path) -> int:
    """In the sandbox: a cluster, and the command against it again and again; what happened goes to `out`."""
    scenario, unplayable = out / "thief", out / "unplayable"
    for folder, text in ((scenario, SCENARIO), (unplayable, UNPLAYABLE)):
        folder.mkdir()
        (folder / "scenario.yaml").write_text(text)
    script = load(scenario)
    cluster = Cluster(script, script.actors, work, cache_folder(), scenario / "served")
    cluster.start(lambda _: None)
    config = cluster.plane.kubeconfig("own", "kubernetes-admin", ("kubeadm:cluster-admins",))
    said = dict[str, tuple[int, str]]()

    def play(name: str, *words: str) -> None:
        command = [sys.executable, "-m", "range", *words]
        done = subprocess.run(
            [*on_host(cluster.hosts["thief"]), *command], cwd=REPO, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False, timeout=150,
        )  # fmt: skip
        said[name] = done.returncode, done.stdout + done.stderr

    own = ["--kubeconfig", str(config)]
    log = ["--audit-log", str(cluster.plane.audit_log)]
    play("without label", "run", str(scenario), *own, "--yes")
    shutil.copy2(cluster.plane.audit_log, out / "audit-without-label.log")
    marked = {"name": "kube-system", "labels": {"kubewitness.io/disposable-cluster": "yes"}}
    cluster.plane.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": marked}))
    play("nobody confirms", "run", str(scenario), *own)
    play("refused", "run", str(unplayable), *own, "--yes")
    record = ["--record", str(out / "recorded")]
    play("played", "run", str(scenario), *own, *log, *record, "--yes", "--claim-addresses", "--clean-up")
    shutil.copy2(cluster.plane.audit_log, out / "audit-copy.log")
    paths = {"namespace": "/api/v1/namespaces/vault", "csrs": "/apis/certificates.k8s.io/v1/certificatesigningrequests"}
    paths["binding"] = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/jane-looks"
    left = {name: cluster.plane.get(path) for name, path in paths.items()}
    play(
        "skipping", "run", str(unplayable), *own, *log, "--record", str(out / "skipped"), "--yes", "--skip-unsupported"
    )
    later = out / "later"
    later.mkdir()
    shutil.copy2(out / "recorded/deeds.json", later / "deeds.json")
    play("labelled later", "label", "--audit-log", str(out / "audit-copy.log"), str(later / "deeds.json"))
    nodes = cluster.plane.get("/api/v1/nodes")
    cluster.stop()
    (out / "result.json").write_text(json.dumps({"said": said, "left": left, "nodes": nodes}))
    return 0


class Played:
    """What the runs of `_inside` said and left."""

    def __init__(self, out: Path) -> None:
        result = json.loads((out / "result.json").read_text())
        self.out = out
        self.said: dict[str, tuple[int, str]] = {name: (one[0], one[1]) for name, one in result["said"].items()}
        self.left: dict[str, Any] = result["left"]

    def labels(self, name: str = "recorded") -> Labels:
        return read_labels(self.out / name / "labels.json")

    def events(self) -> list[dict[str, Any]]:
        content = gzip.decompress((self.out / "recorded/evidence/control-plane/audit.log.gz").read_bytes())
        return [json.loads(line) for line in content.splitlines()]

    def events_of(self, actor: str, step: str) -> list[dict[str, Any]]:
        whose = {one.audit_id for one in self.labels().requests if (one.actor, one.step) == (actor, step)}
        return [event for event in self.events() if event["auditID"] in whose]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    if reason := missing() or defect(cache_folder()):
        pytest.skip(f"no range here: {reason}")
    out = tmp_path_factory.mktemp("own-cluster")
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    # In a process of its own: after unshare its children live in the sandbox.
    command = [sys.executable, "-m", "tests.range_live.test_external", str(out)]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return Played(out)


def test_without_the_label_it_refuses_even_with_yes_and_names_the_command(played: Played) -> None:
    status, text = played.said["without label"]
    assert status == 2
    assert "label namespace kube-system kubewitness.io/disposable-cluster=yes" in text
    assert "Traceback" not in text


def test_without_the_label_nothing_is_sent_but_the_question_for_it(played: Played) -> None:
    lines = (played.out / "audit-without-label.log").read_text().splitlines()
    own = [event for event in map(json.loads, lines) if event["sourceIPs"] == ["203.0.113.9"]]
    asked = {(event["verb"], event["requestURI"].partition("?")[0]) for event in own}
    assert asked <= {("get", "/api/v1/namespaces/kube-system"), ("get", "/version")}  # some kubectls ask for the latter


def test_nobody_to_confirm_is_a_refusal(played: Played) -> None:
    status, text = played.said["nobody confirms"]
    assert status == 2
    assert "--yes" in text
    assert "thief (intruder)" in text  # what it would have done was shown first


def test_what_the_cluster_cannot_give_is_refused_by_step(played: Played) -> None:
    status, text = played.said["refused"]
    assert status == 2
    assert "step 2: node:" in text


def test_it_plays_records_and_labels(played: Played) -> None:
    status, text = played.said["played"]
    assert status == 0, text
    labels = played.labels()
    assert [(one.actor, one.step) for one in labels.steps] == [
        ("thief", "knocks"), ("thief", "reads secrets"), ("thief", "runs a command"), ("thief", "asks for a token"),
        ("ghost", "comes back"),
    ]  # fmt: skip
    assert not labels.left_out
    assert {event["user"]["username"] for event in played.events_of("thief", "reads secrets")} == {"jane"}
    came_back = {event["user"]["username"] for event in played.events_of("ghost", "comes back")}
    assert came_back == {"system:serviceaccount:vault:default"}


def test_every_request_of_an_actors_user_is_labelled_as_theirs(played: Played) -> None:
    whose = {one.audit_id: one.actor for one in played.labels().requests}
    owners = {whose[event["auditID"]] for event in played.events() if event["user"].get("username") == "jane"}
    assert owners == {"thief"}


def test_an_exec_is_labelled_although_its_answer_bears_no_audit_id(played: Played) -> None:
    events = played.events_of("thief", "runs a command")
    assert "exec" in {event.get("objectRef", {}).get("subresource") for event in events}


def test_the_recorders_own_requests_are_told_apart(played: Played) -> None:
    own = {one.audit_id for one in played.labels().requests if one.actor == "recorder"}
    made = {
        (event["verb"], event.get("objectRef", {}).get("resource"))
        for event in played.events()
        if event["auditID"] in own
    }
    assert ("create", "certificatesigningrequests") in made
    assert not any(one.audit_id in own and one.step for one in played.labels().requests)


def test_addresses_are_claimed_by_curl_and_the_real_peer_stays_last(played: Played) -> None:
    knock = played.events_of("thief", "knocks")
    assert {tuple(event["sourceIPs"]) for event in knock} == {("203.0.113.9",)}  # here both are the same
    back = [event for event in played.events_of("ghost", "comes back") if event["userAgent"].startswith("curl")]
    assert all(event["sourceIPs"] == ["203.0.113.10", "203.0.113.9"] for event in back)


def test_cleaning_up_removes_what_the_run_created_and_nothing_else(played: Played) -> None:
    assert "kubectl delete namespaces vault" in played.said["played"][1]
    assert played.left["binding"] is None
    assert not [one for one in played.left["csrs"]["items"] if one["metadata"]["name"].startswith("kubewitness-")]
    assert played.left["namespace"] is None
    assert "all of them are deleted" in played.said["played"][1]


def test_rbac_is_dumped_before_and_after(played: Played) -> None:
    folder = played.out / "recorded/evidence/control-plane"
    before, after = (
        {
            item["metadata"]["name"]
            for one in json.loads(gzip.decompress((folder / name).read_bytes()))
            for item in one["items"]
        }
        for name in ("rbac-before.json.gz", "rbac-after.json.gz")
    )
    assert {"jane-looks", "jane"} <= after - before


def test_left_out_steps_are_said_in_the_labels(played: Played) -> None:
    status, text = played.said["skipping"]
    assert status == 0, text
    labels = played.labels("skipped")
    assert [one.step for one in labels.steps] == ["looks"]
    assert ["node:" in one or "registry.example.com/not/there:1" in one for one in labels.left_out] == [True, True]


def test_a_log_that_is_had_later_gets_the_same_labels(played: Played) -> None:
    status, text = played.said["labelled later"]
    assert status == 0, text
    mine = {
        (one.audit_id, one.actor, one.step)
        for one in played.labels().requests
        if one.actor not in {"cluster", "recorder"}
    }
    assert mine == {
        (one.audit_id, one.actor, one.step)
        for one in played.labels("later").requests
        if one.actor not in {"cluster", "recorder"}
    }


if __name__ == "__main__":
    sandbox = Path(tempfile.mkdtemp(prefix="kubewitness-range-", dir="/var/tmp"))
    sys.exit(run_inside(sandbox, lambda: _inside(sandbox, Path(sys.argv[1]))))
