"""Skips everything here, with the reason, on a machine that cannot host a range or has not built it."""

from __future__ import annotations

from pathlib import Path

import pytest

from range.build import cache_folder, defect
from range.sandbox import missing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    here = Path(__file__).parent
    mine = [item for item in items if here in item.path.parents]
    reason = missing() if mine else ""
    if mine and not reason and (bad := defect(cache_folder())):
        reason = f"{cache_folder()}: {bad}; run make range"
    for item in mine if reason else []:
        item.add_marker(pytest.mark.skip(reason=reason))
