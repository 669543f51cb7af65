"""`investigate --yara`: rules of the user's beside the shipped ones, over the programs of a collected machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kubewitness.cli import pipeline
from kubewitness.model.document import Document
from tests.detect.host.making import CONTAINER
from tests.detect.host.test_yara import MINER

DIGEST = hashlib.sha256(MINER).hexdigest()
POD = "112d0a72-753c-42be-a57a-d57ab0ee749f"
GROUP = (
    f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice"
    f"/cri-containerd-{CONTAINER}.scope"
)


def collected(folder: Path) -> str:
    """What a collector leaves of a machine on which a renamed miner runs."""
    (folder / "live_response/process").mkdir(parents=True)
    (folder / "recovered").mkdir()
    (folder / "recovered" / DIGEST).write_bytes(MINER)
    records = [
        {"pid": 1, "ppid": 0, "name": "systemd", "argv": ["/sbin/init"], "state": "S", "exe": "/sbin/init"},
        {
            "pid": 400, "ppid": 1, "name": "web", "argv": ["web"], "state": "S", "exe": "/srv/web", "sha256": DIGEST,
            "cgroup": GROUP,
        },
    ]  # fmt: skip
    (folder / "live_response/process/processes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    return str(folder)


def investigated(tmp_path: Path, *yara: Path) -> Document:
    return pipeline.investigate([collected(tmp_path / "node")], case="c", workers=1, quiet=True, yara=yara)


def test_a_renamed_miner_is_an_incident_by_its_bytes_alone_and_its_pod_is_known(tmp_path: Path) -> None:
    document = investigated(tmp_path)
    (finding,) = document.findings
    assert (finding.rule, finding.severity) == ("yara/xmrig_family", "high")
    (incident,) = document.incidents
    assert finding.incident == incident.id
    named = {entity.name for step in incident.steps for entity in step.entities}
    assert any(name.endswith("/400") for name in named)
    assert any(CONTAINER in one.source.name for one in incident.edges)
    assert finding.evidence[0].item.endswith(DIGEST)


def test_rules_of_the_users_run_beside_ours_and_a_wrong_one_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.yar"
    own.write_text("rule mine { condition: uint32(0) == 0x464c457f }\nrule wrong { condition: $x }\n")
    document = investigated(tmp_path, own)
    assert {finding.rule for finding in document.findings} == {"yara/xmrig_family", "yara/mine"}
    assert any("own.yar:2" in failed for failed in document.coverage.rules_failed)
    assert "own.yar:2" in capsys.readouterr().err
