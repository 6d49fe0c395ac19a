"""Projects are plug-ins: the package does not know them, each stands alone, and the tools find them from anywhere."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import mmdet3d.registry
import pytest
from all_projects import METHODS, PROJECTS, REPO, row, twin
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import Registry, init_default_scope

import bevdistill  # noqa: F401

REGISTRIES = [value for value in vars(mmdet3d.registry).values() if isinstance(value, Registry)]


def is_of_projects(name: str) -> bool:
    return name == 'projects' or name.startswith('projects.')


@pytest.fixture
def forget_projects() -> Iterator[None]:
    """Projects as if they had never been imported; what was imported comes back afterwards."""

    def forget() -> None:
        for name in filter(is_of_projects, list(sys.modules)):
            del sys.modules[name]
        for registry in REGISTRIES:
            for key in [key for key, value in registry.module_dict.items() if is_of_projects(value.__module__)]:
                del registry.module_dict[key]

    modules = {name: module for name, module in sys.modules.items() if is_of_projects(name)}
    registered = [dict(registry.module_dict) for registry in REGISTRIES]
    forget()
    yield
    forget()
    sys.modules.update(modules)
    for registry, entries in zip(REGISTRIES, registered, strict=True):
        registry.module_dict.update(entries)


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., Path]:
    """``tree('fitnet')``: a checkout in which all other projects are deleted."""

    def make(*kept: str) -> Path:
        (tmp_path / 'configs').symlink_to(REPO / 'configs')
        (tmp_path / 'bevdistill').symlink_to(REPO / 'bevdistill')
        deleted = ignore_patterns('__pycache__', *(name for name in PROJECTS if name not in kept))
        copytree(REPO / 'projects', tmp_path / 'projects', ignore=deleted)
        return tmp_path

    return make


@pytest.mark.parametrize('project', METHODS)
@pytest.mark.usefixtures('forget_projects')
def test_each_stands_alone(project: str, tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """With all others deleted its configs load and its losses build; so they do with any one of them deleted."""
    root = tree(project)
    monkeypatch.syspath_prepend(str(root))
    init_default_scope('mmdet3d')
    for file in (row(project), twin(project)):
        cfg = Config.fromfile(str(root / file.relative_to(REPO)))
        for config in cfg.model.losses.to_dict().values():
            MODELS.build({key: value for key, value in config.items() if key not in ('weight', 'schedule')})
    assert str(sys.modules[f'projects.{project}'].__file__).startswith(str(root))
    assert not [other for other in PROJECTS if other != project and f'projects.{other}' in sys.modules]


def run(arguments: list[str], folder: Path, **variables: str) -> str:
    """Output of Python in a folder, with nothing on its path but what the command itself puts there."""
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'} | variables
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_does_without_any(tree: Callable[..., Path]) -> None:
    """A fresh interpreter in a checkout without projects imports the package and builds a distiller."""
    root = tree()
    (root / 'projects' / '__init__.py').unlink()
    script = (
        'import sys, bevdistill\n'
        'from mmdet3d.registry import MODELS\n'
        'from mmengine.config import Config\n'
        'from mmengine.registry import init_default_scope\n'
        "init_default_scope('mmdet3d')\n"
        "cfg = Config.fromfile('configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py')\n"
        "MODELS.build(dict(cfg.model, teacher_checkpoint='teacher.pth'))\n"
        "print(bevdistill.__file__, [name for name in sys.modules if name.split('.')[0] == 'projects'])\n"
    )
    assert run(['-c', script], root, PYTHONPATH=str(root)).split('\n')[-2].endswith('bevdistill/__init__.py []')


@pytest.mark.skipif(not METHODS, reason='all projects were deleted')
def test_tools_find_projects_from_any_folder(tmp_path: Path) -> None:
    tool = REPO / 'tools' / 'analysis_tools' / 'describe.py'
    shown = run([str(tool), str(twin(METHODS[0])), '--no-flops'], tmp_path)
    assert 'BEVDistiller' in shown
    assert 'losses of distillation: none' not in shown


def test_the_package_names_no_project() -> None:
    """Neither folders nor registered classes; a paper may be cited by its own name."""
    for project in PROJECTS:
        importlib.import_module(f'projects.{project}')
    classes = {
        key
        for registry in REGISTRIES
        for key, value in registry.module_dict.items()
        if value.__module__.startswith('projects.')
    }
    if not PROJECTS:
        pytest.skip('all projects were deleted')
    names = re.compile(rf'\b({"|".join(map(re.escape, [*PROJECTS, *sorted(classes)]))})\b')
    for file in sorted((REPO / 'bevdistill').rglob('*.py')):
        found = names.search(file.read_text())
        assert found is None, f'{file.relative_to(REPO)} names {found and found[0]}'
