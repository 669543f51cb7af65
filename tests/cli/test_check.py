"""`kubewitness check` as a person meets it: what it asks, what it says, how it ends. The checks are made up."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from click.testing import Result as Ran

from kubewitness.cli.check import check as command
from kubewitness.cli.main import program
from kubewitness.collect import node as node_collector
from kubewitness.model.posture import Hop, Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import ClusterCheck, FleetCheck, Machine, NodeCheck, Snapshot
from kubewitness.posture.reading import nodes, text
from tests.cli.test_collect_cluster import answers
from tests.kube.fake import calls, fake_kubectl
from tests.report.check.sample import info
from tests.sources.test_kube_cluster import MANIFEST

RBAC = "rbac.authorization.k8s.io/v1"
KIND = "ClusterRoleBinding"


def _grants(snapshot: Snapshot) -> Iterator[Result]:
    for one in snapshot.cluster.of(KIND) if snapshot.cluster else ():
        for position, subject in nodes(one.document, "subjects"):
            if text(subject, "name") == "system:anonymous":
                where = Where(one.place.item, one.place.line, str(one), f"{one.path}.subjects[{position}]")
                hop = Hop("User system:anonymous", "everything", "grant", Text("is bound", "已绑定"), (where,))
                yield Result("fail", "cluster", str(one), Text("bound", "已绑定"), where=(where,), hops=(hop,))


def _kubelet(machine: Machine, _: Snapshot) -> Iterator[Result]:
    yield Result("pass", machine.target, "kubelet")


INFOS = {
    one.id: one
    for one in (
        info("grant", "critical"), info("kubelet", "high", "nodes", "node"), info("alike", "medium", "fleet", "fleet"),
    )
}  # fmt: skip
CHECKS = (
    ClusterCheck("checks/access/grant", _grants, (KIND,)),
    NodeCheck("checks/nodes/kubelet", _kubelet),
    FleetCheck("checks/fleet/alike", lambda _: ()),
)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795300000")
    for name in ("KUBECONFIG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for module in ("kubewitness.incident.assess", "kubewitness.cli.check"):
        monkeypatch.setattr(f"{module}.CHECKS", CHECKS)
        monkeypatch.setattr(f"{module}.catalogue", lambda: INFOS)
    monkeypatch.setattr("kubewitness.cli.check.is_node", lambda: False)


def run(*args: str, stdin: bytes | None = None) -> Ran:
    return CliRunner().invoke(program, ["check", *args], input=stdin)


def binding(name: str, *subjects: str) -> dict[str, Any]:
    about = [{"kind": "User", "name": one} for one in subjects]
    return {"kind": KIND, "apiVersion": RBAC, "metadata": {"name": name}, "subjects": about}


def dump(*bindings: dict[str, Any], name: str = "dump.json") -> str:
    items = [binding("cluster-admin", "admin"), *bindings]
    Path(name).write_text(json.dumps({"apiVersion": "v1", "items": items, "kind": "List"}, indent=1))
    return name


OPEN = binding("open", "system:anonymous")


def test_a_failure_gives_1_and_is_told_with_its_place() -> None:
    ran = run(dump(OPEN))
    assert ran.exit_code == 1
    assert "1 failed: 1 critical" in ran.stdout
    assert "dump.json:" in ran.stdout
    assert "items[1].subjects[0]" in ran.stdout


def test_nothing_that_failed_gives_0_and_says_what_was_not_judged() -> None:
    ran = run(dump())
    assert ran.exit_code == 0
    assert "Nothing failed · 1 passed · 1 not evaluated · 1 not applicable" in ran.stdout
    assert "no evidence of a node was given" in ran.stdout


def test_a_scope_as_first_word_judges_only_that() -> None:
    ran = run("cluster", dump(OPEN), "--format", "json")
    assert [one["id"] for one in json.loads(ran.stdout)["checks"]] == ["checks/access/grant"]


@pytest.mark.parametrize(
    "text", ["", "just words\n", '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a"}\n']
)
def test_evidence_in_which_nothing_can_be_judged_is_no_clean_answer(text: str) -> None:
    Path("x.log").write_text(text)
    ran = run("x.log")
    assert ran.exit_code == 3
    assert "NOTHING WAS JUDGED" in ran.stdout


def test_what_could_not_be_read_gives_3_though_something_failed() -> None:
    dump(OPEN)
    Path("more.json").write_text(json.dumps(OPEN) + "\n{broken\n")
    ran = run("dump.json", "more.json")
    assert ran.exit_code == 3
    assert "INCOMPLETE EVIDENCE" in ran.stdout
    assert "more.json:2" in ran.stdout
    assert "1 failed" in ran.stdout


def test_standard_input_is_evidence() -> None:
    ran = run("-", stdin=Path(dump(OPEN)).read_bytes())
    assert ran.exit_code == 1
    assert "stdin:" in ran.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nowhere.json",), "no such file"),
        (("fleet",), "name the archives"),
        ((), "nothing to check"),
        (("dump.json", "--context", "prod"), "go without TARGET"),
        (("dump.json", "--check", "gran"), "did you mean"),
        (("dump.json", "--check", "x\x1b[2J"), "there is no check"),
        (("dump.json", "--kubernetes-version", "latest"), "is no version"),
        (("dump.json", "--waivers", "none.yml"), "cannot be read"),
        (("dump.json", "--baseline", "none.json"), "no such file"),
        (("dump.json", "-o", "no/such/folder"), "does not exist"),
        (("dump.json", "--severity", "bad"), "Invalid value"),
    ],
)
def test_a_wrong_call_gives_2_and_one_sentence(args: tuple[str, ...], words: str) -> None:
    dump(OPEN)
    ran = run(*args)
    assert ran.exit_code == 2
    assert words in ran.stderr
    assert "\x1b" not in ran.stderr
    assert ran.stdout == ""


def test_a_severity_is_the_least_that_is_listed_and_counts() -> None:
    assert run(dump(OPEN), "--severity", "critical").exit_code == 1
    INFOS["checks/access/grant"] = info("grant", "low")
    try:
        assert run(dump(OPEN), "--severity", "medium").exit_code == 0
        assert run(dump(OPEN), "--severity", "low").exit_code == 1
    finally:
        INFOS["checks/access/grant"] = info("grant", "critical")


def test_only_the_checks_and_groups_that_were_asked_for_are_run() -> None:
    for args in (("--check", "grant"), ("--check", "access/grant"), ("--group", "access")):
        ran = run(dump(), *args, "--format", "json")
        assert [one["id"] for one in json.loads(ran.stdout)["checks"]] == ["checks/access/grant"]


def test_against_a_baseline_only_what_is_new_counts() -> None:
    assert run(dump(OPEN), "--format", "json", "-o", "before.json").exit_code == 1
    assert Path("before.json").stat().st_mode & 0o777 == 0o600
    same = run("dump.json", "--baseline", "before.json")
    assert same.exit_code == 0
    assert "1 known from before.json" in same.stdout
    more = run(dump(OPEN, binding("other", "system:anonymous")), "--baseline", "before.json")
    assert more.exit_code == 1
    assert "new since before.json: 1" in more.stdout
    mended = run(dump(), "--baseline", "before.json")
    assert (mended.exit_code, "1 gone" in mended.stdout) == (0, True)


def test_a_waiver_takes_a_failure_out_until_its_last_day() -> None:
    dump(OPEN)
    entry = "waivers:\n- {check: grant, subject: '*open', owner: jane, reason: needed, expires: %s}\n"
    Path("w.yml").write_text(entry % "2999-01-01")
    ran = run("dump.json", "--waivers", "w.yml")
    assert ran.exit_code == 0
    assert "jane, until 2999-01-01: needed" in ran.stdout
    Path("w.yml").write_text(entry % "2001-01-01")
    ran = run("dump.json", "--waivers", "w.yml")
    assert ran.exit_code == 1
    assert "w.yml:2: grant *open (jane, 2001-01-01)" in ran.stdout


def test_a_waiver_without_an_end_is_a_wrong_call_with_file_and_line() -> None:
    dump(OPEN)
    Path("w.yml").write_text("waivers:\n- {check: grant, owner: jane, reason: needed}\n")
    ran = run("dump.json", "--waivers", "w.yml")
    assert ran.exit_code == 2
    assert "w.yml:2: a waiver needs 'expires'" in ran.stderr


def test_results_in_the_folder_that_is_judged_are_no_evidence() -> None:
    Path("in").mkdir()
    dump(OPEN, name="in/dump.json")
    run("in", "--format", "json", "-o", "in/before.json")
    report = json.loads(run("in", "--format", "json", "--baseline", "in/before.json").stdout)
    assert [one["name"] for one in report["items"]] == ["in/dump.json"]


def test_the_version_of_the_api_server_can_be_given() -> None:
    ran = run(dump(), "--kubernetes-version", "1.31", "--format", "json")
    assert json.loads(ran.stdout)["version"] == "v1.31"


@pytest.mark.parametrize("form", ["table", "json", "sarif", "html", "md"])
def test_every_form_is_written(form: str) -> None:
    ran = run(dump(binding("evil\x1b[2J", "system:anonymous")), "--format", form, "-o", "out")
    assert ran.exit_code == 1
    assert ran.stderr == "Wrote out\n"
    assert b"\x1b" not in Path("out").read_bytes()


def test_checks_are_listed_with_their_ids() -> None:
    listed = run("--list").stdout
    assert "access/grant" in listed
    assert "nodes/kubelet" in listed
    assert run("node", "--list").stdout.count("/") == 1
    assert [one["id"] for one in json.loads(run("--list", "--format", "json", "--group", "fleet").stdout)] == [
        "checks/fleet/alike"
    ]


def test_scopes_files_and_ids_are_completed() -> None:
    completion = ShellComplete(program, {}, "kubewitness", "_KUBEWITNESS_COMPLETE")
    words = [one.value for one in completion.get_completions(["check"], "")]
    assert {"cluster", "node", "fleet"} <= set(words)
    assert [one.value for one in completion.get_completions(["check", "--check"], "access/")] == ["access/grant"]
    assert command.name == "check"


def module(monkeypatch: pytest.MonkeyPatch, name: str, **functions: Any) -> None:
    made = ModuleType(name)
    for key, function in functions.items():
        setattr(made, key, function)
    monkeypatch.setitem(sys.modules, name, made)


def test_machines_like_one_are_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def like(snapshot: Snapshot, name: str) -> list[Result]:
        asked.append(name)
        return [Result("fail", "node/b", "kubelet", Text("set alike", "配置相同"))]

    module(monkeypatch, "kubewitness.posture.fleet.like", like=like)
    collector = MANIFEST.replace("kubewitness-cluster/1", "kubewitness-node/1")
    for name in ("a", "b"):
        top = Path("in", f"kubewitness-{name}")
        (top / "[root]/etc").mkdir(parents=True)
        (top / "[root]/etc/hostname").write_text(f"{name}\n")
        (top / "live_response/process").mkdir(parents=True)
        (top / "live_response/process/processes.jsonl").write_text('{"pid":1,"name":"init","argv":["/sbin/init"]}\n')
        (top / "manifest.jsonl").write_text((collector % ("", "")).replace('"blue"', f'"{name}"'))
    ran = run("fleet", "--like", "a", "in", "--format", "json")
    report = json.loads(ran.stdout)
    assert asked == ["a"]
    assert ("checks/fleet/like", "fail", "high") in [
        (one["check"], one["status"], one["severity"]) for one in report["results"]
    ]
    (like_info,) = (one for one in report["checks"] if one["id"] == "checks/fleet/like")
    assert "kubewitness check node" in like_info["remedy"]["command"]
    missing = run("fleet", "--like", "c", "in")
    assert (missing.exit_code, "which has: a, b" in missing.stderr) == (2, True)


def test_to_be_like_a_machine_there_have_to_be_archives() -> None:
    ran = run("node", "--like", "a")
    assert (ran.exit_code, "goes with the archives" in ran.stderr) == (2, True)


def test_only_what_is_named_is_probed_and_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def probe(addresses: tuple[str, ...]) -> list[Result]:
        asked.extend(addresses)
        return [
            Result("fail", f"node/{one}", one, Text("200 without a credential", "无凭据得到 200")) for one in addresses
        ]

    module(monkeypatch, "kubewitness.cli.check_probe", probe=probe)
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    monkeypatch.setattr("kubewitness.cli.check.ask_cluster", lambda *_: pytest.fail("asked the API server"))
    ran = run("--probe", "127.0.0.1:10250")
    assert asked == ["127.0.0.1:10250"]
    assert ran.exit_code == 1
    assert "1 failed: 1 critical" in ran.stdout
    assert "200 without a credential" in ran.stdout


# -- live --------------------------------------------------------------------------------------------------------------


def live(tmp_path: Path, *bindings: dict[str, Any], **more: Any) -> Path:
    items = [{key: value for key, value in one.items() if key != "kind"} for one in bindings]
    body = {"kind": f"{KIND}List", "apiVersion": RBAC, "metadata": {}, "items": items}
    path = f"/apis/{RBAC}/clusterrolebindings?limit=500"
    return fake_kubectl(tmp_path / "bin", answers(**{path: {"body": json.dumps(body)}}) | more)


def test_live_and_from_files_the_same_objects_get_the_same_answers(tmp_path: Path) -> None:
    bindings = [binding("cluster-admin", "admin"), OPEN, binding("other", "jane", "system:anonymous")]
    kubectl = live(tmp_path, *bindings)
    asked = run("cluster", "--kubectl", str(kubectl), "--format", "json", "-q")
    read = run("cluster", dump(*bindings[1:]), "--format", "json")
    assert (asked.exit_code, read.exit_code) == (1, 1)
    told = [
        [(one["key"], one["status"], one["observed"]) for one in json.loads(ran.stdout)["results"]]
        for ran in (asked, read)
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 2
    verbs = {next(word for word in words if not word.startswith("-")) for words in calls(tmp_path / "bin")}
    assert verbs == {"get", "config"}


def test_live_places_are_told_without_the_folder_that_is_gone(tmp_path: Path) -> None:
    report = json.loads(run("cluster", "--kubectl", str(live(tmp_path, OPEN)), "--format", "json").stdout)
    (one,) = [one for one in report["results"] if one["status"] == "fail"]
    assert one["where"][0]["item"] == "cluster/rbac.authorization.k8s.io/clusterrolebindings.json"
    assert one["hops"][0]["where"][0]["item"] == one["where"][0]["item"]
    assert (report["cluster"], report["version"]) == ("blue", "v1.34.4")
    assert "kubewitness-check-" not in json.dumps(report)


def test_what_the_identity_may_not_read_is_not_evaluated_and_gives_3(tmp_path: Path) -> None:
    forbidden = {"error": 'Error from server (Forbidden): User "jane" cannot list it\x1b[2J'}
    kubectl = live(tmp_path, **{f"/apis/{RBAC}/clusterrolebindings?limit=500": forbidden})
    ran = run("cluster", "--kubectl", str(kubectl))
    assert ran.exit_code == 3
    assert "Not collected: rbac.authorization.k8s.io/clusterrolebindings.json: Not permitted" in ran.stderr
    assert "ClusterRoleBinding (Not permitted" in " ".join(ran.stdout.split())
    assert "\x1b" not in ran.stderr + ran.stdout


def test_an_api_of_an_extension_that_is_down_is_said_and_makes_no_answer_incomplete(tmp_path: Path) -> None:
    groups = json.loads(answers()["/apis"]["body"])["groups"]
    metrics = {"name": "metrics", "versions": [{"groupVersion": "metrics/v1", "version": "v1"}]}
    kubectl = live(
        tmp_path, binding("cluster-admin", "admin"),
        **{"/apis": {"body": json.dumps({"groups": [*groups, metrics]})},
           "/apis/metrics/v1": {"error": "Error from server (ServiceUnavailable): the server is unavailable"}},
    )  # fmt: skip
    ran = run("cluster", "--kubectl", str(kubectl))
    assert ran.exit_code == 0, ran.stdout
    assert "discovery.json" in ran.stderr


def test_where_nobody_answers_the_next_step_is_told(tmp_path: Path) -> None:
    kubectl = fake_kubectl(tmp_path / "bin", {"/version": {"error": 'error: context "x" does not exist'}})
    ran = run("cluster", "--kubectl", str(kubectl), "--context", "x")
    assert ran.exit_code == 2
    assert "get-contexts" in ran.stderr
    assert ran.stdout == ""


@pytest.mark.parametrize(("kubeconfig", "node", "root", "asked"), [
    (True, False, False, ["cluster"]),
    (True, True, True, ["cluster", "node"]),
    (True, True, False, ["cluster"]),
    (False, True, True, ["node"]),
    (False, True, False, ["node"]),
])  # fmt: skip
def test_without_a_target_what_applies_is_asked(
    monkeypatch: pytest.MonkeyPatch, kubeconfig: bool, node: bool, root: bool, asked: list[str]
) -> None:
    seen: list[str] = []

    def cluster_(*_: object) -> bool:
        seen.append("cluster")
        return True

    def here_(*_: object) -> bool:
        seen.append("node")
        return True

    monkeypatch.setattr("kubewitness.cli.check.ask_cluster", cluster_)
    monkeypatch.setattr("kubewitness.cli.check.look_here", here_)
    monkeypatch.setattr("kubewitness.cli.check.is_node", lambda: node)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    if kubeconfig:
        monkeypatch.setenv("KUBECONFIG", "/somewhere")
    ran = run()
    assert seen == asked
    assert ("sudo" in ran.stderr) == (kubeconfig and node and not root)


def test_this_machine_is_judged_from_an_archive_that_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    root = tmp_path / "root"
    (root / "etc/kubernetes").mkdir(parents=True)
    (root / "etc/hostname").write_text("node7\n")
    (root / "etc/kubernetes/kubelet.conf").write_text("apiVersion: v1\nkind: Config\n")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    options = node_collector.Options
    monkeypatch.setattr(node_collector, "Options", lambda **more: options(**more, root=str(root)))
    report = json.loads(run("node", "--format", "json").stdout)
    assert report["targets"] == ["node/node7"]
    assert [one["status"] for one in report["results"]] == ["pass"]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert all(not one["name"].startswith("/") for one in report["items"])


def test_without_root_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    def nothing(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(node_collector, "collect", nothing)
    assert "NOT ROOT" in run("node").stderr


def test_the_archives_that_help_names_are_called_as_the_collector_calls_them() -> None:
    patterns = re.findall(r"\S+\.tar\.zst", run("--help").stdout)
    assert patterns
    assert all(fnmatch("kubewitness-node1-20261122T041000Z.tar.zst", one) for one in patterns)
