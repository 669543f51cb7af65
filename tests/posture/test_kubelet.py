"""The kubelet's effective settings, each with what decided it and what lost."""

from __future__ import annotations

import time

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, LogLine
from kubewitness.posture.kubelet import KubeletConfiguration, effective
from kubewitness.posture.kubelet_view import Setting, View
from tests.posture.machine import (
    COMMENTED,
    CONFIG,
    CONFIG_LINE,
    DROP_IN,
    EXTRA,
    FLAGS,
    NODE,
    UNIT,
    files,
    host,
    listening,
    process,
)

ANONYMOUS, MODE, READ_ONLY = "authentication.anonymous.enabled", "authorization.mode", "readOnlyPort"
WITH = "/usr/bin/kubelet --kubeconfig=/k --config=/var/lib/kubelet/config.yaml"
WITHOUT = "/usr/bin/kubelet --kubeconfig=/k"
TRUE = "authentication:\n  anonymous:\n    enabled: true\n"
ETC = "/etc/systemd/system/kubelet.service.d/"
DROPS = "/etc/kubernetes/kubelet.d/"


def of(machine: Host) -> KubeletConfiguration:
    found = effective(machine)
    assert found is not None
    return found


def running(command: str, texts: dict[str, str] = NODE, version: str = "") -> View:
    view = of(host(texts, command, version=version)).running
    assert view is not None
    return view


def setting(view: View | None, name: str) -> Setting:
    found = view.get(name) if view else None
    assert found is not None
    return found


def three(view: View | None) -> tuple[str, str, str]:
    assert view is not None
    return view.value(ANONYMOUS), view.value(MODE), view.value(READ_ONLY)


def test_without_config_the_old_defaults_apply_though_the_file_forbids_it() -> None:
    found = of(host(COMMENTED, WITHOUT))
    assert three(found.running) == three(found.after_restart) == ("true", "AlwaysAllow", "10255")
    anonymous = setting(found.running, ANONYMOUS)
    assert anonymous.origin == "default without --config"
    assert [(entry.value, entry.line.path, entry.line.place.line) for entry in anonymous.lost] == [("false", CONFIG, 5)]


def test_the_reason_is_the_commented_line() -> None:
    (reason,) = of(host(COMMENTED, WITHOUT)).because
    assert (reason.line.path, reason.place.line) == (DROP_IN, 4)
    assert "KUBELET_CONFIG_ARGS" in reason.text.en
    assert "第 4 行" in reason.text.zh


def test_the_file_that_nothing_names_is_listed() -> None:
    assert [line.path for line in of(host(COMMENTED, WITHOUT)).never_loaded] == [CONFIG]
    assert of(host(NODE, WITH)).never_loaded == ()


def test_with_config_the_file_decides_and_the_rest_are_the_new_defaults() -> None:
    view = running(WITH)
    assert three(view) == ("false", "Webhook", "0")
    anonymous = setting(view, ANONYMOUS)
    assert (anonymous.origin, anonymous.place and anonymous.place.line) == ("file", 5)
    assert setting(view, READ_ONLY).origin == "default with --config"
    assert of(host(NODE, WITH)).because == ()


def test_a_flag_wins_over_the_file_and_the_file_is_kept_as_lost() -> None:
    anonymous = setting(running(WITH + " --anonymous-auth=true"), ANONYMOUS)
    assert (anonymous.value, anonymous.origin) == ("true", "flag")
    assert [(entry.value, entry.line.place.line) for entry in anonymous.lost] == [("false", 5)]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--anonymous-auth=false --authorization-mode=Webhook --read-only-port=0", ("false", "Webhook", "0")),
        ("--anonymous_auth=false", ("false", "AlwaysAllow", "10255")),  # underscores are hyphens
        ("--authorization-mode Webhook --read-only-port 0", ("true", "Webhook", "0")),
        ("--anonymous-auth --read-only-port=0", ("true", "AlwaysAllow", "0")),
        ("--anonymous-auth=false --anonymous-auth=true", ("true", "AlwaysAllow", "10255")),
        ("--anonymous-auth=F", ("false", "AlwaysAllow", "10255")),
        ("-- --anonymous-auth=false", ("true", "AlwaysAllow", "10255")),
    ],
)
def test_flags_without_a_file(flags: str, expected: tuple[str, str, str]) -> None:
    assert three(running(f"{WITHOUT} {flags}", COMMENTED)) == expected


def test_the_last_config_counts() -> None:
    texts = NODE | {"/tmp/open.yaml": "authentication: {anonymous: {enabled: true}}\n"}
    assert three(running(WITH + " --config=/tmp/open.yaml", texts)) == ("true", "Webhook", "0")
    assert three(running(WITH + " --config /tmp/open.yaml --config=/var/lib/kubelet/config.yaml", texts))[0] == "false"


def test_a_relative_config_is_sought_from_the_root() -> None:
    assert three(running("/usr/bin/kubelet --config=var/lib/../lib/kubelet/config.yaml")) == ("false", "Webhook", "0")


def test_a_file_that_is_named_but_not_in_the_evidence_leaves_the_settings_unknown() -> None:
    view = running(WITH + " --read-only-port=0", {})
    assert three(view) == ("", "", "0")
    assert view.unread == (CONFIG,)


def test_a_command_line_cut_by_the_process_list_proves_no_missing_flag() -> None:
    machine = Host("node1", processes=[process(WITHOUT, truncated=True)], files=files(COMMENTED))
    assert three(of(machine).running) == ("", "", "")


def test_a_process_list_without_arguments_proves_nothing() -> None:
    assert three(running("kubelet")) == ("", "", "")


def test_what_runs_and_what_would_run_are_compared() -> None:
    fixed = of(host(NODE, WITHOUT))
    assert {entry.name for entry in fixed.disagreements} >= {ANONYMOUS, MODE, READ_ONLY}
    assert "not been restarted" in fixed.because[0].text.en
    assert of(host(NODE, WITH)).disagreements == ()


def test_what_kubelet_answers_itself_wins_and_an_agreeing_origin_stays() -> None:
    configz = '{"kubeletconfig":{"authentication":{"anonymous":{"enabled":true}},"authorization":{"mode":"Webhook"}}}'
    view = running(WITH, NODE | {"/configz.json": configz})
    anonymous = setting(view, ANONYMOUS)
    assert (anonymous.value, anonymous.origin, anonymous.lost[0].value) == ("true", "configz", "false")
    assert setting(view, MODE).origin == "file"


ANSWER = (
    '{"kubeletconfig":{"authentication":{"x509":{},"webhook":{"enabled":true},"anonymous":{"enabled":false}},'
    '"authorization":{"mode":"Webhook"},"enableDebuggingHandlers":true}}'
)


def test_what_a_whole_answer_leaves_out_is_zero_and_runs_whatever_flags_and_files_say() -> None:
    port = setting(running(WITH + " --read-only-port=10255", NODE | {"/configz.json": ANSWER}), READ_ONLY)
    assert (port.value, port.origin, port.lost[-1].value) == ("0", "configz", "10255")
    assert three(running(WITHOUT, NODE | {"/configz.json": ANSWER})) == ("false", "Webhook", "0")


def test_what_an_answer_cut_by_somebody_leaves_out_stays_as_the_command_line_says() -> None:
    cut = ANSWER.replace(',"enableDebuggingHandlers":true', "")
    port = setting(running(WITH + " --read-only-port=10255", NODE | {"/configz.json": cut}), READ_ONLY)
    assert (port.value, port.origin) == ("10255", "flag")


def test_an_answer_without_process_list_or_unit_tells_what_runs() -> None:
    view = of(host({"/configz.json": ANSWER})).running
    assert three(view) == ("false", "Webhook", "0")


@pytest.mark.parametrize("path", ["/tmp/configz.json", "/etc/kubernetes/configz.json", "/var/lib/kubelet/config.json"])
def test_a_file_on_the_machine_that_looks_like_an_answer_is_none(path: str) -> None:
    view = running(WITHOUT, COMMENTED | {path: ANSWER})
    assert three(view) == ("true", "AlwaysAllow", "10255")


def test_drop_ins_of_the_configuration_win_in_lexical_order_and_flags_over_them() -> None:
    texts = NODE | {
        DROPS + "10.conf": "readOnlyPort: 1\nport: 1\n",
        DROPS + "20.conf": "readOnlyPort: 2\nport: 2\n",
        DROPS + "30.yaml": "readOnlyPort: 3\n",
    }
    view = running(f"{WITH} --config-dir={DROPS} --port=9", texts, "v1.34.4")
    assert (view.value(READ_ONLY), view.value("port")) == ("2", "9")


def test_drop_ins_without_config_lie_on_the_old_defaults() -> None:
    assert three(running(f"{WITHOUT} --config-dir={DROPS}", {DROPS + "1.conf": "readOnlyPort: 7\n"})) == (
        "true",
        "AlwaysAllow",
        "7",
    )


def test_in_1_28_drop_ins_of_the_configuration_need_the_variable() -> None:
    texts = NODE | {DROPS + "1.conf": "readOnlyPort: 7\n"}
    assert running(f"{WITH} --config-dir={DROPS}", texts, "v1.28.7").value(READ_ONLY) == "0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("authentication:\n  anonymous:\n    enabled: yes\n", "true"),  # YAML 1.1, as the kubelet reads it
        (
            "authentication:\n  anonymous:\n    enabled: true\nauthentication:\n  anonymous:\n    enabled: false\n",
            "false",
        ),
        ("authentication:\n  anonymous: {}\n", "false"),
        ("authentication:\n  anonymous:\n    enabled: null\n", "false"),
        ("Authentication:\n  Anonymous:\n    Enabled: true\n", "false"),
        (
            "authentication:\n  anonymous:\n    enabled: false\n---\nauthentication: {anonymous: {enabled: true}}\n",
            "false",
        ),
        ('{\n\t"authentication": {"anonymous": {"enabled": true}}\n}', "true"),
        ("a: &a {enabled: true}\nauthentication: {anonymous: *a}\n", ""),  # refused, so unknown
        ("[" * 100_000, ""),
        ("x: " + "{a: " * 500 + "}" * 500, ""),
        ("- 1\n", ""),
        ("\x00\x1b[31m", ""),
    ],
)
def test_readings_of_the_file(text: str, expected: str) -> None:
    assert running(WITH, {CONFIG: text}).value(ANONYMOUS) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {ETC + "20.conf": "[Service]\nEnvironment=KUBELET_CONFIG_ARGS=\n"},
            "is overridden by line 2 of",
        ),
        ({FLAGS: "KUBELET_CONFIG_ARGS=--v=2\n"}, "is overridden by line 1 of " + FLAGS),
        (
            {ETC + "10-kubeadm.conf": "[Service]\nRestart=no\n"},
            "a file of the same name",
        ),
        (
            {ETC + "20.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet --v=2\n"},
            "does not use it",
        ),
    ],
)
def test_other_reasons_for_a_missing_config_are_named_too(change: dict[str, str], words: str) -> None:
    assert words in of(host(NODE | change, WITHOUT)).because[0].text.en


def test_a_bare_unit_whose_drop_ins_were_not_collected_proves_nothing() -> None:
    assert three(of(host({UNIT: NODE[UNIT]})).after_restart) == ("", "", "")


def test_variables_that_files_outside_the_evidence_may_set_prove_nothing() -> None:
    texts = {UNIT: NODE[UNIT], DROP_IN: NODE[DROP_IN].replace(CONFIG_LINE + "\n", "")}
    assert three(of(host(texts)).after_restart) == ("", "", "")
    assert three(of(host(texts | {FLAGS: "", EXTRA: ""})).after_restart) == ("true", "AlwaysAllow", "10255")


def test_the_kubelet_that_listens_is_the_one_that_counts() -> None:
    machine = host(NODE, WITH, listening(10250, pid=60))
    machine.processes.insert(0, process("/usr/bin/kubelet --anonymous-auth=true", pid=7))
    found = of(machine).process
    assert found is not None
    assert found.pid == 60


def test_the_version_is_the_one_of_the_log() -> None:
    assert of(host(NODE, WITH, version="v1.34.4")).version == "v1.34.4"


def test_the_version_of_an_old_log_is_read_too() -> None:
    machine = host(NODE, WITH)
    machine.logs.append(LogLine("kubelet", "", "info", "Version: v1.20.2", {}, Place("kubelet.log", 1, 0)))
    assert of(machine).version == "v1.20.2"


def test_a_configuration_within_another_object_is_not_listed() -> None:
    inner = "".join("    " + line + "\n" for line in NODE[CONFIG].splitlines())
    texts = COMMENTED | {"/root/cm.yaml": "kind: ConfigMap\ndata:\n  kubelet: |\n" + inner}
    assert [line.path for line in of(host(texts, WITHOUT)).never_loaded] == [CONFIG]


def test_a_hostile_file_takes_no_long_time() -> None:
    texts = NODE | {
        f"/x{number}": text * 300_000 for number, text in enumerate(("\n", "{", "kind", "[a,", ",\n", "\\\n"))
    }
    began = time.process_time()
    assert of(host(texts, WITH + " --config=/x3")).running
    assert time.process_time() - began < 5


def test_a_machine_without_a_kubelet_has_no_configuration() -> None:
    assert effective(host({CONFIG: NODE[CONFIG]}, "/usr/sbin/sshd -D")) is None
