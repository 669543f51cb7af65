"""What is known of the defaults is what real API servers of both generations make."""

from __future__ import annotations

import pytest

from kubewitness.posture.bootstrap.compare import compare
from kubewitness.posture.bootstrap.defaults import defaults
from kubewitness.posture.bootstrap.known import Version
from kubewitness.posture.rbac.nouns import RESOURCES
from kubewitness.posture.rbac.objects import Dump, read_dump
from range.bootstrap_rbac import live
from range.build import cache_folder, defect
from range.sandbox import missing
from range.script import Generation


@pytest.fixture(scope="module", params=["1.34", "1.20"])
def fresh(request: pytest.FixtureRequest) -> tuple[Version, Dump]:
    generation: Generation = request.param
    if reason := missing() or defect(cache_folder(generation)):
        pytest.skip(f"no range of {generation} here: {reason}; run make range")
    return Version(1, int(generation.removeprefix("1."))), read_dump(live(generation))


def test_an_untouched_cluster_has_no_difference(fresh: tuple[Version, Dump]) -> None:
    version, dump = fresh
    assert dump.whole == set(RESOURCES)
    assert list(compare(dump.objects, version, documents=dump.documents)) == []


def test_there_is_nothing_in_a_new_cluster_but_the_defaults(fresh: tuple[Version, Dump]) -> None:
    version, dump = fresh
    assert set(dump.objects) == set(defaults(version).objects)
