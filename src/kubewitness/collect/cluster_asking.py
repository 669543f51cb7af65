"""One request to a cluster while it is collected: patience with a busy server, every call into the manifest, and what
could not be had with its reason.

When nobody answers any more, the archive ends there (`GoneError`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from kubewitness.collect.archive import Archive
from kubewitness.kube.interface import (
    Answer,
    Api,
    ApiError,
    Busy,
    Call,
    Expired,
    Garbled,
    NotFound,
    NotLoggedIn,
    TimedOut,
    Unreachable,
)
from kubewitness.model.collection import Command, Omitted
from kubewitness.model.text import Text

PAGE: Final = 500
ATTEMPTS: Final = 3
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_SILENT: Final = 3  # requests in a row that nobody answered


@dataclass(frozen=True)
class Options:
    """How to collect. `now` and `pause` are injected for tests."""

    namespaces: tuple[str, ...] = ()  # only these; empty: all
    max_size: int = 2 * 1024**3
    page: int = PAGE
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep


Progress = Callable[[str, int], None]  # the member being written, objects in it so far


@dataclass
class State:
    """What the run has come to."""

    objects: int = 0
    redacted: int = 0
    missing: list[Omitted] = field(default_factory=list)  # what should be there and is not
    absent: list[Omitted] = field(default_factory=list)  # what this cluster does not have
    advice: list[Text] = field(default_factory=list)  # what to do about what is missing, each once
    silent: int = 0


class GoneError(Exception):
    """Nobody answers any more: no use in asking on."""


@dataclass
class Asking:
    """Whom to ask, and where what comes of it is written down."""

    api: Api
    archive: Archive
    options: Options
    progress: Progress
    state: State = field(default_factory=State)

    def note(self, call: Call, member: str = "") -> None:
        """A call into the manifest."""
        self.archive.command(Command(call.argv, call.exit_code, call.seconds, member, call.error[:400], call.timed_out))

    def ask(self, ask: Callable[[], Answer], member: str) -> bytes:
        """The body of the answer, with patience for a busy server.

        Raises:
            ApiError: it does not answer this.
            GoneError: it answers nothing any more.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = ask()
            except ApiError as error:
                if error.call:
                    self.note(error.call)
                if not isinstance(error, NotFound | Expired) and error.step not in self.state.advice:
                    self.state.advice.append(error.step)
                if isinstance(error, NotLoggedIn | Unreachable | TimedOut):
                    self.state.silent += 1
                    if self.state.silent >= _SILENT:
                        self.missing(member, error.happened.en)
                        raise GoneError from error
                if isinstance(error, Busy) and attempt < ATTEMPTS:
                    self.options.pause(attempt)
                    continue
                raise
            self.state.silent = 0
            self.note(answer.call, member)
            return answer.body
        raise AssertionError

    def get(self, path: str, member: str) -> bytes:
        """What is at a path of the API server; raises as `ask` does."""
        return self.ask(lambda: self.api.get(path), member)

    def missing(self, member: str, reason: str) -> None:
        """It should be there and is not."""
        self._omit(self.state.missing, member, reason)

    def absent(self, member: str) -> None:
        """This cluster does not have it."""
        self._omit(self.state.absent, member, "not served by this API server")

    def failed(self, member: str, error: ApiError, had: int = 0) -> None:
        """It is not there because of an error, after so many objects."""
        if isinstance(error, NotFound):
            self.absent(member)
        else:
            self.missing(member, f"{f'after {had} objects: ' if had else ''}{error.happened.en}")

    def garbled(self, member: str, what: str = "") -> None:
        """What came cannot be read."""
        self.missing(member, f"{what}: {Garbled().happened.en}" if what else Garbled().happened.en)

    def _omit(self, kept: list[Omitted], member: str, reason: str) -> None:
        omitted = Omitted(member, reason)
        self.archive.omit(omitted)
        kept.append(omitted)


def decoded(body: bytes) -> dict[str, Any]:
    """An object of JSON; raises one of `NOT_JSON`."""
    return msgspec.json.decode(body, type=dict[str, Any])
