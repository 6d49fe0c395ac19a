"""Arguments that several verbs share."""

from __future__ import annotations

import argparse

import pytest

from bevdistill.cli.arguments import add_samples, errors_of, spread


@pytest.mark.parametrize(('count', 'total', 'expected'), [(1, 10, [5]), (2, 10, [2, 7]), (4, 3, [0, 1, 2]), (3, 0, [])])
def test_samples_are_spread_over_all(count: int, total: int, expected: list[int]) -> None:
    assert spread(count, total) == expected


def test_samples_by_number_or_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_samples(parser, '--index', type=int)
    assert parser.parse_args([]) == argparse.Namespace(num=4, index=[])
    assert parser.parse_args(['--index', '3', '5']).index == [3, 5]
    for words, message in (('--num 0', 'must be at least 1, got 0'), ('--num 2 --index 1', 'not allowed')):
        with pytest.raises(SystemExit):
            parser.parse_args(words.split())
        assert message in capsys.readouterr().err


def test_an_error_names_its_option() -> None:
    with pytest.raises(ValueError, match=r'^--amp: too small$'), errors_of('--amp'):
        raise ValueError('too small')
    with pytest.raises(KeyError), errors_of('--amp'):
        raise KeyError('other kinds are left alone')
