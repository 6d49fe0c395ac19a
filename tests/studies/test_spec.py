"""The study file: what is merged, and every mistake at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped_studies import STUDIES, shipped_study

from bevdistill.studies.spec import ROOT, load_study, override_words, split_input

CONFIG = 'configs/synthetic/bevformer/bevformer_r50_1x_nus-3d.py'


def write(folder: Path, **tree: Any) -> Path:
    path = folder / 'study.yml'
    path.write_text(yaml.safe_dump(dict(data='data/x', **tree), sort_keys=False))
    return path


def test_shared_and_own_overrides_and_seeds(tmp_path: Path) -> None:
    rows = [
        dict(name='a', config=CONFIG),
        dict(name='b', config=CONFIG, seeds=[7], overrides={'optim.lr': 0.1, 'train_cfg.max_iters': 3}, base='a'),
    ]
    study = load_study(write(tmp_path, seeds=[0, 1], overrides={'train_cfg.max_iters': 9}, rows=rows))
    assert (study.name, study.metrics, study.held_out_data) == ('study', ['NDS', 'mAP'], None)
    assert [row.seeds for row in study.rows] == [(0, 1), (7,)]
    assert [row.overrides for row in study.rows] == [
        ('train_cfg.max_iters=9',), ('train_cfg.max_iters=3', 'optim.lr=0.1')
    ]  # fmt: skip
    assert [row.seeds for row in load_study(write(tmp_path, rows=rows), [4, 5]).rows] == [(4, 5), (7,)]


def test_the_older_name_of_the_held_out_world_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [dict(name='a', config=CONFIG)]
    assert load_study(write(tmp_path, rows=rows, second_data='b')).held_out_data == 'b'
    assert capsys.readouterr().err == "study: 'second_data' is called 'held_out_data' now; both work\n"


def test_numbers_that_cannot_be(tmp_path: Path) -> None:
    rows = [dict(name='a', config=CONFIG, minutes=-5), dict(name='b' * 201, config=CONFIG)]
    with pytest.raises(ValueError, match='') as refused:
        load_study(write(tmp_path, rows=rows, pictures=-1, seeds=[0, 2**32], metrics=[1], synthetic=dict(seed=-1)))
    wanted = ('pictures is at least 0, got -1', "row 'a': minutes is at least 0, got -5", 'from 0 to below 2^32',
              'metrics is a list of text', 'synthetic: seed is at least 0, got -1', '200 bytes at most')  # fmt: skip
    for text in wanted:
        assert text in str(refused.value)


def test_override_words() -> None:
    found = override_words({'a.b': 1, 'c': [1, 'x'], 'd': None, '+e': True, 'f._delete_': True})
    assert found == ('a.b=1', 'c=[1,x]', 'd=None', '+e=True', 'f._delete_=True')
    assert override_words(None) == ()
    assert split_input('teacher:12') == ('teacher', 12)
    assert split_input('a/b.pth') == ('a/b.pth', None)
    with pytest.raises(ValueError, match=r'dotted keys, such as a\.b: \.\.'):
        override_words({'a': {'b': 1}})


def test_all_mistakes_of_a_file_at_once(tmp_path: Path) -> None:
    rows = [
        dict(name='a', config='configs/nothing.py', sedes=[0], minutes='long'),
        dict(name='b', config=CONFIG, base='c', cache='x', inputs={'model.t': 'later', 'model.u': 'weights.pth'}),
        dict(name='b/c', config=CONFIG, seeds=[0, 0], inputs={'model.t': 'b:3', 'model.u': 'b'}),
        dict(name='later', config=CONFIG, overrides=['a=1']),
        dict(name='..', config=CONFIG, overrides={'randomness.seed': 3}),
        dict(name=False, config=CONFIG),
    ]
    tree = dict(seed=[0], order='random', pictures=True, synthetic={'size': 'tiny'}, rows=rows)
    tree |= dict(name='../out', metrics=['NDS', 'NDS'])
    with pytest.raises(ValueError) as error:
        load_study(write(tmp_path, **tree))
    for words in (
        "the study has unknown keys ['seed']", "order is one of ['rows', 'seeds'], got 'random'",
        'pictures is a whole number, got True', "synthetic has unknown keys ['size']",
        "name '../out' needs letters, digits", "metrics is a list of one or more different names, got ['NDS', 'N",
        "row 'a' has unknown keys ['sedes']", "row 'a': no config",
        "row 'a': minutes is a whole number or a number, got 'long'",
        "row 'b': its base 'c' is no other row", "row 'b': its cache 'x' is not among", "'later' is no row above",
        'no file weights.pth', "row 'b/c' needs a name of letters", 'has one twice', "row 'b' has no seed 3",
        'overrides are written key: value',
        "row '..' needs a name of letters",
        "row '..': an override of the seed would reach no run; write it in 'seeds'",
        'name is text, got False; put it in quotes',
    ):  # fmt: skip
        assert words in str(error.value), words


def test_a_file_that_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no study file'):
        load_study(tmp_path / 'none.yml')
    (tmp_path / 'list.yml').write_text('- 1\n')
    with pytest.raises(ValueError, match='the study is written key: value'):
        load_study(tmp_path / 'list.yml')
    (tmp_path / 'broken.yml').write_text('a: [\n')
    with pytest.raises(ValueError, match='is not YAML'):
        load_study(tmp_path / 'broken.yml')


def test_an_input_of_several_seeds_is_the_one_of_the_same_seed_or_said(tmp_path: Path) -> None:
    teacher = dict(name='teacher', config=CONFIG, seeds=[0, 1])
    taught = dict(name='taught', config=CONFIG, seeds=[0, 1], inputs={'model.x': 'teacher'})
    load_study(write(tmp_path, rows=[teacher, taught]))
    with pytest.raises(ValueError, match='several seeds; say which: teacher:0'):
        load_study(write(tmp_path, rows=[teacher, dict(taught, seeds=[2])]))


@pytest.mark.parametrize('file', STUDIES, ids=lambda file: file.stem)
def test_shipped_studies_are_whole(file: Path) -> None:
    study = shipped_study(file)
    assert len(study.rows) >= 3
    assert all(row.minutes for row in study.rows)


def test_old_places_of_the_shipped_files_still_work(capsys: pytest.CaptureFixture[str]) -> None:
    study = load_study(ROOT / 'configs' / 'synthetic' / 'matrix' / 'demo.yml')
    assert study.name == 'gain-sources'
    assert 'is now' in capsys.readouterr().err
