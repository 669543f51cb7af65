"""Commands of several remedies as one reads them: each line once, names below each other, in both languages."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.report.check.commands import commands, in_chinese
from kubewitness.report.check.formats import FORMATS, View
from tests.report.check.sample import ANONYMOUS, fail, report

LOOK = Text("look first", "先查看")


def remedy(command: str, *comments: Text, blanks: tuple[str, ...] = ()) -> Remedy:
    return Remedy(Text("Mend it", "修复"), command=command, comments=comments, blanks=blanks)


def told(*given: str) -> list[str]:
    return [one.text.en for one in commands([remedy(one, LOOK) for one in given])]


def test_commands_that_differ_in_names_alone_are_one_block() -> None:
    assert told(*(f"# look first\nkubectl label ns {name} a=b\n# then\nkubectl get ns {name}" for name in "xy")) == [
        "# look first\nkubectl label ns x a=b\nkubectl label ns y a=b\n# then\nkubectl get ns x\nkubectl get ns y"
    ]


@pytest.mark.parametrize(
    "given",
    [
        ("kubectl get a", "kubectl delete a"),  # another verb
        ("# in this file\n- --a=1", "# in that file\n- --a=2"),  # lines of manifests
        ("kubectl apply -f - -n a <<'END'\nx\nEND", "kubectl apply -f - -n b <<'END'\nx\nEND"),  # one text for one
        ("kubectl get a \\\n  | grep x", "kubectl get b \\\n  | grep x"),
    ],
)
def test_other_commands_stay_apart(given: tuple[str, ...]) -> None:
    assert len(told(*given)) == 2


def test_settings_join_the_restart_that_is_told_already() -> None:
    assert told("# look first\n# a: 1\nsystemctl restart", "# look first\n# b: 2\nsystemctl restart") == [
        "# look first\n# a: 1\n# b: 2\nsystemctl restart"
    ]
    assert told("# a: 1\nrestart\nlook", "# look first\n# a: 1\nrestart") == ["# a: 1\nrestart\nlook"]


def test_an_empty_line_parts_what_can_be_run_from_what_has_to_be_filled_in() -> None:
    ready, open_ = commands([remedy("systemctl restart\n\nnft add NETWORKS", blanks=("NETWORKS",))])
    assert (ready.text.en, ready.blanks) == ("systemctl restart", ())
    assert (open_.text.en, open_.blanks) == ("nft add NETWORKS", ("NETWORKS",))


def test_of_many_names_the_first_are_listed_and_the_rest_counted() -> None:
    started = time.perf_counter()
    (one,) = commands([remedy(f"kubectl delete secret s{n}") for n in range(20_000)])
    assert time.perf_counter() - started < 5
    assert one.text.en.endswith("s11\n# ... and 19988 more; the JSON form has all")
    assert one.text.zh.endswith("# ……另有 19988 条，JSON 格式含全部内容")


@pytest.mark.parametrize(
    ("command", "chinese"),
    [
        ("# look first\nx", "# 先查看\nx"),
        ("x  # look first", "x  # 先查看"),
        ("x '# look first'", "x '# look first'"),  # a name
        ("x y# look first", "x y# look first"),
        ("# look first, then go", "# look first, then go"),
    ],
)
def test_comments_are_chinese_and_nothing_else_is_changed(command: str, chinese: str) -> None:
    assert in_chinese(command, [LOOK]) == chinese


def test_a_command_that_is_not_ready_says_so_and_cannot_be_copied() -> None:
    open_ = report([(ANONYMOUS, [fail("a", remedy=remedy("# look first\nrm NAME", LOOK, blanks=("NAME",)))])])
    ready = report([(ANONYMOUS, [fail("a", remedy=remedy("# look first\nrm a", LOOK))])])
    for form in ("table", "md", "html"):
        said = FORMATS[form](open_, View()).decode()
        assert "Not to be run as it is; fill in first: NAME" in said
        assert "Not to be run as it is" not in FORMATS[form](ready, View()).decode()
    assert "请先替换：NAME" in FORMATS["table"](open_, View("zh")).decode()
    assert 'class="copy"' not in FORMATS["html"](open_, View()).decode()
    assert 'class="copy"' in FORMATS["html"](ready, View()).decode()
    about = replace(ANONYMOUS, remedy=remedy("rm NAME", blanks=("NAME",)))
    assert "不能直接运行" in FORMATS["sarif"](report([(about, [fail("a")])]), View("zh")).decode()


def test_each_form_has_the_comments_of_its_language() -> None:
    made = report([(ANONYMOUS, [fail("a", remedy=remedy("# look first\nrm a", LOOK))])])
    for form in ("table", "md"):
        assert "# 先查看" in FORMATS[form](made, View("zh")).decode()
        assert "# look first" not in FORMATS[form](made, View("zh")).decode()
        assert "# look first" in FORMATS[form](made, View("en")).decode()
    page = FORMATS["html"](made, View()).decode()
    assert "# 先查看" in page
    assert "# look first" in page
    assert "# 先查看" in FORMATS["sarif"](made, View("zh")).decode()
