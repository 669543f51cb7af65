"""`collect --cluster` as a person meets it: one archive, what is missing told, errors with a next step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubewitness.cli.collect_cluster import run
from kubewitness.cli.session import Session
from kubewitness.collect.cluster_plan import PLAN
from kubewitness.model.errors import UsageError
from tests.kube.fake import calls, fake_kubectl


def answers(**more: Any) -> dict[str, Any]:
    """A small cluster."""
    groups = sorted({wanted.group for wanted in PLAN if wanted.group})
    listed = [{"name": g, "versions": [{"groupVersion": f"{g}/v1", "version": "v1"}]} for g in groups]
    out: dict[str, Any] = {
        "/version": {"body": '{"gitVersion":"v1.34.4"}'},
        "/apis": {"body": json.dumps({"groups": listed})},
        "config view --minify": {
            "body": '{"current-context":"c","contexts":[{"name":"c","context":{"cluster":"blue"}}]}'
        },
        "get secrets --all-namespaces": {"body": "shop db Opaque 1 2d <none>\n"},
        "get configmaps --namespace=kube-system": {"body": ""},
        "get configmaps --namespace=kube-public": {"body": ""},
    }
    for group in ["", *groups]:
        has = [{"name": wanted.resource} for wanted in PLAN if wanted.group == group]
        out[f"/apis/{group}/v1" if group else "/api/v1"] = {"body": json.dumps({"resources": has})}
    for wanted in PLAN:
        out[f"{wanted.path('v1')}?limit=500"] = {
            "body": '{"kind":"XList","apiVersion":"v1","metadata":{},"items":[{}]}'
        }
    return out | more


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


def test_one_archive_is_written_and_kubectl_only_ever_gets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = fake_kubectl(tmp_path / "bin", answers())
    out = tmp_path / "out"
    out.mkdir()
    session = Session()
    assert run(session, output=out, kubectl=str(program)) == 0
    [archive] = out.iterdir()
    assert session.written == [str(archive)]
    said = capsys.readouterr()
    assert f"Wrote {archive}: 32 objects" in said.err
    assert "core/pods: 1\n" in said.err
    assert said.out == ""
    verbs = {next(word for word in words if not word.startswith("-")) for words in calls(tmp_path / "bin")}
    assert verbs == {"get", "config"}
    assert archive.stat().st_mode & 0o777 == 0o600


def test_what_is_missing_is_told_and_gives_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forbidden = {"error": 'Error from server (Forbidden): User "jane" cannot list "nodes"\x1b[2J'}
    program = fake_kubectl(tmp_path, answers(**{"/api/v1/nodes?limit=500": forbidden}))
    assert run(Session(), output=tmp_path / "x.tar.zst", kubectl=str(program), quiet=True) == 3
    said = capsys.readouterr().err
    assert "Not collected (1):\n  core/nodes.json: Not permitted" in said
    assert said.count("→ Use an identity that may get and list it") == 1
    assert "\x1b" not in said
    assert (tmp_path / "x.tar.zst").exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("The connection to the server 192.0.2.1:6443 was refused", 3, "collect from its nodes"),
        ("error: You must be logged in to the server (Unauthorized)", 3, "Log in as usual"),
        ('error: context "x" does not exist', 2, "get-contexts"),
    ],
)
def test_where_nobody_answers_nothing_is_written_and_the_next_step_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: str, code: int, words: str
) -> None:
    program = fake_kubectl(tmp_path / "bin", {"/version": {"error": error}})
    assert run(Session(), output=tmp_path, kubectl=str(program)) == code
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_the_next_step_is_told_in_chinese_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert run(Session(), output=tmp_path, kubectl=str(tmp_path / "none")) == 2
    assert "请安装 kubectl，或用 --kubectl PATH 指定。" in capsys.readouterr().err


@pytest.mark.parametrize("namespace", ["", "a b", "../x", "a/b", "ä", "x" * 64])
def test_a_namespace_that_is_none_is_a_wrong_call(tmp_path: Path, namespace: str) -> None:
    with pytest.raises(UsageError):
        run(Session(), output=tmp_path, kubectl=str(fake_kubectl(tmp_path, {})), namespaces=(namespace,))


def test_an_archive_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    program = fake_kubectl(tmp_path, answers())
    (tmp_path / "x").write_text("mine")
    with pytest.raises(UsageError):
        run(Session(), output=tmp_path / "x", kubectl=str(program))
    assert (tmp_path / "x").read_text() == "mine"
