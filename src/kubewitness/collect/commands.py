"""Commands run on the machine: with a fixed path and language, without input, within a time, and never from its folder.

What a command prints is a second opinion beside what was read from the kernel, and on a machine somebody else had, no
more than that: `ps` may have been replaced. So its exit code and the beginning of its errors are kept with it. A
command that takes too long is ended with everything it started.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kubewitness.collect.secrets import Redactor

PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/opt/bin:/var/lib/rancher/rke2/bin"
_ENVIRONMENT: Final = {
    "PATH": PATH, "LC_ALL": "C", "LANG": "C", "HOME": "/", "TERM": "dumb", "PAGER": "cat",
    "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "COLUMNS": "10000",
}  # fmt: skip
_ERROR: Final = 2000
MISSING: Final = 127


@dataclass
class Running:
    """A command while it runs and after: iterate over it for what it prints.

    Attributes:
        exit_code: 127 if it is not there, 124 if its time ran out, minus the number of the signal that ended it.
        cut: It printed more than was wanted.
    """

    argv: tuple[str, ...]
    timeout: float
    limit: int
    stopped: Callable[[], bool] = lambda: False
    exit_code: int = MISSING
    seconds: float = 0.0
    timed_out: bool = False
    cut: bool = False
    redacted: int = 0
    error: str = field(default="")

    def __iter__(self) -> Iterator[bytes]:
        """Its standard output, secrets overwritten."""
        redactor = Redactor(configuration=self.argv[0] in {"systemctl", "ps"})
        yield from redactor.chunks(self._raw())
        self.redacted = redactor.count

    def _raw(self) -> Iterator[bytes]:
        program = shutil.which(self.argv[0], path=PATH)
        if program is None:
            self.error = "not installed"
            return
        begun = time.monotonic()
        try:
            process = subprocess.Popen(  # noqa: S603 - fixed commands, no shell
                [program, *self.argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=_ENVIRONMENT, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self.exit_code, self.error = 126, error.strerror or str(error)
            return
        try:
            yield from self._printed(process, begun + self.timeout)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self.seconds = round(time.monotonic() - begun, 3)
        self.exit_code = 124 if self.timed_out else 0 if self.cut else process.returncode

    def _printed(self, process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
        assert process.stdout
        assert process.stderr
        errors, printed = b"", 0
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            ready.register(process.stderr, selectors.EVENT_READ)
            while ready.get_map():
                left = deadline - time.monotonic()
                if left <= 0 or self.stopped():
                    self.timed_out = True
                    break
                for key, _ in ready.select(min(left, 0.5)):
                    data = os.read(key.fd, 256 * 1024)
                    if not data:
                        ready.unregister(key.fileobj)
                    elif key.fileobj is process.stderr:
                        errors = (errors + data)[:_ERROR]
                    else:
                        data = data[: self.limit - printed]
                        printed += len(data)
                        yield data
                        if printed >= self.limit:
                            self.cut = True
                            self.error = _shown(errors)
                            return
        while not self.timed_out and not _ended(process.pid):
            self.timed_out = time.monotonic() > deadline or self.stopped()
            time.sleep(0.005)
        self.error = _shown(errors)


def _ended(pid: int) -> bool:
    """It has ended; not yet reaped, so that its number is no other's while its group is ended."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _shown(errors: bytes) -> str:
    return Redactor(configuration=True).whole(errors).decode("utf-8", "backslashreplace").strip()


def member(part: str, argv: Sequence[str]) -> str:
    """Where in the archive the output of a command stands."""
    name = re.sub(r"[^A-Za-z0-9.,=@+-]+", "_", "_".join(argv)).strip("_")
    return f"live_response/{part}/{name[:140]}.txt"
