"""The house rules of the tree: who imports whom, file and function length, nothing of one machine in the package."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PACKAGE = REPO / 'bevdistill'
ORDER = (
    ('structures',), ('distributed',), ('layers',), ('checkpoints',), ('detection',), ('datasets',),
    ('students', 'teachers'), ('losses',), ('distillers',), ('teacher_cache',), ('engine',), ('evaluation',),
    ('visualization',), ('studies',), ('apis',), ('cli',),
)
PLACE = {name: place for place, names in enumerate(ORDER) for name in names}
PLACE['synthetic'] = PLACE['apis'] - 0.5  # for what runs without data, and for the command that makes it
# pyquaternion and scipy come with the devkit.
SYNTHETIC_NEEDS = {'numpy', 'numba', 'PIL', 'cv2', 'nuscenes', 'pyquaternion', 'scipy', 'tqdm'}
MAX_FILE, MAX_FUNCTION = 300, 60
SOURCES = sorted(PACKAGE.rglob('*.py'))
FOLDERS = ('bevdistill', 'projects', 'tools', 'benchmarks')
SHIPPED = [path for folder in FOLDERS for path in sorted((REPO / folder).rglob('*.py'))]


def name_of(path: Path) -> str:
    return str(path.relative_to(REPO))


def modules_imported(path: Path, root: Path = REPO) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every module that a file imports, relative and nested imports included."""
    package = path.relative_to(root).with_suffix('').parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = '.'.join(package[:len(package) - node.level + 1]) if node.level else ''
            module = '.'.join(filter(None, (base, node.module)))
            yield node.lineno, module
            for alias in node.names:
                yield node.lineno, f'{module}.{alias.name}'


def import_faults(path: Path, root: Path = REPO) -> list[str]:
    """What a file of the package imports against the rule."""
    own = path.relative_to(root).parts[1]
    faults = []
    for line, module in modules_imported(path, root):
        head, _, rest = module.partition('.')
        other = rest.partition('.')[0]
        if head in ('projects', 'tools', 'benchmarks', 'tests'):
            faults.append(f'{line}: the package imports {module}')
        elif own == 'synthetic' and head == 'bevdistill' and other not in ('', 'synthetic'):
            faults.append(f'{line}: synthetic stands alone, but imports {module}')
        elif own == 'synthetic' and head not in SYNTHETIC_NEEDS | {'bevdistill'} | sys.stdlib_module_names:
            faults.append(f'{line}: synthetic needs numpy, numba, an image writer and the devkit, not {module}')
        elif head == 'bevdistill' and own in PLACE and own != other and PLACE.get(other, -1) >= PLACE[own]:
            faults.append(f'{line}: {own} imports {module}, which is not to its left')
    return faults


def test_every_folder_has_its_place() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob('*.py'))}
    assert folders <= set(PLACE), f'folders without a place in the import order: {sorted(folders - set(PLACE))}'


@pytest.mark.parametrize('path', SOURCES, ids=name_of)
def test_imports_point_left(path: Path) -> None:
    assert not import_faults(path)


@pytest.mark.parametrize(('folder', 'line', 'fault'), [
    ('losses', 'from bevdistill.structures import BEVGrid', ''),
    ('losses', 'from . import base', ''),
    ('losses', 'from ..distillers import BEVDistiller', 'losses imports bevdistill.distillers, which is not'),
    ('losses', 'def f():\n    import bevdistill.engine.hooks', 'which is not to its left'),
    ('losses', 'from bevdistill import engine', 'losses imports bevdistill.engine'),
    ('students', 'from bevdistill.teachers import object_dgcnn', 'students imports bevdistill.teachers'),
    ('teachers', 'from bevdistill.students import bevformer', 'teachers imports bevdistill.students'),
    ('engine', 'import projects.fitnet', 'the package imports projects.fitnet'),
    ('cli', 'from benchmarks import run', 'the package imports benchmarks'),
    ('apis', 'from ..synthetic.rig import make_rig', ''),
    ('visualization', 'from ..synthetic.rig import make_rig', 'visualization imports bevdistill.synthetic'),
    ('datasets', 'from bevdistill.synthetic import world', 'datasets imports bevdistill.synthetic'),
    ('cli', 'from bevdistill.synthetic import make_dataset', ''),
    ('studies', 'from bevdistill.cli import train', 'studies imports bevdistill.cli, which is not'),
    ('synthetic', 'import torch', 'synthetic needs numpy'),
    ('synthetic', 'from bevdistill.structures import BEVGrid', 'synthetic stands alone'),
    ('synthetic', 'import json\nimport numba\nfrom .world import World', ''),
])
def test_import_rule_sees(tmp_path: Path, folder: str, line: str, fault: str) -> None:
    path = tmp_path / 'bevdistill' / folder / 'module.py'
    path.parent.mkdir(parents=True)
    path.write_text(line)
    faults = import_faults(path, tmp_path)
    assert bool(faults) == bool(fault)
    assert all(fault in text for text in faults[:1])


@pytest.mark.parametrize('path', SOURCES, ids=name_of)
def test_no_machine_no_device_and_no_locale_is_assumed(path: Path) -> None:
    text = path.read_text()
    found = re.findall(r"""\.cuda\(|['"](?:/home/|/root/|/mnt/|/data/|/nfs/|/tmp/|/work/|[A-Z]:\\\\)[^'"]*""", text)
    assert not found, f'{name_of(path)} assumes a device or a path of one machine: {found}'
    found = re.findall(r"""\.read_text\(\)|\.write_text\((?!.*encoding=).*|\.open\('[arw]\+?'\)""", text)
    assert not found, f"{name_of(path)}: text in the encoding of the locale, write encoding='utf-8': {found}"


@pytest.mark.parametrize('path', SHIPPED, ids=name_of)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    lines = text.count('\n')
    assert lines <= MAX_FILE, f'{name_of(path)} has {lines} lines; split it by idea'
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            documented = ast.get_docstring(node, clean=False)
            length -= documented.count('\n') + 1 if documented else 0
            assert length <= MAX_FUNCTION, f'{name_of(path)}:{node.lineno} {node.name} has {length} lines of code'


@pytest.mark.parametrize('folder', sorted(path.parent for path in SOURCES if path.name == '__init__.py'), ids=name_of)
def test_each_package_folder_is_mirrored_by_tests(folder: Path) -> None:
    relative = folder.relative_to(PACKAGE)
    stems = [path.stem for path in folder.glob('*.py') if path.name != '__init__.py']
    names = {path.name for path in (REPO / 'tests' / relative).rglob('test_*.py')}
    if len(relative.parts) > 1:  # a small sub-folder may be tested in the files of its parent
        flat = {f'test_{stem}.py' for stem in [folder.name, *stems]}
        names |= flat & {path.name for path in (REPO / 'tests' / relative.parent).glob('test_*.py')}
    assert names or not stems, f'{name_of(folder)} has no tests in tests/{relative}'
