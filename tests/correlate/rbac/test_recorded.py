"""In the recordings, the state of that moment grants what the API server says it granted, by the binding it names."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from kubewitness.correlate.rbac.changes import changes_of
from kubewitness.correlate.rbac.questions import attributes_of
from kubewitness.correlate.rbac.state import History
from kubewitness.detect.collect import decode
from kubewitness.evidence.documents import frame_documents
from kubewitness.evidence.opening import walk
from kubewitness.model.event import Event
from kubewitness.model.evidence import ParseFailure
from kubewitness.posture.rbac.evaluate import evaluate, grants
from kubewitness.posture.rbac.objects import read_dump

RECORDED = Path(__file__).parents[3] / "scenarios" / "recorded"
NAMES = (
    "anonymous_cluster_admin", "anonymous_cluster_admin_1_20", "benign_day_ugly", "leaked_kubeconfig", "nodes_proxy",
    "quiet_gap_and_rotation", "quiet_metadata",
)  # fmt: skip
# What was cut out of that log on purpose: the creation of a binding, which no dump shows either.
_CUT_OUT = {"quiet_gap_and_rotation": 'ClusterRoleBinding "metrics-sync"'}
# Written with no body before the first dump and gone at the second.
_NEVER_SEEN = {"quiet_metadata": 'ClusterRoleBinding "dashboard-anonymous"'}


def events_of(plane: Path) -> list[Event]:
    sources = [source for source in walk([str(plane)]) if "rbac-" not in source.name and "flags" not in source.name]
    frames = (frame for source in sources for frame in frame_documents(iter(source.open()), source.name))
    return [
        event for frame in frames if not isinstance(frame, ParseFailure) for event in decode(frame.data, frame.place)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_reason_of_the_api_server_is_one_of_ours(name: str) -> None:
    plane = RECORDED / name / "evidence" / "control-plane"
    events = events_of(plane)
    dumps = [read_dump(json.loads(gzip.decompress(path.read_bytes()))) for path in sorted(plane.glob("rbac-*.gz"))]
    history = History([change for event in events for change in changes_of(event)], dumps)
    assert history.base == "dump"
    told = dict[object, set[str]]()
    strange, reasons = set[str](), 0
    for event in events:
        if event.stage != "ResponseComplete" or event.time is None or event.code == 401:
            continue
        asked, policy = attributes_of(event), history.at(event.time).policy
        if event.reason.startswith("RBAC: allowed by"):
            key = (history.version(event.time), asked)
            if key not in told:
                told[key] = {one.reason for one in grants(policy, asked)}
            reasons += 1
            if event.reason not in told[key]:
                strange.add(event.reason)
        elif event.decision == "forbid" and not event.reason:
            assert not evaluate(policy, asked).allowed, asked
    assert reasons > 800
    expected = _CUT_OUT | _NEVER_SEEN
    assert all(name in expected and expected[name] in reason for reason in strange), strange
