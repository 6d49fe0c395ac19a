"""Draw pictures: what a model sees and predicts, or what it is fed."""

from __future__ import annotations

import argparse

from . import show_data, show_model
from .arguments import help_of

HELP = 'show model: draw pages of a model; show data: draw what it is fed'
EXAMPLES = """
examples:
  bevdistill show model CONFIG CHECKPOINT --out pictures
  bevdistill show data CONFIG --out pictures

bevdistill show model --help and show data --help have the arguments.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two kinds of pictures with their arguments."""
    kinds = parser.add_subparsers(dest='kind', metavar='KIND', required=True)
    for kind, module in (('model', show_model), ('data', show_data)):
        module.add_arguments(kinds.add_parser(kind, help=module.HELP, **help_of(module)))


def run(args: argparse.Namespace) -> None:
    """Draw the pictures of the kind that was asked for."""
    (show_data if args.kind == 'data' else show_model).run(args)
