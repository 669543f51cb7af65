"""Clusters that several modules look at, each played once, and a skip where the machine cannot host a range.

Everything here is skipped, with the reason, on a machine that cannot host a range or has not built it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from range.build import cache_folder, defect
from range.sandbox import missing
from tests.range_live.played import REPO, Played, play, play_folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    reason = missing() if mine else ""
    if mine and not reason and (bad := defect(cache_folder())):
        reason = f"{cache_folder()}: {bad}; run make range"
    for item in mine if reason else []:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A cluster of three nodes, knocked at; that every answer was 200, 401 or 500 as told is in its script."""
    return play("kubelet_doors", tmp_path_factory.mktemp("doors"), collect=True)


@pytest.fixture(scope="session")
def first_incident(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The recorded scenario of the first incident, played anew: anonymous is cluster-admin, a miner on both nodes."""
    folder = tmp_path_factory.mktemp("first") / "anonymous_cluster_admin"
    folder.mkdir()
    shutil.copy(REPO / "scenarios/recorded/anonymous_cluster_admin/scenario.yaml", folder)
    return play_folder(folder, folder, collect=True)
