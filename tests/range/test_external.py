"""The recorder on somebody's own cluster: what it refuses, what it asks, what it takes for playable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from range.__main__ import main
from range.external import fit
from range.script import Kubectl, Step, load

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"
SCENARIO = """\
title: {en: a, zh: a}
about: {en: a, zh: a}
background: []
calm: 0
settle: 0
actors:
  admin: {role: administrator, address: 10.77.20.10}
  thief: {role: intruder, address: 203.0.113.9}
credentials:
  masters: {user: root-of-all, groups: ["system:masters"]}
  jane: {user: jane}
phases:
  - name: takes
    steps:
      - {actor: admin, as: masters, kubectl: {args: get nodes}}
      - {actor: thief, as: jane, step: looks, kubectl: {args: get pods}}
"""
STEP = "      - {actor: thief, as: jane, step: looks, kubectl: {args: get pods}}\n"
SERVER = "https://127.0.0.1:6443"
# A kubectl that notes how it is called and answers `get --raw PATH` with the file of that path.
KUBECTL = """\
#!/bin/sh
folder=$(dirname "$0")
echo "$*" >> "$folder/calls"
case "$*" in
*"config view"*) cat "$folder/view.json"; exit 0 ;;
*"get --raw"*) for path; do :; done; [ -f "$folder/answers$path.json" ] && exec cat "$folder/answers$path.json"
  echo 'Error from server (NotFound): nothing of that name' >&2; exit 1 ;;
esac
echo 'error: this cluster does nothing' >&2; exit 1
"""


class Double:
    """A cluster of files and the folder of its scenario."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenario = folder / "made-up"
        self.scenario.mkdir()
        (self.scenario / "scenario.yaml").write_text(SCENARIO)
        kubectl = folder / "kubectl"
        kubectl.write_text(KUBECTL)
        kubectl.chmod(0o755)
        self.cluster(server=SERVER)
        (folder / "kubeconfig").write_text("{}")
        self.answer("/api/v1/nodes", {"items": [node("worker-a")]})
        self.answer("/version", {"gitVersion": "v1.30.0"})
        self.label("yes")

    def cluster(self, **access: str) -> None:
        view = {"clusters": [{"cluster": access}], "users": [{"user": {"token": "t"}}]}
        (self.folder / "view.json").write_text(json.dumps(view))

    def answer(self, path: str, value: object) -> None:
        file = self.folder / f"answers{path}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))

    def label(self, value: str) -> None:
        labels = {"kubewitness.io/disposable-cluster": value} if value else {}
        self.answer("/api/v1/namespaces/kube-system", {"metadata": {"name": "kube-system", "labels": labels}})

    def write(self, old: str, new: str) -> None:
        assert old in SCENARIO
        (self.scenario / "scenario.yaml").write_text(SCENARIO.replace(old, new))

    def run(self, *words: str, typed: str = "") -> Result:
        own = ["--kubeconfig", str(self.folder / "kubeconfig")]
        return CliRunner().invoke(main, ["run", str(self.scenario), *own, *words], input=typed)

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return (
            [line.partition("--v=8 ")[2] or "config view" for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )


def node(name: str, *images: dict[str, Any], ready: str = "True") -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "images": list(images)}
    return {"metadata": {"name": name}, "status": status}


def image(size: int, *names: str) -> dict[str, Any]:
    return {"names": list(names), "sizeBytes": size}


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    for program in ("openssl", "curl"):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine")
    made = Double(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return made


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_collecting_from_the_ranges_nodes_is_refused_on_a_cluster_of_ones_own(double: Double, tmp_path: Path) -> None:
    double.label("yes")
    result = double.run("--yes", "--collect", str(tmp_path / "archives"))
    assert result.exit_code == 2
    assert "--collect is for the range's own nodes" in result.output
    assert double.calls == []
    assert not (tmp_path / "archives").exists()


@pytest.mark.parametrize("value", ["", "no", "true"])
def test_a_cluster_without_the_label_is_refused_with_the_command_that_sets_it(double: Double, value: str) -> None:
    double.label(value)
    result = double.run("--yes")
    assert result.exit_code == 2
    assert "label namespace kube-system kubewitness.io/disposable-cluster=yes" in result.output
    assert double.calls == ["config view", "get --raw /api/v1/namespaces/kube-system"]


def test_a_cluster_that_does_not_answer_is_refused_in_one_sentence(double: Double) -> None:
    kubectl = double.folder / "kubectl"
    kubectl.write_text(KUBECTL.replace('*"get --raw"*) ', "*\"get --raw\"*) echo 'connection refused' >&2; exit 1; "))
    result = double.run("--yes")
    assert result.exit_code == 2
    assert (
        result.output == f"refused: {SERVER} does not answer: GET /api/v1/namespaces/kube-system: connection refused\n"
    )


@pytest.mark.parametrize(
    ("access", "why"),
    [
        ({"server": "http://127.0.0.1:8080"}, "no https address"),
        ({"server": SERVER, "tls-server-name": "kubernetes"}, "tls-server-name is not supported"),
        ({"server": SERVER, "proxy-url": "http://127.0.0.1:3128"}, "proxy-url is not supported"),
    ],
)
def test_a_kubeconfig_that_curl_cannot_follow_is_refused(double: Double, access: dict[str, str], why: str) -> None:
    double.cluster(**access)
    result = double.run("--yes")
    assert (result.exit_code, why in result.output) == (2, True)
    assert double.calls == ["config view"]


def test_without_a_terminal_and_without_yes_nothing_is_played(double: Double) -> None:
    result = double.run()
    assert result.exit_code == 2
    assert "--yes" in result.output
    assert not [call for call in double.calls if not call.startswith(("get --raw", "config view"))]


def test_a_no_to_the_question_ends_it_after_showing_what_would_be_done(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("range.external.run.on_terminal", lambda: True)
    result = double.run(typed="n\n")
    assert result.exit_code == 2
    for shown in (
        SERVER,
        "2 steps",
        "thief (intruder): jane",
        "your kubeconfig stands in for it",
        "signed by this cluster",
    ):
        assert shown in result.output
    assert not [call for call in double.calls if not call.startswith(("get --raw", "config view"))]


def test_a_yes_to_the_question_goes_on_and_a_certificate_that_cannot_be_had_is_named(
    double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("range.external.run.on_terminal", lambda: True)
    result = double.run(typed="y\n")
    assert result.exit_code == 2
    assert (
        "the credential 'jane' (user jane) cannot be had: kubectl create: error: this cluster does nothing"
        in result.output
    )


@pytest.mark.parametrize("option", ["--yes", "--skip-unsupported", "--claim-addresses", "--clean-up"])
def test_options_for_an_own_cluster_are_refused_without_one(option: str) -> None:
    result = CliRunner().invoke(main, ["run", "leaked_kubeconfig", option])
    assert (result.exit_code, "--kubeconfig" in result.output) == (2, True)


def test_an_audit_log_that_is_not_there_is_refused_before_the_cluster_is_asked(double: Double, tmp_path: Path) -> None:
    result = double.run("--yes", "--audit-log", str(tmp_path / "none.log"), "--record", str(tmp_path / "record"))
    assert (result.exit_code, "none.log" in result.output, double.calls) == (2, True, [])


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("{actor: thief, step: a, node: {node: node1, command: id}}", "the range's own nodes only"),
        ("{actor: thief, step: a, pod: {pod: a/b, command: id}}", "the range's own nodes only"),
        ("{actor: thief, step: a, kubelet: {node: node1, path: /pods}}", "the range's own nodes only"),
        ("{actor: thief, step: a, as: masters, kubectl: {args: get pods}}", "no cluster signs a certificate"),
        ("{actor: thief, step: a, kubectl: {args: exec p -- wget http://169.254.169.254/latest}}", "for real"),
    ],
)
def test_what_only_the_range_has_is_refused_with_its_place_and_no_request(double: Double, step: str, why: str) -> None:
    double.write(STEP, f"      - {step}\n")
    result = double.run("--yes")
    assert result.exit_code == 2
    assert "phase 'takes', step" in result.output
    assert why in result.output
    assert double.calls == []


def test_an_actor_inside_a_pod_is_refused(double: Double) -> None:
    double.write("{role: intruder, address: 203.0.113.9}", '{role: intruder, pod: "a/b*"}')
    assert "the actor thief is inside a pod" in double.run("--yes").output


def test_a_node_that_has_to_be_set_up_wrongly_is_refused(double: Double) -> None:
    double.write("calm: 0", "calm: 0\nnodes: {node1: config_line_commented_out}")
    assert "nodes.node1" in double.run("--yes").output


def test_an_image_that_a_node_would_pull_is_refused_and_the_archive_named(double: Double) -> None:
    double.write(
        STEP, "      - {actor: thief, as: jane, step: a, kubectl: {args: run x --image=docker.io/library/nginx:1.27}}\n"
    )
    output = double.run("--yes").output
    assert "inert image docker.io/library/nginx:1.27" in output
    assert "python -m range images" in output


def test_left_out_steps_are_shown_before_the_question(double: Double) -> None:
    double.write(STEP, "      - {actor: thief, step: a, node: {node: node1, command: id}}\n")
    result = double.run("--skip-unsupported")
    assert "left out: phase 'takes', step 2: node:" in result.output
    assert "nobody is there to confirm" in result.output


# -- what fits ---------------------------------------------------------------------------------------------------------


def test_the_leaked_kubeconfig_can_be_played_anywhere_and_the_second_incident_nowhere_else() -> None:
    def found(name: str) -> list[str]:
        script = load(RECORDED / name)
        instead = fit.stand_ins(script.actors, script.credentials, (step for _, step in fit.places(script)))
        return [one.why for one in fit.obstacles(script, script.actors, script.credentials, instead)]

    assert found("leaked_kubeconfig") == []
    assert found("kubelet_config_commented_out")


def test_an_inert_image_is_known_by_what_only_the_ranges_archive_has() -> None:
    own = [image(1000, "docker.io/library/alpine:3.20", "docker.io/library/busybox:1.36")]
    own.append(image(1010, "docker.io/kubrnetesio/kube-controller:1.0.1"))
    real = image(70_000_000, "docker.io/library/nginx:1.27")
    nodes = fit.nodes_of({"items": [node("a", *own, real)]})
    assert "docker.io/kubrnetesio/kube-controller:1.0.1" in nodes.inert
    assert "docker.io/library/nginx:1.27" not in nodes.inert | nodes.others


def test_real_images_under_the_archives_names_are_not_inert() -> None:
    real = [image(1000, "docker.io/library/alpine:3.20"), image(1001, "docker.io/library/busybox:1.36")]
    assert fit.nodes_of({"items": [node("a", *real)]}).inert == frozenset()


def test_an_image_has_to_be_on_every_ready_node() -> None:
    own = image(1000, "docker.io/library/alpine:3.20", "docker.io/library/busybox:1.36")
    mine = image(5, "registry.example.org/mine:1")
    assert fit.nodes_of({"items": [node("a", own, mine), node("b")]}).inert == frozenset()
    assert fit.nodes_of({"items": [node("a", own, mine), node("b", ready="False")]}) == fit.Nodes(
        ("a",), frozenset(own["names"]), frozenset(mine["names"])
    )


@pytest.mark.parametrize(
    "kubectl",
    [
        Kubectl("run x --image=evil.example/x:1"),
        Kubectl("run x --image evil.example/x:1"),
        Kubectl("set image deployment/web web=evil.example/x:1"),
        Kubectl("apply -f -", "containers: [{name: a, image: evil.example/x:1}]"),
        Kubectl("apply -f -", 'containers:\n- image: "evil.example/x:1"\n'),
        Kubectl("""patch pod x -p '{"spec":{"containers":[{"image":"evil.example/x:1"}]}}'"""),
        Kubectl("""run x --overrides="{\\"image\\":\\"evil.example/x:1\\"}\""""),
    ],
)
def test_images_are_found_however_they_are_named(kubectl: Kubectl) -> None:
    assert fit.images(Step("thief", kubectl=kubectl)) == {"evil.example/x:1"}


def test_a_scripts_names_of_nodes_become_the_clusters_own_and_longer_names_stay() -> None:
    step = Step("a", kubectl=Kubectl("get --raw /api/v1/nodes/node1/proxy?x=spec.nodeName%3Dnode1 node10 my-node1"))
    own = fit.in_its_words(step, ("node1",), fit.Nodes(('worker-"a',), frozenset(), frozenset()))
    assert own.kubectl
    assert own.kubectl.args == 'get --raw /api/v1/nodes/worker-"a/proxy?x=spec.nodeName%3Dworker-"a node10 my-node1'
