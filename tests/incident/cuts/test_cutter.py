"""What would have stopped recorded intruders: the binding that opened the door, and not what was done with it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubewitness.incident.cuts import cutter
from kubewitness.incident.investigate import Options, investigate
from kubewitness.model.incident import Cut, CutPart, ObjectName
from kubewitness.rules.loader import RuleSet
from tests.incident.conftest import Investigate
from tests.incident.logs import Log, allowed_by, binding

RECORDED = Path(__file__).parents[3] / "scenarios" / "recorded"


def cuts_of(name: str, rules: RuleSet) -> tuple[Cut, ...]:
    document = investigate([str(RECORDED / name / "evidence" / "control-plane")], rules=rules, options=Options())
    [incident] = document.incidents
    return incident.cuts


def names(cut: Cut) -> set[str]:
    return {name.name for name in cut.objects}


def kinds(cut: Cut) -> set[str]:
    return {part.kind for part in cut.parts}


def test_the_binding_that_let_everybody_in_stops_all_and_harms_nobody(rules: RuleSet) -> None:
    best = cuts_of("anonymous_cluster_admin", rules)[0]
    assert names(best) == {"cluster-system-anonymous"}
    assert (best.refused, best.broken, best.uncertain) == (best.total, 0, False)
    assert best.total > 40


def test_what_a_forged_certificate_did_falls_with_the_right_to_have_it_signed(rules: RuleSet) -> None:
    best, *others = cuts_of("csr_client_certificate", rules)
    assert names(best) == {"cert-issuer"}
    assert (kinds(best), best.broken) == ({"right"}, 0), "its owner lists requests, which the intruder did too"
    assert (best.refused, best.total) == (17, 18)
    [binding] = [cut for cut in others if kinds(cut) == {"binding"}]
    assert names(binding) == {"cert-issuer"}
    assert binding.refused == binding.total
    assert set(binding.by) == {"system:serviceaccount:pki:cert-issuer"}
    assert all(cut.broken <= cut.refused for cut in (best, *others))


@pytest.mark.parametrize("name", ["csr_client_certificate", "kube_system_exec"])
def test_nothing_is_taken_from_kubernetes_own_components(rules: RuleSet, name: str) -> None:
    assert not [cut for cut in cuts_of(name, rules) if any(one.startswith("system:") for one in names(cut))]


def test_two_doors_have_to_be_closed_together(rules: RuleSet) -> None:
    best, *others = cuts_of("leaked_kubeconfig", rules)
    assert names(best) == {"developers-overview", "wei-admin"}
    assert best.refused == best.total
    assert all(cut.refused < cut.total for cut in others if kinds(cut) != {"credential"})
    assert set(best.by) == {"wei.chen"}, "its owner's own work would have been refused as well"


def test_a_log_without_bodies_gives_no_certainty(rules: RuleSet) -> None:
    best = cuts_of("quiet_metadata", rules)[0]
    assert names(best) == {"dashboard-anonymous"}
    assert best.uncertain


def test_an_intruder_with_too_many_requests_to_be_read_again_is_not_counted_as_legitimate_use(
    judged: Investigate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutter, "_READ", 3)
    log = Log()
    for minute in range(10):
        log.request(
            "list", "secrets", at=f"13:{minute:02}", by="system:anonymous", address="203.0.113.77",
            reason=allowed_by("door", "ClusterRole cluster-admin", "User system:anonymous"),
        )  # fmt: skip
    [incident] = judged(log).incidents
    cut, *settings = incident.cuts
    assert [(one.refused, one.broken) for one in settings] == [(10, 0), (10, 0)]
    assert names(cut) == {"door"}
    assert (cut.refused, cut.total, cut.broken, cut.at_most) == (10, 10, 0, False)
    assert cut.uncertain, "there is no dump: another binding may have stood beside it"


# -- less than a binding, and other things than bindings -------------------------------------------------------------

INTRUDER = "203.0.113.77"
RBAC_OPS = ObjectName("clusterrolebindings", "", "ops", "rbac.authorization.k8s.io")
ROLE = {
    "kind": "ClusterRole",
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "metadata": {"name": "ops"},
    "rules": [
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]},
    ],
}


def a_door(*subjects: str) -> Log:
    """A role and its binding, both in the log."""
    log = Log()
    log.admin("create", "clusterroles", at="09:00", name="ops", body=ROLE, response=ROLE)
    made = binding("ops", "ops", *subjects)
    log.admin("create", "clusterrolebindings", at="09:01", name="ops", body=made, response=made)
    return log


def through(subject: str) -> str:
    return allowed_by("ops", "ClusterRole ops", subject)


def secrets_read(log: Log, by: str = "system:anonymous", **more: Any) -> None:
    for minute in range(8):
        log.request(
            "list", "secrets", at=f"13:{minute:02}", by=by, address=INTRUDER, reason=through(f"User {by}"), **more
        )


def work_of(log: Log, by: str, verb: str = "list", resource: str = "secrets", **more: Any) -> None:
    for hour in range(10, 16):
        log.request(verb, resource, at=f"{hour}:30", by=by, reason=through(f"User {by}"), **more)


def test_only_the_subject_goes_where_the_binding_serves_others(judged: Investigate) -> None:
    log = a_door("User system:anonymous", "User jane")
    secrets_read(log)
    work_of(log, "jane")
    [incident] = judged(log).incidents
    best = incident.cuts[0]
    assert best.parts == (CutPart("subject", RBAC_OPS, "User system:anonymous"),)
    assert (best.refused, best.total, best.broken) == (8, 8, 0)
    assert not [cut for cut in incident.cuts if kinds(cut) == {"binding"}], "it refuses no more and breaks jane's work"


def test_a_binding_of_one_subject_goes_as_a_whole(judged: Investigate) -> None:
    log = a_door("User system:anonymous")
    secrets_read(log)
    [incident] = judged(log).incidents
    assert incident.cuts[0].parts == (CutPart("binding", RBAC_OPS),)
    assert not [cut for cut in incident.cuts if kinds(cut) & {"subject", "right"}]


def test_only_the_rights_go_that_the_owner_of_the_credential_did_not_need(rules: RuleSet) -> None:
    found = cuts_of("kube_system_exec", rules)
    rights = [cut for cut in found if kinds(cut) == {"right"}]
    assert {"create/get pods/exec"} <= {part.what for part in rights[-1].parts}
    assert rights[-1].broken == 0
    assert not [cut for cut in found if kinds(cut) == {"binding"}], "it refuses no more, and breaks more"


def test_of_a_role_whose_rights_the_owner_needs_as_well_nothing_is_taken(rules: RuleSet) -> None:
    assert not [cut for cut in cuts_of("nodes_proxy", rules) if kinds(cut) == {"right"}]


def test_health_probes_break_without_anonymous_access_and_not_where_their_paths_are_left_open(
    judged: Investigate,
) -> None:
    log = a_door("User system:anonymous")
    log.quiet_day(12, 14)
    secrets_read(log)
    log.request("get", at="12:30", by="system:anonymous", address="10.0.0.31", uri="/livez/etcd")
    [incident] = judged(log).incidents
    closed, limited = (
        next(cut for cut in incident.cuts if cut.parts == (CutPart("api_server", what=what),))
        for what in ("--anonymous-auth=false", "anonymous.conditions=/livez,/readyz,/healthz")
    )
    assert (closed.refused, closed.total) == (limited.refused, limited.total) == (8, 8)
    assert closed.by == {"/healthz": 60, "/livez/etcd": 1}
    assert limited.by == {"/livez/etcd": 1}, "paths are compared as they are"


def test_who_comes_with_a_credential_is_not_judged_by_anonymous_access(rules: RuleSet) -> None:
    assert not [cut for cut in cuts_of("leaked_kubeconfig", rules) if "api_server" in kinds(cut)]
    assert [cut for cut in cuts_of("anonymous_cluster_admin", rules) if "api_server" in kinds(cut)]


def test_a_stolen_token_goes_by_its_id_and_its_owners_other_tokens_stay(rules: RuleSet) -> None:
    [token] = [cut for cut in cuts_of("nodes_proxy", rules) if kinds(cut) == {"credential"}]
    assert token.parts[0].object == ObjectName("users", "", "system:serviceaccount:metrics:collector")
    assert token.parts[0].what.startswith("JTI=")
    assert (token.refused, token.broken) == (token.total, 0)


def test_a_credential_without_an_id_goes_with_the_identity(rules: RuleSet) -> None:
    [token] = [cut for cut in cuts_of("lookalike_cronjob", rules) if kinds(cut) == {"credential"}]
    assert token.parts[0].what == ""
