"""What follows from the commands a collector ran: which ended how, and which packet filter really is empty.

`iptables-save` prints nothing where no table was ever made, and nothing where it failed. Its exit code tells them
apart: silence after success is an empty packet filter, silence or half a dump after a failure says nothing. Standard
error may warn that the other back end has tables, as the dump itself may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.model.collection import ROOT, Command
from kubewitness.model.evidence import Note, Place
from kubewitness.model.host import FileEntry, Firewall, Host
from kubewitness.sources.host.collected import Collection

_SAVE = re.compile(r"ip(6?)tables(?:-legacy|-nft)?-save")
_NOT_THERE: Final = 127
_OTHER_BACKEND: Final = "tables present"


def apply(collection: Collection, host: Host) -> list[Note]:
    """Tell the machine what its collector knows; returns what is to be said of it."""
    header = collection.header
    host.kernel, host.boot_id, host.collected = header.kernel, header.boot_id, header.started
    for command, _ in collection.commands:
        host.commands[" ".join(command.argv)[:1000]] = -1 if command.timed_out else command.exit_code
    host.copied += _copied(collection)
    return list(_filters(collection, host))


def _copied(collection: Collection) -> Iterator[FileEntry]:
    """The files of the machine that were copied, as they lay there."""
    for path, item in collection.items.items():
        if item.mode and path.startswith(f"{ROOT}/"):
            yield FileEntry(
                path.removeprefix(ROOT), Place(collection.top + path, 0, 0), size=item.size + item.cut, mode=item.mode,
                owner=item.owner, modified=item.modified,
            )  # fmt: skip


def _filters(collection: Collection, host: Host) -> Iterator[Note]:
    known = {dump.place.item for dump in host.firewalls}
    missing: list[tuple[str, Place]] = []
    answered = False
    for command, place in collection.commands:
        program = command.argv[0].rpartition("/")[2] if command.argv else ""
        save = _SAVE.fullmatch(program)
        if not save and not (program == "nft" and "ruleset" in command.argv):
            continue
        item = collection.top + command.path if command.path else ""
        cut = collection.items[command.path].cut if command.path in collection.items else 0
        if command.exit_code == _NOT_THERE:
            missing.append((program, place))
        elif command.exit_code or command.timed_out or cut:
            host.firewalls = [dump for dump in host.firewalls if not item or dump.place.item != item]
            text = f"{' '.join(command.argv)[:100]}: {_how(command)}, so it says nothing about the packet filter"
            yield Note(place, text)
        else:
            answered = True
            if save and item not in known:
                host.firewalls.append(_empty(command, "ip" + save[1], place))
    if missing and not answered:  # where one back end answered, tools of the other are rightly not there
        names = ", ".join(dict.fromkeys(program for program, _ in missing))
        yield Note(missing[0][1], f"not on this machine: {names}, so nothing is known about the packet filter")


def _how(command: Command) -> str:
    if command.timed_out:
        return "took too long"
    said = f" ({command.error.strip()[:120]})" if command.error.strip() else ""
    return f"ended with exit code {command.exit_code}{said}" if command.exit_code else "only a part was kept"


def _empty(command: Command, family: str, place: Place) -> Firewall:
    return Firewall(family, "iptables-save", place, other_backend=_OTHER_BACKEND in command.error)
