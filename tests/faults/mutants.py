"""Make small mistakes in losses, matching, structures and statistics, and count those that the tests notice.

    make mutants                                  # 150 mistakes, drawn at random
    make mutants MUTANTS_ARGS='--count 20 --only losses/dense.py --seed 1'

Each mistake is one change of the syntax tree of one file: another comparison, operator or constant, a condition turned
round, `min` for `max`, a statement left out. The file's own tests run against it in a fork of this process, which has
imported them and all that they need, and whose functions get the code with the mistake. Writes OUT.md; ends with
status 1 if less than 90 % are noticed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import gc
import importlib.machinery
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
import torch
from faults.as_typed import as_typed

REPO = Path(__file__).resolve().parents[2]
TESTS = REPO / 'tests'
FOLDERS = ('losses', 'structures')
FILES = (
    'detection/hungarian.py', 'detection/costs.py', 'detection/coder.py', 'detection/set_loss.py',
    'detection/gaussian.py', 'detection/heatmap.py', 'evaluation/matching.py', 'evaluation/keyframe_ap.py',
    'evaluation/error_split/match.py', 'studies/statistics.py', 'studies/dunnett.py', 'studies/variances.py',
    'studies/effects.py',
)  # fmt: skip
ALSO = {
    'losses/adapters.py': ['losses/test_map_loss.py', 'losses/test_dense.py'],
    'losses/alignment.py': ['losses/test_map_loss.py', 'losses/test_dense.py'],
    'losses/instance.py': ['losses/test_instance_terms.py'],
    'losses/instance_pairs.py': ['losses/test_instance.py', 'losses/test_instance_terms.py'],
    'losses/state_contrast_term.py': ['losses/test_instance.py', 'losses/test_instance_terms.py'],
    'losses/quality.py': ['losses/test_instance.py'],
    'losses/foreground.py': ['losses/test_dense.py'],
    'losses/pairing.py': ['losses/test_instance.py'],
    'studies/statistics.py': ['studies/test_tables.py', 'studies/test_effects.py'],
    'structures/targets.py': ['detection/test_gaussian.py'],
    'detection/set_loss.py': ['detection/test_set_loss_golden.py'],
    'detection/heatmap.py': ['detection/test_gaussian.py'],
    'detection/gaussian.py': ['detection/test_heatmap.py'],
}
"""Tests beside the one of the file's name."""
OF_ROOM = {
    'losses': ('losses/test_invariants.py', 'losses/test_losses_golden.py', 'losses/test_instance_golden.py')
}
"""Tests of all files of a room, run last."""
SWAPPED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
NAMES = {
    'min': 'max', 'max': 'min', 'amin': 'amax', 'amax': 'amin', 'sum': 'mean', 'mean': 'sum', 'sin': 'cos',
    'cos': 'sin',
    'argmax': 'argmin', 'argmin': 'argmax', 'exp': 'log', 'log': 'exp', 'any': 'all', 'all': 'any', 'square': 'abs',
    'abs': 'square', 'sigmoid': 'tanh', 'ceil': 'floor', 'floor': 'ceil', 'maximum': 'minimum', 'minimum': 'maximum',
    'zeros_like': 'ones_like', 'ones_like': 'zeros_like', 'new_zeros': 'new_ones',
}  # fmt: skip
SECONDS = 120.0
QUIETLY = ('-q', '-p', 'no:cacheprovider', '-p', 'no:randomly')


class Mutant(NamedTuple):
    """One mistake: where, what, and the tree of the file with it."""

    file: str
    line: int
    what: str
    tree: ast.Module


def mutants(file: str) -> Iterator[Mutant]:
    """Yield all mistakes of a file."""
    tree = ast.parse((REPO / 'bevdistill' / file).read_text())
    for number, node in enumerate(_nodes(tree)):
        for what in list(_changes(copy.deepcopy(node))):
            changed = copy.deepcopy(tree)
            own = next(each for place, each in enumerate(_nodes(changed)) if place == number)
            before = ast.unparse(own).splitlines()[0]
            for label in _changes(own):
                if label == what:
                    break
            text = f'`{before[:70]}`: {what}'
            yield Mutant(file, getattr(node, 'lineno', 0), text, ast.fix_missing_locations(changed))


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what can be wrong: the bodies of functions without docstrings, errors, annotations and asserts."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _nodes(node)
        elif isinstance(node, ast.FunctionDef):
            for statement in node.body:
                yield from _below(statement)


def _below(node: ast.AST) -> Iterator[ast.AST]:
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if text or isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.arg | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.keyword) and node.arg == 'strict':  # Of a zip: lengths that differ are another mistake.
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ('annotation', 'returns', 'decorator_list', 'type_comment'):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _below(child)


def _changes(node: Any) -> Iterator[str]:
    """Make one change of a node after the other, in place, and say which; the caller stops at the one it wants."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
        node.ops[0] = SWAPPED[type(node.ops[0])]()
        yield f'{type(node.ops[0]).__name__}'
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in SWAPPED:
        node.op = SWAPPED[type(node.op)]()
        yield f'{type(node.op).__name__}'
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
        if isinstance(node.op, ast.Not | ast.Invert):
            node.operand = ast.UnaryOp(node.op, node.operand)  # Twice is as good as not at all.
        yield 'without its sign'
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        yield 'the condition turned round'
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        value = node.value
        if isinstance(value, bool):
            node.value = not value
        else:
            node.value = value + 1 if isinstance(value, int) or not value else value * 1.5
        yield f'{value} -> {node.value}'
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NAMES:
        node.func.attr = NAMES[node.func.attr]
        yield node.func.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
        node.func.id = NAMES[node.func.id]
        yield node.func.id
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.Constant(None)
        yield 'left out'


def tests_of(file: str) -> list[str]:
    """Return the test files of a file."""
    path = Path(file)
    names = [f'test_{path.stem}.py', f'test_{path.parent.name}_{path.stem}.py']
    own = [TESTS / path.parent / name for name in names]
    further = [*ALSO.get(file, ()), *OF_ROOM.get(path.parts[0], ())]
    return [str(test) for test in [*own, *(TESTS / name for name in further)] if test.is_file()]


def outcome(mutant: Mutant | None, tests: list[str], log: Path, functions: Sequence[FunctionType] = ()) -> str:
    """Run tests in a fork, against a mistake or as it is: caught, survived, or hung.

    Args:
        mutant: The mistake.
        tests: Files.
        log: Where their output goes.
        functions: Those of this package that are imported.
    """
    child = os.fork()
    if not child:
        try:
            handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
            if mutant is not None:
                _install(mutant, functions)
            os._exit(int(pytest.main([*QUIETLY, '-x', *tests])))
        finally:
            os._exit(99)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            if code == 99:
                raise RuntimeError(f'{mutant} could not be made or tested:\n{log.read_text()[-3000:]}')
            return 'survived' if code == 0 else 'caught'
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 'hung'


def _install(mutant: Mutant, functions: Sequence[FunctionType]) -> None:
    """Give the functions of the file the code with the mistake, and have Python import it if it is not yet imported."""
    path = str(REPO / 'bevdistill' / mutant.file)
    code = compile(mutant.tree, path, 'exec', dont_inherit=True)
    changed = {(each.co_qualname, each.co_firstlineno): each for each in _codes(code)}
    for function in functions:
        own = function.__code__
        if own.co_filename == path:
            function.__code__ = changed[own.co_qualname, own.co_firstlineno]
    real = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: Any, name: str) -> Any:
        return code if os.path.abspath(self.path) == path else real(self, name)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _imported(tests: Sequence[str]) -> list[FunctionType]:
    """Import test files with all that they import, and return the functions of this package."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = pytest.main([*QUIETLY, '--collect-only', *tests])
    if status:
        raise RuntimeError(f'the tests cannot be collected:\n{said.getvalue()[-3000:]}')
    gc.unfreeze()  # The tests' conftest hides from the collector what is imported.
    package = str(REPO / 'bevdistill')
    found = [each for each in gc.get_objects() if type(each) is FunctionType]
    found = [each for each in found if each.__code__.co_filename.startswith(package)]
    gc.freeze()
    return found


def main() -> int:
    """Make mistakes; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--count', type=int, default=150, help='mistakes (default: 150)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice (default: 0)')
    parser.add_argument('--only', metavar='WORD', default='', help='files with this word in their name')
    parser.add_argument('--out', type=Path, default=Path('docs/results/mutation'), help='report without its ending')
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, log = time.monotonic(), Path(tempfile.mkdtemp(prefix='mutants-')) / 'log'
    package = REPO / 'bevdistill'
    files = [str(path.relative_to(package)) for name in FOLDERS for path in sorted((package / name).glob('*.py'))]
    files = [file for file in (*files, *FILES) if args.only in file and tests_of(file)]
    every = [mutant for file in files for mutant in mutants(file)]
    chosen = Random(args.seed).sample(every, min(args.count, len(every)))
    functions = _imported(sorted({test for mutant in chosen for test in tests_of(mutant.file)}))
    found: list[tuple[Mutant, str]] = []
    for file in sorted({mutant.file for mutant in chosen}):
        if outcome(None, tests_of(file), log) != 'survived':
            raise RuntimeError(f'the tests of {file} fail without any mistake:\n{log.read_text()[-3000:]}')
        for mutant in (each for each in chosen if each.file == file):
            found.append((mutant, outcome(mutant, tests_of(file), log, functions)))
            print(f'{found[-1][1]}: {file}:{mutant.line} {mutant.what}', flush=True)
    alive = [mutant for mutant, what in found if what == 'survived']
    caught = len(found) - len(alive)
    command = as_typed('mutants')
    text = '\n'.join([
        '# Mistakes that tests notice', '', f'`{command}`, {time.strftime("%Y-%m-%d")}, {time.monotonic() - began:.0f} '
        f's: of {len(every):,} possible mistakes in {len(files)} files {len(found)} were drawn; {caught} '
        f'({100 * caught / max(1, len(found)):.1f} %) were noticed by the tests of their file.', '',
        '## Not noticed', '',
        *(f'* {mutant.file}:{mutant.line} {mutant.what}' for mutant in alive), '',
    ])  # fmt: skip
    args.out.with_suffix('.md').write_text(text)
    print(text)
    return int(caught < 0.9 * len(found))


if __name__ == '__main__':
    sys.exit(main())
