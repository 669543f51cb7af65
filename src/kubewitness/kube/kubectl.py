"""The API through the caller's own kubectl: `kubectl get --raw PATH`.

So every login works as it does for the caller (certificates, plugins, proxies, contexts), and `get` can only read.
kubectl is told everything explicitly and its preferences file is switched off, for that could turn a listing of names
into one of contents. It keeps its cache in a folder of ours that is removed afterwards and writes nowhere else.

Names come from kubectl's ordinary listing: for it the API server sends a Table with the printed columns and the
metadata of each object, never `data` (`includeObject=Metadata` is the server's default; kubectl asks for more only to
sort). `-o name` and `-o custom-columns` would bring whole objects to this machine.

What went wrong is told from kubectl's last words; its own are not translated.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from kubewitness.kube.interface import (
    Answer,
    ApiError,
    Busy,
    Call,
    Expired,
    Forbidden,
    Garbled,
    KubectlMissing,
    NotConfigured,
    NotFound,
    NotLoggedIn,
    TimedOut,
    TooLarge,
    Unreachable,
    Whereabouts,
)

MOST: Final = 64 * 1024 * 1024  # bytes of one answer
_COMPLAINT: Final = 16 * 1024  # bytes kept of standard error
_SAID: Final = 400
_LOGIN: Final = 15.0  # seconds more than the request has: a login plugin may run before it
_PATH = re.compile(r"/[A-Za-z0-9/._~:?&=%,+-]{0,8000}")  # what --raw takes and a shell would leave alone

# Asked in this order: kubectl puts the server's reason into brackets, and its own complaints into fixed words.
_MEANINGS: Final[tuple[tuple[re.Pattern[str], type[ApiError]], ...]] = (
    (re.compile(r"must be logged in|\(Unauthorized\)|getting credentials|Please enter Username"), NotLoggedIn),
    (re.compile(r'\(Forbidden\):.{0,300}"system:anonymous"'), NotLoggedIn),
    (re.compile(r"\(Forbidden\)"), Forbidden),
    (re.compile(r"\((?:NotFound|MethodNotAllowed)\)|the server doesn't have a resource type"), NotFound),
    (re.compile(r"\((?:Expired|Gone)\)|continue parameter is too old"), Expired),
    (re.compile(r"\((?:TooManyRequests|ServiceUnavailable|InternalError|Timeout|ServerTimeout)\)"), Busy),
    (
        re.compile(
            r"Client\.Timeout|context deadline exceeded|i/o timeout|TLS handshake timeout|net/http: request canceled"
        ),
        TimedOut,
    ),
    (re.compile(r"connection to the server localhost:8080 was refused"), NotConfigured),
    (
        re.compile(
            r"error: (?:context |stat |no configuration|invalid configuration|error loading config|cluster )"
            r"|error: .{0,80}(?:no such file|permission denied|unmarshal)"
        ),
        NotConfigured,
    ),
    (re.compile(r"was refused|Unable to connect|x509:|dial tcp|no such host|error: EOF"), Unreachable),
)


class _Named(msgspec.Struct):
    name: str = ""
    context: dict[str, object] = {}
    cluster: dict[str, object] = {}


class _View(msgspec.Struct, rename={"current": "current-context"}):
    """What `kubectl config view --minify` prints; credentials are left out by kubectl."""

    current: str = ""
    contexts: list[_Named] | None = None
    clusters: list[_Named] | None = None


class Kubectl:
    """An `Api`; a context manager, for kubectl's cache folder."""

    def __init__(
        self,
        program: str = "kubectl",
        *,
        kubeconfig: Path | None = None,
        context: str = "",
        timeout: float = 60.0,
        most: int = MOST,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Find kubectl.

        Args:
            program: A name on the path, or a path.
            kubeconfig: Instead of the one kubectl would take.
            context: Instead of the current one.
            timeout: Seconds a request may take.
            most: Bytes an answer may have.
            environment: kubectl's.

        Raises:
            KubectlMissing: there is no such program.
            NotConfigured: the kubeconfig is no file.
        """
        found = shutil.which(program, path=environment.get("PATH"))
        if found is None:
            raise KubectlMissing("" if program == "kubectl" else _inert(program))
        if kubeconfig is not None and not kubeconfig.is_file():
            raise NotConfigured(f"{_inert(str(kubeconfig))} is no file")
        self._program, self._timeout, self._most = found, timeout, most
        self._environment = {**environment, "KUBECTL_KUBERC": "false"}
        self._which = tuple(
            f"--{name}={value}" for name, value in (("kubeconfig", kubeconfig), ("context", context)) if value
        )
        self._cache: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._cache = tempfile.TemporaryDirectory(prefix="kubewitness-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._cache:
            self._cache.cleanup()

    def whereabouts(self) -> Whereabouts:
        """See `Api`."""
        try:
            view = msgspec.json.decode(self._run("config", "view", "--minify", "--output=json").body, type=_View)
        except (ApiError, msgspec.DecodeError, UnicodeDecodeError):  # inside a pod there is none, and it works
            return Whereabouts()
        context = next((one.context for one in view.contexts or () if one.name == view.current), {})
        server = next((one.cluster.get("server") for one in view.clusters or ()), "")
        return Whereabouts(
            cluster=_inert(str(context.get("cluster", ""))),
            server=_inert(re.sub(r"//[^/@]{0,500}@", "//", str(server or ""))),
            context=_inert(view.current),
            user=_inert(str(context.get("user", ""))),
        )

    def get(self, path: str) -> Answer:
        """See `Api`."""
        if not _PATH.fullmatch(path):
            raise ValueError(f"no path of an API: {path!r}")
        return self._run("get", f"--raw={path}", f"--request-timeout={self._timeout:.0f}s")

    def names(self, resource: str, namespace: str = "") -> Answer:
        """See `Api`."""
        where = f"--namespace={namespace}" if namespace else "--all-namespaces"
        return self._run(
            "get", resource, where, "--output=wide", "--no-headers", "--show-labels", "--server-print=true",
            "--chunk-size=500", f"--request-timeout={self._timeout:.0f}s",
        )  # fmt: skip

    def _run(self, *words: str) -> Answer:
        cache = (f"--cache-dir={self._cache.name}",) if self._cache else ()
        argv = (self._program, *self._which, *cache, *words)
        started = time.monotonic()
        body, complaint = bytearray(), bytearray()
        late = threading.Event()
        try:
            process = subprocess.Popen(  # noqa: S603 -- the caller's own kubectl, without a shell
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=self._environment, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise KubectlMissing(_inert(f"{self._program}: {error.strerror}")) from error
        assert process.stdout
        assert process.stderr

        def stop() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self._timeout + _LOGIN, stop)
        reader = threading.Thread(target=_keep_end, args=(process.stderr, complaint), daemon=True)
        timer.start()
        reader.start()
        try:
            while len(body) <= self._most and (chunk := process.stdout.read1(1024 * 1024)):  # type: ignore[attr-defined]
                body += chunk
            if len(body) > self._most:
                _kill(process)
            process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            reader.join(5)
            process.stdout.close()
            process.stderr.close()
        said = _last_words(bytes(complaint))
        # `--cache-dir` names a folder that is gone afterwards: no part of the command a person would repeat
        shown = tuple(word for word in argv if word not in cache)
        call = Call(shown, process.returncode, round(time.monotonic() - started, 3), said, late.is_set())
        if len(body) > self._most:
            raise TooLarge(f"more than {self._most // (1024 * 1024)} MiB", call)
        if late.is_set():
            raise TimedOut(said, call)
        if process.returncode:
            raise meaning(said, bytes(body[:200]))(said, call)
        return Answer(bytes(body), call)


def meaning(said: str, printed: bytes = b"") -> type[ApiError]:
    """The error that kubectl's last words stand for; what it had printed before tells of a question it asked."""
    text = f"{said}\n{printed.decode('utf-8', 'replace')}"
    for pattern, error in _MEANINGS:
        if pattern.search(text):
            return error
    return Garbled if said.startswith("Error from server") else ApiError


def _keep_end(stream: IO[bytes], kept: bytearray) -> None:
    with suppress(OSError, ValueError):
        while chunk := stream.read1(4096):  # type: ignore[attr-defined]
            kept += chunk
            del kept[:-_COMPLAINT]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started; a login plugin would keep its pipes open."""
    if process.returncode is None:  # not waited for: its number cannot be somebody else's yet
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _last_words(complaint: bytes) -> str:
    """The error out of warnings, lines of its log and advice."""
    lines = [line.strip() for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[Ee]rror|Unable to|The connection|You must", line)]
    return _inert((errors or lines or [""])[-1])


def _inert(text: str) -> str:
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:_SAID])
    return shown if len(text) <= _SAID else f"{shown[:_SAID]}…"
