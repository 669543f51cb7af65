"""The recording on somebody's own cluster: what a run created, what of the log is of its time, whose requests are."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from click.testing import CliRunner

from range.__main__ import main
from range.external import evidence
from range.external.created import Created, created_by, still_there
from range.external.target import audit_ids
from range.labels import Labels
from range.play import Deed
from range.script import Actor

SERVER = "https://127.0.0.1:6443"

# -- created objects ---------------------------------------------------------------------------------------------------


def answered(text: str, code: int, method: str, path: str) -> tuple[list[str], CompletedProcess[str]]:
    command = ["curl", "-s", "-X", method, f"{SERVER}{path}"]
    return command, CompletedProcess(command, 0, f"{text}\n{code}", "")


def made(text: str, code: int, method: str, path: str) -> list[str]:
    return list(created_by(*answered(text, code, method, path)))


def test_a_201_to_curl_names_what_was_created_and_other_answers_name_nothing() -> None:
    body = '{"kind":"Secret","metadata":{"name":"x"}}'
    assert made(body, 201, "POST", "/api/v1/namespaces/a/secrets?dryRun=") == ["/api/v1/namespaces/a/secrets/x"]
    assert made(body, 201, "PATCH", "/api/v1/namespaces/a/secrets/x?force=true") == ["/api/v1/namespaces/a/secrets/x"]
    assert made(body, 200, "PATCH", "/api/v1/namespaces/a/secrets/x") == []
    assert made(body, 409, "POST", "/api/v1/namespaces/a/secrets") == []
    assert made("not JSON", 201, "POST", "/api/v1/namespaces/a/secrets") == []
    nameless = '{"kind":"SelfSubjectAccessReview","metadata":{"name":null}}'
    assert made(nameless, 201, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") == []


OLD = """\
I1122 03:47:01.5     258 round_trippers.go:470] POST https://10.0.0.1:6443/api/v1/namespaces/d/configmaps?fieldManager=k
I1122 03:47:01.5     258 round_trippers.go:581] Response Status: 201 Created in 4 milliseconds
I1122 03:47:01.5     258 round_trippers.go:587]     Audit-Id: cd6e40ef-2547-45b1-90e4-1122c9f452c5
I1122 03:47:01.5     258 helper.go:269] "Response Body" body=<
\t{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"old","namespace":"d","uid":"1 [truncated 400 chars]
 >
"""
NEW = """\
I1122 03:47:01.2     251 round_trippers.go:527] "Request" verb="POST" url="https://h:6443/api/v1/namespaces" headers=<
\tAccept: application/vnd.kubernetes.protobuf,application/json
 >
I1122 03:47:01.2     251 round_trippers.go:632] "Response" status="201 Created" headers=<
\tAudit-Id: 1ac90aef-8ec0-4de1-a40e-6dc3440e5549
 > milliseconds=7
I1122 03:47:01.2     251 type.go:213] "Response Body" body=<
\t00000000  6b 38 73 00 0a 0f 0a 02  76 31 12 09 4e 61 6d 65  |k8s.....v1..Name|
\t00000010  73 70 61 63 65 12 87 02  0a ec 01 0a 06 6e 73 2d  |space........ns-|
\t00000020  6e 65 77 12 00 1a 00 22  00 2a 24 34 61 31 33 30  |new....".*$4a130 [truncated 464 chars]
 >
I1122 03:47:01.3     251 round_trippers.go:527] "Request" verb="GET" url="https://10.0.0.1:6443/api/v1/pods" headers=<
I1122 03:47:01.3     251 round_trippers.go:632] "Response" status="200 OK" headers=<
"""


def test_kubectls_trace_tells_what_it_created_in_json_and_in_protobuf_of_old_and_new() -> None:
    done = CompletedProcess(["kubectl"], 0, "", OLD + NEW)
    assert list(created_by(["kubectl"], done)) == ["/api/v1/namespaces/d/configmaps/old", "/api/v1/namespaces/ns-new"]


def test_kubectls_trace_tells_the_audit_ids_of_old_and_new() -> None:
    assert audit_ids(OLD + NEW) == ("cd6e40ef-2547-45b1-90e4-1122c9f452c5", "1ac90aef-8ec0-4de1-a40e-6dc3440e5549")


@pytest.mark.parametrize("dump", ["", "6b 38 73 00 ff ff ff ff ff ff ff ff ff ff ff ff", "6b 38 73 00 12 7f 0a 7f"])
def test_a_broken_dump_names_nothing(dump: str) -> None:
    trace = NEW.split("\t00000000", maxsplit=1)[0] + f"\t00000000  {dump}  |x|\n >\n"
    assert list(created_by(["kubectl"], CompletedProcess(["kubectl"], 0, "", trace))) == []


def test_what_is_left_is_what_is_there_still_and_was_made_since_in_order_of_deletion() -> None:
    start = datetime(2026, 3, 2, 12, 0, 0, 500_000, tzinfo=UTC)
    now, before = {"creationTimestamp": "2026-03-02T12:00:00Z"}, {"creationTimestamp": "2026-03-02T11:59:59Z"}
    there: dict[str, dict[str, Any]] = {
        "/api/v1/namespaces/new": {"metadata": {**now, "uid": "1"}},
        "/api/v1/namespaces/new/secrets/inside": {"metadata": {**now, "uid": "2"}},
        "/api/v1/namespaces/default/secrets/beside": {"metadata": {**now, "uid": "3"}},
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/b": {"metadata": {**now, "uid": "4"}},
        "/api/v1/namespaces/default/secrets/older": {"metadata": {**before, "uid": "5"}},
        "/api/v1/namespaces/default/secrets/going": {"metadata": {**now, "uid": "6", "deletionTimestamp": "x"}},
        "/api/v1/namespaces/default/serviceaccounts/a/token/a": {"metadata": {**now, "uid": "7"}},
    }
    paths = [*there, "/api/v1/namespaces/default/secrets/gone"]
    left = still_there([Created(path, start, "a") for path in paths], start, there.get)
    assert [one.command for one in left] == [
        "kubectl delete clusterrolebindings.rbac.authorization.k8s.io b",
        "kubectl delete secrets beside -n default",
        "kubectl delete namespaces new",
    ]
    assert [one.uid for one in left] == ["4", "3", "1"]


# -- the audit log -----------------------------------------------------------------------------------------------------


def test_only_what_is_written_from_now_on_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"before\n")
    tail = evidence.Tail(log)
    log.write_bytes(b"before\nafter\n")
    assert tail.lines() == [b"after\n"]


@pytest.mark.parametrize("packed", [False, True])
def test_rotation_loses_and_repeats_nothing(tmp_path: Path, packed: bool) -> None:
    log, oldest = tmp_path / "audit.log", tmp_path / "audit-2026-03-01T00-00-00.000.log"
    oldest.write_bytes(b"long ago\n")
    log.write_bytes(b"before\n")
    tail = evidence.Tail(log)
    (tmp_path / f"{oldest.name}.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    for day, text in ((2, b"before\n1\n"), (3, b"2\n")):
        name = f"audit-2026-03-0{day}T00-00-00.000.log"
        if packed:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text))
        else:
            (tmp_path / name).write_bytes(text)
    log.write_bytes(b"3\n")
    assert tail.lines() == [b"1\n", b"2\n", b"3\n"]


def test_a_log_emptied_in_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"before, and long\n")
    tail = evidence.Tail(log)
    log.write_bytes(b"after\n")
    assert tail.lines() == [b"after\n"]


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def event(audit_id: str, user: str, second: float = 0.5, agent: str = "kubectl/v1", peer: str = "192.0.2.7") -> bytes:
    time = (NOON + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    value = {"auditID": audit_id, "user": {"username": user}, "userAgent": agent, "sourceIPs": ["203.0.113.1", peer]}
    return json.dumps({**value, "requestReceivedTimestamp": time}).encode() + b"\n"


def deed(actor: str, step: str, second: float, *ids: str) -> Deed:
    return Deed(actor, step, "p", NOON + timedelta(seconds=second), NOON + timedelta(seconds=second + 1), ids)


def labelled(tmp_path: Path, lines: list[bytes], *deeds: Deed) -> tuple[Labels, dict[str, tuple[str, str]]]:
    actors = {"thief": Actor("intruder", "203.0.113.9"), "admin": Actor("administrator", "10.77.20.1")}
    played = evidence.Played(
        "s", "v1.30.0", SERVER, NOON, NOON + timedelta(minutes=1), actors, deeds, ("own",), ("a step: why",)
    )
    evidence.write_played(tmp_path / "deeds.json", played)
    assert evidence.read_played(tmp_path / "deeds.json") == played
    labels = evidence.write(tmp_path, played, lines)
    return labels, {one.audit_id: (one.actor, one.step) for one in labels.requests}


def test_an_answers_audit_id_tells_whose_a_request_is(tmp_path: Path) -> None:
    lines = [event("a", "jane"), event("own", "me"), event("x", "system:kube-scheduler"), b"not JSON\n"]
    labels, whose = labelled(tmp_path, lines, deed("thief", "looks", 0, "a"))
    assert whose == {"a": ("thief", "looks"), "own": ("recorder", ""), "x": ("cluster", "")}
    assert labels.actors["thief"].addresses == ("192.0.2.7",)
    assert labels.left_out == ("a step: why",)


def test_an_answer_out_of_kubectls_cache_labels_the_first_step_that_asked(tmp_path: Path) -> None:
    _, whose = labelled(tmp_path, [event("a", "jane")], deed("thief", "later", 5, "a"), deed("thief", "first", 0, "a"))
    assert whose["a"] == ("thief", "first")


def test_a_request_without_an_id_belongs_to_the_step_of_its_user_and_time_alone(tmp_path: Path) -> None:
    lines = [event("a", "jane"), event("exec", "jane", 0.7), event("late", "jane", 9), event("other", "joe", 0.7)]
    _, whose = labelled(tmp_path, lines, deed("thief", "runs", 0, "a"))
    assert whose["exec"] == ("thief", "runs")
    assert whose["late"] == whose["other"] == ("cluster", "")


def test_a_request_without_an_id_that_two_steps_could_have_made_is_nobodys(tmp_path: Path) -> None:
    lines = [event("a", "jane"), event("b", "jane"), event("exec", "jane", 0.7)]
    _, whose = labelled(tmp_path, lines, deed("thief", "runs", 0, "a"), deed("admin", "", 0, "b"))
    assert whose["exec"] == ("cluster", "")


def test_where_the_recorder_is_the_same_user_the_agent_has_to_fit_too(tmp_path: Path) -> None:
    lines = [event("own", "me"), event("a", "me", agent="curl"), event("x", "me", 0.7), event("y", "me", 0.7, "curl")]
    _, whose = labelled(tmp_path, lines, deed("admin", "", 0, "a"))
    assert (whose["x"], whose["y"]) == (("cluster", ""), ("admin", ""))


def test_a_log_copied_later_is_cut_to_the_time_of_the_run(tmp_path: Path) -> None:
    labelled(tmp_path, [], deed("thief", "looks", 0, "a"))
    copy = tmp_path / "audit.log.gz"
    copy.write_bytes(
        gzip.compress(event("late", "jane", 61) + event("a", "jane") + b"{}\n" + event("early", "jane", -1))
    )
    result = CliRunner().invoke(main, ["label", "--audit-log", str(copy), str(tmp_path / "deeds.json")])
    assert (result.exit_code, "1 requests, 1 of intruders" in result.output) == (0, True)
    kept = gzip.decompress((tmp_path / "evidence/control-plane/audit.log.gz").read_bytes())
    assert kept == event("a", "jane")


def test_a_file_that_is_no_deeds_file_is_named(tmp_path: Path) -> None:
    for name in ("deeds.json", "audit.log"):
        (tmp_path / name).write_text("{")
    result = CliRunner().invoke(
        main, ["label", "--audit-log", str(tmp_path / "audit.log"), str(tmp_path / "deeds.json")]
    )
    assert (result.exit_code, "give the deeds.json of a run" in result.output) == (1, True)
