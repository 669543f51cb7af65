"""Every request of the audit log is labelled with who sent it, and the recommended policy does what it says.

The policy under test is docs/audit-policy.yaml itself: the scenario uses the policy "recommended".
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from range.cluster import audit_policy
from range.score_recording import contradictions
from range.script import load
from tests.range_live.played import SCENARIOS, Played, play

THIEF, DANA, OPS = "203.0.113.9", "10.77.30.31", "10.77.20.5"


@pytest.fixture(scope="module")
def whose(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play("whose_requests", tmp_path_factory.mktemp("whose"))


# -- labels ------------------------------------------------------------------------------------------------------------


def test_labels_script_and_log_do_not_contradict_each_other(whose: Played) -> None:
    present = frozenset(event["auditID"] for event in whose.events)
    assert list(contradictions(load(SCENARIOS / "whose_requests"), whose.labels, present)) == []


@pytest.mark.parametrize(("actor", "address"), [("thief", THIEF), ("dana", DANA), ("ops", OPS)])
def test_all_requests_from_an_address_and_no_others_are_its_owners(whose: Played, actor: str, address: str) -> None:
    theirs = {event["auditID"] for event, _ in whose.of(actor)}
    assert theirs
    assert theirs == {event["auditID"] for event in whose.events if event["sourceIPs"][-1] == address}


def test_the_intruders_requests_bear_their_steps_in_the_order_played(whose: Played) -> None:
    steps = list(dict.fromkeys(step for _, step in whose.of("thief")))
    assert steps == ["knocks", "lies", "uses the token outside", "makes itself at home"]
    assert list(dict.fromkeys(step for _, step in whose.of("inside"))) == [
        "finds out what it may", "reads secrets", "gets a token",
    ]  # fmt: skip
    labelled = [step.step for step in whose.labels.steps]
    assert labelled == [
        "knocks", "lies", "finds out what it may", "reads secrets", "gets a token", "uses the token outside",
        "makes itself at home",
    ]  # fmt: skip


def test_a_claimed_address_is_first_in_source_ips_and_the_real_peer_last(whose: Played) -> None:
    lies = {event["requestURI"]: event["sourceIPs"] for event, step in whose.of("thief") if step == "lies"}
    assert lies["/version?lies"] == [DANA, THIEF]
    assert lies["/version?lies-twice"] == [DANA, OPS, THIEF]
    assert whose.whose(r"/version\?lies.*") == {("thief", "lies")}


def test_an_in_pod_actors_requests_are_told_from_the_pods_own_by_the_answers(whose: Played) -> None:
    (pod,) = {event["sourceIPs"][-1] for event, _ in whose.of("inside")}
    assert pod.startswith("10.244.1.")
    assert whose.whose(r"/version\?own") == {("cluster", "")}
    own = [event for event in whose.events if event["requestURI"] == "/version?own"]
    assert {event["sourceIPs"][-1] for event in own} == {pod}
    for uri in ("/api/v1/namespaces/default/secrets/door", "/api/v1/namespaces/default/configmaps/settings"):
        assert whose.whose(uri) - {("ops", "")} == {("inside", "reads secrets")}  # who made them looked first


def test_refused_requests_are_labelled_as_well(whose: Played) -> None:
    knocks = {event["responseStatus"]["code"]: event["user"] for event, step in whose.of("thief") if step == "knocks"}
    assert set(knocks) == {401, 403}
    assert knocks[403]["username"] == "system:anonymous"
    assert "username" not in knocks[401]


def test_the_stolen_token_and_its_pod_are_one_identity_at_two_addresses(whose: Played) -> None:
    outside = {event["user"]["username"] for event, step in whose.of("thief") if step == "uses the token outside"}
    assert outside == {event["user"]["username"] for event, _ in whose.of("inside")}
    assert outside == {"system:serviceaccount:default:web"}


def test_what_an_intruders_request_made_run_is_labelled_as_theirs(whose: Played) -> None:
    assert {(one.command, one.actor, one.step) for one in whose.labels.processes} == {
        ("/pause", "thief", "makes itself at home"),
        ("sleep 3601", "thief", "makes itself at home"),
    }


def test_the_ranges_own_observer_is_not_in_the_log(whose: Played) -> None:
    assert not [event for event in whose.events if "range" in event["user"].get("username", "")]


# -- what is handed over -----------------------------------------------------------------------------------------------


def test_the_webhook_received_what_is_in_the_log_but_for_watches_that_ended_with_the_server(whose: Played) -> None:
    batches = [json.loads(line) for line in whose.text("control-plane/webhook.jsonl.gz").splitlines()]
    assert {batch["kind"] for batch in batches} == {"EventList"}
    received = {(event["auditID"], event["stage"]) for batch in batches for event in batch["items"]}
    missing = [event for event in whose.events if (event["auditID"], event["stage"]) not in received]
    assert len(received) + len(missing) == len({(event["auditID"], event["stage"]) for event in whose.events})
    assert {(event["verb"], event["stage"]) for event in missing} <= {("watch", "ResponseComplete")}
    # Its own, and those of clients that were still there when it stopped.
    stopped = max(datetime.fromisoformat(event["stageTimestamp"]) for event in whose.events)
    ended = [datetime.fromisoformat(event["stageTimestamp"]) for event in missing]
    assert all(stopped - one < timedelta(seconds=5) for one in ended)


def test_the_log_is_rotated_at_its_size_and_whole(whose: Played) -> None:
    files = sorted((whose.folder / "evidence/control-plane").glob("audit*.log.gz"))
    assert len(files) > 2
    assert all(len(gzip.decompress(path.read_bytes())) <= 300 * 1024 for path in files)


# -- docs/audit-policy.yaml --------------------------------------------------------------------------------------------


def bodies(whose: Played, resource: str, verb: str = "create", **names: str | None) -> list[dict[str, Any]]:
    """Events of this kind on objects with these names."""
    return [
        event
        for event in whose.events
        if event["verb"] == verb
        and event.get("objectRef", {}).get("resource") == resource
        and all(event["objectRef"].get(key) == value for key, value in names.items())
    ]


def test_the_policy_in_use_is_the_one_in_the_docs_with_the_observer_left_out(whose: Played) -> None:
    import yaml

    written = yaml.safe_load((Path(__file__).parents[2] / "docs/audit-policy.yaml").read_text())
    assert audit_policy("recommended")["rules"][1:] == written["rules"]  # type: ignore[index]


def test_no_value_of_a_secret_config_map_or_token_is_anywhere_in_log_or_webhook(whose: Played) -> None:
    texts = [json.dumps(whose.events), whose.text("control-plane/webhook.jsonl.gz")]
    for text in texts:
        assert "made-up-value" not in text
        assert "eyJhbGciOi" not in text  # how every JWT begins
    assert bodies(whose, "secrets", "get", name="door")
    assert bodies(whose, "serviceaccounts", name="web", subresource="token")


def test_what_was_made_to_run_and_who_got_rights_is_there_with_its_body(whose: Played) -> None:
    (binding,) = [
        event
        for event in bodies(whose, "clusterrolebindings")
        if "made-up-binding" in json.dumps(event["requestObject"])
    ]
    assert binding["level"] == "RequestResponse"
    assert binding["requestObject"]["subjects"][0]["name"] == "made-up-user"
    (pod,) = bodies(whose, "pods", name="miner", subresource=None)
    assert pod["requestObject"]["spec"]["containers"][0]["command"] == ["sleep", "3601"]
    assert pod["responseObject"]["metadata"]["uid"]


def test_questions_about_rights_are_there_with_what_was_asked(whose: Played) -> None:
    asked = bodies(whose, "selfsubjectrulesreviews")
    assert {event["level"] for event in asked} == {"Request"}
    assert all("requestObject" in event and "responseObject" not in event for event in asked)


def test_heartbeats_are_silent_but_anybody_elses_look_at_leases_is_not(whose: Played) -> None:
    lookers = {
        event["user"]["username"] for event in whose.events if event.get("objectRef", {}).get("resource") == "leases"
    }
    assert lookers == {"system:serviceaccount:default:web"}


def test_every_request_is_there_once_it_is_answered_and_not_before(whose: Played) -> None:
    assert {event["stage"] for event in whose.events} <= {"ResponseStarted", "ResponseComplete"}
