"""Control planes as they were recorded and collected."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from kubewitness.incident.assess import Options, assess
from tests.corpus import CORPUS, needs_corpus

RECORDED = Path(__file__).parents[3] / "scenarios/recorded"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def failures(path: Path, version: str = "") -> dict[str, set[str]]:
    """Severity → checks of the control plane that fail."""
    report = assess([str(path)], Options(groups=("control_plane",), now=NOW, version=version))
    out: dict[str, set[str]] = {}
    for one in report.results:
        if one.status == "fail":
            out.setdefault(one.severity or "", set()).add(one.check.rpartition("/")[2])
    return out


def test_of_a_recorded_control_plane_only_etcds_open_loopback_stands_out() -> None:
    found = failures(RECORDED / "benign_day_quiet/evidence/control-plane/flags.txt", "v1.34.4")
    assert set(found) == {"medium", "low", "informational"}
    assert found["medium"] == {"etcd_client_auth"}
    assert found["low"] == {"bind_address", "encryption_at_rest", "etcd_peer_auth", "profiling"}


def test_of_an_old_one_that_closes_its_insecure_ports_too() -> None:
    found = failures(RECORDED / "anonymous_cluster_admin_1_20/evidence/control-plane/flags.txt", "v1.20.2")
    assert found["medium"] == {"etcd_client_auth"}
    assert "insecure_metrics_port" not in found["low"]


@needs_corpus
def test_a_kubeadm_cluster_out_of_a_collected_dump_lacks_the_audit_log_and_little_else() -> None:
    assert CORPUS
    found = failures(CORPUS / "vmware-tanzu__sonobuoy/pkg/discovery/testdata/healthsummary/resources")
    assert found == {"medium": {"audit_log"}, "low": {"encryption_at_rest", "kubelet_ca", "profiling"}}


@needs_corpus
def test_a_managed_cluster_out_of_a_support_bundle_fails_nothing() -> None:
    assert CORPUS
    bundle = CORPUS / "replicatedhq__troubleshoot/pkg/analyze/files/support-bundle/cluster-resources"
    report = assess([str(bundle)], Options(groups=("control_plane",), now=NOW))
    assert {one.status for one in report.results} == {"not_applicable", "not_evaluated"}
