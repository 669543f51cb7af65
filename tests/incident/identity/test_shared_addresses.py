"""Behind one address for all (a balancer with source NAT) nobody is taken for the intruder because of the address."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.document import Document
from kubewitness.model.incident import Incident
from tests.incident.conftest import Investigate
from tests.incident.logs import DOOR, KUBECTL, Log

BALANCER = "10.0.0.5"
PEOPLE = ("jane", "omar", "lee", "dana", "wei", "ruth", "ivan")
ANONYMOUS: dict[str, Any] = {"by": "system:anonymous", "address": BALANCER}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def only(document: Document) -> Incident:
    assert len(document.incidents) == 1, [incident.title.en for incident in document.incidents]
    return document.incidents[0]


def crowd(log: Log, at: str = "12:58") -> None:
    """Everybody comes through the balancer."""
    for number, name in enumerate(PEOPLE):
        log.request("list", "pods", at=f"{at}:{10 + number}", by=name, namespace="shop", address=BALANCER)


def break_in(log: Log, agent: str = "curl/8.5.0", **more: Any) -> list[str]:
    """Looks at the version, then reads all secrets without a credential."""
    by = {**ANONYMOUS, "agent": agent, **more}
    return [
        log.request("get", at="12:59:59", uri="/version", **by),
        log.request("list", "secrets", at="13:00", reason=DOOR, **by),
        log.request("list", "pods", at="13:01", reason=DOOR, **by),
    ]


def probes(log: Log, agent: str = "lb-health/2.4", minutes: int = 6, **more: Any) -> list[str]:
    by = {**ANONYMOUS, "agent": agent, **more}
    return [log.request("get", at=f"12:{54 + n}:30", uri="/readyz", **by) for n in range(minutes)]


def test_probes_that_began_shortly_before_are_nobodys_at_an_address_of_many(log: Log, judged: Investigate) -> None:
    crowd(log)
    others, own = probes(log), break_in(log)
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(others) & set(incident.audit_ids)
    assert any("Many share 10.0.0.5" in why.en for why in incident.actors[0].why)


def test_at_an_address_of_the_intruders_alone_another_client_is_the_intruders(log: Log, judged: Investigate) -> None:
    """A scanner that looks at /readyz and then comes back with curl."""
    where = "203.0.113.77"
    looks, own = probes(log, "zgrab/0.x", address=where), break_in(log, address=where)
    assert set(only(judged(log)).audit_ids) == {*looks, *own}


def test_where_no_client_is_named_health_checks_at_an_address_of_many_are_nobodys(
    log: Log, judged: Investigate
) -> None:
    crowd(log)
    others, own = probes(log, agent=""), break_in(log, agent="")
    found = set(only(judged(log)).audit_ids)
    assert found == set(own[1:])  # that it looked at the version cannot be told from a probe
    assert not found & set(others)


def test_who_only_shares_the_name_of_the_client_is_attributed_as_one_client(log: Log, judged: Investigate) -> None:
    """Nothing tells two curls without a credential at one address apart: what is not a health check counts."""
    crowd(log)
    own = break_in(log)
    other = log.request("list", "nodes", at="13:02", reason=DOOR, agent="curl/8.5.0", **ANONYMOUS)
    assert set(only(judged(log)).audit_ids) == {*own, other}


def test_the_people_behind_the_balancer_are_no_part_of_it(log: Log, judged: Investigate) -> None:
    crowd(log)
    break_in(log, agent=KUBECTL)
    assert only(judged(log)).actors[0].identities == ("system:anonymous",)


def forwarded_break_in(log: Log, came_from: str) -> tuple[list[str], list[str]]:
    """A credential in its owner's hands and in a thief's, through one proxy that passes on where they come from."""
    thief: dict[str, Any] = {"by": "noor", "address": BALANCER, "forwarded": [came_from] if came_from else []}
    owner: dict[str, Any] = {"by": "noor", "address": BALANCER, "forwarded": ["198.51.100.20"]}
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    token = f"/api/v1/namespaces/shop/pods/web-0/exec?command=cat&command={token}"
    entered: dict[str, Any] = {"namespace": "shop", "name": "web-0", "subresource": "exec", "code": 101}
    own = [
        log.request("list", "configmaps", at="12:59", namespace="shop", **thief),
        log.request("create", "pods", at="13:00", uri=token, **entered, **thief),
        log.request("list", "services", at="13:01", namespace="shop", **thief),
    ]
    work = [log.request("get", "pods", at=f"12:5{n}:30", namespace="shop", name="web-0", **owner) for n in range(5, 9)]
    return own, work


def test_the_address_that_a_proxy_passes_on_tells_the_owner_from_the_thief(log: Log, judged: Investigate) -> None:
    crowd(log)
    own, work = forwarded_break_in(log, "203.0.113.66")
    found = set(only(judged(log)).audit_ids)
    assert found == set(own)
    assert not found & set(work)


def test_a_request_whose_way_the_proxy_does_not_tell_is_not_acquitted_by_it(log: Log, judged: Investigate) -> None:
    """The peer of some requests passed nothing on: that of others proves nothing about them."""
    crowd(log)
    own, work = forwarded_break_in(log, "")
    assert set(only(judged(log)).audit_ids) == {*own, *work}


@pytest.mark.parametrize(("minutes", "own"), [(25, True), (4, False)], ids=["at work for a while", "just come"])
def test_an_owner_at_work_for_a_while_behind_the_balancer_keeps_the_own_requests(
    log: Log, judged: Investigate, minutes: int, own: bool
) -> None:
    """Nothing tells the thief's requests from the owner's there: only what rules matched is attributed."""
    crowd(log)
    by: dict[str, Any] = {"by": "noor", "address": BALANCER, "namespace": "shop"}
    work = log.request("list", "configmaps", at=f"12:{60 - minutes}", **by)
    forwarded_break_in(log, "")
    assert (work not in set(only(judged(log)).audit_ids)) == own
