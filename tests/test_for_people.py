"""What libraries say about values of a config becomes a line; what is for people already stays as it is."""

from __future__ import annotations

import json

import pytest

from bevdistill.engine.override_values import parse_value
from bevdistill.for_people import config_explained, counted


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
