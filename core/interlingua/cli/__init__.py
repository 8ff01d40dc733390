"""The command line: one file a command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import signal
import sys

import typer

from interlingua.cli.api import api
from interlingua.cli.check import check
from interlingua.cli.convert import convert
from interlingua.cli.doctor import doctor
from interlingua.cli.env import app as env
from interlingua.cli.inspect import inspect
from interlingua.cli.plugins import plugins
from interlingua.cli.run import run
from interlingua.cli.verify import verify

INTERRUPTED = 130
"""The exit code after Ctrl-C, as the shell's own."""

app = typer.Typer(
    name="interlingua",
    help="Convert neural-network models between deep-learning frameworks, and prove that the numbers agree.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (convert, check, verify, run, inspect, plugins, doctor):
    app.command()(_command)
app.command(context_settings={"allow_interspersed_args": True})(api)
app.add_typer(env, name="env")


def main() -> None:
    """Runs a command; an error of ours is one message and its exit code, never a traceback."""
    from interlingua.errors import InterlinguaError

    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except InterlinguaError as error:
        print(f"{error.title}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
