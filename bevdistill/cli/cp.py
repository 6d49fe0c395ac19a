"""Copy a config to a place of your own: its bases are found from where the copy lies, or are written into it."""

from __future__ import annotations

import argparse
import ast
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from bevdistill.checkpoints.whole_file import write_whole
from bevdistill.engine.shipped import config_path, package_name, shipped_namesakes, shipped_root

HELP = 'copy a config to a file of your own'
EXAMPLES = """
examples:
  # a copy to change; CONFIG is a path, also one inside configs/ of the package
  bevdistill cp bevdistill/bevdistill_r50_1x_nus-3d.py mine.py
  bevdistill train mine.py --cfg-options model.teacher_checkpoint=FILE

  # all in one file without bases, with the pipelines as lists too, for scripts and code bases that want them so
  bevdistill cp synthetic/bevformer/bevformer_r50_1x_nus-3d.py flat.py --flat
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('config', metavar='CONFIG', help='config file')
    parser.add_argument('out', metavar='OUT', type=Path, help='file or folder to write')
    parser.add_argument(
        '--flat', action='store_true', help='write all that a run reads into one file, without bases and variables'
    )
    parser.add_argument('--force', action='store_true', help='overwrite the file if it exists')


def run(args: argparse.Namespace) -> None:
    """Copy, and say how to train with the copy."""
    source = find_config(args.config)
    out = args.out / source.name if args.out.is_dir() else args.out
    if out.suffix != '.py':
        raise ValueError(f'{out} must end with .py, as mmengine reads configs by their ending')
    if source.suffix != '.py' and not args.flat:
        raise ValueError(f'{source} is no Python, in which paths of bases can be changed; copy it with --flat')
    if out.exists() and not args.force:
        raise FileExistsError(f'{out} exists; give --force to overwrite it')
    if args.flat:
        from bevdistill.engine.config_file import read_config
        from bevdistill.engine.flat_config import flat_text

        text = flat_text(read_config(source), source)
    else:
        text = with_bases_of(source, out.resolve().parent)
    write_whole(text.encode(errors='backslashreplace'), out)  # A comment names the source, whose name may be no text.
    named = f'./{out}' if str(out).startswith('-') else str(out)
    print(f'{out}: copy of {source}. Train with it:\n  bevdistill train {shlex.quote(named)}')


def find_config(name: str) -> Path:
    """Find a config by its path, or by its path inside ``configs`` of the package, with or without ``bevdistill::``.

    Raises:
        FileNotFoundError: If there is none.
    """
    if config_path(name).is_file():
        return config_path(name)
    configs = shipped_root() / 'configs'
    if (configs / name).is_file():
        return configs / name
    near = ' or '.join(shipped_namesakes(Path(name).name))
    advice = f'did you mean {near}?' if near else 'bevdistill ls lists them'
    raise FileNotFoundError(f'no config file {name}, neither here nor in {configs}; {advice}')


def with_bases_of(source: Path, folder: Path) -> str:
    """Rewrite the paths in ``_base_`` for a copy in another folder.

    Args:
        source: The config.
        folder: Absolute folder of the copy.

    Returns:
        The text. Bases in the same tree are relative, so that the tree can be moved; bases elsewhere are absolute,
        or ``bevdistill::...`` where the package is installed.

    Raises:
        ValueError: If the config is no Python.
    """
    try:
        lines = source.read_text(encoding='utf-8').splitlines(keepends=True)
        tree = ast.parse(''.join(lines))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'{source}: cannot be read as a config: {type(error).__name__}: {error}') from error
    for node in reversed(list(_bases(tree))):
        if '::' in str(node.value):
            continue  # In another installed package.
        base = (source.resolve().parent / str(node.value)).resolve()
        relative = os.path.relpath(base, folder)
        inside = folder.is_relative_to(Path(os.path.commonpath([source.resolve(), base])))
        path = relative if inside else package_name(base) or str(base)
        line = lines[node.lineno - 1].encode()  # ast counts bytes
        lines[node.lineno - 1] = (line[: node.col_offset] + repr(path).encode() + line[node.end_col_offset :]).decode()
    return ''.join(lines)


def _bases(tree: ast.Module) -> Iterator[ast.Constant]:
    """Find the strings of ``_base_ = ...``."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == '_base_':
            yield from (node for node in ast.walk(statement.value) if isinstance(node, ast.Constant))
