"""`investigate --baseline`: what is usual comes from another log; nothing is found in that one."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from kubewitness.cli.main import program
from tests.detect.behaviour.accustomed import FAR, WEB, cluster, stolen
from tests.incident.logs import Log


def run(*args: str) -> Result:
    return CliRunner().invoke(program, ["investigate", "--quiet", "--format", "json", "--workers", "1", *args])


def test_a_short_log_tells_who_departs_from_the_baselines(tmp_path: Path) -> None:
    log = stolen(Log(), at="10:30").write(tmp_path / "audit.log")
    first, second = cluster().write(tmp_path / "a.log.gz"), cluster(days=2).write(tmp_path / "b.log")
    report = json.loads(run(log, "--baseline", first, "--baseline", second).stdout)
    assert {finding["address"] for finding in report["findings"]} == {FAR}
    (finding,) = [one for one in report["findings"] if one["rule"] == "detectors/unaccustomed"]
    assert finding["identity"] == WEB
    assert report["coverage"]["events"] == 3


def test_without_it_nobody_is_known(tmp_path: Path) -> None:
    log = stolen(Log(), at="10:30").write(tmp_path / "audit.log")
    report = json.loads(run(log).stdout)
    assert "detectors/unaccustomed" not in {finding["rule"] for finding in report["findings"]}


def test_a_baseline_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    log = Log().write(tmp_path / "audit.log")
    for missing in (str(tmp_path / "absent.log"), "-"):
        result = run(log, "--baseline", missing)
        assert result.exit_code == 2
        assert "--baseline" in result.stderr
