"""Roles and bindings at any moment, from what the log and dumps tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from kubewitness.correlate.rbac.changes import changes_of
from kubewitness.correlate.rbac.state import History
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.evidence import Place
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.known import Version
from kubewitness.posture.rbac.evaluate import evaluate
from kubewitness.posture.rbac.objects import Dump, read_dump
from tests.correlate.rbac.made_up import ask

GROUP = "rbac.authorization.k8s.io"


def at(minute: int) -> datetime:
    return datetime(2026, 11, 22, 4, minute, tzinfo=UTC)


def binding(*users: str, name: str = "b", version: int = 0) -> dict[str, Any]:
    return {
        "kind": "ClusterRoleBinding", "apiVersion": f"{GROUP}/v1",
        "metadata": {"name": name, "uid": "u", **({"resourceVersion": str(version)} if version else {})},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"},
        "subjects": [{"kind": "User", "apiGroup": GROUP, "name": user} for user in users],
    }  # fmt: skip


def role(*resources: str) -> dict[str, Any]:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": list(resources)}]
    return {"kind": "ClusterRole", "apiVersion": f"{GROUP}/v1", "metadata": {"name": "r", "uid": "u"}, "rules": rules}


def write(verb: str, minute: int, *, sent: Any = None, answer: Any = None, **more: Any) -> Event:
    """A write of ClusterRoleBinding b, unless `more` says otherwise."""
    event = {
        "auditID": f"{verb}-{minute}", "stage": "ResponseComplete", "verb": verb,
        "requestURI": more.get("uri", f"/apis/{GROUP}/v1/x"), "user": {"username": "ops"}, "sourceIPs": ["192.0.2.1"],
        "objectRef": {"resource": "clusterrolebindings", "name": "b", "apiGroup": GROUP} | more.get("ref", {}),
        "responseStatus": {"code": more.get("code", 201 if verb == "create" else 200)},
        "requestReceivedTimestamp": f"2026-11-22T04:{minute:02}:00.000000Z",
        "stageTimestamp": f"2026-11-22T04:{minute:02}:00.000000Z",
        **({"requestObject": sent} if sent is not None else {}),
        **({"responseObject": answer} if answer is not None else {}),
    }  # fmt: skip
    return Event(msgspec.json.decode(json.dumps(event), type=AuditRecord), Place("audit.log", 1, 0))


def dump(*objects: dict[str, Any], version: int = 0, time: str = "") -> Dump:
    """A dump of everything."""
    lists: list[Any] = []
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"):
        items = [one for one in objects if one["kind"] == kind]
        for one in items if time else []:
            one["metadata"]["creationTimestamp"] = time
        meta = {"resourceVersion": str(version)} if version else {}
        lists.append({"kind": f"{kind}List", "apiVersion": f"{GROUP}/v1", "metadata": meta, "items": items})
    return read_dump(json.loads(json.dumps(lists)))


def history(*events: Event, dumps: tuple[Dump, ...] = ()) -> History:
    return History([change for event in events for change in changes_of(event)], dumps)


def may(told: History, minute: int, user: str = "eve") -> tuple[bool, bool]:
    """Whether the user may get pods, and whether that is uncertain."""
    answer = evaluate(told.at(at(minute)).policy, ask("get", "pods", user=user))
    return answer.allowed, answer.uncertain


BASE = dump(role("pods"), version=1)
YES, NO, MAYBE, MAYBE_NOT = (True, False), (False, False), (True, True), (False, True)


def test_a_binding_holds_from_its_creation_to_its_deletion() -> None:
    told = history(write("create", 10, sent=binding("eve")), write("delete", 20), dumps=(BASE,))
    assert [may(told, minute) for minute in (9, 10, 19, 20)] == [NO, YES, YES, NO]


def test_what_was_changed_is_what_the_answer_says() -> None:
    told = history(
        write("create", 10, sent=binding("eve"), answer=binding("mallory")),
        write("update", 20, sent=binding("jane")),
        dumps=(BASE,),
    )
    assert may(told, 15) == NO
    assert may(told, 15, "mallory") == YES
    assert may(told, 25, "jane") == YES


@pytest.mark.parametrize(
    ("patch", "uri", "expected"),
    [
        ({"subjects": [{"kind": "User", "name": "eve"}]}, "", YES),
        ({"subjects": None}, "", NO),
        ({"metadata": {"labels": {"a": "b"}}}, "", NO),
        ([{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "eve"}}], "", YES),
        ([{"op": "replace", "path": "/subjects/0/name", "value": "eve"}], "", YES),
        ([{"op": "remove", "path": "/subjects"}], "", NO),
        ([{"op": "replace", "path": "/subjects/7/name", "value": "eve"}], "", MAYBE_NOT),
        ([{"op": "explode"}], "", MAYBE_NOT),
        ({"subjects": [], "$patch": "replace"}, "", MAYBE_NOT),
        (binding("eve"), "?fieldManager=kubectl", YES),
        ({"kind": "ClusterRoleBinding", "apiVersion": "v1"}, "?fieldManager=kubectl", MAYBE_NOT),
    ],
)
def test_a_patch_without_an_answer_is_applied_or_makes_the_content_unknown(
    patch: object, uri: str, expected: tuple[bool, bool]
) -> None:
    told = history(
        write("create", 10, sent=binding("jane")), write("patch", 20, sent=patch, uri=f"/x{uri}"), dumps=(BASE,)
    )
    assert may(told, 15, "jane") == YES
    assert may(told, 25) == expected


def test_a_write_without_its_body_leaves_doubt_until_the_next_that_has_one() -> None:
    told = history(
        write("create", 10, sent=binding("eve")),
        write("update", 20),
        write("update", 30, sent=binding("jane")),
        dumps=(BASE,),
    )
    assert [may(told, minute) for minute in (15, 25, 35)] == [YES, MAYBE, NO]
    assert may(told, 25, "mallory") == MAYBE_NOT
    assert history(write("update", 5), dumps=(BASE,)).at(at(1)).policy.doubts


def test_a_later_dump_tells_what_a_write_without_body_wrote() -> None:
    later = dump(role("pods"), binding("eve"), time="2026-11-22T04:30:00Z")
    assert may(history(write("create", 10), dumps=(later,)), 20) == YES
    assert may(history(write("create", 10), write("update", 25), dumps=(later,)), 20) == MAYBE_NOT


def test_what_nobody_wrote_was_there_before_the_log_and_what_was_created_was_not() -> None:
    later = dump(role("pods"), binding("eve"), time="2026-11-22T04:30:00Z")
    assert may(history(dumps=(later,)), 5) == YES
    told = history(write("create", 10, sent=binding("jane")), write("patch", 20, sent={"subjects": []}), dumps=(later,))
    assert [may(told, minute) for minute in (5, 25, 35)] == [NO, NO, YES]


def test_a_dump_is_put_after_the_writes_that_it_holds() -> None:
    late = dump(role("pods"), binding("jane", version=7), version=9)
    events = [
        write("create", 10, sent=binding("eve"), answer=binding("eve", version=5)),
        write("update", 20, sent=binding("jane"), answer=binding("jane", version=7)),
        write("update", 30, sent=binding("mallory"), answer=binding("mallory", version=12)),
    ]
    told = history(*events, dumps=(late,))
    assert [may(told, minute)[0] for minute in (15, 25, 35)] == [True, False, False]
    assert [may(told, minute, "mallory")[0] for minute in (25, 35)] == [False, True]


def test_a_dump_that_lacks_an_object_is_no_older_than_its_deletion() -> None:
    after = dump(role("pods"), version=9)
    told = history(
        write("create", 10, sent=binding("eve"), answer=binding("eve", version=5)), write("delete", 20), dumps=(after,)
    )
    assert [may(told, minute) for minute in (15, 25)] == [YES, NO]


def test_refused_and_dry_writes_and_other_apis_change_nothing() -> None:
    told = history(
        write("create", 10, sent=binding("eve"), code=403),
        write("create", 11, sent=binding("eve"), uri="/x?dryRun=All"),
        write("create", 12, sent=binding("eve"), ref={"apiGroup": "authorization.openshift.io"}),
        dumps=(BASE,),
    )
    assert told.changes == []
    assert may(told, 20) == NO


def test_a_deleted_collection_is_what_the_answer_lists_or_leaves_doubt() -> None:
    made = write("create", 10, sent=binding("eve"))
    ref = {"name": ""}
    listed = write("deletecollection", 20, answer={"items": [{"metadata": {"name": "b"}}]}, ref=ref)
    assert may(history(made, listed, dumps=(BASE,)), 25) == NO
    other = write("deletecollection", 20, answer={"items": [{"metadata": {"name": "c"}}]}, ref=ref)
    assert may(history(made, other, dumps=(BASE,)), 25) == YES
    assert may(history(made, write("deletecollection", 20, ref=ref), dumps=(BASE,)), 25) == MAYBE


def test_manifests_are_no_state_and_hostile_objects_are_doubts() -> None:
    manifest = binding("eve")
    del manifest["metadata"]["uid"]
    assert not read_dump([manifest]).objects
    bad = binding("eve")
    bad["subjects"] = {"kind": "User"}
    found = read_dump([bad, [[[[[binding("eve")]]]]], 7, {"kind": ["x"]}, {"kind": "List", "items": None}])
    assert not found.objects
    assert len(found.unreadable) == 1


def test_where_the_rest_comes_from_is_said() -> None:
    assert history(dumps=(BASE,)).base == "dump"
    first = write("create", 1, sent={**role("pods")}, ref={"resource": "clusterroles", "name": "cluster-admin"})
    assert history(first).base == "log"
    assert history(write("create", 10, sent=binding("eve"))).base == "none"


def test_a_flood_of_writes_is_looked_at_in_strides_and_no_earlier_state_is_lost() -> None:
    events = [
        write("create", 10, sent=binding("eve", name=f"b{number}"), ref={"name": f"b{number}"}) for number in range(50)
    ]
    told = history(*events, dumps=(BASE,))
    assert told.near(at(20)) == told.version(at(20))
    told._stride = 7
    assert told.coarse
    assert told.near(at(20)) <= told.version(at(20)) < told.near(at(20)) + 7
    assert evaluate(told.at(at(20)).policy, ask("get", "pods")).allowed


DISCOVERY = {"name": "system:discovery"}
ANYBODY = {"kind": "Group", "name": "system:unauthenticated", "apiGroup": GROUP}


def over_defaults(*events: Event, dumps: tuple[Dump, ...] = (), minor: int = 28) -> History:
    changes = [change for event in events for change in changes_of(event)]
    return History(changes, dumps, defaults(Version(1, minor)))


def may_discover(told: History, minute: int) -> tuple[bool, bool]:
    asked = ask("get", "/apis", user="system:anonymous", groups=("system:unauthenticated",))
    answer = evaluate(told.at(at(minute)).policy, asked)
    return answer.allowed, answer.uncertain


def test_without_a_dump_the_defaults_of_the_version_stood_before() -> None:
    told = over_defaults(write("create", 10, sent=binding("eve")))
    state = told.at(at(5))
    assert (state.base, state.partial) == ("defaults", True)
    assert state.defaults is not None
    info = ask("get", "/version", user="system:anonymous", groups=("system:unauthenticated",))
    assert evaluate(state.policy, info).allowed
    assert may_discover(told, 5) == NO
    assert may_discover(over_defaults(minor=12), 5) == YES
    assert history().at(at(5)).base == "none"


def test_a_patch_of_a_default_is_applied_to_what_kubernetes_makes() -> None:
    added = [{"op": "add", "path": "/subjects/-", "value": ANYBODY}]
    told = over_defaults(write("patch", 20, sent=added, ref=DISCOVERY), write("delete", 30, ref=DISCOVERY))
    assert [may_discover(told, minute) for minute in (10, 25, 35)] == [NO, YES, NO]


def test_what_the_log_says_of_a_default_stands_against_it() -> None:
    made = binding("eve", name="system:discovery")
    told = over_defaults(write("create", 20, sent=made, ref=DISCOVERY), minor=12)
    assert may_discover(told, 10) == NO, "it was created later, so it was not there"
    unknown = over_defaults(write("update", 20, ref=DISCOVERY), minor=12)
    assert [may_discover(unknown, minute) for minute in (10, 25)] == [YES, MAYBE]


def test_a_dump_or_a_log_that_tells_everything_needs_no_defaults() -> None:
    assert over_defaults(dumps=(BASE,)).at(at(5)).base == "dump"
    first = {"resource": "clusterroles", "name": "cluster-admin"}
    born = over_defaults(write("create", 1, sent=role("pods"), ref=first))
    assert (born.base, born.at(at(5)).defaults) == ("log", None)


def test_a_dump_of_some_kinds_decides_on_these() -> None:
    some = dump(role("pods"), version=1)
    some.whole.discard("roles")
    told = over_defaults(dumps=(some,), minor=12)
    assert told.at(at(5)).base == "defaults"
    assert may_discover(told, 5) == NO, "the dump has all bindings, and this is not among them"
