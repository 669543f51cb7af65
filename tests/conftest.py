"""Nothing a test does touches the cache of the person who runs it, and nothing is judged by the clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine is no defect: properties have no time limit.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# What these claim they claim of every recording; it is asked together with the scoreboard.
_SHARING = ("incident/graph/test_chain.py", "report/test_reading.py", "report/test_skeleton.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at one recording goes to one worker, so that it is investigated once (`make score-check`)."""
    for item in items:
        if item.path.name == "test_recorded.py":
            item.add_marker(pytest.mark.recordings)
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")  # type: ignore[attr-defined]
        if isinstance(name, str) and item.path.as_posix().endswith(_SHARING):
            item.add_marker(pytest.mark.xdist_group(name))
            item.add_marker(pytest.mark.recordings)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEWITNESS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
