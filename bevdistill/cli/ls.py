"""List the configs, each with what it is: the first sentence of its lab note."""

from __future__ import annotations

import argparse

from bevdistill.engine.shipped import shipped_root

from .config_files import first_note, shipped_configs, shown

HELP = 'list configs with what they are'
EXAMPLES = """
examples:
  # all configs
  bevdistill ls

  # those with all of these words in their path or note, in any case
  bevdistill ls synthetic teacher
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('words', nargs='*', metavar='WORD', help='words that path or note must contain')


def run(args: argparse.Namespace) -> int:
    """Print a line per config; the status is 1 if none has the words."""
    entries = {shown(path): first_note(path) for path in shipped_configs(shipped_root())}
    words = [word.lower() for word in args.words]
    kept = {path: note for path, note in entries.items() if all(word in f'{path} {note}'.lower() for word in words)}
    width = max(map(len, kept), default=0)
    for path, note in kept.items():
        print(f'{path:<{width}}  {note}')
    if not kept:
        print(f'no config has {" and ".join(map(repr, args.words))} in its path or note')
    return 0 if kept else 1
