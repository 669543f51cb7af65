"""The cache of what the range runs: a whole one is taken as it is, a cut-short one is named as such, never used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import range.__main__ as command
from range import build, sandbox
from range.sandbox import RangeError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole cache with one program, and the place where it is looked for."""
    monkeypatch.setenv("KUBEWITNESS_RANGE_CACHE", str(tmp_path))
    folder = build.cache_folder()
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/etcd").write_text("a program")
    (folder / "whole.json").write_text(json.dumps({"usr/bin/etcd": 9}))
    return folder


def test_a_whole_cache_has_no_defect_and_is_not_built_again(cache: Path) -> None:
    said = list[str]()
    assert build.defect(cache) == ""
    assert build.build(said.append) == cache
    assert said == []


def test_no_cache_and_an_unfinished_one_are_told_apart(cache: Path) -> None:
    assert build.defect(cache.parent / "other") == "it has not been built"
    (cache / "whole.json").unlink()
    assert build.defect(cache) == "it was never finished"


@pytest.mark.parametrize("text", ["", "{", '{"usr/bin/etcd": '])
def test_a_list_that_was_cut_short_is_an_unfinished_cache(cache: Path, text: str) -> None:
    (cache / "whole.json").write_text(text)
    assert build.defect(cache) == "it was never finished"


@pytest.mark.parametrize("text", ["[]", "7", '"x"', "null"])
def test_a_list_that_is_none_is_a_defect_and_no_traceback(cache: Path, text: str) -> None:
    (cache / "whole.json").write_text(text)
    assert build.defect(cache) == "it was never finished"


def test_a_truncated_program_is_named(cache: Path) -> None:
    (cache / "usr/bin/etcd").write_text("a pro")
    assert build.defect(cache) == "usr/bin/etcd is missing or has another size"


def test_a_missing_program_is_named(cache: Path) -> None:
    (cache / "usr/bin/etcd").unlink()
    assert build.defect(cache) == "usr/bin/etcd is missing or has another size"


def test_the_caches_name_tells_its_kubernetes_and_changes_with_every_ingredient(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {build.cache_folder().name}
    assert build.cache_folder().name.startswith(f"{build.KUBERNETES}-")
    source = tmp_path / "components"
    source.mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (source / name).write_text(name)
    monkeypatch.setattr(build, "_SOURCE", source)
    names.add(build.cache_folder().name)
    for name in ("go.mod", "go.sum", "main.go"):
        (source / name).write_text(f"{name}, changed")
        names.add(build.cache_folder().name)
    for constant, value in (("KUBERNETES", "v1.35.0"), ("PACKAGES", ("runc",)), ("NAMES", ()), ("APPLETS", ())):
        monkeypatch.setattr(build, constant, value)
        names.add(build.cache_folder().name)
    assert len(names) == 9
    assert build.cache_folder() == build.cache_folder()


def test_without_go_the_build_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEWITNESS_RANGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RangeError, match=r"go is not on the PATH; building the range needs Go 1\.24 or newer"):
        build.build(lambda text: None)
    assert not (tmp_path / "cache").exists()


def test_a_build_that_fails_ends_with_what_the_step_printed_and_leaves_no_half_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("go", "apt-get", "dpkg"):
        (tools / name).write_text("#!/bin/sh\necho no such mirror >&2\nexit 100\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("KUBEWITNESS_RANGE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RangeError, match=r"the package lists could not be had \(apt-get ended with 100\):\nno such"):
        build.build(lambda text: None)
    assert list((tmp_path / "cache").iterdir()) == []


# -- what the command says ---------------------------------------------------------------------------------------------

GOOD = Path(__file__).parents[2] / "scenarios" / "recorded" / "anonymous_cluster_admin"


def refused(*words: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `python -m range` says when it refuses; it must not have come to the sandbox."""

    def never(*_words: object) -> int:
        raise AssertionError("the range was started")

    monkeypatch.setattr(command, "run_inside", never)
    done = CliRunner().invoke(command.main, words)
    assert done.exit_code == 1, done.output
    assert done.output.startswith("Error: ")
    assert "Traceback" not in done.output
    return done.output


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that could host a range."""
    monkeypatch.setattr(command, "missing", lambda: "")


@pytest.mark.usefixtures("able")
def test_a_half_built_cache_stops_a_run_with_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cache / "whole.json").unlink()
    said = refused("run", str(GOOD), monkeypatch=monkeypatch)
    assert said == f"Error: {cache}: it was never finished; run `make range` first\n"


def test_without_root_a_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "the range needs root" in refused("run", str(GOOD), monkeypatch=monkeypatch)


def test_without_its_tools_or_cgroups_the_range_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "CGROUPS", tmp_path)
    assert "cpu, cpuacct, cpuset" in sandbox.missing()
    for name in sandbox.CONTROLLERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sandbox.missing().startswith("the range needs ip, nsenter, unshare, curl, openssl, ps, ss; on Debian: ")


def test_a_scenario_that_is_no_folder_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused("run", "no_such_scenario", monkeypatch=monkeypatch)
    assert "no_such_scenario/scenario.yaml: No such file" in said
    assert "a scenario is a folder with a scenario.yaml" in said


def test_an_unknown_field_and_unknown_traffic_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (GOOD / "scenario.yaml").read_text()
    script = tmp_path / "scenario.yaml"
    script.write_text(f"{text}colour: red\n")
    assert f"{script}:{len(text.splitlines()) + 1}: Object contains unknown field `colour`" in refused(
        "run", str(tmp_path), monkeypatch=monkeypatch
    )
    script.write_text(f"{text}background: [weather]\n")
    assert "background 'weather': there are ci, " in refused("run", str(tmp_path), monkeypatch=monkeypatch)
