"""Whatever stands in a dump or a patch: it is read or passed over, never a failure of the program."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.correlate.rbac.patches import patched
from kubewitness.posture.rbac.nouns import Key
from kubewitness.posture.rbac.objects import object_of, read_dump

_WORDS = st.sampled_from(
    ["kind", "items", "metadata", "name", "rules", "subjects", "roleRef", "ClusterRole", "ClusterRoleList", "List",
     "uid", "apiVersion", "rbac.authorization.k8s.io/v1", "op", "add", "remove", "move", "path", "from", "/rules/0",
     "/-", "$patch"]
)  # fmt: skip
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)


def _deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@settings(max_examples=200)
@given(_JSON, _JSON)
def test_any_json_is_read_or_passed_over(document: Any, patch: Any) -> None:
    read_dump(document)
    object_of(document, Key("clusterroles", "", "x"))
    object_of(document, Key("rolebindings", "n", "x"))
    patched(document, patch, "/x?fieldManager=y")


def test_depth_and_length_are_bounded() -> None:
    deep = _deep(900)
    assert patched({"rules": []}, deep, "") is None
    patched(deep, [{"op": "add", "path": "/b", "value": 1}], "")
    assert patched({}, [{"op": "add", "path": "/a" * 60, "value": 1}], "") is None
    assert patched({}, [{"op": "test", "path": "/a"}] * 10_001, "") is None
    assert patched({"a": {}}, [{"op": "copy", "from": "", "path": "/a/x"}] * 40, "") is None


def test_a_patch_leaves_the_object_it_began_with_alone() -> None:
    before = {"rules": [{"verbs": ["get"]}], "metadata": {"labels": {"a": "b"}}}
    after = patched(before, [{"op": "remove", "path": "/rules/0/verbs"}], "")
    assert after == {"rules": [{}], "metadata": {"labels": {"a": "b"}}}
    assert before["rules"] == [{"verbs": ["get"]}]
    assert patched(before, {"metadata": {"labels": {"a": None, "c": "d"}}}, "") == {
        "rules": [{"verbs": ["get"]}], "metadata": {"labels": {"c": "d"}},
    }  # fmt: skip
