"""The commands of `ringdown`: each is loaded when it is asked for, as all of them would take seconds."""

import importlib
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from ringdown import lifecycle
from ringdown.cli import becoming
from ringdown.errors import RingdownError

# Where each command is, in the order in which they are listed.
_PLACES: Mapping[str, tuple[str, str]] = {
    "serve": ("programs", "serve"),
    "demo": ("programs", "demo"),
    "calls": ("calls", "app"),
    "batches": ("batches", "app"),
    "webhooks": ("webhooks", "app"),
    "credits": ("credits", "app"),
    "keys": ("keys", "app"),
    "numbers": ("numbers", "app"),
    "trunks": ("trunks", "app"),
    "models": ("models", "app"),
    "privacy": ("privacy", "app"),
    "doctor": ("doctor", "doctor"),
    "verify": ("verify", "verify"),
    "migrate": ("programs", "migrate"),
    "api": ("programs", "api"),
    "gateway": ("programs", "gateway"),
    "worker": ("programs", "worker"),
}


class _Commands(TyperGroup):
    """The commands at their places, and those that are registered here.

    Their types are `Any`: some versions of typer bring a click of their own.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return [*_PLACES, *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded; None when there is none of this name."""
        if cmd_name not in _PLACES:
            return super().get_command(ctx, cmd_name)
        module, attribute = _PLACES[cmd_name]
        found = getattr(importlib.import_module(f"ringdown.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command()(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="ringdown",
    help="Self-hosted AI phone calls.",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; every foreseen failure is one sentence on stderr and exit status 1."""
    try:
        app()
    except lifecycle.CannotStart as error:
        lifecycle.fail(str(error))
    except RingdownError as error:
        lifecycle.fail(error.message)


@app.callback()
def _begin() -> None:
    """Self-hosted AI phone calls."""


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def phone(context: typer.Context) -> None:
    """The scripted test phone: answers or dials, speaks, sends digits; see `ringdown phone --help`."""
    becoming.become("phone", context.args)
