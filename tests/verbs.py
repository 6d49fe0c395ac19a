"""Verbs of the installed command, run in this process."""

from __future__ import annotations

import argparse
from types import ModuleType


def parse(verb: ModuleType, *words: object) -> argparse.Namespace:
    """Arguments of a verb; a word that it does not know ends the process with status 2, as on the command line."""
    parser = argparse.ArgumentParser(verb.__name__.rpartition('.')[2])
    verb.add_arguments(parser)
    return parser.parse_args([*map(str, words)])


def run(verb: ModuleType, *words: object) -> int | None:
    """Run a verb; its errors stay exceptions."""
    return verb.run(parse(verb, *words))
