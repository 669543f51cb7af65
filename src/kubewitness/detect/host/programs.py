"""Programs that run from where no program belongs, or under a name that is not theirs.

A deleted executable alone says little: every upgrade leaves some. Where it lay decides, or that it never lay anywhere
(`/memfd:`). Kernel threads are children of process 2 (kthreadd, itself a child of 0) and have no executable; whoever
shows `[kworker/0:1]` otherwise wrote that name himself. `ps` also puts brackets around zombies (`<defunct>`) and
around whatever has no command line at that moment, so only names that kernel threads really have are judged.

Sources: proc(5) on /proc/PID/exe, memfd_create(2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubewitness.detect.host.commands import SHELLS, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import Hiding, hiding_of, is_deleted, without_deleted
from kubewitness.detect.host.stating import Suspicion, about_processes
from kubewitness.model.host import Host, Process
from kubewitness.model.text import Text

_KERNEL = re.compile(
    r"(?:kworker|ksoftirqd|kthreadd|kthrotld|kswapd|kdevtmpfs|kauditd|khungtaskd|khugepaged|kcompactd|kblockd|kintegrityd|ksmd"
    r"|migration|watchdog|watchdogd|rcu_\w{1,20}|cpuhp|idle_inject|irq|oom_reaper|writeback|bioset|crypto|netns|jbd2|scsi_eh_\d{1,4}"
    r"|scsi_tmf_\d{1,4}|ext4-rsv-conver|xfsaild|xfs-[\w-]{1,20}|md|edac-poller|devfreq_wq|events|events_unbound|kcryptd|kjournald"
    r"|pdflush|flush|khelper|kpsmoused|ipv6_addrconf|kstrp|deferwq|charger_manager|mm_percpu_wq|inet_frag_wq|kmpathd)"
    r"(?:[/:.-][\w:+.@/-]{0,40})?"
)
_WORDS: dict[Hiding, Text] = {
    "memory": Text("it runs from memory, from no file", "它直接在内存中运行，没有对应的文件"),
    "hidden_name": Text("its name or folder begins with a dot", "其文件名或所在目录以点开头"),
    "temporary": Text("it lies in a folder for temporary files", "它位于临时文件目录"),
    "dots_folder": Text("its folder is named to be overlooked", "其目录名故意让人忽视"),
}
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/snap/", "/var/lib/", "/nix/", "/run/")


def hidden_program_running(host: Host) -> Iterator[HostFinding]:
    """Processes whose program lies hidden, was deleted from an odd place, or never was a file."""
    yield from about_processes("hidden_program_running", host, _hidden(host))


def kernel_thread_forged(host: Host) -> Iterator[HostFinding]:
    """Processes that call themselves a kernel thread."""
    kthreadd = {p.pid for p in host.processes if p.command.startswith("[kthreadd]")} | {0, 2}
    found = (Suspicion(p, reasons) for p in host.processes if (reasons := _forged(p, kthreadd)))
    yield from about_processes("kernel_thread_forged", host, found)


def _hidden(host: Host) -> Iterator[Suspicion]:
    for process in host.processes:
        executable = process.executable
        hiding = hiding_of(executable)
        program = _program(process.command)
        if hiding is None and (not executable or program.startswith("./.")):  # its own word is all there is
            hiding = hiding_of(program)
        if hiding:
            reasons = [_WORDS[hiding]]
            if is_deleted(executable) and hiding != "memory":
                reasons.append(Text("the file was deleted while it runs", "文件已在运行期间被删除"))
            # Runtimes and sandboxes do run sealed copies of themselves from memory, but not inside of containers.
            alone = hiding == "temporary" or (hiding == "memory" and not process.container and not _bracketed(process))
            sure = not alone or len(reasons) > 1
            # Installers and builds start programs from /tmp all day and end; to stay there is something else.
            brief = process.told_by and hiding == "temporary"
            yield Suspicion(
                process,
                (*reasons, Text(f"program: {_shown(process)}", f"程序：{_shown(process)}")),
                severity="high" if sure else "low" if brief else "medium",
                confidence="high" if sure else "low" if brief else "medium",
                kind="intrusion" if sure else "activity",
            )
        elif is_deleted(executable) and not executable.startswith((*_SYSTEM, "/memfd:")) and executable.count("/") > 1:
            gone = Text("the file was deleted while it runs", "文件已在运行期间被删除")
            shown = Text(f"program: {_shown(process)}", f"程序：{_shown(process)}")
            yield Suspicion(process, (gone, shown), severity="low", confidence="low", kind="activity")


def _program(command: str) -> str:
    """The path that was started; what a shell was given as script is another rule's affair."""
    words = segments_of(command)[0].words
    return words[0] if words and words[0] not in SHELLS else ""


def _shown(process: Process) -> str:
    return (process.executable or _program(process.command))[:300]


def _bracketed(process: Process) -> bool:
    return process.command.strip().startswith("[")


def _forged(process: Process, kthreadd: set[int]) -> tuple[Text, ...]:
    command = process.command.strip()
    if not command.startswith("[") or not command.endswith("]") or not _KERNEL.fullmatch(command[1:-1][:80]):
        return ()
    reasons = list[Text]()
    if without_deleted(process.executable):
        path = process.executable[:300]
        reasons.append(
            Text(f"it has an executable, {path}; kernel threads have none", f"它有可执行文件 {path}，而内核线程没有")
        )
    if process.ppid >= 0 and process.ppid not in kthreadd:
        reasons.append(
            Text(
                f"its parent is process {process.ppid}, and not kthreadd (2)",
                f"其父进程是 {process.ppid}，而不是 kthreadd（2）",
            )
        )
    if not reasons and process.container:
        reasons.append(Text("it belongs to a container; kernel threads do not", "它属于某个容器，而内核线程不属于容器"))
    return tuple(reasons)
