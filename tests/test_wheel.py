"""The wheel, unpacked in an empty folder: configs, tools and model index are in it, and commands find them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PARTS = ('bevdistill', 'configs', 'projects', 'requirements', 'tools')
FILES = ('pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml')
NAME = 'synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py'
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"
USE = f"""
import sys
from pathlib import Path

# An environment for development has this checkout on its path as well.
sys.path = [entry for entry in sys.path if not (Path(entry) / 'pyproject.toml').is_file()]
from bevdistill.cli.main import main
from bevdistill.engine import config_file

assert main(['ls', 'pkd', 'synthetic']) == 0
assert main(['cp', '{NAME}', 'mine.py']) == 0
Path('own.py').write_text("_base_ = 'bevdistill::{NAME}'\\nlosses = _base_.model.losses\\n")
read = [config_file.read_config(name) for name in ('bevdistill::{NAME}', 'mine.py', 'own.py')]
models = [cfg.model.to_dict() for cfg in read]
assert models[0] == models[1] == models[2]
assert '_scope_' not in str(read[2].to_dict())
project = config_file.read_config('bevdistill::../projects/pkd/configs/synthetic/pkd_r50_1x_nus-3d.py')
config_file.find_projects()
from importlib.util import find_spec
print(find_spec('projects').origin)
"""


@pytest.fixture(scope='module')
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('installed')
    for part in PARTS:
        shutil.copytree(REPO / part, source / part, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for file in FILES:
        shutil.copy(REPO / file, source)
    subprocess.run([sys.executable, '-c', BUILD], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / 'dist').glob('*.whl')
    zipfile.ZipFile(wheel).extractall(target)
    return target


def test_every_config_tool_and_metafile_is_in_it(installed: Path) -> None:
    inside = installed / 'bevdistill' / '.mim'
    for part in PARTS[1:]:
        expected = {
            file.relative_to(REPO) for file in (REPO / part).rglob('*')
            if file.suffix in ('.py', '.sh', '.yml', '.md', '.txt') and '__pycache__' not in file.parts
        }  # fmt: skip
        assert {file.relative_to(inside) for file in (inside / part).rglob('*') if file.is_file()} >= expected
    assert (inside / 'model-index.yml').read_text() == (REPO / 'model-index.yml').read_text()
    assert {file.suffix for file in (installed / 'bevdistill/studies/report').glob('page.*')} >= {'.j2', '.css', '.js'}
    # A package called `tools` would hide the folder of that name that mmdet3d's own scripts import from.
    assert not (inside / 'tools' / '__init__.py').exists()


def test_commands_and_bases_work_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-c', USE], cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(installed)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('bevdistill::../projects/pkd/configs/synthetic/')
    assert done.stdout.splitlines()[-1] == str(installed / 'bevdistill/.mim/projects/__init__.py')
    assert "'bevdistill::synthetic/_base_/cpu_distiller.py'" in (tmp_path / 'mine.py').read_text()
