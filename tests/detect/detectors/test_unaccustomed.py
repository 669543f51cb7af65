"""A credential in other hands breaks several habits at once; a trip, a new tool, a new task break one: nothing."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.unaccustomed import unaccustomed
from kubewitness.rules.loader import content_folder
from tests.detect.behaviour.accustomed import API, DANA, FAR, WEB, cluster, scanned, stolen
from tests.incident.logs import Log


def found(folder: Path, log: Log, baseline: Log | None = None) -> list[Detection]:
    return sorted(unaccustomed(scanned(folder, log, baseline)), key=lambda one: (one.identity, one.address))


def test_a_stolen_token_is_told_with_all_that_its_program_never_did(tmp_path: Path) -> None:
    (one,) = found(tmp_path, stolen(cluster()))
    assert (one.identity, one.address, one.count, one.rule.severity) == (WEB, FAR, 3, "medium")
    own, others = one.reasons
    assert own.en == (
        f"{WEB} had otherwise never run commands in pods or touched secrets, never come from a public address ({FAR}), "
        "never used kubectl, never worked in namespace kube-system (84 other requests compared)"
    )
    assert others.en.startswith("The one other service account has never run commands in pods or touched secrets,")
    assert len(one.audit_ids) == len(one.places) == 3
    assert {name.kind for name in one.objects} == {"secrets", "pods/exec"}


def test_a_stolen_kubeconfig_with_the_same_tool_is_told(tmp_path: Path) -> None:
    (one,) = found(tmp_path, stolen(cluster(), by=DANA))
    assert (one.identity, one.rule.severity) == (DANA, "medium")
    assert "kubectl" not in one.reasons[0].en


def test_what_an_anonymous_caller_was_let_through_to_is_told(tmp_path: Path) -> None:
    (one,) = found(tmp_path, stolen(cluster(), by="system:anonymous"))
    assert (one.identity, one.rule.severity) == ("system:anonymous", "low")
    assert one.reasons[0].en.startswith("A caller without any credential had otherwise never ")


@pytest.mark.parametrize(
    "request_",
    [
        {"by": DANA, "address": "203.0.113.9", "resource": "pods"},
        {"by": DANA, "address": "192.0.2.99", "resource": "secrets", "agent": "k9s/0.30"},
        {"by": DANA, "address": "192.0.2.10", "resource": "secrets"},
        {"by": WEB, "address": "10.244.9.7", "resource": "configmaps", "verb": "get", "agent": "shop-0/1.2"},
        {"by": WEB, "address": "10.244.0.7", "resource": "secrets", "agent": "shop-0/1.3"},
        {"by": "nora@example.com", "address": FAR, "resource": "secrets"},
        {"by": "system:anonymous", "address": FAR, "resource": "secrets", "code": 403, "agent": "zgrab/0.x"},
        {"by": "system:anonymous", "address": FAR, "uri": "/version", "verb": "get", "agent": "zgrab/0.x"},
        {"by": WEB, "address": FAR, "resource": "secrets", "code": 403},
        {"by": "", "address": FAR, "resource": "secrets", "code": 401},
    ],
    ids=[
        "a person travels", "a person learns a tool", "a person does something new", "a pod moves to another node",
        "a program is upgraded", "somebody new", "a scanner that is refused", "a scanner that finds the version",
        "a token that may nothing", "a rejected credential",
    ],
)  # fmt: skip
def test_one_broken_habit_is_nothing(request_: dict[str, str], tmp_path: Path) -> None:
    log = cluster()
    more = {"verb": "list", "namespace": "shop", **request_}
    log.request(more.pop("verb"), more.pop("resource", ""), at="15:00", **more)  # type: ignore[arg-type]
    assert found(tmp_path, log) == []


def test_a_short_log_shows_no_habits(tmp_path: Path) -> None:
    log = Log()
    for minute in range(60):
        log.request("get", "configmaps", at=f"09:{minute:02}", by=WEB, address="10.244.0.7", agent="shop/1", name="x")
    assert found(tmp_path, stolen(log, at="10:30")) == []


def test_few_requests_make_no_habit(tmp_path: Path) -> None:
    log = cluster(people=False)
    for hour in range(6, 16):
        log.request("list", "pods", at=f"{hour:02}:01", by=DANA, address="192.0.2.10")
    assert found(tmp_path, stolen(log, by=DANA, at="16:00")) == []


def test_a_baseline_makes_a_short_log_tell(tmp_path: Path) -> None:
    log = stolen(Log(), at="10:30")
    assert found(tmp_path, log) == []
    (one,) = found(tmp_path, log, cluster())
    assert (one.identity, one.rule.severity) == (WEB, "medium")
    assert "(84 other requests compared)" in one.reasons[0].en


def test_against_a_baseline_a_program_that_reads_secrets_from_its_own_pod_is_told_low(tmp_path: Path) -> None:
    log = Log()
    log.request("list", "secrets", at="10:30", by=WEB, address="10.244.0.7", agent="shop-0/1.2", namespace="shop")
    log.request("list", "events", at="10:31", by=API, address="10.244.1.7", agent="shop-1/1.2", namespace="shop")
    log.request("list", "secrets", at="10:32", by=DANA, address="192.0.2.10", namespace="shop")
    (one,) = found(tmp_path, log, cluster(days=3))
    assert (one.identity, one.rule.severity) == (WEB, "low")


def test_the_same_day_against_itself_has_nothing(tmp_path: Path) -> None:
    log = stolen(cluster())
    assert found(tmp_path, log, log) == []


@pytest.mark.parametrize(("scenario", "told"), [("benign_day", []), ("rbac_buster", [("203.0.113.77", "low")])])
def test_of_the_shipped_days_only_the_intruder_is_told_and_rarity_is_never_more_than_medium(
    scenario: str, told: list[tuple[str, str]], tmp_path: Path
) -> None:
    class Shipped(Log):
        def lines(self) -> list[bytes]:
            path = content_folder() / "scenarios" / scenario / "audit.log.gz"
            return gzip.decompress(path.read_bytes()).splitlines()

    assert [(one.address, one.rule.severity) for one in found(tmp_path, Shipped())] == told


def shown(detections: list[Detection]) -> list[object]:
    return [
        (one.identity, one.address, one.count, one.first, one.last, sorted(one.audit_ids), one.objects, one.reasons)
        for one in detections
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, list[object]]:
    log = stolen(stolen(cluster()), by=DANA, address="198.51.100.7")
    return log, shown(found(tmp_path_factory.mktemp("whole"), log))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.lists(st.integers(1, 400), min_size=1, max_size=3, unique=True).map(sorted))
def test_any_division_over_workers_tells_the_same(
    cut: list[int], whole: tuple[Log, list[object]], tmp_path: Path
) -> None:
    log, expected = whole
    assert len(expected) == 2
    for workers in (1, 3):
        scan = scanned(tmp_path, log, workers=workers, cut=cut)
        assert shown(sorted(unaccustomed(scan), key=lambda one: (one.identity, one.address))) == expected


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1_000))
def test_the_order_of_events_does_not_matter(seed: int, whole: tuple[Log, list[object]], tmp_path: Path) -> None:
    log, expected = whole
    lines = log.lines()
    Random(seed).shuffle(lines)

    class Mixed(Log):
        def lines(self) -> list[bytes]:
            return lines

    assert shown(found(tmp_path, Mixed())) == expected
