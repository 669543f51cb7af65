"""A person who goes on under the name of an account that they armed: one chain, which accuses no stranger."""

from __future__ import annotations

from typing import Any

import pytest

from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import only
from tests.incident.logs import Log, account, allowed_by, binding

DESK, POD = "10.20.0.63", "10.0.1.9"
EXPORT, PROGRAM = account("reports", "export"), "export/1.4 python-requests/2.32.3"
ARMED: dict[str, Any] = {"name": "support", "namespace": "billing",
         "body": binding("support", "support", "ServiceAccount reports/export", namespace="billing")}  # fmt: skip
REASON = allowed_by("support", "ClusterRole support", "ServiceAccount export/reports", "billing")


def insider(*, lived: bool, secrets: int = 3) -> tuple[Log, list[str]]:
    """Omar arms the export's account, takes a token and reads Secrets in its name; `lived`: he always sat there."""
    log = Log()
    log.quiet_day()
    honest = allowed_by("export", "Role export", "ServiceAccount export/reports", "reports")
    for hour in range(5, 20):
        log.request("list", "configmaps", at=f"{hour:02}:10", by=EXPORT, address=POD, agent=PROGRAM,
                    namespace="reports", reason=honest)  # fmt: skip
        if lived:
            log.request("list", "pods", at=f"{hour:02}:20", by="omar", address=DESK, namespace="billing")
    own = [
        log.request("update", "rolebindings", at="15:00", by="omar", address=DESK, **ARMED),
        log.request("create", "serviceaccounts", at="15:10", by="omar", address=DESK, namespace="reports",
                    name="export", subresource="token"),
    ]  # fmt: skip
    by: dict[str, Any] = {"by": EXPORT, "address": DESK, "namespace": "billing", "reason": REASON}
    own += [log.request("get", "secrets", at=f"15:2{n}", name=f"secret-{n}", **by) for n in range(secrets)]
    return log, own


def test_the_chain_is_one_incident_and_the_owner_at_the_own_desk_is_not_called_an_intruder(judged: Investigate) -> None:
    log, own = insider(lived=True)
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert incident.actors[0].identities == ("omar", EXPORT)
    assert "intruder's hands" not in incident.title.en
    verdicts = {verdict.question: verdict.verdict for verdict in incident.verdicts}
    assert verdicts["insider_or_intruder"] == "insider"


def test_who_only_came_for_it_is_called_what_the_log_allows(judged: Investigate) -> None:
    log, own = insider(lived=False)
    incident = only(judged(log))
    assert set(own) == set(incident.audit_ids)
    verdicts = {verdict.question: verdict.verdict for verdict in incident.verdicts}
    assert verdicts["insider_or_intruder"] != "insider"


@pytest.mark.parametrize("lived", [True, False])
def test_who_tries_the_new_right_with_one_request_is_no_incident(lived: bool, judged: Investigate) -> None:
    log, _ = insider(lived=lived, secrets=1)
    document = judged(log)
    assert not document.incidents
    assert "detectors/borrowed_account" in {finding.rule for finding in document.findings}
