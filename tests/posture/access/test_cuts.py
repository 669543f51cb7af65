"""The cut of attack paths: once its command was run nobody has a way left, and nothing else was taken away."""

from __future__ import annotations

import json
import random
import shlex

import pytest

from kubewitness.model.text import Text
from kubewitness.posture.access.removal import removal
from kubewitness.posture.access.state import state_of
from kubewitness.posture.check import Snapshot
from tests.posture.access.cluster import (
    Document,
    account,
    binding,
    cluster,
    failed,
    fails,
    namespace,
    pod,
    role,
)
from tests.posture.access.test_grants import more
from tests.posture.access.test_paths import CLUSTER_WIDE, SHOP, VICTIM, WEB
from tests.posture.made import results, snapshot


def after(of: Snapshot, command: str) -> Snapshot:
    """The cluster once the command was run."""
    assert of.cluster
    documents = [json.loads(json.dumps(one.document)) for one in of.cluster.objects]
    for line in command.splitlines():
        words = shlex.split(line)
        if words[1] == "get":
            continue
        where = words[words.index("-n") + 1] if "-n" in words else ""
        (index,) = (
            number
            for number, one in enumerate(documents)
            if (one["kind"].lower(), one["metadata"].get("namespace", ""), one["metadata"]["name"])
            == (words[2], where, words[3])
        )
        if words[1] == "delete":
            del documents[index]
            continue
        assert words[1] == "patch"
        for step in json.loads(words[words.index("-p") + 1]):
            path = step["path"].split("/")[1:]
            if step["op"] == "test":
                assert documents[index]["subjects"][int(path[1])]["name"] == step["value"]
            else:
                del documents[index]["subjects"][int(path[1])]
    return snapshot(documents, version=of.cluster.version, whole=of.cluster.whole)


def test_one_grant_closes_the_way_and_the_others_of_its_binding_stay() -> None:
    of = cluster(*SHOP, binding("x", "cluster-admin", "User eve", WEB, "Group ops"))
    found = failed("attack_path", of)
    assert found.remedy
    then = after(of, found.remedy.command)
    assert fails("attack_path", then) == []
    assert [one[1] for one in fails("administrators", then)] == ["Group ops", "User eve"]


def test_a_second_grant_of_the_same_right_is_cut_with_the_first() -> None:
    of = cluster(*SHOP, binding("x", "cluster-admin", WEB), binding("y", "cluster-admin", WEB))
    found = failed("attack_path", of)
    assert found.remedy
    assert found.remedy.command.count("kubectl delete clusterrolebinding") == 2
    assert fails("attack_path", after(of, found.remedy.command)) == []


def test_the_cut_that_closes_most_ways_is_the_one_that_all_share() -> None:
    many = [part for number in range(5) for part in (account(f"shop/a{number}"), pod(f"shop/a{number}", f"a{number}"))]
    takes = role("token", ("create", "", "serviceaccounts/token", "boss"))
    bound = [binding(f"a{number}", "token", f"ServiceAccount shop/a{number}") for number in range(5)]
    found = results("access/attack_path", cluster(*SHOP, *VICTIM, *many, takes, *bound), "fail")
    assert len(found) == 5
    assert {one.remedy.fix for one in found if one.remedy} == {
        "unbind ClusterRoleBinding boss: ServiceAccount ops/boss"
    }


def test_what_kubernetes_makes_for_its_controllers_is_never_the_cut() -> None:
    controller = "clusterrole-aggregation-controller"
    parts = [*SHOP, account("shop/b"), pod("shop/b", "b"), account(f"kube-system/{controller}")]
    takes = role("token", ("create", "", "serviceaccounts/token"))
    of = cluster(*parts, takes, binding("a", "token", WEB), binding("b", "token", "ServiceAccount shop/b"))
    found = results("access/attack_path", of, "fail")
    assert [hop.means for one in found for hop in one.hops] == ["token", "escalate", "token", "escalate"]
    assert {one.remedy.command.rpartition(" ")[2] for one in found if one.remedy} == {"a", "b"}


def test_a_way_by_an_altered_role_of_kubernetes_is_cut_by_putting_the_role_back() -> None:
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    found = results("access/attack_path", cluster(more("system:basic-user", everything)), "fail")
    assert [one.subject for one in found] == ["Group system:authenticated"]
    assert found[0].remedy
    assert found[0].remedy.fix == "restore ClusterRole system:basic-user"
    assert "kubectl auth reconcile" in found[0].remedy.command


@pytest.mark.parametrize("seed", range(16))
def test_after_its_cut_nobody_has_a_way_left_and_no_single_grant_would_do_where_several_are_named(seed: int) -> None:
    """In random clusters; every account's cut is tried alone."""
    chance = random.Random(seed)
    rules = [*(found[0] for found in CLUSTER_WIDE.values()), [("create", "", "pods/exec")], [("get", "", "secrets")]]
    names = ["a", "b", "c", "d"]
    parts: list[Document] = [namespace("shop", chance.choice(["", "restricted"])), *VICTIM]
    for name in names:
        parts += [account(f"shop/{name}"), pod(f"shop/{name}", name)]
    groups = ["Group system:serviceaccounts:shop", "Group system:authenticated"]
    for number in range(chance.randint(2, 7)):
        parts.append(role(f"r{number}", *chance.choice(rules)))
        subjects = [f"ServiceAccount shop/{one}" for one in chance.sample(names, chance.randint(1, 2))]
        subjects += chance.sample(groups, chance.choice([0, 0, 0, 1]))
        parts.append(binding(f"b{number}", f"r{number}", *subjects, namespace=chance.choice(["", "", "shop", "ops"])))
    of = cluster(*parts)
    commands = singles(parts, of)
    found = results("access/attack_path", of, "fail")
    assert found
    for one in found:
        assert one.remedy
        assert one.subject not in left(of, one.remedy.command)
        if len([line for line in one.remedy.command.splitlines() if " get " not in line]) > 1:
            assert all(one.subject in left(of, command) for command in commands)


def left(of: Snapshot, command: str) -> set[str]:
    """Who has a way once the command was run."""
    return {one.subject for one in results("access/attack_path", after(of, command), "fail")}


def singles(parts: list[Document], of: Snapshot) -> set[str]:
    """What takes back each single grant alone."""
    state = state_of(of)
    assert state
    mine = {one["metadata"]["name"] for one in parts if one["kind"].endswith("Binding")}
    nothing = Text("", "")
    return {removal([grant], nothing, nothing).command for grant in state.grants if grant.binding.name in mine}


def test_a_name_that_a_shell_would_obey_is_quoted_and_one_that_a_screen_would_is_not_put_in_a_command() -> None:
    quoted = failed("attack_path", cluster(*SHOP, binding("x; rm -rf /", "cluster-admin", WEB)))
    assert quoted.remedy
    assert "'x; rm -rf /'" in quoted.remedy.command
    hidden = failed("attack_path", cluster(*SHOP, binding("x\x1b[2J", "cluster-admin", WEB)))
    assert hidden.remedy
    assert hidden.remedy.command == ""
