"""Where results go: standard output, a file, a case folder.

Reports and evidence are sensitive (object names, request bodies, addresses), so files are made readable by their owner
only, completely or not at all: written beside their place and moved there. A reader that closes the pipe early (`head`)
ends nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from kubewitness.cli.session import Session
from kubewitness.model.errors import KubewitnessError, UsageError


def is_stdout(path: Path) -> bool:
    """The two usual names for standard output."""
    return str(path) in {"-", "/dev/stdout"}


def screen() -> tuple[int, bool]:
    """Columns, and whether to colour: as the window is if a person sees it; else 100 (or COLUMNS) and plain."""
    width = shutil.get_terminal_size((100, 50)).columns
    return width, sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def to_stdout(data: bytes) -> None:
    """Bytes to standard output, quiet if nobody reads them any more.

    Raises:
        KubewitnessError: they could not be written, as to a disk that is full.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)  # UTF-8 whatever the locale says
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _drop_the_rest()
    except OSError as error:
        _drop_the_rest()
        raise KubewitnessError(f"standard output could not be written: {error.strerror or error}") from error


def _drop_the_rest() -> None:
    """The interpreter flushes once more when it exits; give it something that takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_writable(path: Path) -> None:
    """Refuse a place that cannot work before hours of reading, not after.

    Raises:
        UsageError: the folder is missing or not writable, or the path is a folder.
    """
    if is_stdout(path):
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it, or use --case {path}")
    check_folder(path)
    target = path if path.exists() and not path.is_file() else path.parent
    if not os.access(target, os.W_OK):
        raise UsageError(f"{path} cannot be written: permission denied")


def check_folder(path: Path) -> None:
    """Refuse a place in no folder.

    Raises:
        UsageError: what should be its folder is not there, or is a file.
    """
    if not path.parent.is_dir():
        above = next((one for one in path.parents if os.path.lexists(one)), Path())  # "." or "/" at last
        if above.is_dir():
            raise UsageError(f"{path}: the folder {path.parent} does not exist")
        raise UsageError(f"{path}: {above} is a file, not a folder")


def to_file(path: Path, data: bytes, session: Session, *, follow: bool = True) -> None:
    """Bytes to a file that only its owner reads, completely or not at all; `follow` a link that stands there or not.

    Raises:
        KubewitnessError: it could not be written.
    """
    try:
        if follow and (path.is_symlink() or (path.exists() and not path.is_file())):
            path.write_bytes(data)  # a device or a link is a wish of its own; moving a file over it would replace it
        else:
            _replace(path, data)
    except OSError as error:
        raise KubewitnessError(f"{path} could not be written: {error.strerror or error}") from error
    session.written.append(str(path))


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600, never an existing file
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
