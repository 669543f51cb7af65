"""Levels of Pod Security where the version of the API server is not known, but those of its nodes are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.posture.made import results
from tests.posture.workloads.parts import of, pod, space


def node(version: object) -> Any:
    return {"kind": "Node", "metadata": {"name": str(version)}, "status": {"nodeInfo": {"kubeletVersion": version}}}


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("v1.16.2", "v1.19.3"), "not_evaluated"),
        (("v1.16.2", "v1.20.15-eks-1"), "fail"),  # its API server may be a 1.23
        (("v1.19.3", "v1.28.1"), "fail"),
        ((), "fail"),
        (("", 7, "v1.x.2"), "fail"),
    ],
)
def test_nodes_too_old_for_levels_accuse_no_namespace(versions: tuple[object, ...], expected: str) -> None:
    found = results("workloads/pod_security_level", of(space(), pod(), *map(node, versions), version=""))
    assert [one.status for one in found] == [expected]


def test_a_known_version_needs_no_guess() -> None:
    found = results("workloads/pod_security_level", of(space(), pod(), node("v1.16.2"), version="v1.25.0"))
    assert [one.status for one in found] == ["fail"]
