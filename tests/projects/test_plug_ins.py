"""Projects are plug-ins: the package does not know them, each stands alone, and the tools find them from anywhere."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from all_projects import METHODS, PROJECTS, REPO, row, twin
from forked import REGISTRIES, forget, in_fork
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import bevdistill  # noqa: F401


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


def distiller_built_in(root: Path) -> tuple[str, list[str]]:
    """Build a distiller in a checkout; returns where its package is and what was imported of projects. For a fork."""
    forget('bevdistill', 'projects')
    sys.path.insert(0, str(root))
    os.chdir(root)
    init_default_scope('mmdet3d')
    cfg = Config.fromfile('configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py')
    model = MODELS.build(dict(cfg.model, teacher_checkpoint='teacher.pth'))
    package = sys.modules[type(model).__module__.partition('.')[0]]
    return str(package.__file__), list(filter(is_of_projects, sys.modules))


def test_the_package_does_without_any(tree: Callable[..., Path]) -> None:
    """A checkout without projects imports the package and builds a distiller."""
    root = tree()
    (root / 'projects' / '__init__.py').unlink()
    assert in_fork(distiller_built_in, root) == (str(root / 'bevdistill' / '__init__.py'), [])


def described_in(folder: Path, config: Path) -> str:
    """What the script shows when it is run in a folder, with nothing on the path but what it puts there. For a fork."""
    forget('bevdistill', 'projects')
    os.chdir(folder)
    sys.argv = [str(REPO / 'tools' / 'analysis_tools' / 'describe.py'), str(config), '--no-flops']
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        runpy.run_path(sys.argv[0], run_name='__main__')
    return shown.getvalue()


@pytest.mark.skipif(not METHODS, reason='all projects were deleted')
def test_tools_find_projects_from_any_folder(tmp_path: Path) -> None:
    shown = in_fork(described_in, tmp_path, twin(METHODS[0]))
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
