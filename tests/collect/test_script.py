"""The collector in sh: run for real, its archive read by our own readers."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kubewitness.collect.script import text
from kubewitness.evidence.opening import walk
from kubewitness.model.collection import Command, Header, Item, Omitted, Record
from kubewitness.model.host import Host
from kubewitness.sources.host.collected import decoded_line
from kubewitness.sources.host.hosts import HostEvidence, read_hosts

pytestmark = pytest.mark.skipif(not Path("/proc/self/exe").exists(), reason="needs /proc")

SHELLS = [
    pytest.param(words, id=words[0])
    for words in (["dash"], ["busybox", "sh"], ["bash", "--posix"], ["mksh"])
    if shutil.which(words[0])
]
PROCESSES, MACHINE, MANIFEST = "# --- processes", "# --- the machine", "# --- the manifest"
# Odd on purpose: quotes, a backslash, a line end, an escape, Chinese, an emoji, a byte that is no UTF-8
ODD = b'a"b\\c\n\x1b[31m\xe4\xb8\xad\xf0\x9f\x92\x80\xff'
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0xxxx"


def run(tmp_path: Path, script: str, *options: str, shell: list[str] | None = None, code: int = 0) -> HostEvidence:
    """The evidence in the archive that a script (or a part of it) makes."""
    (tmp_path / "collect.sh").write_text(script)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        [*(shell or ["sh"]), str(tmp_path / "collect.sh"), "-o", str(out), *options],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr.decode()
    [archive] = out.iterdir()  # and nothing else is left
    assert Path(done.stdout.decode().strip()) == archive
    assert archive.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in done.stderr.decode()
    return read_hosts(walk([str(archive)]), 2026)


def only(evidence: HostEvidence) -> Host:
    [host] = evidence.hosts
    assert [failure.reason for failure in evidence.failures] == []  # it is whole and agrees with its manifest
    return host


def part(lines: str) -> str:
    """The script with these steps instead of its own."""
    head, _, rest = text().partition(PROCESSES)
    return f"{head}\nm=1048576 booted=''\n{lines}\n{MANIFEST}{rest.partition(MANIFEST)[2]}"


def records(tmp_path: Path) -> list[Record]:
    [archive] = (tmp_path / "out").iterdir()
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
        file = tar.extractfile(last)
        assert file
        assert last.name.endswith("/manifest.jsonl")
        lines = file.read().decode("utf-8", "backslashreplace").splitlines()
        return [record for line in lines if (record := decoded_line(msgspec.json.Decoder(Record), line))]


def content(tmp_path: Path, end: str) -> bytes:
    [archive] = (tmp_path / "out").iterdir()
    with tarfile.open(archive) as tar:
        [member] = [one for one in tar.getmembers() if one.name.endswith(end)]
        file = tar.extractfile(member)
        assert file
        return file.read()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with odd words whose executable is deleted."""
    program = tmp_path / ".system"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    environment = {"SECRET_TOKEN": "hunter2", "PATH": "/bin"}
    with subprocess.Popen([b"sleep", b"60"], executable=program, env=environment) as plain:
        time.sleep(0.1)
        program.unlink()
        yield plain
        plain.kill()


@pytest.mark.parametrize("shell", SHELLS)
def test_processes_and_sockets_come_out_as_they_are(
    shell: list[str], tmp_path: Path, running: subprocess.Popen[bytes]
) -> None:
    """The steps on processes, sockets and executables, under every shell there is."""
    code = "import time; open('/dev/null'); time.sleep(60)"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen([os.fsencode(sys.executable), b"-c", code.encode(), ODD, b"", b"x"]) as odd,
    ):
        time.sleep(0.3)
        head, _, rest = text().partition(MACHINE)
        head = head.replace("$(now) + 12", "$(now) + 1")  # seconds of asking for numbers that are not listed
        evidence = run(tmp_path, head + MANIFEST + rest.partition(MANIFEST)[2], shell=shell)
        odd.kill()
        port = server.getsockname()[1]
    host = only(evidence)
    known = {process.pid: process for process in host.processes if process.argv or process.name}
    me = known[os.getpid()]
    assert me.argv == tuple(
        word.decode("utf-8", "backslashreplace") for word in Path("/proc/self/cmdline").read_bytes()[:-1].split(b"\0")
    )
    assert (me.ppid, me.cwd, me.executable) == (os.getppid(), str(Path.cwd()), os.path.realpath("/proc/self/exe"))
    assert me.sha256 == hashlib.sha256(Path("/proc/self/exe").read_bytes()).hexdigest()
    assert dict(me.namespaces)["net"] == str(Path("/proc/self/ns/net").readlink()).strip("net:[]")
    assert me.name == Path("/proc/self/comm").read_text().strip()
    assert me.started[:10] in {time.strftime("%Y-%m-%d", time.gmtime(time.time() - day * 86400)) for day in range(9)}
    assert known[odd.pid].argv[3:] == (ODD.decode("utf-8", "backslashreplace"), "", "x")
    deleted = known[running.pid]
    assert deleted.executable == f"{tmp_path}/.system (deleted)"
    assert set(deleted.environment) == {"SECRET_TOKEN", "PATH"}
    assert [source.name.rpartition("/")[2] for _, source in evidence.executables].count(deleted.sha256) == 1
    [listening] = [one for one in host.sockets if one.local_port == port and one.state == "LISTEN"]
    assert os.getpid() in {pid for _, pid in listening.owners}
    assert all(process.visible for process in host.processes)
    everything = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    assert len(everything - set(known)) < len(everything) / 2  # others come and go meanwhile


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_takes_the_whole_script(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / "collect.sh").write_text(text())
    assert subprocess.run([*shell, "-n", str(tmp_path / "collect.sh")], check=False).returncode == 0


def test_a_limit_of_time_is_kept_and_told(tmp_path: Path) -> None:
    begun = time.monotonic()
    evidence = run(tmp_path, text(), "-t", "3", code=3)
    assert time.monotonic() - begun < 60
    assert len(only(evidence).processes) > 3
    assert any("stopped at its limits" in note.reason for note in evidence.notes)
    assert any(isinstance(one, Omitted) and "the time was up" in one.reason for one in records(tmp_path))


def test_a_limit_of_size_is_kept_and_told(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 1_500_000)
    (tmp_path / "more").write_bytes(b"x" * 1_500_000)
    evidence = run(tmp_path, part(f"pick log 2000000 {tmp_path}/big {tmp_path}/more"), "-s", "1", code=3)
    assert [name for name in evidence.items if name.endswith(("/big", "/more"))] == [
        name for name in evidence.items if name.endswith("/big")
    ]
    assert any("stopped at its limits" in note.reason for note in evidence.notes)


def test_private_keys_stay_and_secret_values_are_overwritten(tmp_path: Path) -> None:
    files = tmp_path / "etc"
    files.mkdir()
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\n"
    certificate = "-----BEGIN CERTIFICATE-----\nMIIabc\n-----END CERTIFICATE-----\n"
    settings = (
        "users:\n- name: admin\n  user:\n    client-key-data: LS0abcdefgh\n    token: abcdef.0123456789abcdef\n"
        'env:\n- name: DB_PASSWORD\n  value: "hunter2 too"\n- name: MODE\n  value: fast\n'
        'url: https://me:hunter2@example.org/x\n"auth": "aHVudGVyMg=="\nExecStart=/x --token hunter2 --config=/etc/x\n'
    )
    # near: names that only resemble one, paths, numbers, switches
    near = (
        "tokenTTL: 24h0m0s\nsecretName: web-tls\nservice-account-key-file=/etc/kubernetes/pki/sa.pub\n"
        "automountServiceAccountToken: false\npassword: ''\nauthorization:\n  mode: Webhook\ntoken-auth-file: /x\n"
    )
    secret = "kind: Secret\ndata:\n  a: aHVudGVyMg==\n"
    inline = '{"items":[{"kind":"Secret","data":{"a":"aHVudGVyMg=="}}]}'
    named = {
        "x.key": key,
        "x.crt": certificate,
        "config.yaml": settings,
        "near.yaml": near,
        "secret.yaml": secret,
        "s.json": inline,
    }
    for name, body in named.items():
        (files / name).write_text(body)
    only(run(tmp_path, part(f"tree conf 1000000 100 {files}")))
    [archive] = (tmp_path / "out").iterdir()
    everything = gzip.decompress(archive.read_bytes())
    for value in (b"hunter2", b"MIIabc\n-----END RSA", b"0123456789abcdef", b"LS0abcdefgh", b"aHVudGVyMg"):
        assert value not in everything
    kept = content(tmp_path, "/config.yaml").decode()
    assert [len(line) for line in kept.split("\n")] == [len(line) for line in settings.split("\n")]
    assert "value: fast" in kept
    assert "--config=/etc/x" in kept
    assert content(tmp_path, "/near.yaml").decode() == near
    assert content(tmp_path, "/x.crt").decode() == certificate
    left = {one.path.rpartition("/")[2]: one for one in records(tmp_path) if isinstance(one, Omitted)}
    assert {name: one.reason for name, one in left.items()} == {
        "x.key": "private key",
        "secret.yaml": "a Secret object",
        "s.json": "a Secret object",
    }
    assert left["x.key"].sha256 == hashlib.sha256(key.encode()).hexdigest()
    item = next(one for one in records(tmp_path) if isinstance(one, Item) and one.path.endswith("/config.yaml"))
    assert (item.redacted, item.original_sha256) == (1, hashlib.sha256(settings.encode()).hexdigest())


def test_secrets_are_overwritten_in_logs_and_outputs_too(tmp_path: Path) -> None:
    event = '{"resource":"secrets","requestObject":{"kind":"Secret","data":{"a":"aHVudGVyMg==","b":"x{"}}}'
    (tmp_path / "a.log").write_text(f"seen {TOKEN}.c2lnbmF0dXJlc2lnbmF0dXJl here\n{event}\nplain\n")
    run(tmp_path, part(f"pick log 100000 {tmp_path}/a.log\nrun logs 100000 5 cat {tmp_path}/a.log"))
    for end in ("[root]" + str(tmp_path / "a.log"), ".txt"):
        kept = content(tmp_path, end)
        assert b"c2lnbmF0dXJl" not in kept
        assert b"hunter" not in kept
        assert b"aHVudGVyMg" not in kept
        assert (TOKEN.encode() in kept, kept.endswith(b"plain\n")) == (True, True)


def test_hostile_names_are_names_and_nothing_else(tmp_path: Path) -> None:
    names = [
        b"$(touch pwned)",
        b"`touch pwned`",
        b"-rf",
        b'a"b\\c',
        b"tab\there",
        b"esc\x1b[2J",
        b"\xff\xfe",
        "\u4e2d".encode(),
        b"'; touch pwned",
    ]
    folder = os.fsencode(tmp_path) + b"/odd"
    Path(os.fsdecode(folder)).mkdir()
    for name in [*names, b"two\nlines"]:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"x" + name)
    evidence = run(tmp_path, part(f"cd {tmp_path}\ntree conf 1000000 100 {tmp_path}/odd"))
    assert len([file for file in only(evidence).files if "/odd/" in file.path]) == len(names)
    assert not list(tmp_path.rglob("pwned"))
    origins = {one.origin for one in records(tmp_path) if isinstance(one, Item)}
    assert any(origin.endswith("/odd/esc\x1b[2J") for origin in origins)
    assert [one.reason for one in records(tmp_path) if isinstance(one, Omitted)] == [
        "names with line ends are not copied"
    ]


def test_links_pipes_and_files_that_are_secret_by_name_are_not_copied(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    (folder / ".ssh").mkdir(parents=True)
    (folder / "shadow").symlink_to("/etc/shadow")
    (folder / "kernel").symlink_to("/proc/version")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    (folder / ".ssh/id_rsa").write_text("key")
    (folder / "plain").write_text("plain")
    evidence = run(tmp_path, part(f"tree conf 1000 100 {folder}\npick conf 1000 {folder}/pipe /etc/shadow"))
    assert [file.path.rpartition("/")[2] for file in only(evidence).files] == ["plain"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("run x 100 5 sh -c 'echo out; echo err >&2; exit 3'", (3, "err", False, True)),
        ("run x 100 5 no-such-program", (127, "not installed", False, False)),
        ("run x 100 1 sleep 30", (124, "", True, False)),
        ("run x 100 5 true", (0, "", False, False)),
        ("ending=''\nrun x 100 1 sleep 30", (137, "", True, False)),  # where there is no timeout(1)
        ("ending=''\nrun x 100 5 sh -c 'echo out; exit 4'", (4, "", False, True)),
    ],
)
def test_how_a_command_ended_is_told(tmp_path: Path, command: str, expected: tuple[int, str, bool, bool]) -> None:
    begun = time.monotonic()
    run(tmp_path, part(command))
    [told] = [one for one in records(tmp_path) if isinstance(one, Command)]
    assert (told.exit_code, told.error.strip(), told.timed_out, bool(told.path)) == expected
    assert time.monotonic() - begun < 20


def test_a_file_that_becomes_a_pipe_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    begun = time.monotonic()
    run(tmp_path, part(f"within 1 cat {tmp_path}/pipe"))
    assert time.monotonic() - begun < 20


def test_an_endless_output_is_cut_and_told(tmp_path: Path) -> None:
    run(tmp_path, part("run x 1000 5 yes"))
    assert [(one.size, one.cut > 0) for one in records(tmp_path) if isinstance(one, Item)] == [(1000, True)]


def test_without_a_tool_for_hashes_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    script = part(f"hash=''\npick text 100 {tmp_path}/a").replace('    [ -z "$hash" ] || echo', "    false || echo")
    (tmp_path / "collect.sh").write_text(script)
    (tmp_path / "out").mkdir()
    words = ["sh", str(tmp_path / "collect.sh"), "-o", str(tmp_path / "out")]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    evidence = read_hosts(walk([str(tmp_path / "out")]), 2026)
    only(evidence)
    assert any("no hash in the manifest" in note.reason for note in evidence.notes)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
def test_without_root_it_does_what_it_can(tmp_path: Path) -> None:
    head, _, rest = text().replace("$(now) + 12", "$(now) + 1").partition(MACHINE)
    (tmp_path / "collect.sh").write_text(head + MANIFEST + rest.partition(MANIFEST)[2])
    folder = Path("/tmp") / f"kw-{os.getpid()}"  # nobody may enter the test's own
    folder.mkdir()
    try:
        os.chown(folder, 65534, 65534)
        done = subprocess.run(
            ["sh", "-s", "--", "-o", str(folder)], input=(tmp_path / "collect.sh").read_bytes(),
            capture_output=True, check=False, user=65534, group=65534, extra_groups=[], cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert b"not root" in done.stderr
        evidence = read_hosts(walk([str(folder)]), 2026)
        assert {1, os.getpid()} <= {process.pid for process in only(evidence).processes}
        assert any("without root (uid 65534)" in note.reason for note in evidence.notes)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("options", [["-x"], ["-s", "0"], ["-s", "a"], ["-t", "1; id"], ["word"], ["-o", "/nowhere"]])
def test_a_wrong_call_is_refused_and_leaves_nothing(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "collect.sh").write_text(text())
    done = subprocess.run(["sh", "collect.sh", *options], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["collect.sh"]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "collect.sh").write_text(part("sleep 30 &\nwait $!"))
    (tmp_path / "out").mkdir()
    with subprocess.Popen(
        ["sh", str(tmp_path / "collect.sh"), "-o", str(tmp_path / "out")],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 10
        while not list((tmp_path / "out").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(10) == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_is_never_overwritten(tmp_path: Path) -> None:
    run(tmp_path, part(""))
    header = records(tmp_path)[0]
    assert isinstance(header, Header)
    assert header.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (header.host, header.uid) == (os.uname().nodename, os.geteuid())
    before = next((tmp_path / "out").iterdir()).read_bytes()
    frozen = part("").replace("$(date -u +%Y%m%dT%H%M%SZ)", next((tmp_path / "out").iterdir()).name.split("-")[-1][:16])
    (tmp_path / "collect.sh").write_text(frozen)
    done = subprocess.run(
        ["sh", str(tmp_path / "collect.sh"), "-o", str(tmp_path / "out")], capture_output=True, check=False
    )
    assert (done.returncode, "ever overwritten" in done.stderr.decode()) == (2, True), done.stderr
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [before]


def test_a_process_that_is_not_listed_is_looked_for_after_the_sockets_were_taken(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as hidden:
        head, _, rest = text().partition(MACHINE)
        before, found, after = head.partition("hidden() {")
        search = f'hidden() {{ [ -d "$stage/live_response/network/net" ] && echo {hidden.pid}; return; '
        after = after.replace("do listed=", f"do [ $d = /proc/{hidden.pid} ] || listed=")
        after = after.replace("do again=", f"do [ $d = /proc/{hidden.pid} ] || again=")
        assert found
        evidence = run(tmp_path, before + search + after + MANIFEST + rest.partition(MANIFEST)[2])
        hidden.kill()
    assert evidence.failures == []
    lines = content(tmp_path, "/processes.jsonl").decode("utf-8", "backslashreplace").splitlines()
    (unseen,) = [line for line in lines if '"hidden":true' in line]
    assert f'"pid":{hidden.pid},' in unseen
    assert '"sha256":"' in unseen  # hashed with the others
