"""Programs in hidden places and forged kernel threads."""

from __future__ import annotations

from typing import Any

import pytest

from kubewitness.model.host import Host
from tests.detect.host.making import found, host, process


@pytest.mark.parametrize(
    ("command", "executable"),
    [
        ("./.system", ""),
        ("./.system", "/var/tmp/.system"),
        ("web", "/usr/bin/.sshd"),
        ("/var/tmp/.../httpd", ""),
        ("/dev/shm/.x/kworker", ""),
        ("[kworker/0:1]", "/memfd:x (deleted)"),
        ("nginx", "/tmp/pause (deleted)"),
        ("/usr/bin/../../tmp/.a", ""),
    ],
)
def test_a_hidden_program_is_an_intrusion(command: str, executable: str) -> None:
    (finding,) = found(Host("n", processes=[process(command, executable=executable)]), "hidden_program_running")
    assert (finding.severity, finding.kind) == ("high", "intrusion")


def test_a_program_in_a_temporary_folder_is_less() -> None:
    (finding,) = found(host("/tmp/installer --unpack"), "hidden_program_running")
    assert (finding.severity, finding.kind) == ("medium", "activity")


@pytest.mark.parametrize(
    ("command", "executable"),
    [
        ("/usr/bin/dbus-daemon --system", "/usr/bin/dbus-daemon (deleted)"),  # an upgrade
        ("runc init", "/memfd:runc_cloned:/proc/self/exe (deleted)"),
        ("/proc/self/exe init", "/memfd:runc_cloned:/proc/self/exe (deleted)"),
        ("/root/.vscode-server/bin/node server.js", ""),
        ("/home/a/.local/bin/tool", ""),
        ("/tmp/go-build1234/b001/exe/main", ""),
        ("/tmp/.mount_AppXYZ/AppRun", ""),
        ("/nix/store/abc-foo/bin/.foo-wrapped", ""),
        ("./tests.sh", ""),
        ("-bash", ""),
        ("find /tmp -name .x", ""),
        ("vi /tmp/.notes", ""),
        ("sh -c while true; do echo hello; sleep 5; done", ""),
        ("java -jar /tmp/app.jar", ""),
    ],
)
def test_usual_programs_are_not_hidden(command: str, executable: str) -> None:
    assert not found(Host("n", processes=[process(command, executable=executable)]), "hidden_program_running")


def test_a_program_in_memory_is_less_on_the_host_than_in_a_container() -> None:
    executable = "/memfd:sealed (deleted)"
    here, inside = process("agent", executable=executable), process("agent", executable=executable, container="aa" * 32)
    severities = [f.severity for f in found(Host("n", processes=[here, inside]), "hidden_program_running")]
    assert severities == ["high", "medium"]


def test_a_deleted_program_outside_of_packages_is_low() -> None:
    (finding,) = found(Host("n", processes=[process("./a", executable="/root/a (deleted)")]), "hidden_program_running")
    assert finding.severity == "low"


@pytest.mark.parametrize(
    "more", [{"ppid": 380}, {"executable": "/usr/bin/python3"}, {"ppid": 1}, {"container": "aa" * 32}]
)
@pytest.mark.parametrize("command", ["[kworker/0:1]", "[kworker/08:15-events]", "[ksoftirqd/3]", "[bioset]"])
def test_a_kernel_thread_with_another_parent_or_an_executable_is_forged(command: str, more: dict[str, Any]) -> None:
    (finding,) = found(Host("n", processes=[process(command, **more)]), "kernel_thread_forged")
    assert finding.severity == "high"


@pytest.mark.parametrize(
    ("command", "ppid"),
    [
        ("[kworker/0:1]", 2),
        ("[kthreadd]", 0),
        ("[kworker/0:1]", -1),  # the list has no such column
        ("[sh] <defunct>", 380),
        ("[kworker/0:1] <defunct>", 380),
        ("[runc:[2:INIT]]", 900),
        ("[sshd]", 900),
        ("[celeryd: worker]", 900),
    ],
)
def test_kernel_threads_zombies_and_others_in_brackets_are_not_forged(command: str, ppid: int) -> None:
    assert not found(Host("n", processes=[process(command, ppid=ppid)]), "kernel_thread_forged")


def test_kthreadd_may_have_another_number() -> None:
    processes = [process("[kthreadd]", pid=5, ppid=1), process("[kworker/0:1]", ppid=5)]
    assert not [f for f in found(Host("n", processes=processes), "kernel_thread_forged") if "kworker" in f.subject]
