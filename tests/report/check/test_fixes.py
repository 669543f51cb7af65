"""Failures by what mends them, and results seen across machines and frameworks."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubewitness.model.posture import PostureReport, Remedy, Waiver
from kubewitness.model.text import Text
from kubewitness.report.check.fixes import Fix, fixes, info_of, of_status, open_failures, reasons, told_too
from kubewitness.report.check.matrix import fleet, points
from tests.report.check.sample import ANONYMOUS, CLEAN, FULL, KUBELET, MODE, fail, info, other, report, waived


def said(one: Fix) -> list[str]:
    """Its commands, in English."""
    return [command.text.en for command in one.commands]


def test_failures_of_several_checks_that_one_action_mends_are_one_fix() -> None:
    todo = fixes(open_failures(FULL), info_of(FULL))
    assert [(one.key, one.count) for one in todo] == [
        ("checks/access/anonymous_grant", 3),
        ("kubelet_config", 2),
        ("checks/access/paths", 1),
        ("checks/control_plane/profiling", 1),
    ]
    assert [one.id for one in todo[1].checks] == [KUBELET.id, MODE.id]
    assert todo[1].severity == "critical"


def test_one_unsafe_remedy_makes_a_fix_unsafe_and_says_what_breaks() -> None:
    safe = Remedy(Text("Delete it", "删除"), command="kubectl delete a", safe=True)
    risky = Remedy(Text("Delete it", "删除"), command="kubectl delete b", breaks=Text("Logins of b.", "b 的登录。"))
    made = report([(ANONYMOUS, [fail("a", remedy=safe), fail("b", remedy=risky)])])
    (one,) = fixes(open_failures(made), info_of(made))
    assert not one.safe
    assert [text.en for text in one.breaks] == ["Logins of b."]
    assert said(one) == ["kubectl delete a\nkubectl delete b"]
    assert one.remedy.title.en == "Delete it"


def test_remedies_of_several_titles_under_one_check_bear_the_title_of_the_check() -> None:
    own = [Remedy(Text(f"Delete {name}", f"删除 {name}")) for name in "ab"]
    made = report([(ANONYMOUS, [fail(name, remedy=one) for name, one in zip("ab", own, strict=True)])])
    (one,) = fixes(open_failures(made), info_of(made))
    assert one.remedy.title == ANONYMOUS.remedy.title


def test_a_command_is_not_told_again_where_another_one_holds_it() -> None:
    commands = (
        "edit a\nlook\nrestart\n", "restart", "edit a\nrestart", "edit a\nlook\nrestart\nclose the port",
        "restart\nedit a", "edit b\nrestart", "start",
    )  # fmt: skip
    own = [Remedy(Text("Mend it", "修复"), command=one, fix="kubelet") for one in commands]
    made = report([(ANONYMOUS, [fail(str(at), remedy=one) for at, one in enumerate(own)])])
    (one,) = fixes(open_failures(made), info_of(made))
    assert said(one) == ["edit a\nlook\nrestart", "close the port", "restart\nedit a", "edit b\nrestart", "start"]


def test_what_is_said_in_the_same_words_is_one_entry_and_a_path_one_of_its_own() -> None:
    (anonymous, *_) = fixes(open_failures(FULL), info_of(FULL))
    assert [len(entry.results) for entry in anonymous.entries] == [3]
    hop = next(one for one in FULL.results if one.hops).hops
    made = report([(ANONYMOUS, [fail("a", hops=hop), fail("b", hops=hop)])])
    assert [len(entry.results) for entry in fixes(open_failures(made), info_of(made))[0].entries] == [1, 1]


def test_what_is_waived_or_known_is_no_work_to_do() -> None:
    made = waived(FULL, "ClusterRoleBinding a")
    made = replace(made, results=tuple(replace(one, known=one.subject.endswith(" b")) for one in made.results))
    assert len(open_failures(FULL)) - len(open_failures(made)) == 2


def door(**more: object) -> PostureReport:
    """A failure that tells another one too."""
    part = f"{MODE.id}|node/node1|kubelet|"
    whole = fail("kubelet", "node/node1", includes=(part,), **more)  # type: ignore[arg-type]
    return report([(KUBELET, [whole]), (MODE, [fail("kubelet", "node/node1"), fail("kubelet", "node/node2")])])


def test_what_another_failure_tells_too_is_not_told_again() -> None:
    made = door()
    assert [(one.check, one.target) for one in open_failures(made)] == [
        (KUBELET.id, "node/node1"), (MODE.id, "node/node2"),
    ]  # fmt: skip
    assert told_too(made, info_of(made)) == {f"{KUBELET.id}|node/node1|kubelet|": (MODE,)}
    assert len(of_status(made, "fail")) == 3, "every result stays in the document"


@pytest.mark.parametrize("change", [{"waiver": Waiver("jane", "so", "2027-01-01")}, {"known": True}])
def test_a_part_is_told_where_the_whole_is_waived_or_known(change: dict[str, object]) -> None:
    made = door()
    first, *others = made.results
    made = replace(made, results=(replace(first, **change), *others))
    assert [one.target for one in open_failures(made)] == ["node/node1", "node/node2"]
    assert not told_too(made, info_of(made))


def test_a_part_that_is_more_severe_than_the_whole_is_told() -> None:
    assert len(open_failures(door(severity="low"))) == 3


def test_failures_below_a_severity_are_left_out() -> None:
    assert {one.severity for one in open_failures(FULL, "high")} == {"critical", "high"}


def test_reasons_stand_by_their_number() -> None:
    made = report([(ANONYMOUS, [other("not_evaluated", subject=str(n), reason="no dump") for n in range(3)]),
                   (MODE, [other("not_evaluated", "node/n", reason="no file")])])  # fmt: skip
    found = reasons(of_status(made, "not_evaluated"))
    assert [(one.text.en, len(one.results), one.checks) for one in found] == [
        ("no dump", 3, (ANONYMOUS.id,)), ("no file", 1, (MODE.id,)),
    ]  # fmt: skip


def test_machines_stand_side_by_side_and_the_odd_one_is_marked() -> None:
    made = fleet(FULL)
    assert made.machines == ("node1", "node2")
    row = next(one for one in made.rows if one.info == KUBELET)
    assert [one.status if one else "" for one in row.cells] == ["fail", "pass"]
    assert row.differs
    same = report([(KUBELET, [other("pass", "node/node1"), other("pass", "node/node2")])])
    assert [one.differs for one in fleet(same).rows] == [False]


def test_one_machine_is_no_fleet() -> None:
    assert fleet(CLEAN).rows == ()


def test_a_point_of_a_framework_has_the_worst_of_its_checks_in_natural_order() -> None:
    good = info("good", frameworks={"CIS": ("5.1.2",)})
    made = report([(ANONYMOUS, [other("pass")]), (good, [fail("x")])])
    assert [(one.name, one.status) for one in points(made) if one.framework == "CIS"] == [
        ("5.1.1", "pass"), ("5.1.2", "fail"), ("5.1.10", "pass"),
    ]  # fmt: skip
