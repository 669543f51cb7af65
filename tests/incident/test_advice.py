"""Advised commands do to the named object what they say, whatever an intruder called it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import pytest

from kubewitness.incident.advice import advice
from kubewitness.incident.blast import Touched
from kubewitness.incident.cause import share
from kubewitness.incident.command_names import file_name
from kubewitness.model.incident import Action, ObjectName, RootCause, Secret
from kubewitness.model.text import Text

RBAC = "rbac.authorization.k8s.io"


def _advice(
    created: Sequence[ObjectName] = (),
    causes: Sequence[RootCause] = (),
    secrets: Sequence[Secret] = (),
    changed: Sequence[ObjectName] = (),
    gone: Sequence[ObjectName] = (),
) -> tuple[Action, ...]:
    touched = Touched([], gone)
    touched.created, touched.changed = tuple(created), tuple(changed)
    return advice(
        causes=causes, touched=touched, pods=[o for o in created if o.kind == "pods"], nodes=(), secrets=secrets,
        addresses=(), identities=(),
    )  # fmt: skip


def _kubectl(actions: Sequence[Action]) -> list[list[str]]:
    lines = [line for action in actions for line in action.command.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("kubectl ")]


def _named(*names: str) -> tuple[Action, ...]:
    """Advice on a workload, a back door, a way in and an account of each of these names."""
    created = [ObjectName(kind, "shop", name, group) for name in names for kind, group in
               (("daemonsets", "apps"), ("pods", ""), ("serviceaccounts", ""), ("rolebindings", RBAC))]  # fmt: skip
    created += [ObjectName("clusterrolebindings", "", name, RBAC) for name in names]
    causes = [RootCause(kind, name, "", "ClusterRole x", "User y") for name in names
              for kind in ("ClusterRoleBinding", "RoleBinding")]  # fmt: skip
    causes += [RootCause("Credential", f"system:serviceaccount:shop:{name}") for name in names]
    return _advice(created, causes)


def test_objects_are_named_in_the_form_that_kubectl_never_takes_for_an_option() -> None:
    commands = _kubectl(_named("web"))
    assert ["kubectl", "delete", f"clusterrolebindings.{RBAC}/web"] in commands
    assert ["kubectl", "delete", "-n", "shop", "daemonsets/web", "--cascade=foreground"] in commands
    assert ["kubectl", "delete", "-n", "shop", "serviceaccounts/web"] in commands
    assert ["kubectl", "delete", f"clusterrolebindings.{RBAC}/web", "--ignore-not-found"] in commands


@pytest.mark.parametrize("name", ["--all", "-A", "--selector=a!=b", "-"])
def test_a_name_that_looks_like_an_option_gets_no_command_and_the_reason(name: str) -> None:
    actions = _named(name)
    assert not [action.phase for action in actions if f"/{name}" in action.command]
    ordinary = {part for command in _kubectl(_advice()) for part in command}
    assert name in ordinary or not any(name in command for command in _kubectl(actions))
    for phase in ("snapshot", "stop", "revoke", "fix"):
        (said, *_) = [action.detail for action in actions if action.phase == phase]
        assert f"/{name}: the name begins with" in said.en
        assert "名称以“-”开头" in said.zh


def test_a_name_that_cannot_be_used_does_not_cost_the_others_their_command() -> None:
    commands = _kubectl(_named("--all", "web"))
    assert ["kubectl", "delete", f"clusterrolebindings.{RBAC}/web"] in commands
    assert not any("--all" in part for command in commands for part in command)


@pytest.mark.parametrize("name", ["a\nkubectl delete ns x", "a\u202eb", "a\u200bb", "a\x1b[2Jb", "a\u3164", "e\u0301"])
def test_a_name_with_unseen_characters_is_to_be_typed_by_hand(name: str) -> None:
    actions = _named(name)
    assert not any(name in action.command or "delete ns x" in action.command for action in actions)
    stop = next(action for action in actions if action.phase == "stop")
    assert "by hand from the JSON report" in stop.detail.en
    assert "手工输入" in stop.detail.zh
    assert name not in stop.detail.en


@pytest.mark.parametrize("kind", ["--all", "pods;id", "pods,secrets", ""])
def test_a_forged_resource_gets_no_command(kind: str) -> None:
    (action,) = [a for a in _advice([ObjectName("rolebindings", "", "x", kind or "-")]) if a.phase == "revoke"]
    assert action.command == ""


def test_a_secret_cannot_end_the_comment_that_names_it() -> None:
    action = next(
        a for a in _advice(secrets=[Secret("shop", "x\nreboot", Text("read\nreboot", "已读"))]) if a.phase == "revoke"
    )
    assert all(line.startswith("# ") for line in action.command.splitlines())


@pytest.mark.parametrize(("count", "title"), [(1, "Rotate 1 credential"), (2, "Rotate 2 credentials")])
def test_credentials_are_counted_in_good_english(count: int, title: str) -> None:
    secrets = [Secret("shop", f"s{n}", Text("read", "已读")) for n in range(count)]
    assert title in [action.title.en for action in _advice(secrets=secrets)]


def test_the_token_of_an_account_is_voided_once_with_what_is_rotated() -> None:
    causes = [RootCause("Credential", "system:serviceaccount:shop:web")]
    actions = _advice(causes=causes, secrets=[Secret("shop", "web", Text("in hands", "已泄露"))])
    assert _kubectl(actions).count(["kubectl", "delete", "-n", "shop", "serviceaccounts/web"]) == 1
    assert not [action for action in actions if action.phase == "fix"]
    (fix,) = [one for one in _advice(causes=causes, secrets=[]) if one.phase == "fix"]
    assert fix.title.en == "Void the credential of system:serviceaccount:shop:web"


def test_a_single_request_is_not_one_of_one() -> None:
    assert (share(1, 1), share(1, 3), share(3, 3)) == ("the one request", "1 of the 3 requests", "3 of the 3 requests")


@pytest.mark.parametrize("name", ["-rf", "--all", "../../etc/x", ".bashrc", "a/b", "n" * 250])
def test_a_file_of_a_name_stays_in_its_folder_and_is_no_option(name: str) -> None:
    (made,) = shlex.split(file_name(name))
    assert "/" not in made
    assert not made.startswith(("-", "."))
    assert len(made) < 200


HOOK = ObjectName("mutatingwebhookconfigurations", "", "hook", "admissionregistration.k8s.io")


def test_a_webhook_that_the_intruder_left_is_kept_and_removed() -> None:
    commands = _kubectl(_advice([HOOK]))
    at = "mutatingwebhookconfigurations.admissionregistration.k8s.io/hook"
    assert ["kubectl", "delete", at] in commands
    assert ["kubectl", "get", at] in [command[:3] for command in commands]


def test_a_back_door_that_somebody_removed_is_not_removed_again() -> None:
    doors = [HOOK, ObjectName("serviceaccounts", "shop", "back"), ObjectName("clusterrolebindings", "", "back", RBAC)]
    assert [action.phase for action in _advice(doors)].count("revoke") == 1
    assert [action.phase for action in _advice(doors, gone=doors)].count("revoke") == 0


def test_what_was_changed_is_compared_and_never_deleted() -> None:
    changed = [ObjectName("deployments", "shop", "web", "apps"), ObjectName("secrets", "shop", "db"), HOOK]
    actions = _advice(changed=changed)
    (found,) = [action for action in actions if action.title.en == "Put back what the intruder changed"]
    assert found.command.splitlines() == [
        "kubectl rollout history -n shop deployments/web",
        "kubectl describe -n shop secrets/db",
        "kubectl get mutatingwebhookconfigurations.admissionregistration.k8s.io/hook -o yaml",
    ]
    assert not any(command[1] == "delete" for command in _kubectl(actions))


@pytest.mark.parametrize("name", ["cluster-admin", "system:discovery", "kubeadm:get-nodes"])
def test_a_binding_that_kubernetes_needs_is_not_deleted_because_of_one_subject(name: str) -> None:
    (fix,) = [a for a in _advice(causes=[RootCause("ClusterRoleBinding", name)]) if a.phase == "fix"]
    assert [command[1] for command in _kubectl([fix])] == ["get", "edit"]
    assert "do not delete it" in fix.detail.en
    (other,) = [a for a in _advice(causes=[RootCause("ClusterRoleBinding", f"my-{name}")]) if a.phase == "fix"]
    assert [command[1] for command in _kubectl([other])] == ["get", "delete"]
    assert "the binding's other subjects" in other.breaks.en


def test_copies_of_namesakes_do_not_overwrite_each_other() -> None:
    created = [ObjectName("daemonsets", space, "web", "apps") for space in ("shop", "pay")]
    causes = [RootCause("RoleBinding", "web", space) for space in ("shop", "pay")]
    files = [line.rpartition("> ")[2] for action in _advice(created, causes) for line in action.command.splitlines()
             if line.startswith("kubectl get -n ")]  # fmt: skip
    assert len(files) == 4
    assert len(set(files)) == 4


def test_a_container_put_into_a_running_pod_stays_as_long_as_the_pod() -> None:
    added = ObjectName("pods/ephemeralcontainers", "shop", "web-1")
    looked = ["kubectl", "get", "-n", "shop", "pods/web-1", "-o", "jsonpath={.spec.ephemeralContainers[*].name}"]
    assert looked in _kubectl(_advice(changed=[added]))
    assert looked not in _kubectl(_advice(changed=[added], gone=[ObjectName("pods", "shop", "web-1")]))
    assert looked not in _kubectl(_advice(changed=[ObjectName("pods/status", "shop", "web-1")]))
