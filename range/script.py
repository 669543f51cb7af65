"""A scenario's script: who does what to the range's cluster, in which order, and what an investigation has to find.

A scenario is a folder with `scenario.yaml`. Its form is the `Script` below, read strictly: a field that is not in it
is an error with file and line, never ignored. The script says what is *done*; which audit events, processes and log
lines came of it is written down by the recorder (`labels.json`), so that a score never rests on what the tool itself
believes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from msgspec import Struct, ValidationError, convert, field

from range.network import FILE_SERVER

Role = Literal["intruder", "benign", "administrator"]
Policy = Literal["recommended", "metadata", "request_response"]
NodeKind = Literal["hardened", "config_line_commented_out", "config_line_present"]
Generation = Literal["1.34", "1.20"]


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence in both languages."""

    en: str
    zh: str


class Actor(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody with a network address of their own (a host of the range), or somebody inside a pod.

    Exactly one of `address` and `pod` is given.
    """

    role: Role
    address: str = ""  # IPv4 address of the actor's own host: nobody else uses it, so whatever comes from it is theirs
    pod: str = ""  # "namespace/name" or "namespace/prefix*": acts from that pod's network with that pod's token
    about: str = ""


class Credential(Struct, frozen=True, forbid_unknown_fields=True):
    """A client certificate.

    The cluster's CA signs it before the scenario starts, unless `signed` is false: then `{csr:NAME}` is the base64 of a
    certificate signing request for it, and the certificate is what a step keeps under the credential's own name.
    """

    user: str
    groups: tuple[str, ...] = ()
    signed: bool = True


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """One HTTPS request to the API server with curl; `{name}` in path, body and headers is a kept value."""

    path: str
    method: str = "GET"
    body: Any = None  # YAML, sent as JSON; or text as it is
    content: str = "application/json"  # Content-Type of the body
    agent: str = ""  # User-Agent; empty: curl's own
    headers: dict[str, str] = {}
    expect: tuple[int, ...] = ()  # HTTP status; empty: any 2xx


class Kubectl(Struct, frozen=True, forbid_unknown_fields=True):
    """One run of kubectl, `args` as in a shell; `manifest` goes to its standard input."""

    args: str
    manifest: str = ""
    expect: tuple[int, ...] = (0,)  # exit codes
    seconds: float = 60  # killed after that, which is no failure if -1 is expected


class KubeletRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """One HTTPS request to a node's port 10250, past the API server."""

    node: str
    path: str  # `{pod:namespace/prefix*}` is replaced by namespace/pod/container of the first pod that fits
    method: str = "GET"
    command: str = ""  # cmd of /run: a form field with Kubernetes 1.20, in the query with 1.34
    expect: tuple[int, ...] = ()
    seconds: float = 60


class NodeCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """A shell command on a node's host (as from ssh or an escaped container)."""

    node: str
    command: str
    background: bool = False  # keep it running until the range goes down
    expect: tuple[int, ...] = (0,)


class PodCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """A shell command inside a container through the runtime: what a compromised workload does by itself."""

    pod: str  # "namespace/name" or "namespace/prefix*"
    command: str
    background: bool = False
    expect: tuple[int, ...] = (0,)


class Until(Struct, frozen=True, forbid_unknown_fields=True):
    """Wait (as the range, unaudited identities excepted) until a JSON path of an object has a value."""

    path: str  # API path, GET as the range's own observer
    field: str  # dotted: "status.numberReady"; "" with value "exists" or "gone"
    value: str  # "present": any value that is not empty
    seconds: float = 90


class Step(Struct, frozen=True, forbid_unknown_fields=True, rename={"as_": "as"}):
    """One deed. Exactly one of the actions is given."""

    actor: str
    step: str = ""  # its name in the labels; steps of one name are one step. Empty: benign, or set-up
    request: Request | None = None
    kubectl: Kubectl | None = None
    kubelet: KubeletRequest | None = None
    node: NodeCommand | None = None
    pod: PodCommand | None = None
    until: Until | None = None
    # Credential: "anonymous", "admin", a name of `credentials`, "kept:NAME" (a bearer token), "pod" (the actor's own),
    # "serviceaccount:NAMESPACE/NAME" (a token the range asks for), "token:TEXT" (a made-up one)
    as_: str = ""
    # Name → dotted path in the JSON answer ("": the whole text; "items.default-token-*": the first object named so),
    # for `{name}` and kept:name in later steps
    keep: dict[str, str] = {}
    decode: bool = False  # kept values are base64 (as in a Secret's data)
    times: int = 1
    wait: float = 0  # seconds before the step
    between: float = 0  # seconds between repetitions


class Phase(Struct, frozen=True, forbid_unknown_fields=True):
    """Steps one after another."""

    name: str
    steps: tuple[Step, ...]
    wait: float = 0  # seconds before the phase


class ExpectedIncident(Struct, frozen=True, forbid_unknown_fields=True):
    """What an investigation has to name for one intruder. Requests, steps and times come from the labels."""

    actors: tuple[str, ...]  # who of `actors` is this one intruder
    entry_identity: str  # user name of the first thing that was allowed, "" if it cannot be known from the evidence
    entry_address: str
    root_causes: tuple[
        str, ...
    ] = ()  # any of these is right: "ClusterRoleBinding/name", "Credential/user", "Setting/name"
    identities: tuple[str, ...] = ()  # every user name used, the entry's too
    addresses: tuple[str, ...] = ()


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """The right answer."""

    incidents: tuple[ExpectedIncident, ...] = ()
    audit_log_silent: bool = False  # nothing of the attack can be in the audit log: only host evidence shows it
    why: str = ""


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """Audit lines of this phase are removed from the copy that is recorded."""

    phase: str


class Keeping(Struct, frozen=True, forbid_unknown_fields=True):
    """What of the evidence is handed over."""

    leave_out: tuple[str, ...] = ()  # globs below the evidence folder: "nodes/*/kubelet.log"
    gap: Gap | None = None
    rotate_kib: int = 0  # cut the audit log into rotated files of this size; 0: one file
    webhook: bool = False  # also the batches an audit webhook received: the same events in another shape
    host: bool = True  # processes, sockets, firewall, unit files, logs of the nodes


class Script(Struct, frozen=True, forbid_unknown_fields=True):
    """`scenario.yaml`."""

    title: Words
    about: Words
    actors: dict[str, Actor]
    phases: tuple[Phase, ...]
    expected: Expected = Expected()
    kind: Literal["attack", "benign"] = "attack"
    twin_of: str = ""  # the attack whose benign twin this is
    # What people run, or the generation of the incidents of 2020 to 2022: tokens of service accounts lie in Secrets,
    # the kubelet reads commands from forms, kubectl is of that time too.
    kubernetes: Generation = "1.34"
    nodes: dict[str, NodeKind] = field(default_factory=lambda: {"node1": "hardened"})
    policy: Policy = "recommended"
    credentials: dict[str, Credential] = {}
    background: tuple[str, ...] = ("operator", "ci", "kubectl_users", "probes", "helm", "node_agent")
    setup: tuple[Step, ...] = ()  # by the administrator before the background traffic begins
    calm: float = 25  # seconds of background traffic alone before the first phase
    settle: float = 5  # seconds of background traffic after the last phase
    keeping: Keeping = Keeping()


class Background(Struct, frozen=True, forbid_unknown_fields=True):
    """Ordinary traffic, a file of `range/background`: played in a loop beside the phases until the scenario ends."""

    about: str
    actors: dict[str, Actor]
    steps: tuple[Step, ...]
    every: float  # seconds from one round's start to the next
    credentials: dict[str, Credential] = {}
    setup: tuple[Step, ...] = ()  # once, after the scenario's own set-up


Form = TypeVar("Form", Script, Background)
_OWN = ipaddress.IPv4Network("10.77.0.0/24")  # control plane and nodes: range.network
BACKGROUNDS = Path(__file__).parent / "background"
ACTIONS = ("request", "kubectl", "kubelet", "node", "pod", "until")


class ScriptError(Exception):
    """A scenario that cannot be played; the message names file, line and what to do."""


def load(folder: Path) -> Script:
    """The script of the scenario in `folder`.

    Raises:
        ScriptError: no such file, not YAML, an unknown or missing field, a name that nothing defines.
    """
    path = folder / "scenario.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}; a scenario is a folder with a scenario.yaml") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error
    return parse(text, str(path))


def load_background(name: str) -> Background:
    """The ordinary traffic called `name`, a file of `range/background`.

    Raises:
        ScriptError: no such file, or it is not well formed.
    """
    path = BACKGROUNDS / f"{name}.yaml"
    try:
        text = path.read_text()
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in BACKGROUNDS.glob("*.yaml")))
        raise ScriptError(f"background {name!r}: there are {known}") from error
    background = _read(text, str(path), Background)
    places = [(f"setup[{number}]", step) for number, step in enumerate(background.setup)]
    places += [(f"steps[{number}]", step) for number, step in enumerate(background.steps)]
    problems = [f"{path}: {place}: {problem}" for place, step in places for problem in _step_problems(background, step)]
    if problems:
        raise ScriptError("\n".join(problems))
    return background


def together(script: Script, backgrounds: Iterable[Background]) -> tuple[dict[str, Actor], dict[str, Credential]]:
    """All actors and credentials of a scenario and its ordinary traffic.

    Raises:
        ScriptError: a name or an address means two things, so that labels would be wrong.
    """
    actors, credentials = dict(script.actors), dict(script.credentials)
    for background in backgrounds:
        taken = {actor.address for actor in actors.values() if actor.address}
        for name, actor in background.actors.items():
            if name in actors or actor.address in taken:
                raise ScriptError(f"background ({background.about}): its actor {name!r}, {actor.address}, is taken")
        for name, credential in background.credentials.items():
            if credentials.setdefault(name, credential) != credential:
                raise ScriptError(f"background ({background.about}): its credential {name!r} is taken")
        actors |= background.actors
    return actors, credentials


def parse(text: str, path: str) -> Script:
    """The script in `text`; `path` is for messages. Raises `ScriptError`."""
    script = _read(text, path, Script)
    problems = tuple(_problems(script))
    if problems:
        raise ScriptError("\n".join(f"{path}: {problem}" for problem in problems))
    return script


def _read(text: str, path: str, form: type[Form]) -> Form:
    try:
        node = yaml.compose(text, yaml.CSafeLoader)
        value = yaml.load(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScriptError(f"{path}:{line}: not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ScriptError(f"{path}:{line}: not YAML: {error.reason}") from error
    try:
        return convert(value, form, strict=True)
    except ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        where = where.rstrip("`") or "$"
        raise ScriptError(f"{path}:{_line(node, where, what)}: {what} (at {where})") from error


def _line(node: yaml.Node | None, where: str, what: str) -> int:
    """The line of the place `where` ("$.phases[0].steps[1]") in the YAML; of the unknown field `what` names, if one.

    msgspec does not name the entry of a mapping ("$.actors[...]"): it is the first in which `what` can be true.
    """
    nodes = [node] if node else []
    for part in re.findall(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)", where):
        inside = [child for one in nodes for child in _inside(one, *part)]
        if not inside:
            break
        nodes = inside
    unknown, lacking = (re.search(rf"{words} field `(.+)`", what) for words in ("unknown", "required"))
    for mapping in (one for one in nodes if isinstance(one, yaml.MappingNode)):
        keys: dict[object, int] = {key.value: key.start_mark.line + 1 for key, _ in mapping.value}
        if unknown and unknown[1] in keys:
            return keys[unknown[1]]
        if lacking and lacking[1] not in keys:
            return int(mapping.start_mark.line) + 1
    named = re.search(r"value '(.*)'", what)
    fits = [one for one in nodes if named and one.value == named[1]] or nodes
    line: int = fits[0].start_mark.line if fits else 0
    return line + 1


def _inside(node: yaml.Node, index: str, key: str) -> list[yaml.Node]:
    """What `node` has at an index, at a key, or ("...") at any key."""
    if isinstance(node, yaml.SequenceNode) and index.isdigit():
        return [node.value[int(index)]]
    if isinstance(node, yaml.MappingNode):
        return [value for name, value in node.value if index == "..." or name.value == key]
    return []


def _problems(script: Script) -> Iterator[str]:
    """What the types cannot say: names that nothing defines, steps with no action or two."""
    for name, actor in script.actors.items():
        if bool(actor.address) == bool(actor.pod):
            yield f"actors.{name}: give either address (a host of its own) or pod (acts from inside it)"
        if problem := _address_problem(actor.address):
            yield f"actors.{name}: {actor.address!r} {problem}"
    addresses = [actor.address for actor in script.actors.values() if actor.address]
    for address in sorted({address for address in addresses if addresses.count(address) > 1}):
        yield f"actors: {address} is given twice; an address is one actor's, or labels could not tell them apart"
    for incident in script.expected.incidents:
        for name in incident.actors:
            if name not in script.actors:
                yield f"expected.incidents: {name!r} is not one of actors"
            elif script.actors[name].role != "intruder":
                yield f"expected.incidents: {name!r} is not an intruder"
    phases = {phase.name for phase in script.phases}
    if script.keeping.gap and script.keeping.gap.phase not in phases:
        yield f"keeping.gap: no phase is called {script.keeping.gap.phase!r}"
    if script.keeping.gap and script.keeping.webhook:
        yield "keeping: a gap cuts the log, and webhook would keep what was cut; give one of them"
    places = [(f"setup[{number}]", step) for number, step in enumerate(script.setup)]
    places += [
        (f"phases[{index}] ({phase.name}).steps[{number}]", step)
        for index, phase in enumerate(script.phases)
        for number, step in enumerate(phase.steps)
    ]
    for place, step in places:
        yield from (f"{place}: {problem}" for problem in _step_problems(script, step))


def _kept(script: Script | Background) -> set[str]:
    """All names that steps keep something under."""
    played = [step for phase in getattr(script, "phases", ()) for step in phase.steps]
    return {name for step in (*script.setup, *played, *getattr(script, "steps", ())) for name in step.keep}


def _address_problem(address: str) -> str:
    """Why an actor's host cannot have `address`; empty if it can."""
    try:
        found = ipaddress.IPv4Address(address or "192.0.2.1")
    except ValueError:
        return "is no IPv4 address"
    if found in _OWN or address == FILE_SERVER:
        return f"is the range's own: {_OWN} is its nodes', {FILE_SERVER} its file server's"
    return ""


def _step_problems(script: Script | Background, step: Step) -> Iterator[str]:
    if step.actor not in script.actors:
        yield f"actor {step.actor!r} is not one of actors ({', '.join(sorted(script.actors))})"
        return
    given = [name for name in ACTIONS if getattr(step, name) is not None]
    if len(given) != 1:
        yield f"give exactly one of {', '.join(ACTIONS)}; here: {', '.join(given) or 'none'}"
    node = step.kubelet.node if step.kubelet else step.node.node if step.node else ""
    if node and node not in getattr(script, "nodes", {}):
        yield f"node {node!r} is not one of the scenario's nodes"
    kind, _, rest = step.as_.partition(":")
    if kind not in {"", "anonymous", "pod", "kept", "serviceaccount", "token", "admin", *script.credentials}:
        known = "anonymous, admin, pod, kept:NAME, serviceaccount:NAMESPACE/NAME or token:TEXT"
        yield f"as: {step.as_!r} is no credential; define it under credentials, or use {known}"
    wanted = rest if kind == "kept" else kind if kind in script.credentials else ""
    if (kind == "kept" or (wanted and not script.credentials[wanted].signed)) and wanted not in _kept(script):
        yield f"as: {step.as_!r}, but no step keeps anything as {wanted!r}"
    if kind == "serviceaccount" and "/" not in rest:
        yield "as: write serviceaccount:NAMESPACE/NAME"
    if kind == "pod" and not script.actors[step.actor].pod:
        yield f"as: pod is the token of an actor inside a pod, and {step.actor!r} is none"
    if script.actors[step.actor].role == "intruder" and not step.step and not step.until:
        yield "an intruder's deed needs a name (step:), or the labels could not be checked"
