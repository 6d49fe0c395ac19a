"""Run ``bevdistill VERB ...``: find the verb's module, parse, run, and report errors of the user in one line."""

from __future__ import annotations

import argparse
import difflib
import os
import select
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any

from .arguments import help_of
from .environment import check_environment, let_threads_sleep
from .one_line import one_line
from .unknown_words import explained

VERBS = (
    'train', 'test', 'data', 'synthetic', 'cache', 'study', 'compare', 'report', 'describe', 'score', 'errors',
    'agree', 'convert', 'export', 'predict', 'show', 'bench', 'ls', 'cp', 'mmcv',
)  # fmt: skip
"""Each is a module of this folder with ``HELP``, ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args)``,
some with ``OLD_NAMES``, from earlier names of arguments to those of today."""

EXAMPLES = """
examples:
  bevdistill ls synthetic                   # configs that run on a CPU, each with what it is
  bevdistill synthetic data/tiny --preset tiny --version v1.0-mini
  bevdistill train CONFIG --work-dir runs/a
  bevdistill test CONFIG runs/a/epoch_24.pth

bevdistill VERB --help shows the arguments and examples of a verb.
"""


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; returns the exit status.

    Args:
        argv: Words after the program's name; by default those of this process.
        prog: Name of the program in messages, where it is not ``bevdistill VERB``.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    prog = prog or ' '.join(['bevdistill', *words[:1]])
    try:
        return _run(words, prog)
    except KeyboardInterrupt:
        print(f'{prog}: stopped', file=sys.stderr)
        return 130


def _run(words: list[str], prog: str) -> int:
    out = sys.stdout
    if isinstance(out, TextIOWrapper) and (out.errors == 'strict' or out.encoding.lower() not in ('utf-8', 'utf8')):
        out.reconfigure(errors='backslashreplace')  # File names are bytes, which may be no text, or of another locale.
    if not words or words[0] not in VERBS:
        _parse_verb(words)
    verb = words[0]
    module = module_of(verb)
    parser = verb_parser(module, prog)
    if any(not word.strip() or (word.startswith('--') and word.endswith('=')) for word in words):
        parser.error('an argument is empty; is a variable of the shell not set?')
    try:
        args, unknown = parser.parse_known_args(words[1:])
    except OSError as error:  # Of a name that is looked up: too long, or in a folder that may not be read.
        parser.error(one_line(error))
    if unknown:
        parser.error(explained(parser, unknown))
    for old, new in getattr(module, 'OLD_NAMES', {}).items():
        if any(word.partition('=')[0] == old for word in words):
            print(f"{parser.prog}: '{old}' is called '{new}' now; both work", file=sys.stderr)
    try:
        for line in check_environment():
            print(f'{parser.prog}: {line}', file=sys.stderr)
        let_threads_sleep()
        return module.run(args) or 0
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Or Python says so when it ends.
            return 141
        if args.traceback:
            raise
        print(f'{parser.prog}: error: {one_line(error)}', file=sys.stderr)
        return 1


def _nobody_reads() -> bool:
    """Tell whether what reads the output has ended, as ``head`` does."""
    watch = select.poll()
    watch.register(1, 0)
    return any(event & select.POLLERR for _, event in watch.poll(0))


def tool(verb: str, *fixed: str) -> None:
    """Run a verb under the name of the script that was started, for the scripts of ``tools/``; does not return.

    Args:
        verb: The verb.
        *fixed: Words before those of the command line.
    """
    sys.exit(main([verb, *fixed, *sys.argv[1:]], prog=Path(sys.argv[0]).name))


def module_of(verb: str) -> ModuleType:
    """Import the module of a verb."""
    return import_module(f'{__package__}.{verb}')


def verb_parser(module: ModuleType, prog: str) -> argparse.ArgumentParser:
    """Make the parser of a verb: its help begins with the module's docstring and ends with its examples."""
    parser = argparse.ArgumentParser(prog=prog, **help_of(module))
    module.add_arguments(parser)
    add_traceback(parser, False)
    return parser


def add_traceback(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add ``--traceback`` to a parser and to those of its actions."""
    text = 'show where in the code an error was raised'
    parser.add_argument('--traceback', action='store_true', default=default, help=text)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in set(action.choices.values()):
                add_traceback(below, argparse.SUPPRESS)


def _parse_verb(words: Sequence[str]) -> None:
    """Show help, the version, or what is wrong with the first word; does not return."""
    from bevdistill import __version__

    parser = argparse.ArgumentParser(
        prog='bevdistill',
        description="Cross-modal knowledge distillation in bird's-eye view.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'bevdistill {__version__}')
    verbs = parser.add_subparsers(metavar='VERB', required=True)
    near = difflib.get_close_matches(words[0], VERBS, n=1) if words and not words[0].startswith('-') else []
    if near:
        parser.error(f"there is no verb '{words[0]}'; did you mean '{near[0]}'?")
    for verb in VERBS:
        verbs.add_parser(verb, help=module_of(verb).HELP)
    parser.parse_args(words)
