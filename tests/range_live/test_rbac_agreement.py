"""Random questions get the same answer from the evaluator as from real API servers, of both generations.

Roles and bindings that use everything RBAC has are made beside the API server's own; then each question goes to it as
a SubjectAccessReview, and to the evaluator with nothing but a dump. More questions:
`python -m tests.range_live.test_rbac_agreement FOLDER 1.34 30000` writes what differs to FOLDER.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kubewitness.posture.rbac.evaluate import Policy, evaluate, grants
from kubewitness.posture.rbac.nouns import Attributes
from kubewitness.posture.rbac.objects import read_dump
from range.build import cache_folder, defect
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from range.script import Generation
from tests.range_live.rbac_questions import objects, questions, review

REPO = Path(__file__).resolve().parents[2]
QUESTIONS = 4_000
_API = "/apis/rbac.authorization.k8s.io/v1"
_THREADS = 6


def _inside(work: Path, out: Path, generation: Generation, count: int) -> int:
    make_network({HOST: CONTROL_PLANE, "office": "10.77.20.5"}, {})
    plane = ControlPlane(
        work / "control-plane", cache_folder(generation) / "usr/bin", Authority(work / "pki"), generation
    )
    plane.start(audit_policy("metadata"))
    made = objects(random.Random(20), 60)
    plane.apply(json.dumps({"kind": "List", "apiVersion": "v1", "items": made}))
    (out / "dump.json").write_text(json.dumps(_settled(plane)))
    identity = json.loads(plane.observer.read_text())
    (out / "identity.json").write_text(json.dumps([identity["clusters"][0]["cluster"], identity["users"][0]["user"]]))
    command = [*on_host("office"), sys.executable, "-m", "tests.range_live.test_rbac_agreement", "ask", str(out)]
    asked = subprocess.run([*command, str(count)], cwd=REPO, check=False)
    (out / "after.json").write_text(json.dumps(_dump(plane)))
    plane.stop()
    return asked.returncode


def _dump(plane: ControlPlane) -> list[Any]:
    """What decides, in one order: aggregated roles that select each other never stop turning their rules around."""
    names = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
    lists = [plane.get(f"{_API}/{name}") for name in names]
    for one in lists:
        one["items"].sort(key=lambda item: (item["metadata"].get("namespace", ""), item["metadata"]["name"]))
        one["metadata"].pop("resourceVersion", None)
        for item in one["items"]:
            for written in ("resourceVersion", "managedFields", "generation"):
                item["metadata"].pop(written, None)
            if item.get("aggregationRule") and item.get("rules"):
                item["rules"].sort(key=lambda rule: json.dumps(rule, sort_keys=True))
    return lists


def _settled(plane: ControlPlane) -> list[Any]:
    """The objects once the controller has filled the aggregated roles."""
    before, until = _dump(plane), time.monotonic() + 60
    calm = 0
    while calm < 4:
        assert time.monotonic() < until, "the aggregated roles never settled"
        time.sleep(0.5)
        after = _dump(plane)
        calm = calm + 1 if after == before else 0
        before = after
    return before


def ask(out: Path, count: int) -> int:
    """Asks the API server, from another host than its own."""
    cluster, user = json.loads((out / "identity.json").read_text())
    trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
    trust.load_cert_chain(user["client-certificate"], user["client-key"])
    flat = [
        {"kind": one["kind"].removesuffix("List"), **item}
        for one in json.loads((out / "dump.json").read_text())
        for item in one["items"]
    ]
    every = list(questions(random.Random(7), flat, count))

    def some(part: int) -> list[tuple[bool, str]]:
        connection = http.client.HTTPSConnection(CONTROL_PLANE, 6443, context=trust, timeout=30)
        got = []
        for asked in every[part::_THREADS]:
            body = json.dumps(review(asked))
            connection.request(
                "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body, {"Content-Type": "application/json"}
            )
            answer = json.loads(connection.getresponse().read())
            got.append((answer["status"]["allowed"], answer["status"].get("reason", "")))
        return got

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(some, range(_THREADS)))
    answers = [parts[number % _THREADS][number // _THREADS] for number in range(len(every))]
    (out / "answers.json").write_text(json.dumps([[one, *answer] for one, answer in zip(every, answers, strict=True)]))
    return 0


class Agreement:
    """What both said, compared."""

    def __init__(self, out: Path) -> None:
        dump = read_dump(json.loads((out / "dump.json").read_text()))
        self.unchanged = (out / "dump.json").read_text() == (out / "after.json").read_text()
        self.policy = Policy(dump.objects.values())
        self.unreadable = dump.unreadable
        self.disagreements = list[str]()
        self.allowed = self.refused = self.nodes = self.reasons = 0
        for fields, allowed, reason in json.loads((out / "answers.json").read_text()):
            self._compare(Attributes(*fields)._replace(groups=tuple(fields[1])), allowed, reason)

    def _compare(self, asked: Attributes, allowed: bool, reason: str) -> None:
        answer = evaluate(self.policy, asked)
        if answer.decision == "not_evaluated":
            self.nodes += 1
            return
        if answer.allowed != allowed:
            self.disagreements.append(f"{asked}: {answer.decision}, the API server: {allowed} {reason}")
        self.allowed, self.refused = self.allowed + allowed, self.refused + (not allowed)
        if reason.startswith("RBAC: allowed by"):
            self.reasons += 1
            if reason not in {one.reason for one in grants(self.policy, asked)}:
                self.disagreements.append(f"{asked}: no grant with the reason {reason}")


def _play(out: Path, generation: str, count: int) -> Agreement:
    command = [sys.executable, "-m", "tests.range_live.test_rbac_agreement", "range", str(out), generation, str(count)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    # In a process of its own: after unshare its children live in the sandbox.
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return Agreement(out)


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def agreement(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Agreement:
    if reason := missing() or defect(cache_folder(request.param)):
        pytest.skip(f"no range of {request.param} here: {reason}; run make range")
    return _play(tmp_path_factory.mktemp(f"agreement-{request.param}"), request.param, QUESTIONS)


def test_the_evaluator_and_the_api_server_agree_on_every_question(agreement: Agreement) -> None:
    assert agreement.unchanged
    assert not agreement.unreadable
    assert agreement.disagreements == []
    assert agreement.allowed + agreement.refused > 0.9 * QUESTIONS


def test_the_questions_were_not_all_of_one_kind(agreement: Agreement) -> None:
    assert min(agreement.allowed, agreement.refused) > 0.2 * QUESTIONS
    assert agreement.reasons > 0.2 * QUESTIONS


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        sys.exit(ask(Path(sys.argv[2]), int(sys.argv[3])))
    if sys.argv[1] == "range":
        _out, _generation = Path(sys.argv[2]), sys.argv[3]
        _work = _out / "work"
        sys.exit(
            run_inside(
                _work, lambda: _inside(_work, _out, "1.20" if _generation == "1.20" else "1.34", int(sys.argv[4]))
            )
        )
    _found = _play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    (Path(sys.argv[1]) / "disagreements.txt").write_text("\n".join(_found.disagreements))
    sys.stdout.write(
        f"{_found.allowed} allowed, {_found.refused} refused, {_found.nodes} of nodes not compared, "
        f"{_found.reasons} reasons, {len(_found.disagreements)} disagreements\n"
    )
