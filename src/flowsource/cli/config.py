"""`flowsource config`: the settings, and where each is from."""

from __future__ import annotations

import os

from flowsource.cli import exits
from flowsource.cli.groups import group
from flowsource.cli.output import Cell, print_json, print_table
from flowsource.settings import SETTINGS, settle

config = group("config", "The settings of this machine and user.")


@config.command
def show(*, json: bool = False) -> int:
    """Every setting with its value, and what gave it: an environment variable, a file, or nothing. Secrets are masked.

    Parameters
    ----------
    json
        Print a JSON array of objects.
    """
    values, given = settle(os.environ)
    rows = [
        {
            "name": name,
            "value": setting.show(values[name]),
            "from": given[name].label if name in given else None,
            "meaning": setting.meaning,
        }
        for name, setting in SETTINGS.items()
    ]
    if json:
        print_json(rows)
    else:
        cells = [[Cell(value or "default") for value in row.values()] for row in rows]
        print_table(("SETTING", "VALUE", "FROM", "MEANING"), cells)
    return exits.OK
