"""Files of single processes, put together to processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import ParseFailure
from kubewitness.model.host import Process
from kubewitness.sources.host.cgroups import Executable
from kubewitness.sources.host.formats import BY_KIND
from tests.sources.host.reading import CID, context, folder, lines, only

POD = "7ed4aa24-da57-4fed-90f1-ec6c083b099c"
MAPS = (
    "55d0c0a00000-55d0c0b00000 r-xp 00000000 fd:00 50360451                   /var/tmp/.system (deleted)\n"
    "7f1200000000-7f1200001000 r-xp 00000000 00:05 77  /memfd:x (deleted)\n"
    "7f1300000000-7f1300001000 rw-p 00000000 00:05 78  /tmp/data (deleted)\n"
    "7f1400000000-7f1400001000 rwxp 00000000 00:00 0 \n7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]\n"
)
STATUS = "Name:\t.sys\\ntem\nUmask:\t0022\nPPid:\t77\nUid:\t0\t0\t0\t0\nNSpid:\t4411\t7\nCapEff:\t000001ffffffffff\n"
FILES = {
    "cmdline": "./.system\0-o\0pool.example:3333\0",
    "environ": "PATH=/bin\0LD_PRELOAD=/tmp/x.so\0broken\0",
    "status": STATUS,
    "maps": MAPS,
    "cgroup": f"12:pids:/x\n4:memory:/kubepods/pod{POD}/{CID}\n0::/\n",
    "fd": "total 0\n"
    "lrwx------ 1 root root 64 Nov 22 06:11 9 -> socket:[40731]\nlr-x------ 1 r r 64 Nov 22 06:11 0 -> /dev/null\n",
    "stack": "[<0>] do_wait+0x1\n",
    "net/unix": "Num RefCount\n",
}
LINKS = (
    "lrwxrwxrwx 1 root root 0 Nov 22 06:11 /proc/4411/cwd -> /var/tmp\nls: cannot read symbolic link '/proc/1/cwd'\n"
)
EXE = "lrwxrwxrwx 1 root root 0 Nov 22 06:11 /proc/4411/exe -> /var/tmp/.system (deleted)\n"
SS = "LISTEN 0 5 *:10250 *:*\nESTAB 0 0 10.0.0.5:45112 203.0.113.33:3333 ino:40731 sk:1\n"


def check(process: Process) -> None:
    assert (process.command, process.argv) == (
        "./.system -o pool.example:3333",
        ("./.system", "-o", "pool.example:3333"),
    )
    assert (process.pid, process.ppid, process.user, process.capabilities) == (4411, 77, "root", "000001ffffffffff")
    assert process.environment == ("PATH=/bin", "LD_PRELOAD=/tmp/x.so")
    assert process.deleted_maps == ("/var/tmp/.system (deleted)", "/memfd:x (deleted)")
    assert (process.container, process.pod_uid, process.name) == (CID, POD, ".sys\\ntem")


def test_the_files_of_an_archive_of_uac_make_one_process(tmp_path: Path) -> None:
    top = "uac-w-linux-20240323150000/live_response/"
    files = {f"{top}process/proc/4411/{name}.txt": text for name, text in FILES.items()}
    files |= {
        f"{top}process/proc/4411/environ.txt": FILES["environ"].replace("\0", "\n"),
        f"{top}process/ls_-l_proc_pid_cwd.txt": LINKS,
        f"{top}process/running_processes_full_paths.txt": EXE,
        f"{top}process/hash_running_processes.sha256": f"{'AB' * 32}  /proc/4411/exe\n",
        f"{top}process/hash_running_processes.md5": f"{'ab' * 16}  /proc/4411/exe\n",
        f"{top}process/ps_auxwww.txt": "USER PID START COMMAND\nroot 4411 03:12 ./.system -o pool.example:3333\n",
        f"{top}network/ss_-anpe.txt": SS,
    }
    evidence = folder(tmp_path, files)
    host = only(evidence)
    [process] = host.processes
    check(process)
    assert (process.cwd, process.executable, process.sha256) == ("/var/tmp", "/var/tmp/.system (deleted)", "ab" * 32)
    assert [socket.owners for socket in host.sockets] == [(), ((".sys\\ntem", 4411),)]
    assert (evidence.failures, host.files) == ([], [])


def test_a_copy_of_proc_makes_the_same(tmp_path: Path) -> None:
    [process] = only(folder(tmp_path, {f"copy/proc/4411/{name}": text for name, text in FILES.items()})).processes
    check(process)


def test_a_process_of_which_only_the_name_is_known_goes_by_it(tmp_path: Path) -> None:
    files = {"copy/proc/2/status": "Name:\tkthreadd\nPPid:\t0\nUid:\t0\t0\t0\t0\n", "copy/proc/2/cmdline": ""}
    [process] = only(folder(tmp_path, files)).processes
    assert (process.pid, process.command, process.ppid) == (2, "kthreadd", 0)


def test_sections_of_a_list_name_their_processes() -> None:
    text = (
        "/proc/1:\ntotal 0\n"
        "lrwxrwxrwx 1 root root 0 Nov 22 06:11 cwd -> /\n-r-------- 1 root root 0 Nov 22 06:11 environ\n"
        "\n/proc/4411:\nlrwxrwxrwx 1 root root 0 Nov 22 06:11 exe -> /memfd:x (deleted)\n"
    )
    facts = list(BY_KIND["process links"].read(lines(text), context()))
    assert [
        (one.pid, one.cwd if isinstance(one, Process) else one.path)
        for one in facts
        if isinstance(one, Process | Executable)
    ] == [(1, "/"), (4411, "/memfd:x (deleted)")]


def test_a_command_line_with_line_ends_in_it_stays_one() -> None:
    item = "copy/proc/7/cmdline"
    [one] = BY_KIND["process file"].read(lines("sh\0-c\0a\n\n\nb\0\0", item), context(item))
    assert isinstance(one, Process)
    assert one.argv == ("sh", "-c", "a\n\n\nb")


@pytest.mark.parametrize(("name", "text"), [("status", "hello\n"), ("maps", "hello\n"), ("cgroup", "hello\n")])
def test_what_is_no_such_file_is_a_failure(name: str, text: str) -> None:
    item = f"copy/proc/7/{name}"
    facts = list(BY_KIND["process file"].read(lines(text, item), context(item)))
    assert [type(one) for one in facts] == [ParseFailure]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("copy/proc/7/cmdline", "process file"),
        ("u/[root]/tmp/proc/7/cmdline", "other file"),
        ("copy/proc/self/cmdline", ""),
        ("copy/process/7/cmdline", ""),
    ],
)
def test_only_below_proc_are_files_of_processes(tmp_path: Path, name: str, kind: str) -> None:
    assert list(folder(tmp_path, {name: "sh\0-c\0id\0"}).items.values()) == ([kind] if kind else [])


@given(st.sampled_from(sorted(FILES)), st.text(max_size=200))
def test_no_content_breaks_a_reader(name: str, text: str) -> None:
    item = f"copy/proc/7/{name}"
    list(BY_KIND["process file"].read(lines(text, item), context(item)))
