"""`kubewitness state`: the roles and bindings of a moment of a recorded intrusion, and who could do what then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kubewitness.cli.main import program
from kubewitness.cli.state import parsed
from kubewitness.model.errors import UsageError
from kubewitness.posture.rbac.nouns import Attributes

PLANE = Path(__file__).parents[2] / "scenarios/recorded/anonymous_cluster_admin/evidence/control-plane"
BEFORE, DURING, AFTER = "2026-11-22T04:02:50Z", "2026-11-22T04:03:00Z", "2026-11-22T04:03:25Z"
DOOR = "cluster-system-anonymous"


def run(*words: str) -> Result:
    return CliRunner().invoke(program, ["state", *words, "--lang", "en"])


@pytest.mark.parametrize(("moment", "allowed"), [(BEFORE, False), (DURING, True), (AFTER, False)])
def test_who_could_do_what_depends_on_the_moment(moment: str, allowed: bool) -> None:
    done = run(str(PLANE), "--at", moment, "--can", "list secrets --as system:anonymous")
    assert done.exit_code == (0 if allowed else 1), done.output
    reason = f'RBAC: allowed by ClusterRoleBinding "{DOOR}" of ClusterRole "cluster-admin" to User "system:anonymous"'
    assert (reason in done.stdout) is allowed
    assert "uncertain" not in done.stdout


def test_bindings_stand_with_who_made_and_who_removed_them() -> None:
    during, after = run(str(PLANE), "--at", DURING), run(str(PLANE), "--at", AFTER)
    assert f"ClusterRoleBinding {DOOR} → ClusterRole cluster-admin → User system:anonymous" in during.stdout
    bindings, _, changed = after.stdout.partition("Changed until then")
    assert DOOR not in bindings
    assert "04:02:54Z  created  ClusterRoleBinding cluster-system-anonymous  ops-lin from" in changed
    assert "04:03:21Z  deleted  ClusterRoleBinding cluster-system-anonymous  system:anonymous from" in changed
    assert "ClusterRoleBinding system:controller:kube-controller →" in bindings, "posing as one of Kubernetes' own"
    assert "ClusterRoleBinding system:controller:job-controller" not in bindings


def test_of_one_identity_the_rules_are_shown_and_nothing_of_others() -> None:
    done = run(str(PLANE), "--at", DURING, "--who", "system:anonymous")
    assert "*: *" in done.stdout
    assert "system:public-info-viewer" in done.stdout, "its group's bindings are its own"
    assert "ops-lin from" in done.stdout
    assert "kubeadm:cluster-admins" not in done.stdout


def test_json_has_the_same() -> None:
    done = run(str(PLANE), "--at", DURING, "--who", "system:anonymous", "--format", "json",
               "--can", "get pods --as system:anonymous")  # fmt: skip
    told = json.loads(done.stdout)
    assert told["base"] == "dump"
    assert DOOR in {one["name"] for one in told["bindings"]}
    assert {one["object"] for one in told["changes"]} >= {f"ClusterRoleBinding {DOOR}"}
    assert told["answer"]["decision"] == "allow"


def test_without_base_a_refusal_is_uncertain(tmp_path: Path) -> None:
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "a", "verb": "get",
        "stage": "ResponseComplete", "requestURI": "/version", "user": {"username": "jane"},
        "responseStatus": {"code": 200}, "sourceIPs": ["192.0.2.1"],
        "requestReceivedTimestamp": "2026-11-22T04:00:00.000000Z", "stageTimestamp": "2026-11-22T04:00:00.000000Z",
    }  # fmt: skip
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(event) + "\n")
    done = run(str(log), "--can", "get pods --as jane")
    assert done.exit_code == 1
    assert "uncertain: from the log's writes alone" in done.stdout


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("get pods --as eve", Attributes("eve", ("system:authenticated",), "get", resource="pods")),
        (
            "update deployments.apps/scale web -n shop --as=eve --as-group staff",
            Attributes(
                "eve", ("staff", "system:authenticated"), "update", "apps", "deployments", "scale", "web", "shop"
            ),
        ),
        (
            "update deployments/scale.apps -n shop --as eve",
            Attributes("eve", ("system:authenticated",), "update", "apps", "deployments", "scale", "", "shop"),
        ),
        (
            "get /metrics --as system:anonymous",
            Attributes("system:anonymous", ("system:unauthenticated",), "get", path="/metrics"),
        ),
        (
            "get pods --as system:serviceaccount:a:b",
            Attributes(
                "system:serviceaccount:a:b",
                ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"),
                "get",
                resource="pods",
            ),
        ),
    ],
)  # fmt: skip
def test_questions_are_read_as_kubectl_reads_them(question: str, expected: Attributes) -> None:
    assert parsed(question) == expected


@pytest.mark.parametrize("question", ["get", "get pods", "get pods x y --as eve", "get pods --foo --as eve", "'"])
def test_what_is_no_question_is_a_wrong_call(question: str) -> None:
    with pytest.raises(UsageError, match="--can"):
        parsed(question)


@pytest.mark.parametrize("words", [["nowhere.log"], [str(PLANE), "--at", "noon"]])
def test_a_wrong_call_says_so(words: list[str]) -> None:
    assert run(*words).exit_code == 2
