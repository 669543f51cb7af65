"""What rule files were read into, kept between runs: reading Sigma takes longer than all else a start does.

An entry is one file in the user's cache folder, a digest and MessagePack that is decoded into the exact types asked
for: no code can come out of it. Its name is a hash of everything it follows from: the rule files' paths and contents,
this package's code, the versions of Python and of the libraries that read rules. An entry that is damaged, of another
shape or writable by somebody else is as good as none, and a folder that cannot be written to costs nothing but time.

`KUBEWITNESS_CACHE` names another folder; set to nothing, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kubewitness import __version__

T = TypeVar("T")
_ENTRIES = 12  # kept; the oldest go
_SUFFIX = ".rules"
_DIGEST = hashlib.sha256().digest_size
_PACKAGE = Path(__file__).parents[1]
_READERS = ("model", "rules", "rules/features")  # the packages whose code decides what a rule file becomes


def remembered(paths: Sequence[Path], about: str, shape: type[T], make: Callable[[], T | None], fallback: T) -> T:
    """What `make` makes of the files at `paths`, from an earlier run if nothing has changed.

    Args:
        paths: all files that `make` reads.
        about: what else it depends on.
        shape: the type of the result; msgspec must be able to write it and to read it back equal.
        make: makes it; None: not fit to be kept.
        fallback: the result if `make` gives None.
    """
    folder = cache_folder()
    place = folder / f"{key_of(paths, about)}{_SUFFIX}" if folder else None
    if place:
        with suppress(OSError, ValueError, msgspec.MsgspecError):
            return msgspec.msgpack.decode(_read(place), type=shape, dec_hook=_decode_path)
    made = make()
    if made is None:
        return fallback
    if place:
        with suppress(OSError, TypeError, ValueError, msgspec.MsgspecError):
            _write(place, msgspec.msgpack.encode(made, enc_hook=str))
    return made


def cache_folder() -> Path | None:
    """Where entries lie; None if nothing shall be kept."""
    named = os.environ.get("KUBEWITNESS_CACHE")
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME", "")
    with suppress(RuntimeError):  # no home
        return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "kubewitness"
    return None


def key_of(paths: Sequence[Path], about: str) -> str:
    """Hash of everything a result follows from."""
    key = hashlib.sha256(_program())
    for text in (about, *map(str, paths)):
        key.update(f"{len(text)} {text}".encode("utf-8", "surrogateescape"))
    for path in paths:
        content = b"-"
        with suppress(OSError):  # whoever reads it will say so
            content = path.read_bytes()
        key.update(b"%d " % len(content) + content)
    return key.hexdigest()[:40]


@cache
def _program() -> bytes:
    """This program and the libraries beside it. Its own code by size and time: it changes without a new version."""
    installed = {Path(msgspec.__file__).parents[1], _PACKAGE.parent}
    versions = sorted(path.name for folder in installed for path in folder.iterdir() if path.name.endswith("-info"))
    code = sorted(path for package in _READERS for path in (_PACKAGE / package).glob("*.py"))
    files = [f"{path} {info.st_size} {info.st_mtime_ns}" for path in code if (info := path.stat())]
    return "\n".join([__version__, sys.version, *versions, *files]).encode("utf-8", "surrogateescape")


def _read(place: Path) -> bytes:
    """The entry's content. Raises ValueError if it is not whole or not ours alone."""
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - Path.open follows links
        info = os.fstat(file.fileno())
        if info.st_uid != os.geteuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError("somebody else may have written it")
        data = file.read()
    if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
        raise ValueError("not as it was written")
    return data[_DIGEST:]


def _write(place: Path, content: bytes) -> None:
    """Complete or not at all, readable by its owner only."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=_SUFFIX, dir=place.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(hashlib.sha256(content).digest() + content)
        Path(name).replace(place)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    entries = sorted(place.parent.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in entries[_ENTRIES:]:
        old.unlink(missing_ok=True)


def _decode_path(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"no {wanted.__name__} is kept")
