"""What the log does not tell of who asked is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.incident.investigate import Options, investigate
from kubewitness.rules.loader import RuleSet
from tests.incident.logs import KUBECTL, KUBELET, MANAGER, Log, account

BALANCER = "10.0.0.5"
PARTS = (
    "system:kube-scheduler",
    "system:kube-controller-manager",
    "system:node:a",
    "system:node:b",
    "system:apiserver",
)


def limitations(log: Log, folder: Path, rules: RuleSet) -> str:
    document = investigate([log.write(folder / "audit.log")], rules=rules, options=Options())
    return "\n".join(one.en for one in document.coverage.limitations)


@pytest.mark.parametrize(("agents", "said"), [((KUBECTL,), True), ((KUBECTL, KUBELET), False), ((MANAGER,), False)])
def test_clients_whose_names_are_not_their_own_are_told(
    agents: tuple[str, ...], said: bool, tmp_path: Path, rules: RuleSet
) -> None:
    log = Log()
    for number, part in enumerate(PARTS):
        agent = agents[number % len(agents)]
        log.request("list", "pods", at=f"08:0{number}", by=part, address=f"10.0.0.1{number}", agent=agent)
    assert ("bear the name of a person's tool" in limitations(log, tmp_path, rules)) == said


@pytest.mark.parametrize(("agent", "said"), [("", True), (KUBECTL, False)])
def test_a_log_without_clients_is_told(agent: str, said: bool, tmp_path: Path, rules: RuleSet) -> None:
    log = Log()
    for number in range(60):
        log.request("list", "pods", at=f"08:{number:02}", by="jane", agent=agent)
    assert ("No request names its client" in limitations(log, tmp_path, rules)) == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["jane", "omar", "lee", "dana", "wei", "ruth"], True),
        (["jane", "omar", "lee", account("ci", "a"), account("ci", "b"), "system:anonymous"], True),
        (["jane", "omar", "lee", "dana", "wei"], False),
        ([account("ci", name) for name in "abcdefgh"], False),
        (["jane", "omar", "lee", "dana", "wei", "system:node:a"], False),
    ],
    ids=["people", "people and accounts", "an office", "a node of pods", "a machine of the cluster"],
)
def test_an_address_of_many_is_told(names: list[str], said: bool, tmp_path: Path, rules: RuleSet) -> None:
    log = Log()
    for number, name in enumerate(names):
        agent = KUBELET if name.startswith("system:node") else KUBECTL
        log.request("list", "pods", at=f"08:0{number}", by=name, address=BALANCER, agent=agent, namespace="shop")
    assert (f"identities come from one address ({BALANCER})" in limitations(log, tmp_path, rules)) == said
