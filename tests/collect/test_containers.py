"""What runtimes print, without values of variables."""

from __future__ import annotations

import json

from kubewitness.collect.containers import containers_of, without_values

INSPECT = {
    "info": {
        "config": {"envs": [{"key": "DB", "value": "hunter22"}], "image": "nginx"},
        "runtimeSpec": {"process": {"env": ["PATH=/bin", "API=verysecret"], "args": ["nginx", "-g", "x=y"]}},
        "pid": 4411,
    }
}


def test_values_of_variables_are_overwritten_and_the_rest_stays() -> None:
    kept = json.loads(without_values(json.dumps(INSPECT).encode()))
    assert kept["info"]["config"] == {"envs": [{"key": "DB", "value": "REDACTED"}], "image": "nginx"}
    process = kept["info"]["runtimeSpec"]["process"]
    assert process == {"env": ["PATH=REDA", "API=REDACTED-R"], "args": ["nginx", "-g", "x=y"]}
    assert kept["info"]["pid"] == 4411


def test_docker_prints_lists_and_lines() -> None:
    inspected = json.dumps([{"Config": {"Env": ["A=secretsecret"]}}])
    assert b"secretsecret" not in without_values(inspected.encode())
    lines = b'{"ID":"0123456789ab","Names":"a"}\n{"ID":"0123456789ac"}\n'
    assert without_values(lines) == lines
    assert containers_of(lines) == ["0123456789ab", "0123456789ac"]


def test_an_object_kept_in_an_annotation_is_seen_too() -> None:
    pod = json.dumps({"spec": {"containers": [{"env": [{"name": "A", "value": "topsecret"}]}]}})
    text = json.dumps({"items": [{"annotations": {"kubectl.kubernetes.io/last-applied-configuration": pod}}]})
    assert b"topsecret" not in without_values(text.encode())


def test_text_and_damaged_json_pass_and_deep_nesting_ends() -> None:
    assert without_values(b"CONTAINER IMAGE\nabc nginx\n") == b"CONTAINER IMAGE\nabc nginx\n"
    assert without_values(b'{"a": ') == b"{}"
    assert without_values(b"[" * 100_000) == b"[" * 100_000


def test_only_ids_become_words_of_commands() -> None:
    good = "a" * 64
    listed = {"containers": [{"id": good}, {"id": "--help"}, {"id": 7}, "x", {"id": "../x"}]}
    assert containers_of(json.dumps(listed).encode()) == [good]
    assert containers_of(b"[1]") == []
