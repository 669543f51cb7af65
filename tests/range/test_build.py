"""The cache of what the range runs: a whole one is taken as it is, a cut-short one is named as such, never used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

import range.__main__ as command
from range import build, build_1_20, debian, sandbox
from range.sandbox import RangeError
from range.script import Generation


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


# -- the generation of the incidents -----------------------------------------------------------------------------------


def test_each_generation_has_a_cache_of_its_own_named_by_its_version(cache: Path) -> None:
    old = build.cache_folder("1.20")
    assert old != cache
    assert old.parent == cache.parent
    assert old.name.startswith("v1.20.2-")
    assert set(build.VERSIONS) == set(get_args(Generation))


def test_the_older_cache_changes_with_its_own_ingredients_and_with_the_one_it_shares(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {build.cache_folder("1.20").name}
    monkeypatch.setattr(build_1_20, "PACKAGES", ("golang-1.20-go",))
    names.add(build.cache_folder("1.20").name)
    main = tmp_path / "main.go"
    main.write_text("package main")
    monkeypatch.setattr(build_1_20, "MAIN", main)
    names.add(build.cache_folder("1.20").name)
    assert build.cache_folder() == cache
    monkeypatch.setattr(build, "PACKAGES", ("runc",))
    names.add(build.cache_folder("1.20").name)
    assert len(names) == 4


def compiles(target: Path, work: Path, say: Callable[[str], None]) -> None:
    """Stands in for ten minutes of compiling."""
    say(f"compiling in {work.name}")
    target.write_text("the components of 1.20")


def test_the_older_cache_is_the_newer_one_with_other_components(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in build.COMPONENTS:
        (cache / "usr/bin" / name).write_text(f"{name} of 1.34")
    (cache / "usr/bin/iptables").symlink_to("xtables-nft-multi")
    sizes = {str(path.relative_to(cache)): path.stat().st_size for path in cache.rglob("*") if not path.is_symlink()}
    (cache / "whole.json").write_text(json.dumps({name: size for name, size in sizes.items() if "/bin/" in name}))
    monkeypatch.setattr(build_1_20, "compile_components", compiles)
    old = build.build(lambda text: None, "1.20")
    assert build.defect(old) == build.defect(cache) == ""
    read = {path.name: path.read_text() for path in (old / "usr/bin").iterdir() if not path.is_symlink()}
    assert read == {"etcd": "etcd of 1.34"} | dict.fromkeys(build_1_20.COMPONENTS, "the components of 1.20")
    assert (old / "usr/bin/iptables").is_symlink()
    assert (cache / "usr/bin/kubelet").read_text() == "kubelet of 1.34"


@pytest.fixture
def no_1_20(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose package sources do not have the source package; 1.34 is built."""

    def fails(target: Path, work: Path, say: Callable[[str], None]) -> None:
        target.write_text("half a program")
        raise RangeError("kubernetes 1.20 is nowhere")

    monkeypatch.setattr(build_1_20, "compile_components", fails)
    monkeypatch.setattr(command, "missing", lambda: "")
    return cache


def test_if_the_older_one_cannot_be_built_the_command_says_so_and_fails_but_has_the_newer(no_1_20: Path) -> None:
    done = CliRunner().invoke(command.main, ["build"])
    assert done.exit_code == 1
    assert done.stdout == f"{no_1_20}\n"
    assert done.stderr.endswith("Error: Kubernetes v1.20.2 is not built: kubernetes 1.20 is nowhere\n")
    assert [path for path in no_1_20.parent.iterdir() if path.name.startswith(("v1.20", "building"))] == []
    assert CliRunner().invoke(command.main, ["build", "--kubernetes", "v1.34.4"]).exit_code == 0


def test_then_scenarios_on_the_newer_are_played_and_those_on_the_older_say_what_to_do(
    no_1_20: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def played(work: Path, body: object) -> int:
        work.rmdir()
        return 0

    monkeypatch.setattr(command, "run_inside", played)
    assert CliRunner().invoke(command.main, ["run", str(GOOD)]).exit_code == 0
    (tmp_path / "old").mkdir()
    (tmp_path / "old/scenario.yaml").write_text('kubernetes: "1.20"\n' + (GOOD / "scenario.yaml").read_text())
    said = refused("run", str(tmp_path / "old"), monkeypatch=monkeypatch)
    assert said == f"Error: {build.cache_folder('1.20')}: it has not been built; run `make range` first\n"


def test_a_newer_one_that_fails_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEWITNESS_RANGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(command.main, ["build"])
    assert done.exit_code == 1
    assert done.stderr.count("go is not on the PATH") == 1


def test_only_packages_that_ask_for_openapi_definitions_get_them(tmp_path: Path) -> None:
    tag = "// +k8s:openapi-gen=true\npackage v1\n"
    for path, text in {
        "staging/src/k8s.io/api/core/v1/doc.go": tag, "pkg/apis/abac/v0/doc.go": tag, "pkg/apis/abac/v0/more.go": tag,
        "pkg/kubelet/doc.go": "package kubelet\n", "pkg/kubelet/doc_test.go": tag,
        "staging/src/k8s.io/sample-apiserver/pkg/v1/doc.go": tag,
    }.items():  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert build_1_20.api_packages(tmp_path) == [
        "k8s.io/kubernetes/pkg/apis/abac/v0", "k8s.io/kubernetes/vendor/k8s.io/api/core/v1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("configured", "asked"),
    [
        ("Types: deb\nURIs: http://m.example/debian\n", "Types: deb-src\nURIs: http://m.example/debian\n"),
        ("Types: deb deb-src\nSuites: s\n", "Types: deb-src\nSuites: s\n"),
        ("deb [arch=amd64] http://m.example/debian s main\n", "deb-src [arch=amd64] http://m.example/debian s main\n"),
        ("deb-src http://m.example/debian s main\n", "deb-src http://m.example/debian s main\n"),
        ("# deb http://m.example/debian s main\n", "# deb http://m.example/debian s main\n"),
    ],
)
def test_the_machines_own_sources_are_asked_for_source_packages(configured: str, asked: str) -> None:
    assert debian.asking_for_sources(configured) == asked


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ("1.32.3-1", r"have kubernetes 1\.32\.3-1, not 1\.20\.5\+really1\.20\.2; Debian 12 has it"),
        ("1.20.5+really1.20.2-1.1", r"the archive is not the known one \(SHA-256 b83c"),
    ],
)
def test_another_version_or_another_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: str, said: str
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text('#!/bin/sh\ncase "$*" in *" source "*) echo forged >kubernetes.orig.tar.gz;; esac\n')
    (tools / "apt-cache").write_text(f"#!/bin/sh\necho Version: {versions}\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    (tmp_path / "work").mkdir()
    with pytest.raises(RangeError, match=said):
        debian.source(*build_1_20.SOURCE, tmp_path / "work")


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
