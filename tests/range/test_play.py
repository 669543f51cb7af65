"""The player's own reckoning: values kept from answers, what is put in their place, what a step is said to have ended
with. The clients themselves are real only in the live tests.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from range.ground import Ground
from range.node import Node
from range.play import Player, StepFailed, _pick, _shell, _state, play_background
from range.sandbox import RangeError
from range.script import Actor, Background, NodeCommand, Step, Until

OPS = {"ops": Actor("administrator", "10.77.20.5")}


class PretendedNode:
    """A node on which commands print and leave what a test says."""

    def __init__(self, printed: str = "", status: int = 0) -> None:
        self.commands = list[str]()
        self.pids = {1}
        self._printed, self._status = printed, status

    def run(self, words: list[str], text: str | None = None, seconds: float = 30) -> SimpleNamespace:
        if words[0] == "ps":
            return SimpleNamespace(stdout="\n".join(map(str, sorted(self.pids))))
        self.commands.append(words[-1])
        self.pids.add(40 + len(self.commands))
        return SimpleNamespace(stdout=self._printed, stderr="", returncode=self._status)


def player(
    folder: Path, node: PretendedNode | None = None, answers: list[Any] | None = None, ended: str = ""
) -> Player:
    """A player whose API server gives these answers, the last for ever."""
    left = list(answers or [])
    ground = SimpleNamespace(
        folder=folder / "clients",
        nodes={"node1": cast("Node", node)},
        get=lambda path: left.pop(0) if len(left) > 1 else left[0],
        ended=lambda: ended,
    )
    return Player(cast("Ground", ground), OPS, {})


def on_node(command: str, **more: Any) -> Step:
    return Step("ops", node=NodeCommand("node1", command), **more)


# -- kept values -------------------------------------------------------------------------------------------------------


_ANSWER = (
    '{"status":{"token":"t"},"items":[{"n":1},{"n":2},{"metadata":{"name":"default"},"n":3},'
    '{"metadata":{"name":"default-token-x7k2p"},"n":4}],"data":{"tls.crt":"c"},"ok":true}'
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", _ANSWER),
        ("status.token", "t"),
        ("items.1.n", "2"),
        ("data.tls\\.crt", "c"),
        ("ok", "true"),
        ("items.default-token-*.n", "4"),
        ("items.default.n", "3"),
        ("status", '{"token": "t"}'),
    ],
)
def test_a_path_picks_its_value(path: str, value: str) -> None:
    assert _pick(f"{_ANSWER}\n", path) == value


@pytest.mark.parametrize("path", ["nothing", "items.7", "items.x", "items.x*", "items.*", "ok.deeper", "data.tls.crt"])
def test_a_path_that_is_not_there_fails_the_step_by_name(path: str) -> None:
    with pytest.raises(StepFailed, match="the answer has no "):
        _pick('{"items":[1],"ok":true,"data":{"tls.crt":"c"}}', path)


def test_an_answer_that_is_no_json_fails_the_step_and_is_shown() -> None:
    with pytest.raises(StepFailed, match="no JSON: error from server"):
        _pick("error from server", "status.token")


@given(st.dictionaries(st.text(st.characters(exclude_characters="\\", codec="utf-8"), min_size=1), st.text()))
def test_any_key_can_be_picked_once_its_dots_are_escaped(data: dict[str, str]) -> None:
    for key, value in data.items():
        assert _pick(json.dumps({"data": data}), "data." + key.replace(".", "\\.")) == value


def test_what_a_step_keeps_is_put_into_later_ones_and_unknown_braces_stay(tmp_path: Path) -> None:
    node = PretendedNode('{"token": "s3cret"}')
    playing = player(tmp_path, node)
    playing.play(on_node("first", keep={"loot": "token"}), "setup")
    playing.play(on_node('echo {loot} {nothing} {"json": 1} {Loot}'), "setup")
    assert node.commands[-1] == 'echo s3cret {nothing} {"json": 1} {Loot}'


def test_a_kept_value_may_be_base64_and_text_that_is_none_fails_the_step(tmp_path: Path) -> None:
    node = PretendedNode('{"token": "czNjcmV0"}')
    playing = player(tmp_path, node)
    playing.play(on_node("first", keep={"loot": "token"}, decode=True), "setup")
    playing.play(on_node("echo {loot}"), "setup")
    assert node.commands[-1] == "echo s3cret"
    with pytest.raises(StepFailed, match="what is kept as loot is not base64"):
        player(tmp_path, PretendedNode('{"token": "!"}')).play(on_node("x", keep={"loot": "token"}, decode=True), "")


# -- steps -------------------------------------------------------------------------------------------------------------


def test_a_step_that_ends_otherwise_than_expected_says_who_what_and_what_was_printed(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"ops, 'digs': ended with 3, not \(0,\): permission denied") as error:
        player(tmp_path, PretendedNode("permission denied", 3)).play(on_node("dig", step="digs"), "theft")
    assert "dig" in str(error.value)


def test_a_named_step_is_noted_with_what_it_left_running_as_often_as_it_was_done(tmp_path: Path) -> None:
    playing = player(tmp_path, PretendedNode())
    playing.play(on_node("x", step="digs", times=2), "theft")
    assert [(deed.step, deed.phase, deed.processes) for deed in playing.deeds] == [
        ("digs", "theft", (("node1", 41),)),
        ("digs", "theft", (("node1", 42),)),
    ]
    assert playing.deeds[0].ended <= playing.deeds[1].started


def test_processes_are_not_looked_for_where_nothing_is_labelled(tmp_path: Path) -> None:
    playing = player(tmp_path, PretendedNode())
    playing.play(on_node("x"), "setup")
    assert playing.deeds[0].processes == ()


def test_a_background_command_is_detached_with_its_quotes_whole() -> None:
    assert _shell("echo 'a b'", background=False) == "echo 'a b'"
    assert _shell("echo 'a b'", background=True).startswith("setsid sh -c 'echo '\"'\"'a b'\"'\"'' >/dev/null")


# -- until -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "field", "state"),
    [
        (None, "", "gone"),
        (None, "status.phase", "gone"),
        ({"status": {}}, "", "exists"),
        ({"status": {"phase": "Running"}}, "status.phase", "Running"),
        ({"status": {}}, "status.phase", ""),
        ({"status": {"numberReady": 2}}, "status.numberReady", "2"),
    ],
)
def test_an_objects_state(answer: Any, field: str, state: str) -> None:
    assert _state(answer, field) == state


def wait(playing: Player, value: str, field: str = "status.phase", seconds: float = 5) -> None:
    playing.play(Step("ops", until=Until("/api/v1/pods/x", field, value, seconds)), "setup")


def test_until_waits_for_the_value(tmp_path: Path) -> None:
    wait(player(tmp_path, answers=[None, {"status": {"phase": "Running"}}]), "Running")


def test_until_present_is_satisfied_by_any_value_but_not_by_existence(tmp_path: Path) -> None:
    wait(player(tmp_path, answers=[{"status": {"phase": "any"}}]), "present")
    with pytest.raises(StepFailed, match="is '', not 'present'"):
        wait(player(tmp_path, answers=[{"status": {}}]), "present", seconds=0.1)


def test_until_in_vain_says_what_was_seen_last(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"/api/v1/pods/x: status\.phase is 'Pending', not 'Running', after 0 s"):
        wait(player(tmp_path, answers=[{"status": {"phase": "Pending"}}]), "Running", seconds=0.1)


def test_until_does_not_wait_for_a_cluster_that_has_ended(tmp_path: Path) -> None:
    playing = player(tmp_path, answers=[None], ended="etcd ended with status 1")
    with pytest.raises(RangeError, match="etcd ended"):
        wait(playing, "Running")


# -- ordinary traffic --------------------------------------------------------------------------------------------------


def test_traffic_goes_on_after_a_failed_step_and_every_failure_is_told(tmp_path: Path) -> None:
    stop, said = threading.Event(), list[str]()

    def told(text: str) -> None:
        said.append(text)
        if len(said) == 4:
            stop.set()

    steps = (on_node("a"), on_node("b"))
    playing = player(tmp_path, PretendedNode(status=1))
    play_background(playing, Background("bots", OPS, steps, every=0), stop, told)
    assert len(said) == 4
    assert said[0].startswith("background (bots): ops, 'set-up': ended with 1")
