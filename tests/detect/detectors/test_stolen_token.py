"""A token that was copied is found with and without annotations; pipelines, address translation and offices are not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.networks import CREDENTIAL, POD
from kubewitness.detect.detectors.stolen_token import stolen_token
from kubewitness.detect.run import scan
from kubewitness.evidence.opening import walk
from tests.corpus import CORPUS, needs_corpus
from tests.detect.detectors.evidence import Row, account, pack, scanned, secrets

ABROAD, HOME, POD_IP, LOG_IP = "203.0.113.7", "10.77.30.20", "10.244.1.7", "10.244.2.3"
WEB, LOGS = account("shop", "web"), account("logging", "agent")
NODE = {"username": "system:node:a", "groups": ["system:nodes"]}
JANE = {"username": "jane", "groups": ["system:authenticated"]}
KUBECTL, PROGRAM = "kubectl/v1.31.0 (linux/amd64)", "web/1.0"
DAY = 36_000  # seconds


def bearer(user: dict[str, Any], token: str = "", pod: str = "") -> dict[str, Any]:
    """The user with what its token says of itself."""
    extra = {CREDENTIAL: [f"JTI={token}"]} if token else {}
    extra |= {POD: [pod]} if pod else {}
    return user | {"extra": extra} if extra else user


def works(user: dict[str, Any], address: str, agent: str = PROGRAM, first: int = 0, last: int = DAY) -> list[Row]:
    return [(at, secrets(user, address, userAgent=agent)) for at in range(first, last + 1, 600)]


def cluster(annotated: bool = True) -> list[Row]:
    """A node, and a pod of an account that has nothing to do with it."""
    agent = bearer(LOGS, "logs", "agent-x") if annotated else LOGS
    kubelet = works(NODE, "10.77.0.11", "kubelet/v1.31.0")
    return [*kubelet, *works(agent, LOG_IP, "agent/3")]


def found(folder: Path, rows: list[Row], *, annotated: bool = True) -> list[tuple[str, str, str]]:
    return [
        (one.rule.id.partition("/")[2], one.rule.severity, one.address)
        for one in stolen_token(scanned(folder, cluster(annotated) + rows))
    ]


def test_one_token_in_a_pod_and_abroad(tmp_path: Path) -> None:
    mine = bearer(WEB, "t1", "web-1")
    rows = [*cluster(), *works(mine, POD_IP), *works(mine, ABROAD, "curl/8", 20_000, 20_000)]
    (one,) = stolen_token(scanned(tmp_path, rows))
    assert (one.rule.id, one.rule.kind, one.rule.severity) == ("detectors/token_in_two_places", "intrusion", "high")
    assert (one.identity, one.address, one.count, len(one.audit_ids)) == (WEB["username"], ABROAD, 1, 1)
    addresses = {address for _, original in one.places for address in (POD_IP, ABROAD) if address.encode() in original}
    assert addresses == {POD_IP, ABROAD}  # both uses of the one token are cited


def test_a_pipelines_token_taken_out_of_the_company(tmp_path: Path) -> None:
    mine = bearer(WEB, "t1")
    rows = [*works(mine, HOME, KUBECTL), *works(mine, ABROAD, KUBECTL, 20_000, 20_000)]
    assert found(tmp_path, rows) == [("token_in_two_places", "high", ABROAD)]


def test_one_token_used_by_another_program_shortly_after(tmp_path: Path) -> None:
    mine = bearer(WEB, "t1")
    rows = [*works(mine, HOME, "issuer/1.4", 0, 19_800), *works(mine, ABROAD, "curl/8", 20_000, 20_600)]
    assert found(tmp_path, rows) == [("token_in_two_places", "high", ABROAD)]


def test_a_renewed_token_of_a_pod_abroad(tmp_path: Path) -> None:
    rows = [*works(bearer(WEB, "t1", "web-1"), POD_IP),
            *works(bearer(WEB, "t2", "web-1"), ABROAD, "curl/8", 20_000, 20_000)]  # fmt: skip
    assert found(tmp_path, rows) == [("pod_token_outside_cluster", "high", ABROAD)]


def test_a_token_bound_to_a_pod_that_itself_asks_for_nothing(tmp_path: Path) -> None:
    rows = works(bearer(WEB, pod="web-1"), ABROAD, "curl/8", 20_000, 20_000)
    assert found(tmp_path, rows) == [("pod_token_outside_cluster", "high", ABROAD)]


def test_without_annotations_the_two_places_remain(tmp_path: Path) -> None:
    rows = [*works(WEB, POD_IP), *works(WEB, ABROAD, "curl/8", 20_000, 20_000)]
    assert found(tmp_path, rows, annotated=False) == [("service_account_in_two_places", "medium", ABROAD)]


def test_a_token_at_an_office_desk_is_no_intrusion_by_itself(tmp_path: Path) -> None:
    mine = bearer(WEB, "t1", "web-1")
    for office in ("198.51.100.20", "10.9.0.4"):
        people = works(JANE, office.rpartition(".")[0] + ".9", KUBECTL)
        rows = [*works(mine, POD_IP), *people, *works(mine, office, KUBECTL, 20_000, 20_000)]
        (tmp_path / office).mkdir()
        assert found(tmp_path / office, rows) == [("token_taken_to_desk", "medium", office)]


SILENT: dict[str, list[Row]] = {
    "the pod itself": works(bearer(WEB, "t1", "web-1"), POD_IP),
    "the pod on another node": [*works(bearer(WEB, "t1", "web-1"), POD_IP, last=19_000),
                                *works(bearer(WEB, "t2", "web-2"), "10.244.9.4", first=20_000)],
    "kubectl in another pod": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
                               *works(bearer(WEB, "t2", "job-1"), "10.244.9.4", KUBECTL, 20_000, 20_000)],
    "on the network of its node": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
                                   *works(bearer(WEB, "t1", "web-1"), "10.77.0.12", first=20_000)],
    "a pipeline outside since the log began": works(bearer(WEB, "t1"), ABROAD, KUBECTL),
    "a new pipeline outside": works(bearer(WEB, "t1"), ABROAD, KUBECTL, 20_000),
    "hosted pipelines come from anywhere": [row for n in range(1, 9) for row in works(
        bearer(WEB, "t1"), f"203.0.{n}.7", KUBECTL, n * 4_000, n * 4_000)],
    "a pipeline that moved": [*works(bearer(WEB, "t1"), HOME, KUBECTL, last=15_000),
                              *works(bearer(WEB, "t2"), ABROAD, KUBECTL, 20_000)],
    "IPv4 and IPv6 of one pod": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
                                 *works(bearer(WEB, "t1", "web-1"), "2001:db8:9::7", first=20_000)],
    "the cluster's translated address": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
        *works(bearer(WEB, "t1", "web-1"), ABROAD, "curl/8", 20_000),
        *works(account("shop", "a"), ABROAD, "a/1"), *works(account("shop", "b"), ABROAD, "b/1")],
    "a load balancer that everybody comes through": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
        *works(bearer(WEB, "t1", "web-1"), ABROAD, "curl/8", 20_000),
        *(row for n in range(6) for row in works({"username": f"p{n}"}, ABROAD, KUBECTL, 12_000, 12_000))],
    "nodes that come from a public address": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
        *works(NODE, "203.0.113.9", "kubelet/v1.31.0"), *works(bearer(WEB, "t1", "web-1"), ABROAD, "curl/8", 20_000)],
    "another token of its own at a desk": [*works(bearer(WEB, "t1", "web-1"), POD_IP),
        *works(JANE, "10.9.0.9", KUBECTL), *works(bearer(WEB, "t9"), "10.9.0.4", KUBECTL, 20_000, 20_000)],
    "a person's certificate in two networks": [*works(JANE, HOME, KUBECTL), *works(JANE, ABROAD, KUBECTL, 20_000)],
    "a controller": [*works(account("kube-system", "job-controller"), "10.77.0.10", "kube-controller-manager/v1"),
        *works(account("kube-system", "job-controller"), "10.78.0.10", "kube-controller-manager/v1", 20_000)],
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_theft(name: str, tmp_path: Path) -> None:
    assert found(tmp_path, SILENT[name]) == []


def test_a_cluster_that_is_all_behind_one_address_shows_nothing(tmp_path: Path) -> None:
    """A managed cluster: kubelets, pods, people, all translated to one address; then a token goes through it too."""
    mine = bearer(WEB, "t1", "web-1")
    rows = [*works(NODE, ABROAD, "kubelet/v1.31.0"), *works(mine, ABROAD), *works(JANE, ABROAD, KUBECTL),
            *works(mine, ABROAD, "curl/8", 20_000)]  # fmt: skip
    assert list(stolen_token(scanned(tmp_path, rows))) == []


def test_the_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    mine = bearer(WEB, "t1", "web-1")
    rows = [*cluster(), *works(mine, POD_IP), *works(mine, ABROAD, "curl/8", 20_000, 21_000)]
    told: list[list[Detection]] = []
    for seed in range(3):
        mixed = list(rows)
        random.Random(seed).shuffle(mixed)
        (tmp_path / str(seed)).mkdir()
        told.append(list(stolen_token(scanned(tmp_path / str(seed), mixed[::2], mixed[1::2]))))
    assert [[(d.rule.id, d.identity, d.address, d.count, d.first) for d in one] for one in told] == [
        [("detectors/token_in_two_places", WEB["username"], ABROAD, 2, told[0][0].first)]
    ] * 3


@pytest.mark.parametrize("extra", [{POD: "web-1"}, {POD: [7, None]}, {CREDENTIAL: {"a": 1}}, {POD: ["x" * 9] * 99}, {}])
def test_odd_annotations_are_survived(extra: dict[str, Any], tmp_path: Path) -> None:
    odd = WEB | {"extra": extra}
    found(tmp_path, [*works(odd, POD_IP), *works(odd, ABROAD, "curl/8", 20_000)])


@needs_corpus
@pytest.mark.parametrize("folder", ["openshift__cluster-logging-operator", "falcosecurity__falco"])
def test_real_logs_without_a_theft_are_silent(folder: str) -> None:
    assert CORPUS is not None
    rules, matcher = pack()
    result = scan(list(walk([str(CORPUS / folder)], None)), rules, matcher, 1, lambda _bytes, _events: None)
    assert list(stolen_token(result)) == []
