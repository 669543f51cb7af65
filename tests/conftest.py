"""Nothing a test does touches the cache of the person who runs it, and nothing is judged by the clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine is no defect: properties have no time limit.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEWITNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
