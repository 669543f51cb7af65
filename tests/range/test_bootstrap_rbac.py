"""How the file of the defaults is made of what API servers and Kubernetes' own test data say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from range.bootstrap_rbac import Row, items_of, published, rows, spans

LABEL = {"kubernetes.io/bootstrapping": "rbac-defaults"}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([True, True, True], [(8, 14)]),
        ([False, True, False], [(12, 12)]),
        ([True, False, True], [(8, 8), (14, 14)]),
        ([False, False, True], [(14, 14)]),
        ([False, False, False], []),
    ],
)
def test_a_row_stands_from_the_first_to_the_last_known_version_that_has_it(
    present: list[bool], expected: list[tuple[int, int]]
) -> None:
    assert list(spans(present, [8, 12, 14])) == expected


def item(**more: Any) -> dict[str, Any]:
    return {"kind": "ClusterRole", "metadata": {"name": "r", "labels": LABEL}, **more}


def test_an_object_says_the_same_in_whatever_order_it_is_written() -> None:
    one = item(rules=[{"verbs": ["list", "get"], "apiGroups": [""], "resources": ["pods", "nodes"]}])
    other = item(rules=[{"resources": ["nodes", "pods"], "verbs": ["get", "list"], "apiGroups": [""]}])
    assert set(rows(one)) == set(rows(other))
    assert len(set(rows(one))) == 2


def test_the_rules_of_an_aggregated_role_are_not_its_own() -> None:
    selects = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    made = item(aggregationRule=selects, rules=[{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}])
    assert {row.part for row in rows(made)} == {"object", "selector"}


def test_a_subject_keeps_what_it_is_and_not_how_it_is_spelled() -> None:
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "g"}
    made = {"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "subjects": [group],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}}  # fmt: skip
    place = ("ClusterRoleBinding", "", "b")
    assert set(rows(made)) == {
        Row(*place, "object", ""),
        Row(*place, "roleRef", '{"kind": "ClusterRole", "name": "r"}'),
        Row(*place, "subject", '{"kind": "Group", "name": "g"}'),
    }


def test_of_a_cluster_only_what_its_api_server_made_counts() -> None:
    items: list[Any] = [{"metadata": {"name": "r", "labels": LABEL}}, {"metadata": {"name": "mine", "labels": None}}]
    lists = [{"kind": "ClusterRoleList", "items": items}]
    assert [one["metadata"]["name"] for one in items_of(lists)] == ["r"]


def test_what_feature_gates_add_is_not_among_the_defaults(tmp_path: Path) -> None:
    text = "items:\n- kind: ClusterRole\n  metadata:\n    name: {}\n"
    (tmp_path / "cluster-roles.yaml").write_text(text.format("plain"))
    (tmp_path / "cluster-roles-featuregates.yaml").write_text(text.format("gated"))
    assert [one["metadata"]["name"] for one in published(tmp_path)] == ["plain"]
