"""The program: its commands, its exit codes, and the one place that catches everything.

Commands are a table of names to modules and are imported when they are used, so `--version` and completion answer at
once. A command returns its exit code: 0 nothing found, 1 findings, 2 the call is wrong, 3 could not be completed;
Ctrl-C gives 130 as in a shell. Errors we raise on purpose are one sentence; any other error is ours, and says what was
kept and how to report it (the traceback only with `--debug`).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import MutableMapping, Sequence
from importlib import import_module
from typing import Any, Final

import click

from kubewitness import __version__
from kubewitness.cli.session import Session
from kubewitness.model.errors import KubewitnessError, UsageError

FINDINGS, USAGE, INCOMPLETE, INTERRUPTED = 1, 2, 3, 130

# Name → module that has a click command of that name (dashes as underscores).
COMMANDS: Final = {
    "investigate": "kubewitness.cli.investigate",
    "check": "kubewitness.cli.check",
    "collect": "kubewitness.cli.collect",
    "trace": "kubewitness.cli.trace",
    "export": "kubewitness.cli.export",
    "demo": "kubewitness.cli.demo",
    "state": "kubewitness.cli.state",
    "rules": "kubewitness.cli.rules",
    "completion": "kubewitness.cli.completion",
}


class Program(click.Group):
    """The group of all commands, imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table: the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - click's signature; we always exit
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit."""
        session = Session()
        try:
            code = super().main(
                args, prog_name, complete_var, standalone_mode=False, windows_expand_args=windows_expand_args,
                obj=session, **extra,
            )  # fmt: skip
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = USAGE
        except click.ClickException as error:
            error.show()
            code = USAGE
        except (click.Abort, KeyboardInterrupt):
            _say(f"Interrupted. {_kept(session)}")
            code = INTERRUPTED
        except UsageError as error:
            _say(f"Error: {error}")
            code = USAGE
        except KubewitnessError as error:
            _say(f"Error: {error}")
            code = INCOMPLETE
        except Exception as error:
            _unexpected(error, session)
            code = INCOMPLETE
        sys.exit(code if isinstance(code, int) else 0)


def _say(message: str) -> None:
    click.echo(message, err=True)


def _kept(session: Session) -> str:
    if session.written:
        return f"Kept: {', '.join(session.written)}."
    return "Nothing was written, and the evidence is untouched."


def _unexpected(error: Exception, session: Session) -> None:
    if session.debug:
        traceback.print_exception(error, file=sys.stderr)
    about = str(error).splitlines()[0][:200] if str(error) else "no message"
    _say(f"Error in kubewitness itself: {type(error).__name__}: {about.encode('unicode_escape').decode()}")
    _say(_kept(session))
    how = "the traceback above" if session.debug else "the output of the same call with `kubewitness --debug ...`"
    _say(
        f"Please report it with {how}, the version ({__version__}) and the Python version "
        f"({sys.version_info.major}.{sys.version_info.minor}); leave out evidence that is not yours to share."
    )


_EPILOG = """\b
Examples:
  kubewitness demo
  kubewitness investigate /var/log/kubernetes/audit/
  kubewitness investigate audit.log.gz --case case-1 --lang zh
  kubewitness check
  sudo kubewitness collect

\b
Exit codes: 0 nothing found, 1 findings, 2 wrong call, 3 could not be completed
(for instance evidence that could not be read completely), 130 interrupted."""


@click.group(
    cls=Program,
    name="kubewitness",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="kubewitness", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback if kubewitness itself fails.")
@click.pass_obj
def program(session: Session, debug: bool) -> None:
    """From the evidence a Kubernetes operator still has to one proven attack chain.

    It reads only; nothing in a cluster is changed, and nothing leaves this machine.
    """
    session.debug = debug


def main() -> None:
    """The console script."""
    _stand_in()
    program(prog_name="kubewitness")


def _stand_in() -> None:
    """Give a stream that the caller closed (`2>&-`) something that takes all and holds nothing.

    Python has None there; and the next file that is opened, evidence perhaps, would get its number.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def context_settings() -> MutableMapping[str, Any]:
    """Settings every command shares (click does not hand down the help options' names to lazy commands)."""
    return {"help_option_names": ["-h", "--help"], "max_content_width": 100}
