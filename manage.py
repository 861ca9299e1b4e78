#!/usr/bin/env python3
"""The command line: the product's own commands first, then Django's."""

import os
import sys

OURS = ("gla", "core", "portfolio", "leases", "followup", "arrears", "energy", "api")


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gla.settings")
    try:
        from django.core.management import ManagementUtility
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make demo`, then .venv/bin/python manage.py")

    class Commands(ManagementUtility):
        def main_help_text(self, commands_only: bool = False) -> str:
            rest = super().main_help_text(commands_only)
            return rest if commands_only else f"{own_commands()}\n{rest}"

    Commands(arguments).execute()


def own_commands() -> str:
    """The product's commands, a line each, with the first sentence of their help."""
    from django.core.management import get_commands, load_command_class

    lines = ["GLA, adapted rental management (gestion locative adaptée)", ""]
    for name, app in sorted(get_commands().items()):
        if app in OURS:
            said = str(load_command_class(app, name).help).strip().splitlines() or [""]
            lines.append(f"  {name:<22} {said[0]}")
    return "\n".join([*lines, "", "Add --help to any of them. Django's own commands:", ""])


if __name__ == "__main__":
    main(sys.argv)
