"""Recurring activities in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from scenarios.synthetic.wire import SECOND, Log

Action = Callable[[int], None]  # does something at a time (microseconds)


class Clock:
    """Recurring activities in time order."""

    def __init__(self, log: Log, start: int) -> None:
        self.log, self.now = log, start
        self._heap: list[tuple[int, int, float, float, Action]] = []
        self._count = 0

    def every(self, seconds: float, action: Action, jitter: float = 0.1) -> None:
        """Do `action` each `seconds`, give or take the share `jitter`; the first time somewhere in the first period."""
        self._push(self.now + int(self.log.rng.random() * seconds * SECOND), seconds, jitter, action)

    def cron(self, minutes: int, action: Action) -> None:
        """Do `action` each so many minutes, on the minute, as the CronJob controller does."""
        first = self.now // (60 * SECOND) + self.log.rng.randrange(minutes)
        self._push(first * 60 * SECOND + 300_000, minutes * 60, 0, action)

    def once(self, at: int, action: Action) -> None:
        """Do `action` at a time."""
        self._push(at, 0, 0, action)

    def _push(self, at: int, seconds: float, jitter: float, action: Action) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, seconds, jitter, action))

    def run(self, end: int, step: int = SECOND) -> Iterator[str]:
        """Lines until `end`, in order."""
        random = self.log.rng.random
        while self.now < end:
            self.now = min(self.now + step, end)
            while self._heap[0][0] < self.now:
                at, _, seconds, jitter, action = heapq.heappop(self._heap)
                action(at)
                if seconds:
                    self._push(at + int(seconds * SECOND * (1 + jitter * (2 * random() - 1))), seconds, jitter, action)
            yield from self.log.until(self.now)
