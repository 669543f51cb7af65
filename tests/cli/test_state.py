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
    return CliRunner().invoke(program, ["state", "--lang", "en", *words])


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


def log_of(folder: Path, *accessors: tuple[str, str]) -> str:
    """A log in which each of these, identity and agent, asked once, one minute after the other."""
    log = folder / "audit.log"
    lines = [
        json.dumps({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"a{minute}",
            "verb": "get", "stage": "ResponseComplete", "requestURI": "/version", "user": {"username": name},
            "userAgent": agent, "responseStatus": {"code": 200}, "sourceIPs": ["192.0.2.1"],
            "requestReceivedTimestamp": f"2026-11-22T04:{minute:02}:00.000000Z",
            "stageTimestamp": f"2026-11-22T04:{minute:02}:00.000000Z",
        })
        for minute, (name, agent) in enumerate(accessors)
    ]  # fmt: skip
    log.write_text("\n".join(lines) + "\n")
    return str(log)


def test_without_base_a_refusal_is_uncertain(tmp_path: Path) -> None:
    done = run(log_of(tmp_path, ("jane", "curl/8")), "--can", "get pods --as jane")
    assert done.exit_code == 1
    assert "uncertain: from the log's writes alone" in done.stdout


def test_the_defaults_of_a_version_are_a_base_of_which_more_may_have_stood(tmp_path: Path) -> None:
    log = log_of(tmp_path, ("jane", "curl/8"))
    refused = run(log, "--defaults", "1.28", "--can", "get pods --as jane")
    assert refused.exit_code == 1
    assert "uncertain: from the log's writes over the defaults of Kubernetes 1.28: what else" in refused.stdout
    allowed = run(log, "--defaults", "v1.28.3", "--can", "get /version --as system:anonymous")
    assert allowed.exit_code == 0
    assert "system:public-info-viewer" in allowed.stdout
    told = json.loads(run(log, "--defaults", "1.28", "--format", "json").stdout)
    assert (told["base"], told["defaults"]) == ("defaults", "1.28")
    assert "1.15 (1.14 in its place)" in run(log, "--defaults", "1.15").stdout


@pytest.mark.parametrize(
    ("accessors", "version"),
    [
        ([("system:apiserver", "kube-apiserver/v1.28.3 (linux/amd64) kubernetes/a8a1abc")], "1.28"),
        ([("system:kube-controller-manager", "kube-controller-manager/v1.20.4-aliyun.1 (linux/amd64)")], "1.20"),
        (
            [
                ("system:apiserver", "kube-apiserver/v1.27.1 (linux)"),
                ("system:apiserver", "kube-apiserver/v1.28.3 (l)"),
            ],
            "1.27",
        ),
        ([("jane", "kube-apiserver/v1.8.0 (linux/amd64)")], ""),  # anybody may call themselves so
        ([("system:anonymous", "kube-controller-manager/v1.8.0")], ""),
        ([("system:apiserver", "kube-apiserver/devel")], ""),
        ([("system:apiserver", "kubectl/v1.28.3")], ""),
    ],
)
def test_the_control_plane_itself_tells_the_version(
    tmp_path: Path, accessors: list[tuple[str, str]], version: str
) -> None:
    told = json.loads(run(log_of(tmp_path, *accessors), "--format", "json").stdout)
    assert (told["base"], told["defaults"]) == ("defaults" if version else "none", version)


def test_what_was_collected_of_a_cluster_tells_its_version(tmp_path: Path) -> None:
    log_of(tmp_path, ("jane", "curl/8"))
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/version.json").write_text(json.dumps({"gitVersion": "v1.28.3", "major": "1", "minor": "28"}))
    told = json.loads(run(str(tmp_path), "--format", "json").stdout)
    assert (told["base"], told["defaults"]) == ("defaults", "1.28")
    asked = json.loads(run(str(tmp_path), "--defaults", "1.20", "--format", "json").stdout)
    assert asked["defaults"] == "1.20", "what is asked for goes before"


def test_what_is_no_version_is_a_wrong_call(tmp_path: Path) -> None:
    assert run(log_of(tmp_path, ("jane", "curl/8")), "--defaults", "newest").exit_code == 2


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


def test_evidence_that_cannot_be_read_is_told_and_is_no_wrong_call(tmp_path: Path) -> None:
    told = run(str(tmp_path))
    assert told.exit_code == 3
    assert told.stderr == f"Error: {tmp_path}: empty directory\n"


def test_chinese_uses_chinese_marks() -> None:
    listed = run(str(PLANE), "--lang", "zh").stdout
    assert "绑定（" in listed
    assert "此前的变更（" in listed
    asked = run(str(PLANE), "--lang", "zh", "--can", "get secrets --as system:anonymous").stdout
    assert asked.startswith("get secrets --as system:anonymous：")
