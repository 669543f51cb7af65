"""Where the corpus of real evidence lies, if it is there (it is no part of the project)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPO = Path(__file__).resolve().parents[1]
_PLACE = Path(os.environ.get("KUBEWITNESS_CORPUS") or _REPO.parent / "shared" / "corpus")

CORPUS: Path | None = _PLACE if _PLACE.is_dir() else None
needs_corpus = pytest.mark.skipif(CORPUS is None, reason=f"no corpus of real evidence at {_PLACE}")
