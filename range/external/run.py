"""A scenario on a user's own cluster, from the first look to the list of what is left there.

In this order: what the script needs that cannot be had, the cluster's opt-in label, its nodes and images, what is
going to be done and the user's word, certificates, the play, the recording, the clean-up. Until the user's word
nothing but GET requests is sent.
"""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from range.external import evidence, fit
from range.external.created import Left, still_there
from range.external.target import OwnCluster, Refused
from range.labels import Labels
from range.play import Player, StepFailed, play_script
from range.record import RBAC
from range.sandbox import RangeError
from range.script import Background, Credential, Script, Step, together

Say = Callable[[str], None]


class Wishes(Struct, frozen=True):
    """What the user asked for."""

    kubeconfig: Path
    record: Path | None = None
    audit_log: Path | None = None
    yes: bool = False
    skip_unsupported: bool = False
    claim_addresses: bool = False
    clean_up: bool = False


class _Lenient(Player):
    """Plays on when a step fails, for steps that others were left out before; `failed` says which did."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.failed = list[str]()

    def play(self, step: Step, phase: str) -> None:
        """Play one step; what goes wrong is kept in `failed`."""
        if step.until:  # perhaps for something that was left out
            step = replace(step, until=replace(step.until, seconds=min(step.until.seconds, 30)))
        try:
            super().play(step, phase)
        except (StepFailed, KeyError) as error:
            why = f"there is no kept value {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
            self.failed.append(f"{phase}: {step.step or 'set-up'}: {why[:300]}")


def play_on_own_cluster(
    folder: Path, script: Script, backgrounds: Sequence[Background], wishes: Wishes, say: Say
) -> int:
    """Play `script` on the cluster of the user's kubeconfig and return the exit status.

    Raises:
        Refused: it cannot or must not be played there; nothing was done.
        RangeError: it broke off.
    """
    with tempfile.TemporaryDirectory(prefix="kubewitness-external-") as name:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that keys do not stay on the disk
        try:
            return _Run(folder.resolve().name, script, backgrounds, wishes, work=Path(name), say=say).go()
        finally:
            signal.signal(signal.SIGTERM, before)


class _Run:
    def __init__(
        self, name: str, script: Script, backgrounds: Sequence[Background], wishes: Wishes, *, work: Path, say: Say
    ) -> None:
        self._name, self._wishes, self._say = name, wishes, say
        everybody, credentials = together(script, backgrounds)
        claims = {key: actor for key, actor in everybody.items() if actor.address} if wishes.claim_addresses else {}
        steps = [step for _, step in fit.places(script)]
        steps += [step for background in backgrounds for step in (*background.setup, *background.steps)]
        instead = fit.stand_ins(everybody, credentials, steps)
        self._obstacles = list(fit.obstacles(script, everybody, credentials, instead))
        self._refuse_obstacles()
        self._open_log()
        self._instead = instead
        self._cluster = OwnCluster(wishes.kubeconfig, work, instead, claims)
        self._cluster.opted_in()
        nodes = fit.nodes_of(self._cluster.get("/api/v1/nodes"))
        self._obstacles += fit.lacking(script, nodes)
        if not self._cluster.shown_to_curl:
            why = "curl has no use for the credential of your kubeconfig (neither token nor certificate)"
            own = {"admin", *instead}
            self._obstacles += [
                fit.Obstacle(place, why, step) for place, step in fit.places(script) if step.request and step.as_ in own
            ]
        self._refuse_obstacles(images=True)
        self._left_out = [f"{one.where}: {one.why}" for one in self._obstacles]
        self._backgrounds = list[Background]()
        for background in backgrounds:
            if why := self._unplayable(background, script, nodes):
                self._left_out.append(f"ordinary traffic ({background.about}): {why}")
            else:
                self._backgrounds.append(fit.reworded_background(background, tuple(script.nodes), nodes))
        self._script = fit.reworded(script, nodes, [one.step for one in self._obstacles if one.step])
        self._actors, self._credentials = together(self._script, self._backgrounds)

    def go(self) -> int:
        self._announce()
        self._confirm()
        self._tail = self._open_log()  # anew: not what was written while the user thought
        self._started = datetime.now(UTC)
        try:
            return self._play()
        except StepFailed as error:
            self._say(f"the scenario did not go as its script says: {error}")
            return 1
        except KeyboardInterrupt:
            self._say("interrupted; nothing is recorded")
            return 130
        finally:
            self._tidy()

    def _refuse_obstacles(self, images: bool = False) -> None:
        if not self._obstacles or self._wishes.skip_unsupported:
            return
        rows = "".join(f"\n  {one.where}: {one.why}" for one in self._obstacles)
        hint = "Leave these steps out with --skip-unsupported (what builds on them fails), or play it on the range"
        if images and any("inert" in one.why for one in self._obstacles):
            hint += (
                ". Inert images: `python -m range images FILE`, then on every node "
                "`ctr -n k8s.io images import FILE` or for kind `kind load image-archive FILE`"
            )
        raise Refused(f"{self._name} cannot be played as written on this cluster:{rows}\n{hint}")

    def _open_log(self) -> evidence.Tail | None:
        if self._wishes.audit_log and not self._wishes.record:
            raise Refused("--audit-log is of use only with --record DIR")
        try:
            return evidence.Tail(self._wishes.audit_log) if self._wishes.audit_log else None
        except RangeError as error:
            raise Refused(str(error)) from error

    def _unplayable(self, background: Background, script: Script, nodes: fit.Nodes) -> str:
        for step in (*background.setup, *background.steps):
            why = fit.unplayable(step, background.actors, background.credentials, self._instead)
            if why := why or fit.without(step, tuple(script.nodes), nodes):
                return why
        return ""

    def _announce(self) -> None:
        script, say = self._script, self._say
        steps = [step for _, step in fit.places(script)]
        say(f"cluster: {self._cluster.server} ({self._wishes.kubeconfig})")
        say(f"scenario: {self._name}: {script.title.en}")
        count = sum(step.times for step in steps if not step.until)
        say(f"{count} steps, real requests with curl and kubectl from this machine, by:")
        for name, actor in self._actors.items():
            used = sorted({step.as_ or "anonymous" for step in steps if step.actor == name and not step.until})
            say(f"  {name} ({actor.role}){': ' if used else ''}{', '.join(used)}")
        for name in sorted(self._instead):
            say(f"the credential {name} is in system:masters: your kubeconfig stands in for it")
        for name in sorted(self._to_sign()):
            say(f"the credential {name}: a certificate for {self._credentials[name].user}, signed by this cluster")
        for background in self._backgrounds:
            say(f"ordinary traffic: {background.about}")
        for left in self._left_out:
            say(f"left out: {left}")
        if self._wishes.claim_addresses:
            say("addresses are claimed with X-Forwarded-For in curl's requests; kubectl cannot add a header")
        say("steps may change and delete what is there already; only what this run creates can be removed again")

    def _confirm(self) -> None:
        if self._wishes.yes:
            return
        if not on_terminal():
            raise Refused("nobody is there to confirm; add --yes to play without being asked")
        if not click.confirm(f"play it on {self._cluster.server}?", default=False, err=True):
            raise Refused("not confirmed; nothing was done")

    def _to_sign(self) -> dict[str, Credential]:
        parts = [self._script.setup, *(phase.steps for phase in self._script.phases)]
        parts += [part for background in self._backgrounds for part in (background.setup, background.steps)]
        used = {step.as_ for part in parts for step in part}
        return {
            name: credential
            for name, credential in self._credentials.items()
            if name in used and credential.signed and name not in self._instead
        }

    def _play(self) -> int:
        cluster, wishes = self._cluster, self._wishes
        cluster.have_signed(self._to_sign())
        version = cluster.get("/version")["gitVersion"]
        rbac = {"before": self._rbac()} if wishes.record else {}
        kind = _Lenient if self._left_out and wishes.skip_unsupported else Player
        player = kind(cluster, self._actors, self._credentials)
        troubles = play_script(player, self._script, self._backgrounds, self._say)
        if isinstance(player, _Lenient):
            self._left_out += [f"failed: {one}" for one in player.failed]
            for one in player.failed:
                self._say(f"failed: {one}")
        for trouble in troubles:
            self._say(trouble)
        if wishes.record:
            rbac["after"] = self._rbac()
            played = evidence.Played(
                scenario=self._name, kubernetes=version, server=cluster.server,
                started=self._started, ended=datetime.now(UTC), actors=self._actors, deeds=tuple(player.deeds),
                own_requests=tuple(cluster.own_requests), left_out=tuple(self._left_out),
            )  # fmt: skip
            self._record(wishes.record, played, rbac)
        return 1 if troubles else 0

    def _rbac(self) -> list[Any]:
        return [self._cluster.get(f"/apis/rbac.authorization.k8s.io/v1/{resource}") for resource in RBAC]

    def _record(self, target: Path, played: evidence.Played, rbac: dict[str, list[Any]]) -> None:
        target.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target / "evidence", ignore_errors=True)
        (target / "labels.json").unlink(missing_ok=True)
        evidence.write_played(target / "deeds.json", played)
        for when, objects in rbac.items():
            evidence.write_rbac(target, when, objects)
        if not self._tail:
            self._say(f"no --audit-log: `python -m range label --audit-log FILE {target}/deeds.json` adds it later")
            return
        time.sleep(1)  # the log is written as answers are given, but for streams that just ended
        labels = evidence.write(target, played, self._tail.lines())
        self._say(told(played, labels))

    def _tidy(self) -> None:
        """List what the run made and left; remove it if the user wants that."""
        try:
            left = still_there(self._cluster.created, self._started, self._cluster.get)
        except RangeError as error:
            self._say(f"what the run left cannot be listed: {error}")
            return
        if not left:
            self._say("nothing that this run created is left")
            return
        self._say(f"{len(left)} objects that this run created are left:")
        for one in left:
            self._say(f"  {one.command}")
        if self._wishes.clean_up and self._agreed(left):
            for one in left:
                if problem := self._cluster.delete(one.path, one.uid):
                    self._say(f"{one.path}: {problem}")
            self._wait_until_gone(left)

    def _wait_until_gone(self, left: Sequence[Left], seconds: float = 90) -> None:
        """A namespace takes a while, and until it is gone the scenario cannot be played again."""
        end = time.monotonic() + seconds
        going = [one.path for one in left]
        while going and time.monotonic() < end:
            going = [path for path in going if self._cluster.get(path) is not None]
            time.sleep(1 if going else 0)
        self._say(f"after {seconds:.0f} s not gone yet: {', '.join(going)}" if going else "all of them are deleted")

    def _agreed(self, left: Sequence[Left]) -> bool:
        if self._wishes.yes:
            return True
        return on_terminal() and click.confirm(f"delete these {len(left)}?", default=False, err=True)


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty()


def told(played: evidence.Played, labels: Labels) -> str:
    """What became of a recording, in a sentence."""
    whose = {name for name, actor in played.actors.items() if actor.role == "intruder"}
    known = sum(request.actor in whose for request in labels.requests)
    text = f"recorded: {len(labels.requests)} requests, {known} of intruders"
    if missing := evidence.unseen(played, labels):
        text += (
            f"; {missing} answered requests of named steps are not in the log: its policy leaves them out, "
            "or another API server answered them"
        )
    return text


def label(deeds: Path, logs: Sequence[Path]) -> str:
    """Label copied audit logs with what a run noted in its deeds.json; returns what to tell.

    Raises:
        RangeError: a file cannot be read.
    """
    played = evidence.read_played(deeds)
    labels = evidence.write(deeds.parent, played, evidence.lines_between(logs, played))
    return told(played, labels)
