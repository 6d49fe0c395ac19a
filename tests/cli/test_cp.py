"""Copies of configs say the same as the original from wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import Run
from mmengine.config import Config

from bevdistill.cli.cp import with_bases_of

REPO = Path(__file__).resolve().parents[2]
NAMES = ('bevdistill/bevdistill_r50_1x_nus-3d.py', 'synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py')


def read(path: Path) -> dict[str, object]:
    return Config.fromfile(str(path), import_custom_modules=False).to_dict()


@pytest.mark.parametrize('name', NAMES)
def test_a_copy_elsewhere_is_the_same_config(name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = run('cp', name, 'deep/mine.py')
    assert done.code == 0
    assert 'bevdistill train deep/mine.py' in done.out
    assert read(tmp_path / 'deep' / 'mine.py') == read(REPO / 'configs' / name)
    original, copy = ((REPO / 'configs' / name).read_text(), (tmp_path / 'deep/mine.py').read_text())
    changed = [line for line in original.splitlines() if line not in copy.splitlines()]
    assert changed and all('.py' in line for line in changed), 'nothing but the paths of the bases'


def test_bases_in_the_same_tree_are_relative_so_that_it_can_be_moved(tmp_path: Path) -> None:
    for folder in ('tree/configs', 'tree/mine/deeper'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'tree/configs/base.py').write_text('a = 1\n')
    source = tmp_path / 'tree/configs/c.py'
    source.write_text("_base_ = ['./base.py', 'mmdet::x.py']  # é\nb = './base.py'\n")
    assert with_bases_of(source, tmp_path / 'tree/configs/own') == (
        "_base_ = ['../base.py', 'mmdet::x.py']  # é\nb = './base.py'\n"
    )
    assert with_bases_of(source, tmp_path / 'tree/mine') == (
        f"_base_ = ['{tmp_path}/tree/configs/base.py', 'mmdet::x.py']  # é\nb = './base.py'\n"
    )


def test_a_flat_copy_has_no_bases(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.yml').write_text("_base_: own.py\nmodel: {type: X}\n")
    (tmp_path / 'own.py').write_text('limit = 3\ntrain_cfg = dict(max_iters=limit)\n')
    (tmp_path / 'gr\udcf6n.py').write_text("_base_ = 'mine.yml'\n")
    for source in ('mine.yml', 'gr\udcf6n.py'):
        done = run('cp', source, '--flat', '--force', '--', '-x y.py')
        assert done.code == 0 and done.out.endswith("bevdistill train './-x y.py'\n")
        assert read(tmp_path / '-x y.py') == dict(model=dict(type='X'), train_cfg=dict(max_iters=3))


def test_refusals(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('mine = 1\n')
    for name, content in (('data.json', b'{}'), ('half.py', b'model = dict('), ('bytes.py', b'\xff\xfe')):
        (tmp_path / name).write_bytes(content)
    for words, message in (
        ([NAMES[0], 'mine.py'], 'mine.py exists; give --force to overwrite it'),
        ([NAMES[0], 'mine.txt'], 'mine.txt must end with .py'),
        ([f'x/{Path(NAMES[0]).stem}', 'b.py'], 'did you mean bevdistill::'),
        (['data.json', 'b.py'], 'data.json is no Python, in which paths of bases can be changed; copy it with --flat'),
        (['half.py', 'b.py'], "half.py: cannot be read as a config: SyntaxError: '(' was never closed"),
        (['bytes.py', 'b.py'], 'bytes.py: cannot be read as a config: UnicodeDecodeError: '),
        (['absent.py', 'b.py'], f'no config file absent.py, neither here nor in {REPO}/configs;'),
    ):
        done = run('cp', *words)
        assert done.code == 1
        assert message in done.err
    assert (tmp_path / 'mine.py').read_text() == 'mine = 1\n'
    assert run('cp', 'mine.py', 'copy.py').code == 0
    assert (tmp_path / 'copy.py').read_text() == 'mine = 1\n'
    assert run('cp', NAMES[0], '.').code == 0
    assert (tmp_path / Path(NAMES[0]).name).is_file()
    assert run('cp', NAMES[0], 'mine.py', '--force').code == 0
