"""Random pods are admitted and refused by the evaluator as by a real API server, and in the same words.

Namespaces that enforce baseline and restricted in versions old and new, and warn by their own labels or by none; pods
created in them with dry-run, and ephemeral containers added to pods that were there before the labels were. A pod that
the API server holds invalid is never judged and says nothing. More questions, of another seed: `python -m
tests.range_live.test_pod_security_agreement FOLDER 100000 12` writes what differs to FOLDER.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from kubewitness.posture.pod_security import LevelVersion, evaluate, levels_of, sentence
from range.build import cache_folder, defect
from range.certificates import Authority
from range.cluster import audit_policy
from range.control_plane import HOST, ControlPlane
from range.network import CONTROL_PLANE, make_network, on_host
from range.sandbox import missing, run_inside
from tests.range_live.pod_questions import completed, random_debuggers, random_pod, restricted_pod

REPO = Path(__file__).resolve().parents[2]
QUESTIONS = 2_000
CLUSTER: Final = (1, 34)
_LABEL: Final = "pod-security.kubernetes.io/enforce"
_WARN: Final = "pod-security.kubernetes.io/warn"
_VERSIONS: Final = ("latest", "v1.99", "v1.0", "v1.7", "v1.8", "v1.18", *(f"v1.{minor}" for minor in range(19, 35)))
_THREADS = 6
_ESCAPED: Final = re.compile(r"\\(.)")
SEED = 11


def namespaces() -> dict[str, dict[str, str]]:
    """The labels of each: every version of each level, and what is left to defaults and to warnings."""
    made = {
        f"{level}-{version.replace('.', '-')}": {_LABEL: level, f"{_LABEL}-version": version}
        for level in ("baseline", "restricted")
        for version in _VERSIONS
    }
    return {
        **made,
        "nothing": {},
        "unversioned": {_LABEL: "restricted"},
        "privileged": {_LABEL: "privileged", _WARN: "baseline"},
        "warned": {_LABEL: "baseline", _WARN: "restricted", f"{_WARN}-version": "v1.24"},
        "warned-without-level": {_LABEL: "baseline", f"{_LABEL}-version": "v1.20", f"{_WARN}-version": "latest"},
        "unwarned": {_LABEL: "baseline", f"{_LABEL}-version": "v1.20", _WARN: "privileged"},
    }


def standing() -> dict[str, dict[str, Any]]:
    """Pods to which ephemeral containers are added: a clean one, one that says nothing, one on the node's network."""
    clean, silent, host = (restricted_pod(2, 1) for _ in range(3))
    for one in silent["spec"]["containers"]:
        del one["securityContext"]
    host["spec"]["hostNetwork"] = True
    host["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    pods = {"clean": clean, "silent": silent, "host": host}
    for name, pod in pods.items():
        pod["metadata"]["name"] = name
    return pods


def questions(count: int, seed: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Namespace, the standing pod that is changed (empty for a new pod), and the pod as it would be."""
    chance = random.Random(seed)
    where, pods = sorted(namespaces()), standing()
    for _ in range(count):
        namespace = chance.choice(where)
        if chance.random() < 0.15:
            name = chance.choice(sorted(pods))
            pod = deepcopy(pods[name])
            pod["spec"]["ephemeralContainers"] = random_debuggers(chance)
            yield namespace, name, pod
        else:
            yield namespace, "", random_pod(chance)


def _inside(work: Path, out: Path, count: int, seed: int) -> int:
    make_network({HOST: CONTROL_PLANE, "office": "10.77.20.5"}, {})
    plane = ControlPlane(work / "control-plane", cache_folder() / "usr/bin", Authority(work / "pki"))
    plane.start(audit_policy("metadata"))
    bare = [_named("Namespace", name) for name in namespaces()]
    accounts = [_named("ServiceAccount", "default", name) for name in namespaces()]
    pods = [
        {**pod, "metadata": {"name": pod["metadata"]["name"], "namespace": name}}
        for name in namespaces()
        for pod in standing().values()
    ]
    labelled = [_named("Namespace", name, labels=labels) for name, labels in namespaces().items()]
    for objects in (bare, accounts, pods, labelled):
        plane.apply(json.dumps({"kind": "List", "apiVersion": "v1", "items": objects}))
    identity = json.loads(plane.observer.read_text())
    (out / "identity.json").write_text(json.dumps([identity["clusters"][0]["cluster"], identity["users"][0]["user"]]))
    command = [*on_host("office"), sys.executable, "-m", "tests.range_live.test_pod_security_agreement", "ask"]
    asked = subprocess.run([*command, str(out), str(count), str(seed)], cwd=REPO, check=False)
    plane.stop()
    return asked.returncode


def _named(kind: str, name: str, namespace: str = "", labels: dict[str, str] | None = None) -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {"kind": kind, "apiVersion": "v1", "metadata": {"name": name, "labels": labels or {}, **where}}


def ask(out: Path, count: int, seed: int) -> int:
    """Asks the API server, from another host than its own."""
    cluster, user = json.loads((out / "identity.json").read_text())
    trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
    trust.load_cert_chain(user["client-certificate"], user["client-key"])
    every = list(questions(count, seed))

    def some(part: int) -> list[tuple[int, str, list[str]]]:
        connection = http.client.HTTPSConnection(CONTROL_PLANE, 6443, context=trust, timeout=30)
        got = []
        for namespace, name, pod in every[part::_THREADS]:
            path, method, kind, body = f"/api/v1/namespaces/{namespace}/pods", "POST", "json", pod
            if name:
                path, method, kind = f"{path}/{name}/ephemeralcontainers", "PATCH", "strategic-merge-patch+json"
                body = {"spec": {"ephemeralContainers": pod["spec"]["ephemeralContainers"]}}
            headers = {"Content-Type": f"application/{kind}"}
            connection.request(method, f"{path}?dryRun=All", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            message = "" if answer.status < 300 else json.loads(text)["message"]
            got.append((answer.status, message, answer.headers.get_all("Warning") or []))
        return got

    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(some, range(_THREADS)))
    answers = [parts[number % _THREADS][number // _THREADS] for number in range(len(every))]
    (out / "answers.json").write_text(json.dumps(answers))
    return 0


class Agreement:
    """What both said, compared."""

    def __init__(self, out: Path, count: int, seed: int) -> None:
        self.admitted = self.invalid = self.warned = 0
        self.others = Counter[str]()
        self.failed = Counter[str]()
        self.disagreements = list[str]()
        answers = json.loads((out / "answers.json").read_text())
        for question, answer in zip(questions(count, seed), answers, strict=True):
            self._compare(question, *answer)

    def _compare(
        self, question: tuple[str, str, dict[str, Any]], status: int, message: str, headers: list[str]
    ) -> None:
        namespace, name, pod = question
        if status == 422:
            self.invalid += 1
            return
        if status >= 300 and "violates PodSecurity" not in message:
            self.others[f"{status} {message[:100]}"] += 1
            return
        levels = levels_of(namespaces()[namespace])
        enforced, pod = levels.enforce, completed(pod)
        found = evaluate(pod, enforced.level, enforced.within(CLUSTER))
        who = name or pod["metadata"]["name"]
        expected = f'pods "{who}" is forbidden: violates PodSecurity "{enforced}": {sentence(found)}' if found else ""
        if message != expected:
            self.disagreements.append(f"{namespace} {json.dumps(pod)}\n  {expected}\n  {message}")
        if not message:
            self.admitted += 1
            self._compare_warning(namespace, pod, levels.warn, headers)
        self.failed.update(one.check for one in found)

    def _compare_warning(self, namespace: str, pod: dict[str, Any], asked: LevelVersion, headers: list[str]) -> None:
        found = evaluate(pod, asked.level, asked.within(CLUSTER))
        expected = f'would violate PodSecurity "{asked}": {sentence(found)}' if found else ""
        told = [_ESCAPED.sub(r"\1", one[len('299 - "') : -1]) for one in headers if "would violate" in one]
        # Headers beyond 4 KiB are cut to 256 characters each.
        if told != ([expected] if found else []) and told != [expected[:256]]:
            self.disagreements.append(f"{namespace} {json.dumps(pod)}\n  {expected}\n  {told}")
        self.warned += bool(found)


def _play(out: Path, count: int, seed: int) -> Agreement:
    command = [sys.executable, "-m", "tests.range_live.test_pod_security_agreement", "range", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    # In a process of its own: after unshare its children live in the sandbox.
    command += [str(count), str(seed)]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    return Agreement(out, count, seed)


@pytest.fixture(scope="module")
def agreement(tmp_path_factory: pytest.TempPathFactory) -> Agreement:
    if reason := missing() or defect(cache_folder()):
        pytest.skip(f"no range here: {reason}; run make range")
    return _play(tmp_path_factory.mktemp("pod-security"), QUESTIONS, SEED)


def test_the_evaluator_and_the_api_server_agree_on_every_pod_word_by_word(agreement: Agreement) -> None:
    assert agreement.disagreements == []
    assert not agreement.others
    assert agreement.invalid < QUESTIONS / 2


def test_the_pods_were_not_all_of_one_kind_and_failed_every_check(agreement: Agreement) -> None:
    judged = QUESTIONS - agreement.invalid
    assert agreement.warned > 0.01 * judged
    assert 0.2 * judged < agreement.admitted < 0.8 * judged
    assert len(agreement.failed) == 18  # all but procMount_restricted, of 1.35
    assert min(agreement.failed.values()) >= 5


if __name__ == "__main__":
    _words = sys.argv[1:] if sys.argv[1] in {"ask", "range"} else ["", *sys.argv[1:]]
    _out, _count, _seed = Path(_words[1]), int(_words[2]), int(_words[3])
    if _words[0] == "ask":
        sys.exit(ask(_out, _count, _seed))
    if _words[0] == "range":
        sys.exit(run_inside(_out / "work", lambda: _inside(_out / "work", _out, _count, _seed)))
    _out.mkdir(parents=True, exist_ok=True)
    _found = _play(_out, _count, _seed)
    (_out / "disagreements.txt").write_text("\n".join(_found.disagreements))
    sys.stdout.write(
        f"{_count} asked: {_found.admitted} admitted ({_found.warned} warned of), {_found.invalid} invalid, "
        f"others {dict(_found.others)}, "
        f"{len(_found.disagreements)} disagreements\n{dict(sorted(_found.failed.items()))}\n"
    )
