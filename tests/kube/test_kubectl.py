"""The transport: kubectl is called so that it can only read, and what it complains is understood."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kubewitness.kube.interface import (
    ApiError,
    Busy,
    Expired,
    Forbidden,
    Garbled,
    KubectlMissing,
    NotConfigured,
    NotFound,
    NotLoggedIn,
    TimedOut,
    TooLarge,
    Unreachable,
)
from kubewitness.kube.kubectl import Kubectl, meaning
from kubewitness.model.errors import UsageError
from tests.kube.fake import calls, fake_kubectl


def test_the_body_comes_with_the_call_that_brought_it(tmp_path: Path) -> None:
    with Kubectl(str(fake_kubectl(tmp_path, {"/version": {"body": '{"major":"1"}'}}))) as api:
        answer = api.get("/version")
    assert answer.body == b'{"major":"1"}'
    assert answer.call.exit_code == 0
    assert answer.call.argv[1:] == ("get", "--raw=/version", "--request-timeout=60s")


def test_kubeconfig_and_context_are_handed_on(tmp_path: Path) -> None:
    program = fake_kubectl(tmp_path, {"/version": {"body": "{}"}})
    (tmp_path / "config").touch()
    with Kubectl(str(program), kubeconfig=tmp_path / "config", context="blue") as api:
        api.get("/version")
    assert calls(tmp_path)[0][:2] == [f"--kubeconfig={tmp_path / 'config'}", "--context=blue"]


# As kubectl 1.34 says them.
SAID = {
    "error: You must be logged in to the server (Unauthorized)": NotLoggedIn,
    "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found": (
        NotLoggedIn
    ),
    'Error from server (Forbidden): pods is forbidden: User "system:anonymous" cannot list it': NotLoggedIn,
    'Error from server (Forbidden): pods is forbidden: User "jane" cannot list resource "pods"': Forbidden,
    "Error from server (NotFound): the server could not find the requested resource": NotFound,
    'error: the server doesn\'t have a resource type "secrets"': NotFound,
    "Error from server (Expired): The provided continue parameter is too old": Expired,
    "Error from server (TooManyRequests): the server has received too many requests": Busy,
    "Error from server (ServiceUnavailable): the server is currently unable to handle the request": Busy,
    "Unable to connect to the server: net/http: request canceled (Client.Timeout exceeded while awaiting headers)": (
        TimedOut
    ),
    "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?": Unreachable,
    "Unable to connect to the server: dial tcp: lookup nosuch.invalid on 192.0.2.53:53: no such host": Unreachable,
    "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired": Unreachable,
    "The connection to the server localhost:8080 was refused - did you specify the right host or port?": NotConfigured,
    'error: context "nope" does not exist': NotConfigured,
    "error: stat /nowhere: no such file or directory": NotConfigured,
    "Error from server (Teapot): short and stout": Garbled,
    "panic: runtime error": ApiError,
}


@pytest.mark.parametrize(("said", "error"), SAID.items())
def test_what_kubectl_complains_has_a_meaning_and_a_next_step(said: str, error: type[ApiError]) -> None:
    assert meaning(said) is error
    told = error(said).told
    words = said.rpartition("): ")[2]
    assert words in told.en
    assert words in told.zh
    assert error.step.en in told.en


def test_a_question_for_a_user_name_means_nobody_is_logged_in(tmp_path: Path) -> None:
    program = fake_kubectl(tmp_path, {"/version": {"body": "Please enter Username: ", "error": "error: EOF"}})
    with pytest.raises(NotLoggedIn):
        Kubectl(str(program)).get("/version")


def test_an_error_carries_its_call_and_only_the_last_words_made_harmless(tmp_path: Path) -> None:
    noise = "E1122 memcache.go:265] couldn't get current server API group list\nWarning: old\n"
    said = "Error from server (Forbidden): \x1b[2Jno\nSee 'kubectl get --help' for usage."
    program = fake_kubectl(tmp_path, {"/version": {"error": noise + said}})
    with pytest.raises(Forbidden) as caught:
        Kubectl(str(program)).get("/version")
    assert caught.value.said == "Error from server (Forbidden): \\x1b[2Jno"
    assert caught.value.call is not None
    assert caught.value.call.exit_code == 1


def test_a_client_that_hangs_is_ended_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubewitness.kube.kubectl._LOGIN", 0.2)
    program = tmp_path / "kubectl"
    program.write_text(
        f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/child\nexit 0\n"
    )  # the child keeps the pipes open
    program.chmod(0o755)
    started = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        Kubectl(str(program), timeout=0.3).get("/version")
    assert time.monotonic() - started < 5
    assert caught.value.call is not None
    assert caught.value.call.timed_out
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.1)
    pytest.fail(f"{child} still runs")


def test_an_endless_answer_is_cut_off(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    program.chmod(0o755)
    with pytest.raises(TooLarge):
        Kubectl(str(program), most=1024 * 1024).get("/version")


def test_a_client_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(KubectlMissing) as caught:
        Kubectl(str(tmp_path / "none"))
    assert isinstance(caught.value, UsageError)
    with pytest.raises(NotConfigured):
        Kubectl(str(fake_kubectl(tmp_path, {})), kubeconfig=tmp_path / "none")


def test_names_are_asked_for_as_a_table_whatever_the_callers_preferences_say(tmp_path: Path) -> None:
    program = fake_kubectl(tmp_path, {"get secrets --all-namespaces": {"body": "shop db Opaque 1 2d <none>\n"}})
    preferences = tmp_path / "environment"
    program.write_text(
        program.read_text() + f"\nimport os\nopen({str(preferences)!r}, 'w').write(os.environ['KUBECTL_KUBERC'])\n"
    )
    Kubectl(str(program)).names("secrets")
    words = calls(tmp_path)[0]
    assert {"--output=wide", "--server-print=true"} <= set(words)
    assert not [word for word in words if "sort" in word]
    assert preferences.read_text() == "false"


@pytest.mark.parametrize("path", ["version", "/a b", "/a\nb", "/$(id)", "/../é", ""])
def test_what_is_no_path_is_not_asked(tmp_path: Path, path: str) -> None:
    program = fake_kubectl(tmp_path, {})
    with pytest.raises(ValueError, match="no path"):
        Kubectl(str(program)).get(path)
    assert not (tmp_path / "calls").exists()


def test_the_cache_is_in_a_folder_that_is_gone_afterwards(tmp_path: Path) -> None:
    with Kubectl(str(fake_kubectl(tmp_path, {"/version": {"body": "{}"}}))) as api:
        api.get("/version")
    [cache] = [word.partition("=")[2] for word in calls(tmp_path)[0] if word.startswith("--cache-dir=")]
    assert cache
    assert not Path(cache).exists()


def test_the_cluster_is_named_without_credentials(tmp_path: Path) -> None:
    view = """{"current-context": "c", "contexts": [{"name": "c", "context":
        {"cluster": "blue", "user": "jane", "extensions": [{"name": "x"}]}}],
        "clusters": [{"name": "blue", "cluster": {"server": "https://jane:pw@192.0.2.1:6443"}}], "users": null}"""
    found = Kubectl(str(fake_kubectl(tmp_path, {"config view --minify": {"body": view}}))).whereabouts()
    assert (found.cluster, found.context, found.user) == ("blue", "c", "jane")
    assert found.server == "https://192.0.2.1:6443"


def test_without_a_configuration_the_cluster_has_no_name(tmp_path: Path) -> None:
    assert not Kubectl(str(fake_kubectl(tmp_path, {}))).whereabouts().cluster
