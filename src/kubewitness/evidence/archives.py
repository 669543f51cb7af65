"""Members of tar and zip archives, without extracting anything.

A member of a plain tar is a byte range of the archive; a compressed tar is first spooled to a nameless temporary file.
Names of members are labels and nothing else, so a traversing name ("../../etc/cron.d/x") has nothing to traverse.
Links, devices and sparse files are refused with a reason. The number of members and the size of a spool are bounded.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.evidence.stretch import Bytes, Stretch, ZipDirectory, ZipMember

MEMBERS: Final = 100_000
_ZIP_MAGIC: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Member:
    """One member, or the reason it cannot be read."""

    name: str
    content: Bytes | None
    refused: str = ""


def is_zip(head: bytes) -> bool:
    """A zip archive, by its first bytes."""
    return head.startswith(_ZIP_MAGIC)


def tar_members(archive: Stretch) -> Iterator[Member]:
    """The regular files of a tar archive in its own order; a damaged archive ends with a refusal."""
    count = 0
    try:
        with archive.file() as file, tarfile.open(fileobj=file, mode="r:", errors="replace") as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # the list would grow with the archive
                if info.isdir():
                    continue
                count += 1
                if count > MEMBERS:
                    yield Member("…", None, f"archive has more than {MEMBERS} members, the rest was not read")
                    return
                yield _tar_member(archive, info)
            file.seek(tar.offset)
            if file.read(512).strip(b"\0"):  # the reader stops at a bad header as if it were the end
                yield Member("…", None, f"tar archive damaged behind member {count}, the rest was not read")
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as problem:
        yield Member("…", None, f"tar archive damaged behind member {count}: {problem}")


def _tar_member(archive: Stretch, info: tarfile.TarInfo) -> Member:
    if info.issym() or info.islnk():
        return Member(info.name, None, f"link inside an archive (to {info.linkname}), not followed")
    if not info.isreg():
        return Member(info.name, None, "special file inside an archive, not read")
    if info.issparse():
        return Member(info.name, None, "sparse file inside an archive, not supported")
    content = archive.part(info.offset_data, info.size)
    if content.size < info.size:
        return Member(info.name, content, f"archive ends inside this member: {content.size} of {info.size} bytes")
    return Member(info.name, content)


def zip_members(archive: Stretch) -> Iterator[Member]:
    """The files of a zip archive in its own order."""
    try:
        directory = ZipDirectory(archive)
        infos = directory.opened().infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        yield Member("…", None, f"zip archive damaged: {problem}")
        return
    for index, info in enumerate(infos):
        if index >= MEMBERS:
            yield Member("…", None, f"archive has more than {MEMBERS} members, the rest was not read")
            return
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            yield Member(info.filename, None, "encrypted zip member, not read")
        elif info.file_size > 100 * 1024 * 1024 and info.file_size > 1000 * max(info.compress_size, 1):
            yield Member(info.filename, None, "zip member inflates more than a thousandfold, not read")
        else:
            yield Member(info.filename, ZipMember(directory, index, info.file_size))
