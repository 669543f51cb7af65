"""Credentials in a cluster: whose they are is told by whatever the evidence has of it."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.posture.credentials.objects import token_secrets
from tests.posture.access.cluster import account, made
from tests.posture.made import snapshot

KIND = "kubernetes.io/service-account-token"
NAMED = account("ops/boss", secrets=[{"name": "key"}, {"name": "other-token-x7k2p"}])


def of(name: str, *others: Any, namespace: str = "ops", owner: str = "", kind: str = KIND) -> list[tuple[str, bool]]:
    annotations = {"kubernetes.io/service-account.name": owner} if owner else {}
    secret = made("Secret", name, namespace, type=kind, annotations=annotations)
    cluster = snapshot([secret, *others]).cluster
    assert cluster is not None
    return [(one.account, one.made_by_itself) for one in token_secrets(cluster)]


@pytest.mark.parametrize(
    ("found", "account_"),
    [
        (of("key", owner="boss"), "boss"),
        (of("key", NAMED), "boss"),  # an archive has Secrets without their annotations
        (of("key", NAMED, owner="clerk"), "clerk"),
        (of("boss-token-x7k2p"), "boss"),
        (of("other-token-x7k2p", NAMED), "boss"),
        (of("key"), ""),
        (of("key", NAMED, namespace="shop"), ""),
    ],
)
def test_whose_a_token_is_comes_from_itself_then_from_the_account_then_from_its_name(
    found: list[tuple[str, bool]], account_: str
) -> None:
    assert [one[0] for one in found] == [account_]


def test_only_what_an_account_lists_by_the_made_name_was_made_by_the_controller() -> None:
    assert of("other-token-x7k2p", NAMED) == [("boss", True)]
    assert of("boss-token-x7k2p", NAMED) == [("boss", False)]
    assert of("key", NAMED) == [("boss", False)]


def test_other_secrets_are_none() -> None:
    assert of("boss-token-x7k2p", NAMED, kind="Opaque") == []
