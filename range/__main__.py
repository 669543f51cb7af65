"""`python -m range`: build the range, play scenarios on it, record them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click

from range.build import build, cache_folder, defect
from range.cluster import Cluster
from range.ground import RangeGround
from range.play import Player, StepFailed, play_background
from range.record import Recorder
from range.sandbox import RangeError, missing, run_inside
from range.script import Background, Script, ScriptError, load, load_background, together

RECORDED = Path(__file__).parents[1] / "scenarios" / "recorded"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real Kubernetes control plane and real nodes, for attacks that really happen.

    \b
    Examples:
      python -m range build                                     once, about 10 minutes
      python -m range list
      sudo python -m range run anonymous_cluster_admin          play it, keep nothing
      sudo python -m range run anonymous_cluster_admin --record DIR
    """


@main.command("build")
def build_command() -> None:
    """Build or find the components, the container runtime and the images."""
    try:
        click.echo(build(_say))
    except RangeError as error:
        raise click.ClickException(str(error)) from error


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
@click.option("--quiet-background", is_flag=True, help="No ordinary traffic beside the scenario.")
def run_command(scenario: str, record: Path | None, quiet_background: bool) -> None:
    """Play SCENARIO: a name from `list` or a folder with a scenario.yaml. Needs root and a built range."""
    folder = Path(scenario) if Path(scenario).is_dir() else RECORDED / scenario
    try:
        script = load(folder)
        backgrounds = [] if quiet_background else [load_background(name) for name in script.background]
        together(script, backgrounds)
        if reason := missing():
            raise RangeError(reason)
        if reason := defect(cache_folder()):
            raise RangeError(f"{cache_folder()}: {reason}; run `make range` first")
    except (ScriptError, RangeError) as error:
        raise click.ClickException(str(error)) from error
    work = Path(tempfile.mkdtemp(prefix="kubewitness-range-", dir="/var/tmp"))
    target = record.absolute() if record else None
    status = run_inside(work, lambda: _play(folder, script, backgrounds, work, target))
    sys.exit(status)


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


def _play(folder: Path, script: Script, backgrounds: list[Background], work: Path, target: Path | None) -> int:
    """Inside the sandbox: the whole road from an empty cluster to the recording."""
    actors, credentials = together(script, backgrounds)
    cluster = Cluster(script, actors, work, cache_folder(), folder / "served")
    cluster.start(_say)
    player = Player(RangeGround(cluster), actors, credentials)
    recorder = Recorder(cluster, script, actors, target) if target else None
    stop, troubles = threading.Event(), list[str]()
    try:
        for step in (*script.setup, *(step for background in backgrounds for step in background.setup)):
            player.play(step, "setup")
        threads = [
            threading.Thread(target=play_background, args=(player, background, stop, troubles.append), daemon=True)
            for background in backgrounds
        ]
        for thread in threads:
            thread.start()
        _say(f"set up; {script.calm:.0f} s of ordinary traffic")
        time.sleep(script.calm)
        for phase in script.phases:
            _say(f"phase: {phase.name}")
            time.sleep(phase.wait)
            for step in phase.steps:
                player.play(step, phase.name)
        time.sleep(script.settle)
        stop.set()
        for thread in threads:
            thread.join(30)
        if recorder:
            recorder.collect()
    except StepFailed as error:
        _say(f"the scenario did not go as its script says: {error}")
        return 1
    finally:
        stop.set()
        cluster.stop()
    for trouble in troubles:
        _say(trouble)
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
