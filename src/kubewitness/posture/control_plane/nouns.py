"""A component of the control plane and the ways it is started."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from kubewitness.model.posture import Where
from kubewitness.posture.control_plane.flags import Flag, Program

# The nearer to what runs, the earlier.
Kind = Literal["process", "pod", "manifest", "unit", "arguments file", "command line"]


class Start(Struct, frozen=True):
    """One place that tells how a component is, or would be, started."""

    program: Program
    instance: str  # the machine's name; empty: not told
    kind: Kind
    where: Where
    flags: dict[str, Flag]
    complete: bool = True  # False: the command line may say more than the evidence shows
    mounts: tuple[tuple[str, str], ...] = ()  # path in the container, path on the machine
    minor: int | None = None  # of its version, as its image says
    distribution: str = ""  # "K3s": some flags are set by it


class Given(Struct, frozen=True):
    """The value of a flag, and where it was read."""

    name: str
    value: str
    where: Where
    is_set: bool = True  # False: nothing sets it, this is the default
    by: str = ""  # "K3s": set by the distribution, not by anybody's words

    @property
    def truth(self) -> bool | None:
        """As a boolean."""
        return Flag(self.name, self.value, self.where).truth

    @property
    def unresolved(self) -> bool:
        """Whether the value is only known where the component runs."""
        return "$" in self.value

    @property
    def words(self) -> tuple[str, ...]:
        """As a list."""
        return tuple(word for one in self.value.split(",") if (word := one.strip()))


class Component(Struct, frozen=True):
    """A component as it is started on one machine."""

    program: Program
    instance: str
    starts: tuple[Start, ...]  # the one that counts first
    minor: int | None = None
    at_least: int = 0  # its minor version, where only its kubelet tells

    @property
    def subject(self) -> str:
        """As results name it."""
        return f"{self.program} {self.instance}".rstrip()

    @property
    def start(self) -> Start:
        """The one that counts: what runs, else what would."""
        return self.starts[0]

    def ask(self, name: str, default: str = "") -> Given | None:
        """The value of a flag; None if the evidence does not tell."""
        flag = self.start.flags.get(name)
        if flag is not None:
            by = self.start.distribution if not flag.where.text.startswith("--") else ""
            return Given(name, flag.value, flag.where, by=by)
        return Given(name, default, self.start.where, is_set=False) if self.start.complete else None

    def before(self, minor: int) -> bool | None:
        """Whether it is older than 1.`minor`; None if nothing tells."""
        if self.minor is not None:
            return self.minor < minor
        return False if self.at_least >= minor else None
