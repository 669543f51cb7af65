"""What would have stopped recorded intruders: the binding that opened the door, and not what was done with it later."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.incident import cuts
from kubewitness.incident.cuts import _may_be
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Cut
from kubewitness.posture.rbac.nouns import Subject
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import Log, allowed_by

RECORDED = Path(__file__).parents[2] / "scenarios" / "recorded"


def cuts_of(name: str, rules: RuleSet) -> tuple[Cut, ...]:
    document = investigate([str(RECORDED / name / "evidence" / "control-plane")], rules=rules, options=Options())
    [incident] = document.incidents
    return incident.cuts


def names(cut: Cut) -> set[str]:
    return {name.name for name in cut.objects}


def test_the_binding_that_let_everybody_in_stops_all_and_harms_nobody(rules: RuleSet) -> None:
    best = cuts_of("anonymous_cluster_admin", rules)[0]
    assert names(best) == {"cluster-system-anonymous"}
    assert (best.refused, best.broken, best.uncertain) == (best.total, 0, False)
    assert best.total > 40


def test_what_a_forged_certificate_did_falls_with_the_right_to_have_it_signed(rules: RuleSet) -> None:
    best, *others = cuts_of("csr_client_certificate", rules)
    assert names(best) == {"cert-issuer"}
    assert best.refused == best.total
    assert set(best.by) == {"system:serviceaccount:pki:cert-issuer"}
    assert not [cut for cut in others if names(cut) == {"system:kube-controller-manager"}], "it breaks the cluster"
    assert all(cut.broken <= cut.refused for cut in (best, *others))


def test_two_doors_have_to_be_closed_together(rules: RuleSet) -> None:
    best, *others = cuts_of("leaked_kubeconfig", rules)
    assert names(best) == {"developers-overview", "wei-admin"}
    assert best.refused == best.total
    assert all(cut.refused < cut.total for cut in others)
    assert set(best.by) == {"wei.chen"}, "its owner's own work would have been refused as well"


def test_a_log_without_bodies_gives_no_certainty(rules: RuleSet) -> None:
    best = cuts_of("quiet_metadata", rules)[0]
    assert names(best) == {"dashboard-anonymous"}
    assert best.uncertain


def test_an_intruder_with_too_many_requests_to_be_read_again_is_not_counted_as_legitimate_use(
    judged: Investigate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "_READ", 3)
    log = Log()
    for minute in range(10):
        log.request(
            "list", "secrets", at=f"13:{minute:02}", by="system:anonymous", address="203.0.113.77",
            reason=allowed_by("door", "ClusterRole cluster-admin", "User system:anonymous"),
        )  # fmt: skip
    [incident] = judged(log).incidents
    [cut] = incident.cuts
    assert names(cut) == {"door"}
    assert (cut.refused, cut.total, cut.broken, cut.at_most) == (10, 10, 0, False)
    assert cut.uncertain, "there is no dump: another binding may have stood beside it"


@pytest.mark.parametrize(
    ("subject", "identity", "expected"),
    [
        (Subject("User", "eve"), "eve", True),
        (Subject("User", "eve"), "jane", False),
        (Subject("ServiceAccount", "web", "shop"), "system:serviceaccount:shop:web", True),
        (Subject("ServiceAccount", "web", "apps"), "system:serviceaccount:shop:web", False),
        (Subject("ServiceAccount", "web"), "system:serviceaccount:shop:web", True),
        (Subject("ServiceAccount", "web", "shop"), "web", False),
        (Subject("Group", "system:unauthenticated"), "system:anonymous", True),
        (Subject("Group", "system:unauthenticated"), "eve", False),
        (Subject("Group", "system:authenticated"), "eve", True),
        (Subject("Group", "system:authenticated"), "system:anonymous", False),
        (Subject("Group", "system:serviceaccounts"), "system:serviceaccount:shop:web", True),
        (Subject("Group", "system:serviceaccounts:shop"), "system:serviceaccount:shop:web", True),
        (Subject("Group", "system:serviceaccounts:apps"), "system:serviceaccount:shop:web", False),
        (Subject("Group", "staff"), "eve", True),
        (Subject("Group", "staff"), "system:serviceaccount:shop:web", False),
    ],
)
def test_nobody_a_subject_may_mean_is_passed_over(subject: Subject, identity: str, expected: bool) -> None:
    assert _may_be(subject, identity) is expected
