"""Large YAML lists of kubectl are read an element at a time, and tell the same as small ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.evidence.opening import walk
from kubewitness.sources import yaml_pieces
from kubewitness.sources.kube_cluster import ClusterEvidence, read_cluster

_COUNT = 700
_TRAP = "apiVersion: v1\nitems:\n- no element\nkind: List\n---\nnor a document\n"


def pod(number: int) -> dict[str, Any]:
    """About a kilobyte, with text that looks like a list."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"pod-{number}", "namespace": "kube-system" if number % 2 else "shop",
                     "annotations": {"note": _TRAP, "long": "x" * 900}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }  # fmt: skip


def listed(count: int = _COUNT) -> str:
    """As `kubectl get pods -A -o yaml` prints it."""
    whole = {
        "apiVersion": "v1", "items": [pod(one) for one in range(count)], "kind": "List",
        "metadata": {"resourceVersion": ""},
    }  # fmt: skip
    return yaml.dump(whole, width=200)


def read(tmp_path: Path, text: str) -> ClusterEvidence:
    """The cluster in a file."""
    (tmp_path / "pods.yaml").write_text(text)
    return read_cluster(walk([str(tmp_path / "pods.yaml")]))


def names(found: ClusterEvidence) -> list[str]:
    """Of the objects, in order."""
    assert found.cluster is not None
    return [one.name for one in found.cluster.objects]


def test_a_large_list_is_read_whole_with_the_line_of_each_element(tmp_path: Path) -> None:
    text = listed()
    found = read(tmp_path, text)
    assert names(found) == [f"pod-{one}" for one in range(_COUNT)]
    assert not found.failures
    assert found.cluster is not None
    assert found.cluster.whole == {"Pod"}
    lines = text.split("\n")
    for one in found.cluster.objects[:: _COUNT // 7]:
        assert lines[one.place.line - 1] == "- apiVersion: v1"
        assert text.encode()[one.place.offset :].startswith(b"- apiVersion: v1\n")
        assert f"  name: {one.name}" in text.encode()[one.place.offset :][: one.place.length].decode().replace(
            "  ", " "
        )
        assert one.document["metadata"]["annotations"]["note"] == _TRAP


def test_it_tells_what_the_document_as_a_whole_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_element = read(tmp_path, listed())
    monkeypatch.setattr(yaml_pieces, "_SMALL", 1 << 30)
    whole = read(tmp_path, listed())
    assert by_element.cluster is not None
    assert whole.cluster is not None
    assert [(o.name, o.document, o.place.line) for o in by_element.cluster.objects] == [
        (o.name, o.document, o.place.line) for o in whole.cluster.objects
    ]
    assert by_element.cluster.whole == whole.cluster.whole


def test_a_list_that_is_cut_off_is_not_whole_and_says_so(tmp_path: Path) -> None:
    text = listed()
    found = read(tmp_path, text[: text.rindex("- apiVersion")])
    assert len(names(found)) == _COUNT - 1
    assert found.failures
    assert found.cluster is not None
    assert not found.cluster.whole


def test_a_broken_element_costs_no_other(tmp_path: Path) -> None:
    found = read(tmp_path, listed().replace("name: pod-7\n", "name: [pod-7\n", 1))
    assert "pod-7" not in names(found)
    assert len(names(found)) == _COUNT - 1
    assert len(found.failures) == 1


def test_documents_behind_the_list_are_not_lost(tmp_path: Path) -> None:
    found = read(tmp_path, f"{listed()}---\n{yaml.dump(pod(9999))}")
    assert {"pod-0", f"pod-{_COUNT - 1}", "pod-9999"} <= {*names(found)}
