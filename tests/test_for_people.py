"""What libraries say about values of a config becomes a line; what is for people already stays as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bevdistill.engine.override_values import parse_value
from bevdistill.for_people import chain, config_explained, counted, is_users, shortened


def test_errors_of_libraries_name_the_part() -> None:
    message = r'^optim_wrapper of the config cannot be built \(JSONDecodeError: Expecting .*\)\. Correct its values'
    with pytest.raises(ValueError, match=message), config_explained('optim_wrapper'):
        json.loads('{\n')


def test_errors_for_people_pass() -> None:
    with pytest.raises(ValueError, match=r'^the bracket'), config_explained('model'):
        parse_value('[1')
    with pytest.raises(FileNotFoundError), config_explained('model'):
        open('absent')  # noqa: SIM115
    with pytest.raises(RuntimeError, match=r'of torch'), config_explained('model'):
        raise RuntimeError('of torch')


def test_numbers_of_things() -> None:
    found = [counted(number, noun) for number in (0, 1, 2) for noun in ('box', 'class', 'entry', 'sample')]
    assert ', '.join(found[:8]) == '0 boxes, 0 classes, 0 entries, 0 samples, 1 box, 1 class, 1 entry, 1 sample'
    assert found[8:] == ['2 boxes', '2 classes', '2 entries', '2 samples']


@pytest.mark.parametrize(('names', 'count', 'text'), [
    ([], 6, ''), (['a'], 1, 'a'), (['a', 'b'], 2, 'a, b'), (['a', 'b', 'c'], 2, 'a, b, ...'),
    (list('abcdefg'), 6, None),
])  # fmt: skip
def test_long_lists_are_cut(names: list[str], count: int, text: str | None) -> None:
    assert shortened(names, count) == ('a, b, c, d, e, f, ...' if text is None else text)
    assert shortened(names) == ', '.join(names[:6]) + ', ...' * (len(names) > 6)


def test_an_error_then_what_it_was_raised_from() -> None:
    """Not what was being handled when it was raised."""
    first, second = KeyError('first'), ValueError('second')
    second.__cause__ = first
    first.__context__ = TypeError('context')
    assert list(chain(second)) == [second, first] and list(chain(None)) == []


def raised_in(module: str, error: BaseException) -> BaseException:
    """The error, as if it had been raised in a function of a module."""
    names: dict[str, Any] = dict(__name__=module, error=error)
    exec('def fail():\n    raise error', names)
    try:
        names['fail']()
    except BaseException as found:
        return found
    raise AssertionError


@pytest.mark.parametrize(('module', 'error', 'users'), [
    ('bevdistill.losses.dense', ValueError('ours'), True), ('projects.fitnet', ValueError('a project'), True),
    ('benchmarks.run', ValueError('ours'), True), ('torch.nn', ValueError('of a library'), False),
    ('bevdistills.losses', ValueError('a namesake'), False), ('bevdistill.losses', TypeError('a defect'), False),
    ('bevdistill.losses', KeyError('a defect'), False), ('bevdistill.cli', ImportError('not installed'), True),
    ('torch', ImportError('a broken library'), False), ('mmengine.visualization.a', ImportError('tensorboard'), True),
    ('mmengine.runner.runner', ValueError('of a library'), False), ('mmengine.config.a', KeyError('no base'), True),
    ('mmengine.registry.a', TypeError('an argument'), True), ('mmengine.utils.misc', ImportError('x'), True),
    ('torch', FileNotFoundError('gone'), True), ('torch', ConnectionError('offline'), True),
])  # fmt: skip
def test_mistakes_of_people_are_told_from_defects(module: str, error: BaseException, users: bool) -> None:
    """By where they were raised; what was never raised comes from nowhere."""
    assert is_users(raised_in(module, error)) == users
    assert is_users(ValueError('never raised')) is False and is_users(OSError()) is True


def test_a_line_of_a_library_is_short_and_one() -> None:
    with pytest.raises(ValueError) as error, config_explained('model'):
        raise TypeError('many\n  words ' * 100)
    text = str(error.value)
    assert text.startswith('model of the config cannot be built (TypeError: many words many words ')
    assert text.endswith('). Correct its values; --traceback shows where') and '\n' not in text and len(text) < 400
    assert isinstance(error.value.__cause__, TypeError)


def test_what_is_for_people_passes_through_what_was_raised_from_it() -> None:
    ours = raised_in('bevdistill.losses', ValueError('for people'))
    with pytest.raises(KeyError), config_explained('model'):
        raise KeyError('wrapped') from ours
    with config_explained('model'):
        pass
