"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from bevdistill.cli.arguments import add_samples, chosen, errors_of, require_json, spread
from bevdistill.cli.main import module_of, verb_parser


@pytest.mark.parametrize(('count', 'total', 'expected'), [(1, 10, [5]), (2, 10, [2, 7]), (4, 3, [0, 1, 2]), (3, 0, [])])
def test_samples_are_spread_over_all(count: int, total: int, expected: list[int]) -> None:
    assert spread(count, total) == expected


def test_samples_by_number_or_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_samples(parser, '--index', type=int)
    assert parser.parse_args([]) == argparse.Namespace(num=4, interval=None, index=[])
    assert parser.parse_args(['--index', '3', '5']).index == [3, 5]
    assert chosen(parser.parse_args(['--interval', '4']), 10) == [0, 4, 8]
    assert chosen(parser.parse_args(['--num', '2']), 10) == [2, 7]
    for words, message in (('--num 0', 'must be at least 1, got 0'), ('--num 2 --index 1', 'not allowed')):
        with pytest.raises(SystemExit):
            parser.parse_args(words.split())
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(('verb', 'words'), [
    ('train', 'c.py'), ('test', 'c.py a.pth'), ('cache', 'c.py a.pth'), ('bench', ''), ('data', 'create nuscenes'),
    ('show', 'model c.py a.pth --out o'), ('show', 'data c.py --out o'), ('study', 'run s.yml'), ('study', 'ls s.yml'),
])  # fmt: skip
def test_every_verb_that_reads_data_takes_their_root(verb: str, words: str) -> None:
    args = verb_parser(module_of(verb), verb).parse_args([*words.split(), '--data-root', 'elsewhere'])
    assert 'elsewhere' in map(str, vars(args).values())


def test_an_error_names_its_option() -> None:
    with pytest.raises(ValueError, match=r'^--amp: too small$'), errors_of('--amp'):
        raise ValueError('too small')
    with pytest.raises(KeyError), errors_of('--amp'):
        raise KeyError('other kinds are left alone')


@pytest.mark.parametrize('words', [
    'train CONFIG --work-dir FILE', 'test CONFIG CHECKPOINT --show-dir FILE/a', 'cache CONFIG CHECKPOINT --out FILE',
    'show data CONFIG --out FILE', 'show model CONFIG CHECKPOINT --out FILE', 'score ROOT RESULTS --out FILE',
    'predict CONFIG CHECKPOINT --token A --out FILE', 'study run STUDY --out FILE', 'data import ROOT --out-dir FILE',
    'data create nuscenes --out-dir FILE', 'synthetic FILE',
])  # fmt: skip
def test_a_file_in_the_place_of_a_folder(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / 'file'
    verb, *rest = words.replace('FILE', str(file)).split()
    verb_parser(module_of(verb), 'prog').parse_args(rest)
    file.touch()
    with pytest.raises(SystemExit):
        verb_parser(module_of(verb), 'prog').parse_args(rest)
    assert f'{file} is a file; name a folder' in capsys.readouterr().err


@pytest.mark.parametrize('words', ['compare A --out', 'errors ROOT A --out'])
def test_a_folder_in_the_place_of_the_beginning_of_names(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *rest = words.split()

    def parse(out: str) -> argparse.Namespace:
        return verb_parser(module_of(verb), 'prog').parse_args([*rest, out])

    (tmp_path / 'file').touch()
    for out in ('table', 'new/table', 'file', 'file.md'):
        assert parse(f'{tmp_path}/{out}').out == tmp_path / out
    for out, message in (
        ('', f'{tmp_path}/ is a folder; give the beginning of file names in it: {tmp_path}/table'),
        ('new/', f'{tmp_path}/new/ is a folder; give the beginning of file names in it: {tmp_path}/new/table'),
        ('file/table', f'{tmp_path}/file is a file; name a folder'),
    ):
        with pytest.raises(SystemExit):
            parse(f'{tmp_path}/{out}')
        assert message in capsys.readouterr().err


@pytest.mark.parametrize('words', [
    'score A B --range 0', 'score A B --range nan', 'errors A B --range -5', 'score A B --score 2',
    'errors A B --score -1',
    'test A B --show --score-thr 20', 'study run A --every 0', 'test A B --wait-time -1', 'test A B --wait-time nan',
])  # fmt: skip
def test_numbers_that_cannot_be(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb, *rest = words.split()
    with pytest.raises(SystemExit):
        verb_parser(module_of(verb), 'prog').parse_args(rest)
    expected = rf'argument {rest[-2]}: must (lie in \[0, 1\]|be a number (above 0|from 0 on)), got'
    assert re.search(expected, capsys.readouterr().err)


def test_only_json_files_are_written_as_json(tmp_path: Path) -> None:
    require_json(tmp_path / 'facts.json', '--json')
    with pytest.raises(ValueError, match=r'^--json config.py: expected a file that ends in .json$'):
        require_json(Path('config.py'), '--json')
    with pytest.raises(IsADirectoryError, match=r'^--out .* is a folder; name a file in it'):
        require_json(tmp_path, '--out')
