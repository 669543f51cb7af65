"""Plays a script on a cluster: every step with a real client from its actor's own machine, and a note of what was done
when.

curl makes the plain requests and kubectl, with a home folder of the actor's own, the rest; so user agents, discovery
bursts and retries are the clients' own. Nothing is added to a request that a real one would not have.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from range.ground import Ground
from range.node import Node
from range.sandbox import RangeError
from range.script import Actor, Background, Credential, Script, Step


class Deed(Struct, frozen=True):
    """A step that was played."""

    actor: str
    step: str
    phase: str
    started: datetime
    ended: datetime
    audit_ids: tuple[str, ...] = ()  # from the answers' Audit-Id headers, where the client shows them
    containers: tuple[str, ...] = ()  # containers it went into
    processes: tuple[tuple[str, int], ...] = ()  # node and pid of what it left running


class StepFailed(RangeError):
    """A step did not end as the script expects; `audit_ids` are what it asked for all the same."""

    def __init__(self, message: str, audit_ids: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.audit_ids = audit_ids


class Player:
    """Plays steps on `ground`; several threads may use it, each for actors of its own."""

    def __init__(self, ground: Ground, actors: Mapping[str, Actor], credentials: Mapping[str, Credential]) -> None:
        self.deeds = list[Deed]()
        self._ground = ground
        self._actors = actors
        self._credentials = credentials
        self._kept = dict[str, str]()
        self._kubeconfigs = dict[str, Path]()
        self._requests = dict[str, tuple[Path, Path]]()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        ground.folder.mkdir(exist_ok=True)

    def play(self, step: Step, phase: str) -> None:
        """Play one step as often as it says.

        Raises:
            StepFailed: it ended otherwise than expected; the message has what the client printed.
        """
        time.sleep(step.wait)
        for number in range(step.times):
            if number:
                time.sleep(step.between)
            started = datetime.now(UTC)
            nodes = self._touched(step)
            before = {name: _processes(self._ground.nodes[name]) for name in nodes}
            try:
                result = self._act(step)
            except StepFailed as error:
                deed = Deed(step.actor, step.step, phase, started, datetime.now(UTC), error.audit_ids)
                with self._lock:
                    self.deeds.append(deed)
                raise
            left = tuple(
                (name, pid)
                for name in nodes
                for pid in sorted(_processes(self._ground.nodes[name]) - before[name])
            )  # fmt: skip
            deed = Deed(
                step.actor, step.step, phase, started, datetime.now(UTC), result.audit_ids, result.containers, left
            )
            with self._lock:
                self.deeds.append(deed)
            for name, path in step.keep.items():
                value = _pick(result.text, path)
                self._kept[name] = _decoded(name, value) if step.decode else value

    def _touched(self, step: Step) -> tuple[str, ...]:
        """Nodes on which the step may leave processes, for steps that are to be labelled."""
        if not step.step:
            return ()
        if step.node:
            return (step.node.node,)
        if step.kubelet:
            return (step.kubelet.node,) if step.kubelet.command else ()
        if step.pod or (step.kubectl and re.match(r"(exec|debug)\b", step.kubectl.args)):
            return tuple(self._ground.nodes)
        return ()

    def _act(self, step: Step) -> _Result:
        if step.until:
            return self._wait_until(step)
        if step.request:
            return self._request(step)
        if step.kubectl:
            return self._kubectl(step)
        if step.kubelet:
            return self._kubelet(step)
        if step.node:
            node = self._ground.nodes[step.node.node]
            done = node.run(["sh", "-c", _shell(self._fill(step.node.command), step.node.background)], seconds=60)
            _expect(step, done.returncode, step.node.expect, done.stdout + done.stderr)
            return _Result(done.stdout)
        assert step.pod
        node, container, _ = self._container(step.pod.pod)
        command = ["ctr", "-n", "k8s.io", "task", "exec", "--exec-id", f"e{time.monotonic_ns()}", container, "sh", "-c"]
        done = node.run([*command, _shell(self._fill(step.pod.command), step.pod.background)], seconds=60)
        _expect(step, done.returncode, step.pod.expect, done.stdout + done.stderr)
        return _Result(done.stdout, containers=(container,))

    def _request(self, step: Step) -> _Result:
        request = step.request
        assert request
        command = ["curl", "-s", *self._ground.trust, "--max-time", "60", "-X", request.method]
        command += ["-D", "/dev/stderr", "-w", "\n%{http_code}"]
        if request.agent:
            command += ["-A", request.agent]
        for name, value in {**self._ground.claimed(step.actor), **request.headers}.items():
            command += ["-H", f"{name}: {self._fill(value)}"]
        if token := self._token(step):
            command += ["-H", f"Authorization: Bearer {token}"]
        elif step.as_ in {"admin", *self._credentials}:
            config = json.loads(self._kubeconfig(step).read_text())["users"][0]["user"]
            if token := config.get("token"):
                command += ["-H", f"Authorization: Bearer {token}"]
            else:
                command += ["--cert", config["client-certificate"], "--key", config["client-key"]]
        body = None
        if request.body is not None:
            body = self._fill(request.body if isinstance(request.body, str) else json.dumps(request.body))
            command += ["-H", f"Content-Type: {request.content}", "--data-binary", "@-"]
        done = self._from(step, [*command, self._ground.server + self._fill(request.path)], body)
        text, _, code = done.stdout.rpartition("\n")
        wanted = request.expect or tuple(range(200, 300))
        audit_ids = tuple(re.findall(r"(?im)^audit-id: (\S+)", done.stderr))
        _expect(step, int(code or 0), wanted, text + done.stderr, audit_ids)
        return _Result(text, audit_ids)

    def _kubectl(self, step: Step) -> _Result:
        kubectl = step.kubectl
        assert kubectl
        actor = self._actors[step.actor]
        words = shlex.split(self._fill(kubectl.args))
        if actor.pod:  # the address is the pod's, not the actor's: only the answers tell which requests were theirs
            access = ["--server", self._ground.server, "--insecure-skip-tls-verify"]
            command = ["env", "HOME=/tmp", "kubectl", *access, f"--token={self._token(step)}", "--v=8", *words]
        else:
            home = self._ground.folder / step.actor
            home.mkdir(exist_ok=True)
            shown = ["--v=8"] if self._ground.traced else []
            access = ["--kubeconfig", str(self._kubeconfig(step)), *shown]
            command = ["env", f"HOME={home}", self._ground.kubectl, *access, *words]
        manifest = self._fill(kubectl.manifest) if kubectl.manifest else None
        done = self._from(step, command, manifest, kubectl.seconds)
        found = re.findall(r"(?i)audit-id[:=]\s*\[?\"?([0-9a-f-]{36})", done.stderr)
        audit_ids = tuple(dict.fromkeys(found))
        _expect(step, done.returncode, kubectl.expect, done.stdout + done.stderr[-2000:], audit_ids)
        return _Result(done.stdout, audit_ids)

    def _kubelet(self, step: Step) -> _Result:
        request = step.kubelet
        assert request
        node = self._ground.nodes[request.node]
        path, containers = request.path, tuple[str, ...]()
        if found := re.search(r"\{pod:([^}]+)\}", path):
            _, container, pod = self._container(found[1])
            meta = pod["metadata"]
            name = f"{meta['namespace']}/{meta['name']}/{pod['spec']['containers'][0]['name']}"
            path, containers = path.replace(found[0], name), (container,)
        url = f"https://{node.address}:10250{self._fill(path)}"
        command = ["curl", "-sk", "--max-time", str(request.seconds), "-X", request.method, "-w", "\n%{http_code}"]
        if request.command:
            # Kubelets of today read `cmd` from the query alone; those of 2021 read the form field that the worms sent.
            place = "--data-urlencode" if node.generation == "1.20" else "--url-query"
            command += [place, f"cmd={self._fill(request.command)}"]
        if token := self._token(step):
            command += ["-H", f"Authorization: Bearer {token}"]
        done = self._from(step, [*command, url], None, request.seconds + 5)
        text, _, code = done.stdout.rpartition("\n")
        _expect(step, int(code or 0), request.expect or tuple(range(200, 300)), text + done.stderr)
        return _Result(text, containers=containers)

    def _wait_until(self, step: Step) -> _Result:
        until = step.until
        assert until
        end = time.monotonic() + until.seconds
        seen = "nothing"
        while time.monotonic() < end:
            answer = self._ground.get(self._fill(until.path))
            seen = _state(answer, until.field)
            if seen == until.value or (until.value == "present" and seen not in {"", "gone", "exists"}):
                return _Result("")
            if ended := self._ground.ended():
                raise RangeError(ended)
            time.sleep(0.4)
        raise StepFailed(
            f"{until.path}: {until.field or 'it'} is {seen!r}, not {until.value!r}, after {until.seconds:.0f} s"
        )

    def _from(
        self, step: Step, command: list[str], text: str | None, seconds: float = 65
    ) -> subprocess.CompletedProcess[str]:
        """Run a client on the actor's machine, or in the network of the pod it is in."""
        actor = self._actors[step.actor]
        if actor.pod:
            node, container, _ = self._container(actor.pod)
            pid = next(pid for name, pid in node.tasks().items() if name == container)
            return node.run(["nsenter", "-t", str(pid), "-n", "--", *command], text, seconds)
        return self._ground.run(step.actor, command, text, seconds)

    def _token(self, step: Step) -> str:
        kind, _, rest = step.as_.partition(":")
        if kind == "kept":
            return self._kept[rest]
        if kind == "token":
            return rest
        if kind == "serviceaccount":
            return self._service_account_token(rest)
        if kind == "pod":
            node, container, _ = self._container(self._actors[step.actor].pod)
            path = f"/proc/{node.tasks()[container]}/root/var/run/secrets/kubernetes.io/serviceaccount/token"
            return node.run(["cat", path]).stdout.strip()
        return ""

    def _service_account_token(self, name: str) -> str:
        """A token such as the account's owner has; the range's observer asks for it, which is not in the log."""
        key = f"serviceaccount:{name}"
        if key not in self._kept:
            namespace, _, account = name.partition("/")
            self._kept[key] = self._ground.token(namespace, account)
        return self._kept[key]

    def _kubeconfig(self, step: Step) -> Path:
        """The kubeconfig of a step's credential, made at its first use."""
        with self._lock:
            key = step.as_ or "anonymous"
            path = self._kubeconfigs.get(key)
            if path:
                return path
            ground = self._ground
            name = f"client{next(self._numbers)}"
            if key == "admin":
                path = ground.administrator(name)
            elif key in self._credentials:
                credential = self._credentials[key]
                if credential.signed:
                    path = ground.signed(name, key, credential)
                else:
                    path = ground.with_certificate(name, self._kept[key], self._signing_request(key)[1])
            else:
                path = ground.with_token(name, self._token(step))
                if key.startswith("kept:"):
                    return path  # it may be kept anew under the same name
            self._kubeconfigs[key] = path
            return path

    def _signing_request(self, name: str) -> tuple[Path, Path]:
        """Request and key of a credential that nobody has signed yet."""
        if name not in self._requests:
            self._requests[name] = self._ground.request(f"request-{name}", self._credentials[name])
        return self._requests[name]

    def _container(self, wanted: str) -> tuple[Node, str, dict[str, Any]]:
        """Node, container id and object of the first running pod that `wanted` ("namespace/prefix*") names."""
        namespace, _, name = self._fill(wanted).partition("/")
        end = time.monotonic() + 40
        while time.monotonic() < end:
            pods = self._ground.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
            for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
                own = pod["metadata"]["name"]
                fits = own.startswith(name[:-1]) if name.endswith("*") else own == name
                statuses = pod["status"].get("containerStatuses", [])
                if fits and statuses and "running" in statuses[0]["state"] and pod["spec"].get("nodeName"):
                    return (
                        self._ground.nodes[pod["spec"]["nodeName"]],
                        statuses[0]["containerID"].partition("//")[2],
                        pod,
                    )
            time.sleep(0.5)
        raise StepFailed(f"no running pod is called {wanted}")

    def _fill(self, text: str) -> str:
        """`text` with `{name}` replaced by kept values and `{csr:name}` by signing requests; other braces stay."""
        for name in re.findall(r"\{csr:([\w-]+)\}", text):
            text = text.replace(
                f"{{csr:{name}}}", base64.b64encode(self._signing_request(name)[0].read_bytes()).decode()
            )
        return re.sub(r"\{([a-z][a-z0-9_]*)\}", lambda found: self._kept.get(found[1], found[0]), text)


class _Result(Struct, frozen=True):
    text: str
    audit_ids: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()


def play_script(
    player: Player, script: Script, backgrounds: Sequence[Background], say: Callable[[str], None]
) -> list[str]:
    """Play the set-up, then the phases beside the ordinary traffic; returns what went wrong in that traffic.

    Raises:
        StepFailed: a step ended otherwise than expected.
    """
    for step in (*script.setup, *(step for background in backgrounds for step in background.setup)):
        player.play(step, "setup")
    stop, troubles = threading.Event(), list[str]()
    threads = [
        threading.Thread(target=play_background, args=(player, background, stop, troubles.append), daemon=True)
        for background in backgrounds
    ]
    try:
        for thread in threads:
            thread.start()
        say(f"set up; {script.calm:.0f} s of ordinary traffic")
        time.sleep(script.calm)
        for phase in script.phases:
            say(f"phase: {phase.name}")
            time.sleep(phase.wait)
            for step in phase.steps:
                player.play(step, phase.name)
        time.sleep(script.settle)
        stop.set()
        for thread in threads:
            thread.join(30)
    finally:
        stop.set()
    return troubles


def play_background(
    player: Player, background: Background, stop: threading.Event, failed: Callable[[str], None]
) -> None:
    """Play `background` round after round until `stop` is set; what goes wrong is told to `failed` and played on."""
    while not stop.is_set():
        started = time.monotonic()
        for step in background.steps:
            if stop.is_set():
                return
            try:
                player.play(step, "background")
            except (RangeError, KeyError) as error:
                failed(f"background ({background.about}): {error}")
        stop.wait(max(0.0, background.every - (time.monotonic() - started)))


def _expect(step: Step, found: int, wanted: tuple[int, ...], said: str, audit_ids: tuple[str, ...] = ()) -> None:
    if found not in wanted:
        what = step.step or "set-up"
        words = step.request or step.kubectl or step.kubelet or step.node or step.pod
        raise StepFailed(
            f"{step.actor}, {what!r}: ended with {found}, not {wanted}: {said.strip()[-1500:]}\n  step: {words}",
            audit_ids,
        )


def _state(answer: Any, field: str) -> str:
    """What `until` compares: "gone", "exists" (no field asked for), the field's value, "" without such a field."""
    if answer is None or not field:
        return "gone" if answer is None else "exists"
    try:
        return _pick(json.dumps(answer), field)
    except StepFailed:
        return ""


def _shell(command: str, background: bool) -> str:
    """`command` for sh -c, its output away from ours where it stays behind."""
    return f"setsid sh -c {shlex.quote(command)} >/dev/null 2>&1 </dev/null &" if background else command


def _pick(text: str, path: str) -> str:
    """The value at the dotted `path` in the JSON `text`; "" is the whole text.

    In a list a part is a number or an object's name: "items.0", "items.default-token-*".

    Raises:
        StepFailed: it is not there.
    """
    if not path:
        return text.strip()
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise StepFailed(f"the answer is no JSON: {text.strip()[:500]}") from error
    for part in re.findall(r"(?:\\\.|[^.])+", path):  # "data.tls\.crt": a dot of the name itself
        name = part.replace("\\.", ".")
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, list) and (named := _named(value, name)):
            value = named
        elif isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise StepFailed(f"the answer has no {path}")
    return value if isinstance(value, str) else json.dumps(value)


def _named(things: list[Any], pattern: str) -> Any:
    """The first of the API's objects whose name is, or with a "*" at its end begins with, `pattern`."""
    for thing in things:
        name = str(thing.get("metadata", {}).get("name", "")) if isinstance(thing, dict) else ""
        if name and (name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern):
            return thing
    return None


def _decoded(name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError as error:
        raise StepFailed(f"what is kept as {name} is not base64 of a text: {value[:100]}") from error


def _processes(node: Node) -> frozenset[int]:
    """Process ids on the node, as the node numbers them."""
    return frozenset(int(word) for word in node.run(["ps", "-eo", "pid="]).stdout.split())
