"""An audit policy decides as on real API servers of both generations: which requests are recorded, and how deep.

Random policies, of rules that use everything a rule has, are loaded by a real API server; several people send it random
requests (most are refused, which is recorded all the same); each answer names the audit id of its request, and the log
tells what was kept of it. The same evidence, with `ps` beside it, is then what `check` is asked about.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.assess import Options, assess
from kubewitness.model.posture import PostureReport, Where
from kubewitness.posture.control_plane.audit_policy import LEVELS, Asked, policy_of
from kubewitness.posture.yaml_text import read
from range.build import cache_folder, defect
from range.certificates import Authority
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from range.script import Generation

REPO = Path(__file__).resolve().parents[2]
PEOPLE = {
    "jane": ("dev", "ops"), "bob": (), "system:serviceaccount:shop:web": ("system:serviceaccounts",),
    "root-of-all": ("system:masters",), "": (),
}  # fmt: skip
RESOURCES = (
    ("", "pods"), ("", "pods/log"), ("", "pods/exec"), ("", "secrets"), ("", "configmaps"), ("", "nodes"),
    ("", "nodes/proxy"), ("", "serviceaccounts/token"), ("apps", "deployments"), ("apps", "deployments/scale"),
    ("rbac.authorization.k8s.io", "clusterroles"), ("rbac.authorization.k8s.io", "rolebindings"),
)  # fmt: skip
CLUSTER_WIDE = {"nodes", "clusterroles"}
NAMES = ("one", "two")
NAMESPACES = ("shop", "kube-system")
PATHS = ("/healthz", "/healthz/ping", "/version", "/livez", "/nowhere/at/all")
METHODS = {"get": "GET", "list": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
REQUESTS = 1_500


def policy(dice: random.Random) -> dict[str, Any]:
    """A policy: first the range's own requests, left out, then rules made by chance."""

    def some(values: Any, chance: float = 0.5) -> list[Any]:
        return dice.sample(list(values), dice.randint(1, 3)) if dice.random() < chance else []

    rules: list[dict[str, Any]] = [{"level": "None", "users": ["range:observer", "system:apiserver"]}]
    for _ in range(40):
        rule: dict[str, Any] = {"level": dice.choice(LEVELS)}
        if users := some(PEOPLE, 0.3):
            rule["users"] = [one or "system:anonymous" for one in users]
        if groups := some(("dev", "ops", "system:authenticated", "system:unauthenticated", "system:masters"), 0.3):
            rule["userGroups"] = groups
        if verbs := some(METHODS, 0.6):
            rule["verbs"] = verbs
        if dice.random() < 0.2:
            rule["nonResourceURLs"] = some((*PATHS, "/healthz*", "/live*", "*"), 1)
        else:
            if namespaces := some((*NAMESPACES, ""), 0.3):
                rule["namespaces"] = namespaces
            rule["resources"] = [_resources(dice) for _ in range(dice.randint(1, 2))]
        rules.append(rule)
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}


def _resources(dice: random.Random) -> dict[str, Any]:
    group, resource = dice.choice(RESOURCES)
    plain, _, sub = resource.partition("/")
    one: dict[str, Any] = {"group": group}
    if dice.random() < 0.8:
        one["resources"] = [dice.choice([resource, plain, f"{plain}/*", "*", *([f"*/{sub}"] if sub else [])])]
        if dice.random() < 0.3:
            one["resourceNames"] = [dice.choice(NAMES)]
    return one


def question(dice: random.Random) -> tuple[str, Asked, str, str]:
    """Who asks, what the policy sees of it, method and path."""
    who = dice.choice(list(PEOPLE))
    verb = dice.choice(list(METHODS))
    if dice.random() < 0.15:
        path = dice.choice(PATHS)
        return who, Asked(who, (), "get", path=path), "GET", path
    group, resource = dice.choice(RESOURCES)
    plain, _, sub = resource.partition("/")
    namespace = "" if plain in CLUSTER_WIDE else dice.choice(NAMESPACES)
    name = "" if verb in {"list", "create"} and not sub else dice.choice(NAMES)
    if sub and verb == "list":
        verb = "get"
    prefix = f"/apis/{group}/v1" if group else "/api/v1"
    middle = f"/namespaces/{namespace}" if namespace else ""
    path = f"{prefix}{middle}/{plain}{f'/{name}' if name else ''}{f'/{sub}' if sub else ''}"
    # exec is asked for with a get: only that answers without an upgrade of the connection.
    method = "GET" if sub == "exec" else METHODS[verb]
    verb = "get" if sub == "exec" else verb
    return who, Asked(who, (), verb, group, resource, namespace, name), method, path


def _inside(work: Path, out: Path, generation: Generation) -> int:
    make_network({HOST: CONTROL_PLANE, "office": "10.77.20.5"}, {})
    programs = cache_folder(generation) / "usr/bin"
    plane = ControlPlane(work / "control-plane", programs, Authority(work / "pki"), generation)
    plane.start(policy(random.Random(31)))
    people = {
        who: json.loads(plane.kubeconfig(f"person{number}", who, groups).read_text())
        for number, (who, groups) in enumerate(PEOPLE.items())
        if who
    }
    (out / "people.json").write_text(json.dumps(people))
    command = [
        *on_host("office"),
        sys.executable,
        "-m",
        "tests.range_live.test_audit_policy_agreement",
        "ask",
        str(out),
    ]
    asked = subprocess.run(command, cwd=REPO, check=False)
    node = out / "evidence/nodes/cp"
    node.mkdir(parents=True)
    listed = subprocess.run(["ps", "-eww", "-o", "pid,ppid,user,args"], capture_output=True, text=True, check=True)
    (node / "ps.txt").write_text(listed.stdout)
    copied = node / str(work / "control-plane/policy.yaml").lstrip("/")
    copied.parent.mkdir(parents=True)
    copied.write_bytes((work / "control-plane/policy.yaml").read_bytes())
    time.sleep(1)
    plane.stop()
    (out / "audit.log").write_bytes(plane.audit_log.read_bytes())
    return asked.returncode


def ask(out: Path) -> int:
    """Sends the requests from another host, and notes the audit id of each answer."""
    people = json.loads((out / "people.json").read_text())
    connections = {}
    for who in PEOPLE:
        some = people.get(who) or next(iter(people.values()))
        trust = ssl.create_default_context(cafile=some["clusters"][0]["cluster"]["certificate-authority"])
        if who:
            user = some["users"][0]["user"]
            trust.load_cert_chain(user["client-certificate"], user["client-key"])
        connections[who] = http.client.HTTPSConnection(CONTROL_PLANE, 6443, context=trust, timeout=30)
    dice, answers = random.Random(8), []
    for _ in range(REQUESTS):
        who, seen, method, path = question(dice)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        body = None if method in {"GET", "DELETE"} else "{}"
        connections[who].request(method, path, body, {"Content-Type": kind})
        response = connections[who].getresponse()
        response.read()
        answers.append([list(seen), response.getheader("Audit-ID"), response.status])
    (out / "answers.json").write_text(json.dumps(answers))
    return 0


class Played:
    """What the policy says, what the log holds, and what `check` makes of the machine."""

    def __init__(self, out: Path) -> None:
        node = out / "evidence/nodes/cp"
        (self.file,) = node.rglob("policy.yaml")
        document = read(self.file.read_text(), Where())
        made = policy_of(document) if document else None
        assert made
        events = [json.loads(line) for line in (out / "audit.log").read_text().splitlines()]
        levels = {one["auditID"]: one["level"] for one in events}
        self.disagreements, self.kept = list[str](), dict.fromkeys(LEVELS, 0)
        for fields, audit_id, status in json.loads((out / "answers.json").read_text()):
            seen = Asked(*fields)
            groups = (*PEOPLE[seen.user], "system:authenticated" if seen.user else "system:unauthenticated")
            seen = seen._replace(user=seen.user or "system:anonymous", groups=groups)
            expected, found = made.decide(seen).level, levels.get(audit_id, "None")
            self.kept[found] += 1
            if expected != found:
                self.disagreements.append(f"{seen} ({status}): {expected}, the log: {found}")
        now = datetime(2026, 11, 22, tzinfo=UTC)
        self.report: PostureReport = assess([str(out / "evidence")], Options(groups=("control_plane",), now=now))

    def said(self, check: str) -> set[str]:
        """What a check says."""
        return {one.status for one in self.report.results if one.check == f"checks/control_plane/{check}"}


def _play(out: Path, generation: str) -> Played:
    command = [sys.executable, "-m", "tests.range_live.test_audit_policy_agreement", "range", str(out), generation]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    # In a process of its own: after unshare its children live in the sandbox.
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return Played(out)


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    if reason := missing() or defect(cache_folder(request.param)):
        pytest.skip(f"no range of {request.param} here: {reason}; run make range")
    return _play(tmp_path_factory.mktemp(f"audit-{request.param}"), request.param)


def test_the_policy_and_the_log_agree_on_every_request(played: Played) -> None:
    assert played.disagreements == []
    assert min(played.kept.values()) > 0.05 * REQUESTS


def test_the_processes_of_a_real_control_plane_are_judged(played: Played) -> None:
    assert played.said("authorization_mode") == {"pass"}
    assert played.said("audit_log") == {"pass"}
    assert played.said("etcd_client_auth") == {"fail"}  # plain HTTP on loopback
    assert played.said("audit_policy") >= {"fail"}  # it was found, read and judged
    assert "not_evaluated" not in played.said("audit_policy")


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        sys.exit(ask(Path(sys.argv[2])))
    if sys.argv[1] == "range":
        _out, _generation = Path(sys.argv[2]), sys.argv[3]
        _work = _out / "work"
        sys.exit(run_inside(_work, lambda: _inside(_work, _out, "1.20" if _generation == "1.20" else "1.34")))
