"""What the answers of a probe mean, and which addresses are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.cli.check_probe import address, probe
from kubewitness.kube.probe import Answer, Question
from kubewitness.model.errors import UsageError


def told(target: str, *answers: Answer) -> tuple[str, str | None, list[str]]:
    asked: list[str] = []
    left = list(answers)

    def asking(question: Question) -> Answer:
        asked.append(question.request)
        return left.pop(0)

    (one,) = probe([target], asking=asking)
    for request in asked:
        assert request in one.observed.en
        assert request in one.observed.zh
    assert not left
    return one.status, one.severity if one.status == "fail" else None, asked


@pytest.mark.parametrize(
    ("target", "answer", "expected"),
    [
        ("10.0.0.5", Answer(200, sent=True), ("fail", "critical", ["GET https://10.0.0.5:10250/pods"])),
        ("10.0.0.5", Answer(401, sent=True), ("pass", None, ["GET https://10.0.0.5:10250/pods"])),
        ("10.0.0.5", Answer(403, sent=True), ("fail", "low", ["GET https://10.0.0.5:10250/pods"])),
        ("10.0.0.5", Answer(302, sent=True), ("not_evaluated", None, ["GET https://10.0.0.5:10250/pods"])),
        ("n1:10255", Answer(200, sent=True), ("fail", "medium", ["GET http://n1:10255/pods"])),
        ("n1:10255", Answer(error="refused"), ("pass", None, ["GET http://n1:10255/pods"])),
        ("n1:10255", Answer(error="unreachable"), ("not_evaluated", None, ["GET http://n1:10255/pods"])),
        ("n1:10255", Answer(error="not http", sent=True), ("not_evaluated", None, ["GET http://n1:10255/pods"])),
        ("n1:2375", Answer(200, body=b'{"ApiVersion":"1.41"', sent=True), ("fail", "critical", ["GET http://n1:2375/version"])),
        ("n1:2375", Answer(200, body=b"<html>", sent=True), ("not_evaluated", None, ["GET http://n1:2375/version"])),
        ("n1:2379", Answer(error="tls", certificate_asked=True), ("pass", None, ["GET https://n1:2379/version"])),
        ("n1:6443", Answer(403, sent=True), ("pass", None, ["GET https://n1:6443/api"])),
        ("n1:6443", Answer(200, sent=True), ("fail", "medium", ["GET https://n1:6443/api"])),
        ("[2001:db8::7]:6443", Answer(401, sent=True), ("pass", None, ["GET https://[2001:db8::7]:6443/api"])),
        ("nowhere", Answer(error="name"), ("not_evaluated", None, ["GET https://nowhere:10250/pods"])),
    ],
)  # fmt: skip
def test_an_answer_means(target: str, answer: Answer, expected: tuple[str, str | None, list[str]]) -> None:
    assert told(target, answer) == expected


def test_an_etcd_without_tls_is_asked_without_it_and_both_are_told() -> None:
    body = b'{"etcdserver":"3.5.9","etcdcluster":"3.5.0"}'
    assert told("n1:2379", Answer(error="tls"), Answer(200, body=body, sent=True)) == (
        "fail", "critical", ["GET https://n1:2379/version", "GET http://n1:2379/version"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "target",
    ["", "a b", "n1:0", "n1:99999", "http://n1", "n1/pods", "n1:1:2", "-x", "@n1",
     "[::1", "n1\r\nX: y",
     "n1:10250\n", "10.0.0.0/8", "*"],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anything_is_sent(target: str) -> None:
    def never(_: Question) -> Answer:
        raise AssertionError

    with pytest.raises(UsageError):
        probe(["10.0.0.5", target], asking=never)


def test_each_address_is_asked_once_and_no_list_of_thousands_is_taken() -> None:
    asked: list[Question] = []

    def asking(question: Question) -> Answer:
        asked.append(question)
        return Answer(401)

    assert len(probe(["n1", "n1:10250", "n1"], asking=asking)) == len(asked) == 1
    with pytest.raises(UsageError):
        probe([f"n{number}" for number in range(300)], asking=asking)


@given(st.text(max_size=60))
def test_an_address_never_carries_more_than_a_name_into_the_request(text: str) -> None:
    try:
        host, port = address(text)
    except UsageError:
        return
    assert 0 < port < 65536
    assert not set(host) & set(" \r\n/@?#\\\x00")
