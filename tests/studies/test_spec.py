"""The study file: what is merged, and every mistake at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped_studies import STUDIES, shipped_study

from bevdistill.studies.spec import ROOT, CacheSpec, is_file, is_name, load_study, override_words, split_input

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


@pytest.mark.parametrize('name', ['a', 'a-b_c.d', 'Zürich', '0', 'x' * 200, '.a', 'ä' * 100])
def test_names_of_folders(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize('name', ['', '.', '..', '...', 'a b', 'a/b', 'a:1', 'x' * 201, 'ä' * 101, 'a\n', '-\0'])
def test_what_is_no_name_of_a_folder(name: str) -> None:
    """Bytes count, of which some letters have two."""
    assert not is_name(name)


@pytest.mark.parametrize(('source', 'split', 'file'), [
    ('teacher', ('teacher', None), False), ('teacher:0', ('teacher', 0), False), ('a:b:12', ('a:b', 12), False),
    (':1', (':1', None), False), ('teacher:', ('teacher:', None), False), ('teacher:x', ('teacher:x', None), False),
    ('a/b.pth', ('a/b.pth', None), True), ('a.pth:1', ('a.pth', 1), False),
])  # fmt: skip
def test_inputs_are_rows_or_files(source: str, split: tuple[str, int | None], file: bool) -> None:
    assert split_input(source) == split and is_file(source) == file


def test_flags_of_a_cache() -> None:
    assert CacheSpec().flags == []
    given = CacheSpec(taps=['bev', 'logits'], dtype='float16', top_k=100, batch_size=2)
    assert given.flags == ['--taps', 'bev', 'logits', '--dtype', 'float16', '--top-k', '100', '--batch-size', '2']


def test_synthetic_data_and_keys_that_hold_anchors(tmp_path: Path) -> None:
    rows = [dict(name='a', config=CONFIG, minutes=2)]
    tree = {'x-shared': dict(a=1), 'synthetic': dict(preset='tiny', seed=3), 'label': 'Nothing real.', 'pictures': 2}
    study = load_study(write(tmp_path, rows=rows, **tree))
    assert study.synthetic is not None
    assert (study.synthetic.preset, study.synthetic.version, study.synthetic.seed) == ('tiny', 'v1.0-trainval', 3)
    assert (study.label, study.pictures, study.row('a').minutes, study.row('a').title) == ('Nothing real.', 2, 2, 'a')
    assert study.seeds == (0,) and study.order == 'rows' and study.predictions


def test_a_cache_takes_the_shared_overrides_before_its_own(tmp_path: Path) -> None:
    rows = [dict(name='teacher', config=CONFIG), dict(name='a', config=CONFIG, cache='c')]
    caches = dict(c=dict(config=CONFIG, checkpoint='teacher', overrides={'b': 2, 'c': 3}))
    study = load_study(write(tmp_path, rows=rows, caches=caches, overrides={'a': 1, 'b': 1}))
    assert study.caches['c'].name == 'c' and study.caches['c'].overrides == ('a=1', 'b=2', 'c=3')
    with pytest.raises(ValueError, match=r"cache 'c' needs a checkpoint: the row of the teacher, or a file"):
        load_study(write(tmp_path, rows=rows[:1], caches=dict(c=dict(config=CONFIG))))
    with pytest.raises(ValueError, match=r"row 'a', cache 'c': 'teacher' is no row above and no \.pth file"):
        load_study(write(tmp_path, rows=rows[::-1], caches=caches))


def test_a_study_without_data_or_rows(tmp_path: Path) -> None:
    (tmp_path / 'empty.yml').write_text('name: a\n')
    with pytest.raises(ValueError) as error:
        load_study(tmp_path / 'empty.yml')
    assert str(error.value).splitlines()[1:] == [
        '  the study names no data: data: FOLDER', '  the study has no rows'
    ]  # fmt: skip
