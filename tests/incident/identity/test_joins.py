"""Each way in which one intruder has several names or places, beside the near miss that is somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.detect.detectors.networks import CREDENTIAL, POD
from kubewitness.incident.investigate import Options, investigate
from kubewitness.rules.loader import RuleSet
from tests.corpus import CORPUS, needs_corpus
from tests.incident.conftest import Investigate
from tests.incident.identity.test_attribution import INTRUDER, MINER, anonymous, asks_for_a_certificate, only
from tests.incident.logs import DOOR, KUBECTL, OFFICE, Log, account, allowed_by
from tests.incident.logs import binding as bound

ELSEWHERE, POD_IP = "192.0.2.200", "10.244.1.7"
WEB = account("shop", "web")
BY: dict[str, Any] = {"by": "system:anonymous", "address": INTRUDER, "agent": "curl/8.5.0", "reason": DOOR}


@pytest.fixture
def log() -> Log:
    log = Log()
    log.quiet_day()
    return log


def at_work(log: Log, *, pod: str = "web-1", token: str = "own", agent: str = "web/1.0", address: str = POD_IP,
            first: int = 6, last: int = 20, by: str = WEB) -> list[str]:  # fmt: skip
    """The account's own program in its pod, every half hour."""
    extra = {key: [value] for key, value in ((POD, pod), (CREDENTIAL, token and f"JTI={token}")) if value}
    return [
        log.request("list", "endpoints", at=f"{hour:02}:{minute:02}", by=by, address=address, agent=agent,
                    namespace="shop", extra=extra)
        for hour in range(first, last) for minute in (3, 33)
    ]  # fmt: skip


def uses(log: Log, at: str, *, by: str = WEB, address: str = ELSEWHERE, agent: str = KUBECTL, **marks: str) -> str:
    extra = {key: [value] for key, value in ((POD, marks.get("pod")), (CREDENTIAL, marks.get("token"))) if value}
    return log.request("list", "configmaps", at=at, by=by, address=address, agent=agent, extra=extra, namespace="shop")


def mints(log: Log, at: str = "13:05", token: str = "") -> str:
    told = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": DOOR}
    told |= {"authentication.kubernetes.io/issued-credential-id": token} if token else {}
    return log.request("create", "serviceaccounts", at=at, namespace="shop", name="web", subresource="token",
                       annotations=told, **BY)  # fmt: skip


def attributed(log: Log, judged: Investigate) -> set[str]:
    return set(only(judged(log)).audit_ids)


def why(log: Log, judged: Investigate) -> str:
    return " ".join(sentence.en for sentence in only(judged(log)).actors[0].why)


# -- tokens that were minted -------------------------------------------------------------------------------------------


def test_the_token_that_was_minted_is_followed_by_its_id_and_no_other(log: Log, judged: Investigate) -> None:
    honest = at_work(log)
    own = [*anonymous(log), mints(log, token="JTI=minted"), uses(log, "13:09", token="JTI=minted")]
    desk = uses(log, "13:20", address="192.0.2.30", token="JTI=an-administrators")
    found = attributed(log, judged)
    assert found == set(own)
    assert not found & {*honest, desk}


def test_without_ids_the_name_from_a_new_place_is_the_minted_token(log: Log, judged: Investigate) -> None:
    at_work(log, pod="", token="")
    own = [*anonymous(log), mints(log), uses(log, "13:09")]
    assert attributed(log, judged) == set(own)
    assert "the intruder had minted a token for it" in why(log, judged)


def test_without_ids_the_accounts_own_program_in_a_new_pod_is_its_owners(log: Log, judged: Investigate) -> None:
    at_work(log, pod="", token="")
    own = [*anonymous(log), mints(log)]
    at_work(log, pod="", token="", address="10.244.9.4", first=14)  # same program, other node
    at_work(log, pod="", token="", address="192.0.2.40", first=14)  # same program, whatever the network
    assert attributed(log, judged) == set(own)


def test_without_ids_whatever_comes_from_the_intruders_network_is_its_own(log: Log, judged: Investigate) -> None:
    at_work(log, pod="", token="")
    own = [*anonymous(log), mints(log), uses(log, "13:09", address="203.0.113.90", agent="web/1.0")]
    assert attributed(log, judged) == set(own)


def test_what_was_used_before_it_was_minted_is_not_the_minted_token(log: Log, judged: Investigate) -> None:
    before = uses(log, "12:40")
    own = [*anonymous(log), mints(log)]
    found = attributed(log, judged)
    assert found == set(own)
    assert before not in found


# -- token secrets -----------------------------------------------------------------------------------------------------


SECRET = {"kind": "Secret", "type": "kubernetes.io/service-account-token", "data": {}, "metadata": {
    "name": "for-web", "namespace": "shop", "annotations": {"kubernetes.io/service-account.name": "web"}}}  # fmt: skip


@pytest.mark.parametrize("how", ["by its name", "by its body", "in a list"])
def test_an_account_whose_token_secret_was_read_and_then_used(log: Log, judged: Investigate, how: str) -> None:
    at_work(log, pod="", token="")
    read: dict[str, tuple[str, str, Any]] = {
        "by its name": ("get", "web-token-x2k4z", None), "by its body": ("get", "for-web", SECRET),
        "in a list": ("list", "", {"kind": "SecretList", "items": [SECRET]}),
    }  # fmt: skip
    verb, name, response = read[how]
    own = [*anonymous(log), log.request(verb, "secrets", at="13:05", namespace="shop", name=name, response=response,
                                        **BY)]  # fmt: skip
    own.append(uses(log, "13:40"))
    assert attributed(log, judged) == set(own)


def test_an_account_whose_other_secret_was_read_is_not_gained(log: Log, judged: Investigate) -> None:
    at_work(log, pod="", token="")
    opaque = SECRET | {"type": "Opaque"}
    own = [*anonymous(log), log.request("get", "secrets", at="13:05", namespace="shop", name="for-web",
                                        response=opaque, **BY)]  # fmt: skip
    uses(log, "13:40")
    assert attributed(log, judged) == set(own)


# -- certificates ------------------------------------------------------------------------------------------------------


def test_a_certificate_in_a_persons_name_is_told_from_the_persons_own(log: Log, judged: Investigate) -> None:
    def jane(at: str, address: str, certificate: str) -> str:
        return log.request("list", "pods", at=at, by="jane", address=address, agent=KUBECTL,
                           extra={CREDENTIAL: [f"X509SHA256={certificate}"]})  # fmt: skip

    for hour in range(7, 18):
        jane(f"{hour:02}:15", OFFICE, "old")
    own = asks_for_a_certificate(log, "jane")
    own.append(jane("13:30", ELSEWHERE, "new"))
    travelling = jane("16:30", "192.0.77.9", "old")
    found = attributed(log, judged)
    assert found == set(own)
    assert travelling not in found


# -- rights ------------------------------------------------------------------------------------------------------------


def test_an_account_that_was_given_rights_is_joined_where_it_does_not_belong(log: Log, judged: Investigate) -> None:
    at_work(log)
    own = anonymous(log)
    own.append(log.request("create", "clusterrolebindings", at="13:05", name="x",
                           body=bound("x", "cluster-admin", "ServiceAccount shop/web"), **BY))  # fmt: skip
    own.append(uses(log, "13:40", token="JTI=taken"))
    rollout = at_work(log, pod="web-2", token="renewed", address="10.244.2.9", first=14)
    rollout += at_work(log, pod="web-3", token="third", address="10.250.2.9", agent="web/1.1", first=14)
    debugging = uses(log, "15:01", address="10.244.2.9", pod="web-2", token="JTI=renewed")
    found = attributed(log, judged)
    assert found == set(own)
    assert not found & {*rollout, debugging}


# -- pods --------------------------------------------------------------------------------------------------------------


def test_a_pod_that_the_intruder_made_asks_on_its_behalf(log: Log, judged: Investigate) -> None:
    """The account is somebody's; only what comes from the intruder's own pods is the intruder's."""
    shop = account("default", "default")
    own = anonymous(log)  # makes pod default/run
    own += at_work(log, by=shop, pod="run", agent="miner/2", address="10.244.3.3", first=14, last=15)
    others = at_work(log, by=shop, pod="runner-7d9f8b6c5d-x2k4z", agent="runner/1", address="10.244.3.4", first=14)
    found = attributed(log, judged)
    assert found == set(own)
    assert not found & set(others)
    assert "has the token of pod default/run, which the intruder had made" in why(log, judged)


def test_pods_of_a_workload_that_the_intruder_made(log: Log, judged: Investigate) -> None:
    own = anonymous(log)
    own.append(log.request("create", "daemonsets", at="13:05", namespace="shop", name="web",
                           body={"metadata": {"name": "web"}}, **BY))  # fmt: skip
    own += at_work(log, pod="web-x2k4z", agent="x/1", address="10.244.3.3", first=14, last=15)
    at_work(log, pod="web-api-x2k4z", agent="api/1", address="10.244.3.4", first=14)  # a DaemonSet named web-api
    assert attributed(log, judged) == set(own)


def test_a_pods_token_taken_out_after_commands_in_it(log: Log, judged: Investigate) -> None:
    honest = at_work(log)
    own = anonymous(log)
    own.append(log.request("create", "pods", at="13:05", namespace="shop", name="web-1", subresource="exec", code=101,
                           query="?command=cat&command=token", **BY))  # fmt: skip
    own.append(uses(log, "13:40", pod="web-1", token="JTI=own"))
    restarted = at_work(
        log, token="later", address="10.244.5.5", first=14
    )  # a pod of the same name, as of StatefulSets
    neighbour = uses(log, "13:50", address="10.244.9.9", pod="web-2", token="JTI=other")
    found = attributed(log, judged)
    assert found == set(own)
    assert not found & {*honest, *restarted, neighbour}
    assert "has the token of pod shop/web-1, which the intruder had entered" in why(log, judged)


# -- impersonation -----------------------------------------------------------------------------------------------------


def test_whom_the_intruder_impersonates_is_not_the_intruder(log: Log, judged: Investigate) -> None:
    own = anonymous(log, impersonatedUser={"username": "jane", "groups": ["system:masters"]})
    jane = [
        log.request("list", "secrets", at=at, by="jane", address=address, agent=KUBECTL, namespace="shop")
        for at, address in (("12:00", OFFICE), ("13:02", "198.51.100.21"), ("14:00", "192.0.2.99"))
    ]
    incident = only(judged(log))
    assert set(incident.audit_ids) == set(own)
    assert not set(jane) & set(incident.audit_ids)
    assert "system:anonymous acted in the name of jane (impersonation)" in " ".join(
        sentence.en for sentence in incident.actors[0].why
    )


# -- places ------------------------------------------------------------------------------------------------------------


def leaked(log: Log) -> list[str]:
    """Bob's credential, from abroad."""
    reason = allowed_by("bob-admin", "ClusterRole cluster-admin", "User bob")
    by: dict[str, Any] = {"by": "bob", "address": INTRUDER, "agent": "python-requests/2.31", "reason": reason}
    for hour in range(7, 19):
        log.request("list", "deployments", at=f"{hour:02}:03", by="bob", namespace="shop", address=OFFICE)
    return [
        log.request("list", "secrets", at="15:00", **by),
        log.request("create", "clusterrolebindings", at="15:01", name="x", **by,
                    body=bound("x", "cluster-admin", "User system:anonymous")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "agent", "joined"),
    [
        (ELSEWHERE, "python-requests/2.31", True),
        (ELSEWHERE, KUBECTL, False),
        ("198.51.100.77", "python-requests/2.31", False),
        ("10.0.3.3", "python-requests/2.31", False),
    ],
    ids=["the intruder's agent", "bob's agent: bob travels", "near bob's office", "within the company"],
)
def test_a_credential_that_moves_on_keeps_its_agent(
    log: Log, judged: Investigate, address: str, agent: str, joined: bool
) -> None:
    own = leaked(log)
    later = log.request("list", "pods", at="16:30", by="bob", address=address, agent=agent)
    found = attributed(log, judged)
    assert set(own) <= found
    assert (later in found) is joined


def test_a_stolen_token_is_not_followed_to_a_desk_within_the_company(log: Log, judged: Investigate) -> None:
    """Whoever looks into the theft tries the token too."""
    at_work(log)
    by: dict[str, Any] = {"by": WEB, "address": INTRUDER, "agent": KUBECTL,
                          "extra": {CREDENTIAL: ["JTI=own"], POD: ["web-1"]}}  # fmt: skip
    own = [log.request("list", "secrets", at="15:00", **by), log.request("list", "nodes", at="15:01", **by)]
    on = uses(log, "15:30", token="JTI=own", pod="web-1")  # a further network abroad
    desk = uses(log, "16:30", address="10.9.0.4", token="JTI=own", pod="web-1")
    found = attributed(log, judged)
    assert found == {*own, on}
    assert desk not in found


def test_two_intruders_behind_one_translated_address_are_two(log: Log, judged: Investigate) -> None:
    """Jane works behind it all day; one comes without a credential, one with a stolen token, and a colleague starts."""
    for hour in range(6, 20):
        log.request("list", "pods", at=f"{hour:02}:05", by="jane", namespace="shop", address=INTRUDER)
    one = anonymous(log)
    reason = allowed_by("w", "ClusterRole cluster-admin", "ServiceAccount web/shop")
    web: dict[str, Any] = {"by": WEB, "address": INTRUDER, "agent": KUBECTL, "reason": reason}
    two = [
        log.request("create", "selfsubjectrulesreviews", at="15:00", body={"spec": {"namespace": "shop"}}, **web),
        log.request("list", "secrets", at="15:00:10", **web),
        log.request("create", "clusterrolebindings", at="15:01", name="x", **web,
                    body=bound("x", "cluster-admin", "User system:anonymous")),
    ]  # fmt: skip
    colleague = [log.request("list", "pods", at=f"16:{n:02}", by="dave", namespace="shop", address=INTRUDER)
                 for n in range(10, 20)]  # fmt: skip
    found = [set(incident.audit_ids) for incident in judged(log).incidents]
    assert sorted(found, key=min) == sorted([set(one), set(two)], key=min)
    assert not any(ids & set(colleague) for ids in found)


def test_a_service_account_by_hand_at_the_intruders_address_is_its_own_even_beside_strangers(
    log: Log, judged: Investigate
) -> None:
    for hour in range(6, 20):
        log.request("list", "pods", at=f"{hour:02}:05", by="jane", namespace="shop", address=INTRUDER)
    own = [*anonymous(log), uses(log, "13:10", address=INTRUDER)]
    program = uses(log, "13:11", by=account("shop", "api"), address=INTRUDER, agent="api/1.0")
    found = attributed(log, judged)
    assert found == set(own)
    assert program not in found


# -- private addresses: a gateway, the host of virtual machines --------------------------------------------------------


GATEWAY = "192.168.99.1"


@pytest.mark.parametrize(
    ("who", "address", "agent", "joined"),
    [
        ("dave", GATEWAY, KUBECTL, False),
        ("dave", GATEWAY, "", False),
        ("dave", GATEWAY, "curl/8.5.0", True),
        ("jane", GATEWAY, KUBECTL, True),
        (WEB, GATEWAY, KUBECTL, True),
        ("dave", INTRUDER, KUBECTL, True),
    ],
    ids=["a stranger", "a stranger, clients not logged", "the intruder's client", "whose place is elsewhere",
         "a service account by hand", "a public address"],
)  # fmt: skip
def test_behind_a_private_address_a_person_is_tied_to_the_intruder_by_more_than_the_address(
    log: Log, judged: Investigate, *, who: str, address: str, agent: str, joined: bool
) -> None:
    for hour in range(7, 18):
        log.request("list", "pods", at=f"{hour:02}:15", by="jane", address=OFFICE, agent=KUBECTL, namespace="shop")
    own = anonymous(log, address) if agent else anonymous(log, address, userAgent=None)
    by: dict[str, Any] = {"by": who, "address": address, "agent": agent, "namespace": "shop"}
    other = log.request("list", "pods", at="13:20", userAgent=agent or None, **by)
    found = only(judged(log))
    assert set(found.audit_ids) == ({*own, other} if joined else set(own))
    whys = " ".join(one.en for one in found.actors[0].why)
    assert ("Nobody else uses it" in whys) is joined


@pytest.mark.parametrize("client", [KUBECTL, "curl/8.5.0"])
def test_two_who_misbehave_behind_one_private_address_are_one_only_with_one_client(
    log: Log, judged: Investigate, client: str
) -> None:
    one = anonymous(log, GATEWAY)
    reason = allowed_by("dave-admin", "ClusterRole cluster-admin", "User dave")
    two = [log.request("create", "clusterrolebindings", at="15:01", name="x", by="dave", address=GATEWAY, agent=client,
                       reason=reason, body=bound("x", "cluster-admin", "User system:anonymous")),
           log.request("create", "daemonsets", at="15:02", namespace="kube-system", name="kube-controller", by="dave",
                       address=GATEWAY, agent=client, reason=reason, body=MINER)]  # fmt: skip
    found = [set(incident.audit_ids) for incident in judged(log).incidents]
    together = client == "curl/8.5.0"
    assert sorted(found, key=min) == ([{*one, *two}] if together else sorted([set(one), set(two)], key=min))


@needs_corpus
def test_unrelated_samples_from_the_gateway_of_a_virtual_machine_are_no_one_intruder(rules: RuleSet) -> None:
    assert CORPUS is not None
    found = investigate([str(CORPUS / "falcosecurity__falco" / "test" / "trace_files")], rules=rules,
                        options=Options(workers=1))  # fmt: skip
    assert [one.actors[0].identities for one in found.incidents] == [("system:anonymous",)]
