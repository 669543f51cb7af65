"""The machine attacks others."""

from __future__ import annotations

import pytest

from tests.detect.host.making import found, host


@pytest.mark.parametrize(
    "command",
    [
        "/tmp/masscan 10.0.0.0/8 -p10250 --rate=20000",
        "masscan 10.0.0.0/8 -p 10250,2375 --rate 20000",
        "/usr/lib/ntpd 203.0.112.0/20 -p6379 --rate=5000",  # renamed
        "zmap -p 2375 198.18.0.0/15 -o -",
        "sh -c while true; do masscan 10.0.0.0/8 -p10250 --rate=20000; sleep 20; done",
        "pnscan -n 10.0.0.0/8 6379",
    ],
)
def test_a_scan_is_a_headline(command: str) -> None:
    (finding,) = found(host(command), "scanner_process")
    assert finding.title.en == "This machine attacks others"
    assert set(finding.techniques) == {"T1046", "T1595.001"}
    assert not finding.addresses  # whom it scans is no address of the intruder


@pytest.mark.parametrize(
    "command",
    [
        "ip route add 10.0.0.0/8 via 10.0.0.1",
        "kube-proxy --cluster-cidr=10.0.0.0/8",
        "kube-controller-manager --cluster-cidr 10.0.0.0/8 --service-cluster-ip-range 10.96.0.0/12",
        "iperf3 -c 10.0.0.5 -p 5201 --rate 100",
        "pgrep -f masscan",
        "grep masscan -p10250 10.0.0.0/8 --rate=1",
        "apt-get install masscan",
        "vim /root/masscan.conf",
        "proxy --allow 10.0.0.0/8 -p 8080",
        "limiter --allow 10.0.0.5/32 -p 8080 --rate 10",
    ],
)
def test_ranges_ports_and_rates_of_others_are_no_scan(command: str) -> None:
    assert not found(host(command), "scanner_process")
