"""What a result knows stands in its command, and nothing that a shell, a screen or kubectl could obey."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.filling import filled, fitting, unknown

SECRET = "credentials/token_secret"


def test_names_of_the_result_stand_in_the_command() -> None:
    made = filled(SECRET, {"NAME": "ci-token", "NAMESPACE": "ci", "ACCOUNT": "ci"})
    assert made is not None
    assert made.command.startswith("kubectl get secret ci-token -n ci -L ")
    assert made.blanks == ()
    assert made.title == catalogue()[f"checks/{SECRET}"].remedy.title


def test_a_name_for_a_shell_is_quoted() -> None:
    made = filled(SECRET, {"NAME": "a; rm -rf ~ #", "NAMESPACE": "ci"})
    assert made is not None
    assert "kubectl get secret 'a; rm -rf ~ #' -n ci " in made.command
    assert made.blanks == ("ACCOUNT",)


def test_a_name_that_holds_another_word_is_not_filled_in_twice() -> None:
    made = filled(SECRET, {"NAME": "NAMESPACE", "NAMESPACE": "ci"})
    assert made is not None
    assert "get secret NAMESPACE -n ci" in made.command


@pytest.mark.parametrize(
    "value", ["", "a\nb", "\x1b[2J", "a\u202eb", "-oyaml", "--all", "x" * 2_000, "\ud800", "a\x00"]
)
def test_what_could_be_obeyed_leaves_the_word_and_says_so(value: str) -> None:
    made = filled(SECRET, {"NAME": value, "NAMESPACE": "ci"})
    assert made is not None
    assert "secret NAME -n ci" in made.command
    assert "NAME" in made.blanks
    assert filled(SECRET, {"NAME": value}) is None


@pytest.mark.parametrize("value", ["https://a:2379 $(id)", "https://é:1", "x'y", "a\\b", "${URL}"])
def test_a_flag_of_a_manifest_takes_plain_text_alone(value: str) -> None:
    assert filled("control_plane/etcd_client_auth", {"CLIENT_URLS": value}) is None
    assert filled("control_plane/etcd_client_auth", {"CLIENT_URLS": "https://[::1]:2379,https://10.0.0.1:2379"})


@given(st.text(max_size=60))
def test_whatever_a_name_is_a_shell_takes_it_for_one_word(value: str) -> None:
    text = fitting(value)
    if text:
        assert shlex.split(text) == [value]
        assert text.isprintable()


def test_words_of_comments_alone_hold_no_command_up() -> None:
    assert unknown("kubectl get NAME\n# kubectl delete NAME -n NAMESPACE", ["NAME", "NAMESPACE"]) == ("NAME",)
    assert unknown("get NAMES", ["NAME"]) == ()
