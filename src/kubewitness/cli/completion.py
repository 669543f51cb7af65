"""`kubewitness completion`: the script that teaches a shell our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kubewitness.cli.main import context_settings, program
from kubewitness.cli.output import to_stdout

_EPILOG = """\b
Examples:
  kubewitness completion bash > /etc/bash_completion.d/kubewitness
  kubewitness completion zsh > "${fpath[1]}/_kubewitness"
  kubewitness completion fish > ~/.config/fish/completions/kubewitness.fish"""


@click.command(epilog=_EPILOG, context_settings=context_settings())
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script for a shell."""
    made = get_completion_class(shell)
    assert made is not None  # click knows the three
    to_stdout(made(program, {}, "kubewitness", "_KUBEWITNESS_COMPLETE").source().encode())
    return 0
