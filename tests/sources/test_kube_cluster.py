"""A cluster out of its objects: what is read, where it stands, and of what the evidence holds everything."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.evidence.opening import walk
from kubewitness.model.cluster import Cluster
from kubewitness.sources.kube_cluster import ClusterEvidence, read_cluster
from tests.corpus import CORPUS, needs_corpus

RBAC = "rbac.authorization.k8s.io/v1"
MANIFEST = (
    '{"record":"collection","format":"kubewitness-cluster/1","tool":"kubewitness 1","host":"blue",'
    '"started":"2026-11-22T00:00:00Z","options":{"kubernetes":"v1.34.4"%s}}\n%s'
    '{"record":"end","finished":"2026-11-22T00:00:01Z","items":0,"sha256":""}\n'
)


def thing(kind: str, name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """An object."""
    version = RBAC if "Role" in kind else "v1"
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **more}


def read(tmp_path: Path, **files: str) -> ClusterEvidence:
    """What is read of these files; "__" in a name is a folder, the ending is the last word."""
    for name, text in files.items():
        path = tmp_path / (name.replace("__", "/")[::-1].replace("_", ".", 1)[::-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return read_cluster(walk([str(tmp_path)]))


def cluster(tmp_path: Path, **files: str) -> Cluster:
    """The cluster of these files."""
    found = read(tmp_path, **files).cluster
    assert found is not None
    return found


def kubectl(*objects: dict[str, Any], indent: int | None = 4) -> str:
    """As `kubectl get -o json` writes it: kind last."""
    listed = {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}
    return json.dumps(listed, indent=indent)


def test_every_object_of_a_dump_is_told_with_its_own_line(tmp_path: Path) -> None:
    text = kubectl(thing("Pod", "a", "x"), thing("Pod", "b", "y"), thing("Service", "c", "y"))
    found = cluster(tmp_path, dump_json=text)
    lines = text.split("\n")
    assert [str(one) for one in found.objects] == ["Pod x/a", "Pod y/b", "Service y/c"]
    for one in found.objects:
        assert lines[one.place.line - 1] == "        {"
        assert f'"name": "{one.name}"' in "\n".join(lines[one.place.line - 1 : one.place.line + 5])
        assert text.encode()[one.place.offset :][: one.place.length].startswith(b"{")
    assert [one.path for one in found.objects] == ["items[0]", "items[1]", "items[2]"]


def test_every_object_of_a_yaml_list_is_told_with_the_line_of_its_dash(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n    namespace: x\n"
        "  spec:\n    note: |\n      - no entry\n    args:\n    - no entry either\n"
        "- apiVersion: v1\n  kind: Pod\n  metadata: {name: b, namespace: y}\nkind: List\nmetadata:\n  x:\n  - no\n"
    )
    found = cluster(tmp_path, dump_yaml=text)
    assert [(one.name, one.place.line) for one in found.objects] == [("a", 3), ("b", 13)]


def test_documents_of_a_manifest_are_told_with_their_first_line(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# b\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n"
    assert [(o.name, o.place.line) for o in cluster(tmp_path, pods_yaml=text).objects] == [("a", 1), ("b", 6)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(alphabet='ab"{}[],\\n\\\\ é', max_size=8), min_size=1, max_size=6), st.sampled_from([None, 1, 4])
)
def test_a_line_that_is_told_is_the_right_one_whatever_the_values_hold(notes: list[str], indent: int | None) -> None:
    from kubewitness.evidence.frame import Frame
    from kubewitness.model.evidence import Place
    from kubewitness.sources.list_lines import of_json

    objects = [thing("Pod", f"n{number}", data=note) for number, note in enumerate(notes)]
    text = kubectl(*objects, indent=indent).encode()
    places = of_json(Frame(text, Place("x", 1, 0, len(text))))
    assert [json.loads(text[one.offset : one.offset + one.length]) for one in places] == objects
    assert [one.line for one in places] == [1 + text.count(b"\n", 0, one.offset) for one in places]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]\n",
        "apiVersion: v1\nkind: List\nitems:\n  # - no\n  - apiVersion: v1\n    kind: Pod\n    metadata: {name: a}\n",
    ],
)
def test_where_the_line_of_an_entry_cannot_be_told_it_is_that_of_the_document(tmp_path: Path, text: str) -> None:
    assert cluster(tmp_path, dump_yaml=text).objects[0].place.line == 1


def test_the_same_object_twice_counts_once_and_the_later_of_it(tmp_path: Path) -> None:
    old, new = thing("Pod", "a", "x"), thing("Pod", "a", "x")
    old["metadata"]["resourceVersion"], new["metadata"]["resourceVersion"] = "9", "10"
    found = cluster(tmp_path, a_json=kubectl(new), b_json=kubectl(old))
    assert [one.document["metadata"]["resourceVersion"] for one in found.objects] == ["10"]


def of_age(age: str, *names: str) -> str:
    items = [{"metadata": {"name": one, "resourceVersion": age}} for one in ("cluster-admin", *names)]
    meta = {"resourceVersion": age}
    return json.dumps({"kind": "ClusterRoleBindingList", "apiVersion": RBAC, "metadata": meta, "items": items})


def test_of_two_whole_lists_the_later_says_what_there_is(tmp_path: Path) -> None:
    found = read(tmp_path, after_json=of_age("20", "b"), before_json=of_age("10", "a", "b"))
    assert found.cluster is not None
    assert {one.name for one in found.cluster.objects} == {"cluster-admin", "b"}
    assert any("1 ClusterRoleBinding of this list are not in the later one" in one.reason for one in found.notes)


def born(kind: str, name: str, uid: str) -> dict[str, Any]:
    made = thing(kind, name)
    made["metadata"]["uid"] = uid
    return made


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([born("Namespace", "kube-system", "a")], [born("Namespace", "kube-system", "b")], False),
        (
            [born("ClusterRole", "cluster-admin", "a"), born("ClusterRole", "view", "c")],
            [born("ClusterRole", "cluster-admin", "b"), born("ClusterRole", "view", "d")],
            False,
        ),
        ([born("Namespace", "kube-system", "a")], [born("Namespace", "kube-system", "a")], True),
        ([born("ClusterRole", "cluster-admin", "a")], [born("ClusterRole", "cluster-admin", "b")], True),  # made anew
        ([born("Namespace", "shop", "a")], [born("Namespace", "shop", "b")], True),
    ],
)
def test_evidence_of_two_clusters_is_complete_of_none(
    tmp_path: Path, first: list[dict[str, Any]], second: list[dict[str, Any]], expected: bool
) -> None:
    bindings = [thing("ClusterRoleBinding", name) for name in ("cluster-admin", "other")]
    found = read(tmp_path, a_json=kubectl(*first, *bindings), b_json=kubectl(*second, bindings[0]))
    assert found.cluster is not None
    assert found.cluster.has_all("ClusterRoleBinding") == expected
    assert bool(found.failures) != expected


@pytest.mark.parametrize("age", ["", "10", "x"])
def test_lists_that_do_not_tell_which_is_later_are_both_taken(tmp_path: Path, age: str) -> None:
    found = cluster(tmp_path, a_json=of_age(age, "a"), b_json=of_age(age, "b"))
    assert {one.name for one in found.objects} == {"cluster-admin", "a", "b"}


@pytest.mark.parametrize(
    ("objects", "whole"),
    [
        ([thing("ClusterRoleBinding", "cluster-admin"), thing("ClusterRoleBinding", "x")], {"ClusterRoleBinding"}),
        ([thing("ClusterRoleBinding", "x")], set()),  # every cluster has cluster-admin: this is a part
        ([thing("Pod", "a", "x"), thing("Pod", "b", "kube-system")], {"Pod"}),
        ([thing("Pod", "a", "x"), thing("Pod", "b", "kube-system"), thing("Service", "c", "x")], {"Pod", "Service"}),
        ([thing("Pod", "a", "x"), thing("Pod", "b", "y")], set()),  # `kubectl get -f` of somebody's manifests
        ([thing("Pod", "a", "x"), thing("Service", "b", "kube-system")], set()),
        ([thing("Pod", "a", "x"), thing("Pod", "b", "x")], set()),  # may be one namespace
    ],
)
def test_a_dump_holds_all_objects_of_a_kind_only_where_it_shows_it(
    tmp_path: Path, objects: list[dict[str, Any]], whole: set[str]
) -> None:
    assert cluster(tmp_path, dump_json=kubectl(*objects)).whole == whole


def test_several_lists_in_one_file_are_each_held_against_that(tmp_path: Path) -> None:
    lists = [
        {"kind": f"{kind}List", "apiVersion": RBAC, "metadata": {}, "items": [{"metadata": {"name": "cluster-admin"}}]}
        for kind in ("ClusterRole", "ClusterRoleBinding")
    ]
    found = cluster(tmp_path, lists_json=json.dumps(lists))
    assert found.whole == {"ClusterRole", "ClusterRoleBinding"}
    assert [one.kind for one in found.objects] == ["ClusterRole", "ClusterRoleBinding"]


def test_a_manifest_of_one_object_is_never_all_of_its_kind(tmp_path: Path) -> None:
    text = json.dumps(thing("ClusterRoleBinding", "cluster-admin"))
    assert cluster(tmp_path, one_json=text).whole == set()


def archive(tmp_path: Path, options: str = "", records: str = "", **lists: list[dict[str, Any]]) -> Cluster:
    """An unpacked archive of `collect --cluster`; its manifest is the last to be read by name and by place."""
    files = {"t__manifest_jsonl": MANIFEST % (options, records)}
    for kind, items in lists.items():
        body = {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": items}
        files[f"t__cluster__core__{kind.lower()}s_json"] = json.dumps(body)
    return cluster(tmp_path, **files)


def test_what_an_archive_lists_it_lists_whole_even_if_that_is_nothing(tmp_path: Path) -> None:
    found = archive(tmp_path, Pod=[thing("Pod", "a", "x")], Service=[])
    assert found.whole == {"Pod", "Service"}
    assert (found.name, found.version) == ("blue", "v1.34.4")


def test_an_archive_of_some_namespaces_is_whole_only_for_what_lies_in_none(tmp_path: Path) -> None:
    found = archive(tmp_path, ',"namespaces":"x y"', Pod=[thing("Pod", "a", "x"), thing("Pod", "b", "y")], Node=[])
    assert found.whole == {"Node"}


def test_what_the_collector_did_not_get_is_not_whole_and_says_why(tmp_path: Path) -> None:
    omitted = '{"record":"omitted","path":"cluster/core/pods.json","reason":"Not permitted"}\n'
    found = archive(tmp_path, "", omitted, Pod=[thing("Pod", "a", "x")])
    assert found.whole == set()
    assert found.why_not("Pod") == "Not permitted"
    assert not found.has_all("Pod")


@pytest.mark.parametrize(
    ("resource", "kind"),
    [("validatingadmissionpolicies", "ValidatingAdmissionPolicy"), ("ingresses", "Ingress"), ("nodes", "Node")],
)
def test_a_kind_that_the_server_does_not_have_has_no_objects_and_that_is_all(
    tmp_path: Path, resource: str, kind: str
) -> None:
    omitted = f'{{"record":"omitted","path":"cluster/x/{resource}.json","reason":"not served by this API server"}}\n'
    assert archive(tmp_path, "", omitted, Pod=[]).has_all(kind)


def test_config_maps_of_an_archive_are_never_all_of_them(tmp_path: Path) -> None:
    assert "ConfigMap" not in archive(tmp_path, ConfigMap=[thing("ConfigMap", "a", "kube-system")]).whole


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"get","objectRef":{"name":"x"}}\n' * 3,
        '{"level":"info","msg":"apiVersion is v1","kind":"x"}\n',
        '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"auditID":"a","metadata":{"name":"x"}}]}',
        "just text\nkind: of\n",
        "[]",
    ],
)
def test_audit_logs_and_other_logs_are_no_cluster(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, audit_log=text)
    assert found.cluster is None
    assert not found.items


def test_objects_one_a_line_are_read_though_one_of_them_holds_an_audit_policy(tmp_path: Path) -> None:
    policy = thing("ConfigMap", "audit", "kube-system", data={"policy": '{"apiVersion":"audit.k8s.io/v1"}'})
    text = "".join(json.dumps(one) + "\n" for one in (policy, thing("Pod", "a", "x")))
    assert [one.name for one in cluster(tmp_path, objects_jsonl=text).objects] == ["audit", "a"]


def test_a_broken_object_costs_no_other_and_is_told_with_its_line(tmp_path: Path) -> None:
    good = json.dumps(thing("Pod", "a", "x"))
    found = read(tmp_path, pods_json=f"{good}\nbroken {{\n{good.replace('a', 'b')}\n")
    assert found.cluster is not None
    assert found.cluster.objects[0].name == "a"
    assert [one.place.line for one in found.failures] == [2]
    assert found.cluster.whole == set()


BINDINGS = [
    thing("ClusterRoleBinding", name, subjects=[{"name": f"who-{name}"}]) for name in ("a", "cluster-admin", "z")
]


def test_of_a_list_that_is_cut_off_the_whole_objects_are_read_and_it_says_so(tmp_path: Path) -> None:
    text = kubectl(*BINDINGS)
    found = read(tmp_path, dump_json=text[: text.index("who-z") + 2])
    assert found.cluster is not None
    assert [(one.name, one.place.line) for one in found.cluster.objects] == [("a", 4), ("cluster-admin", 16)]
    assert found.cluster.whole == set()
    assert found.failures


def test_of_a_list_in_yaml_that_is_cut_off_the_object_it_ends_in_is_not_judged(tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "items": BINDINGS, "kind": "List", "metadata": {"resourceVersion": ""}}
    text = yaml.safe_dump(listed)
    whole = cluster(tmp_path, dump_yaml=text)
    assert len(whole.objects) == 3
    assert whole.whole == {"ClusterRoleBinding"}
    found = read(tmp_path, dump_yaml=text[: text.index("who-z") + 4])
    assert found.cluster is not None
    assert [one.name for one in found.cluster.objects] == ["a", "cluster-admin"]
    assert found.cluster.whole == set()
    assert [one.reason for one in found.failures] == ["the list is cut off in this object"]


def test_a_list_cut_off_before_its_first_object_ends_is_a_failure_too(tmp_path: Path) -> None:
    text = kubectl(*BINDINGS)
    found = read(tmp_path, dump_json=text[: text.index("who-a")])
    assert found.cluster is None or not found.cluster.objects
    assert found.failures


def test_broken_json_with_items_that_is_no_list_of_kubernetes_is_left_to_others(tmp_path: Path) -> None:
    assert not read(tmp_path, shop_json='{\n "kind": "cart",\n "items": [\n  {"sku": 1').failures


@pytest.mark.parametrize(
    "hostile",
    [
        '{"apiVersion":"v1","kind":"List","items":' + "[" * 3000 + "]" * 3000 + "}",
        '{"apiVersion":1,"kind":["Pod"],"metadata":"x"}',
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":7}}',
        '{"apiVersion":"v1","kind":"List","items":{"a":1}}',
        '{"apiVersion":"v1","kind":"PodList","items":[null,1,"x",[],{"metadata":null}]}',
        "apiVersion: v1\nkind: &a Pod\nmetadata: *a\n",
    ],
)
def test_objects_of_a_wrong_form_are_none(tmp_path: Path, hostile: str) -> None:
    found = read(tmp_path, bad_json=hostile)
    assert found.cluster is None or found.cluster.objects == []


def huge(tmp_path: Path, count: int, *, pretty: bool) -> tuple[Path, str]:
    """A list too large to be decoded at once, as kubectl or the collector writes it."""
    items = [
        thing("Pod", f"n{n}", ("a", "b", "kube-system")[n % 3], note=f'"}},\n{{" {n} ' + "x" * 2_300)
        for n in range(count)
    ]
    if pretty:
        text = kubectl(*items)
    else:
        head = '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[\n'
        text = head + ",\n".join(json.dumps(one) for one in items) + "\n]}\n"
    path = tmp_path / "huge.json"
    path.write_text(text)
    return path, text


@pytest.mark.parametrize("pretty", [True, False])
def test_a_huge_list_is_read_element_by_element_as_a_small_one(tmp_path: Path, pretty: bool) -> None:
    path, text = huge(tmp_path, 4_000, pretty=pretty)
    sources = list(walk([str(path)]))
    found = read_cluster(sources)
    assert found.cluster is not None
    assert not found.failures
    assert [one.name for one in found.cluster.objects] == [f"n{n}" for n in range(4_000)]
    assert found.cluster.whole == {"Pod"}
    assert sources[0].sha256 == sha256(text.encode()).hexdigest()
    for one in (found.cluster.objects[0], found.cluster.objects[3_321], found.cluster.objects[-1]):
        raw = text.encode()[one.place.offset :][: one.place.length]
        assert json.loads(raw)["metadata"]["name"] == one.name
        assert one.place.line == 1 + text.count("\n", 0, one.place.offset)
        assert one.path == f"items[{one.name[1:]}]"


@pytest.mark.parametrize("damage", [("\n]}\n", "\n"), ('"n3321"', '"n3321'), ('{"apiVersion"', '{"apiVersion" {')])
def test_a_huge_list_that_is_damaged_keeps_its_other_objects_and_is_not_whole(
    tmp_path: Path, damage: tuple[str, str]
) -> None:
    path, text = huge(tmp_path, 4_000, pretty=False)
    path.write_text(text.replace(*damage, 1))
    found = read_cluster(walk([str(path)]))
    assert found.cluster is not None
    assert len(found.cluster.objects) >= 3_990
    assert found.cluster.whole == set()
    assert found.failures
    assert len({one.name for one in found.cluster.objects}) == len(found.cluster.objects)


def test_what_is_most_of_the_weight_of_pods_is_not_kept(tmp_path: Path) -> None:
    pod = thing("Pod", "a", "x", status={"phase": "Running", "conditions": [1], "containerStatuses": [1]})
    pod["metadata"]["managedFields"] = [{}]
    (one,) = cluster(tmp_path, pod_json=json.dumps(pod)).objects
    assert one.document["status"] == {"phase": "Running"}
    assert "managedFields" not in one.document["metadata"]


@needs_corpus
def test_real_dumps_are_read_whole_and_every_line_is_that_of_its_object() -> None:
    assert CORPUS is not None
    names = sorted(CORPUS.rglob("*.json"))[:400]
    dumps = [path for path in names if path.stat().st_size < 3_000_000 and b'"items"' in path.read_bytes()[:4000]]
    checked = 0
    for path in dumps[:20]:
        found = read_cluster(walk([str(path)])).cluster
        for one in found.objects[:50] if found else ():
            text = path.read_bytes()[one.place.offset :][: one.place.length]
            assert f'"{one.name}"'.encode() in text
            checked += 1
    assert checked > 100


def test_objects_are_found_by_kind_and_name_also_those_that_came_later(tmp_path: Path) -> None:
    found = cluster(tmp_path, dump_json=kubectl(thing("Pod", "a", "x"), thing("Service", "a", "x")))
    assert [str(one) for one in found.of("Pod")] == ["Pod x/a"]
    assert [str(one) for one in found.of("Service", "Pod")] == ["Pod x/a", "Service x/a"]
    assert found.get("Pod", "x", "b") is None
    found.objects.append(cluster(tmp_path, more_json=json.dumps(thing("Pod", "b", "x"))).objects[-1])
    assert found.get("Pod", "x", "b") is found.objects[-1]
    assert len(found.of("Pod")) == 2
