"""`python -m range`: build the range, play scenarios on it, record them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

from range.build import VERSIONS, build, cache_folder, defect
from range.cluster import Cluster
from range.collected import collect
from range.external.fit import PORTABLE
from range.external.run import Wishes, label, play_on_own_cluster
from range.external.target import Refused
from range.ground import RangeGround
from range.images import write_images
from range.play import Player, StepFailed, play_script
from range.record import Recorder
from range.sandbox import WORK, RangeError, missing, run_inside
from range.script import Background, Script, ScriptError, load, load_background, together

RECORDED = Path(__file__).parents[1] / "scenarios" / "recorded"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes control plane and real nodes, for attacks that really happen.

    \b
    Examples:
      python -m range build                                     once, about 10 minutes a generation
      python -m range list
      sudo python -m range run anonymous_cluster_admin          play it, keep nothing
      sudo python -m range run anonymous_cluster_admin --record DIR
      python -m range run leaked_kubeconfig --kubeconfig FILE   on a disposable cluster of yours
    """


@main.command("build")
@click.option(
    "--kubernetes", type=click.Choice([*VERSIONS.values(), "all"]), default="all", show_default=True,
    help="Only this generation; 1.20 takes all but its components from 1.34.",
)  # fmt: skip
def build_command(kubernetes: str) -> None:
    """Build or find the components, the container runtime and the images.

    What could not be built hinders nothing else: scenarios on the other generation can be played.
    """
    failed = list[str]()
    for generation, version in VERSIONS.items():
        if kubernetes not in {version, "all"} or (failed and generation == "1.20"):
            continue
        try:
            click.echo(build(_say, generation))
        except RangeError as error:
            failed.append(f"Kubernetes {version} is not built: {error}")
    if failed:
        raise click.ClickException("\n".join(failed))


@main.command("list")
def list_command() -> None:
    """The scenarios, with their titles."""
    for path in sorted(RECORDED.glob("*/scenario.yaml")):
        try:
            script = load(path.parent)
        except ScriptError as error:
            click.echo(f"{path.parent.name}: {error}", err=True)
            continue
        click.echo(f"{path.parent.name:34} {script.kind:7} {script.title.en}")


@main.command("run")
@click.argument("scenario")
@click.option(
    "--record", type=click.Path(path_type=Path, file_okay=False), help="Write evidence and labels into this folder."
)
@click.option(
    "--collect", "archives", type=click.Path(path_type=Path, file_okay=False),
    help="Run kubewitness collect on every node at the end; its archives and the audit log go into this folder.",
)  # fmt: skip
@click.option("--quiet-background", is_flag=True, help="No ordinary traffic beside the scenario.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    help="Play it on your own disposable cluster instead, from this machine, without root.",
)  # fmt: skip
@click.option(
    "--audit-log", type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="That cluster's audit log, if it is on this machine; else see `label`.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask before playing on, or deleting from, your own cluster.")
@click.option("--skip-unsupported", is_flag=True, help="Leave out what your own cluster cannot give.")
@click.option("--claim-addresses", is_flag=True, help="Claim the actors' addresses there with X-Forwarded-For.")
@click.option("--clean-up", is_flag=True, help="Delete there what the run created, at its end.")
def run_command(scenario: str, record: Path | None, archives: Path | None, quiet_background: bool, **own: Any) -> None:
    """Play SCENARIO: a name from `list` or a folder with a scenario.yaml.

    On the range's own cluster this needs root and a built range. With --kubeconfig it is played on a cluster of yours,
    which has to carry the label kubewitness.io/disposable-cluster=yes on its namespace kube-system.
    """
    folder = Path(scenario) if Path(scenario).is_dir() else RECORDED / scenario
    if not own["kubeconfig"] and (given := [name for name, value in own.items() if value]):
        raise click.UsageError(f"--{given[0].replace('_', '-')} is of use only with --kubeconfig")
    try:
        script = load(folder)
        backgrounds = [] if quiet_background else [load_background(name) for name in script.background]
        together(script, backgrounds)
        if own["kubeconfig"] and archives:
            raise click.UsageError("--collect is for the range's own nodes; on yours run kubewitness collect")
        if own["kubeconfig"]:
            sys.exit(play_on_own_cluster(folder, script, backgrounds, Wishes(record=record, **own), _say))
        if reason := missing():
            raise RangeError(reason)
        cache = cache_folder(script.kubernetes)
        if reason := defect(cache):
            raise RangeError(f"{cache}: {reason}; run `make range` first")
    except Refused as error:
        _say(f"refused: {error}")
        sys.exit(2)
    except (ScriptError, RangeError) as error:
        raise click.ClickException(str(error)) from error
    work = Path(tempfile.mkdtemp(prefix=f"kubewitness-range-{os.getpid()}-", dir=WORK))
    kept = Kept(record and record.absolute(), archives and archives.absolute())
    status = run_inside(work, lambda: _play(folder, script, backgrounds, work, kept))
    sys.exit(status)


@main.command("label")
@click.option(
    "--audit-log", "logs", multiple=True, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A copy of the API server's audit log, .gz too; repeat it for rotated files and several API servers.",
)  # fmt: skip
@click.argument("deeds", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def label_command(logs: tuple[Path, ...], deeds: Path) -> None:
    """Add the audit log, with labels, to a run on your own cluster that wrote DEEDS (deeds.json)."""
    try:
        _say(label(deeds, logs))
    except RangeError as error:
        raise click.ClickException(str(error)) from error


@main.command("images")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def images_command(file: Path) -> None:
    """Write the inert images that scenarios name into FILE, an archive for the nodes of your own cluster."""
    if reason := defect(cache_folder()):
        raise click.ClickException(f"{cache_folder()}: {reason}; run `python -m range build` first")
    programs = cache_folder() / "usr/bin"
    write_images(programs / "busybox", programs / "inert", file, PORTABLE)
    _say(f"{file}: {len(PORTABLE)} names; on every node: ctr -n k8s.io images import {file}")


@main.command("record")
@click.argument("scenarios", nargs=-1)
def record_command(scenarios: tuple[str, ...]) -> None:
    """Play SCENARIOS (default: all) one after another and write the recordings that the project keeps.

    A scenario that does not go as its script says keeps its old recording.
    """
    names = scenarios or tuple(sorted(path.parent.name for path in RECORDED.glob("*/scenario.yaml")))
    failed = list[str]()
    for number, name in enumerate(names, 1):
        started = time.monotonic()
        _say(f"[{number}/{len(names)}] {name}")
        with tempfile.TemporaryDirectory(prefix="kubewitness-recording-", dir="/var/tmp") as fresh:
            command = [sys.executable, "-m", "range", "run", name, "--record", fresh]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
                continue
            target = RECORDED / name
            shutil.rmtree(target / "evidence", ignore_errors=True)
            shutil.copytree(Path(fresh) / "evidence", target / "evidence")
            shutil.copy2(Path(fresh) / "labels.json", target / "labels.json")
        _say(f"{name}: {time.monotonic() - started:.0f} s")
    if failed:
        raise click.ClickException(f"not recorded: {', '.join(failed)}")


class Kept(NamedTuple):
    """The folders that take what is kept of a run."""

    record: Path | None
    archives: Path | None


def _play(folder: Path, script: Script, backgrounds: list[Background], work: Path, kept: Kept) -> int:
    """Inside the sandbox: the whole road from an empty cluster to the recording."""
    actors, credentials = together(script, backgrounds)
    cluster = Cluster(script, actors, work, cache_folder(script.kubernetes), folder / "served")
    cluster.start(_say)
    player = Player(RangeGround(cluster), actors, credentials)
    recorder = Recorder(cluster, script, actors, kept.record) if kept.record else None
    try:
        troubles = play_script(player, script, backgrounds, _say)
        if recorder:
            recorder.collect()
        if kept.archives:
            for archive in (one for node in cluster.nodes.values() for one in collect(node, kept.archives)):
                cost = (
                    f"{archive.size / 1024:.0f} KiB in {archive.seconds:.1f} s ({archive.processor:.1f} s of processor)"
                )
                _say(f"{archive.file}: {cost}, exit status {archive.status}")
    except StepFailed as error:
        _say(f"the scenario did not go as its script says: {error}")
        return 1
    finally:
        cluster.stop()
    for trouble in troubles:
        _say(trouble)
    if kept.archives:
        shutil.copyfile(cluster.plane.audit_log, kept.archives / "audit.log")
    if recorder:
        labels = recorder.write(folder.name, player.deeds)
        whose = sum(request.actor in _intruders(script) for request in labels.requests)
        _say(
            f"recorded: {len(labels.requests)} requests, {whose} of intruders, "
            f"{len(labels.processes)} processes, {len(labels.lines)} log lines"
        )
    return 1 if troubles else 0


def _intruders(script: Script) -> frozenset[str]:
    return frozenset(name for name, actor in script.actors.items() if actor.role == "intruder")


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
