"""Chains of samples in tables that lie, and what their errors say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bevdistill.datasets.infos.tables import AGAIN, TablesError, broken_tables_explained, samples_of


class Tables:
    """Samples by token as ``token: (scene, next)``."""

    def __init__(self, **rows: tuple[str, str]) -> None:
        self.rows = rows

    def get(self, table: str, token: str) -> dict[str, Any]:
        assert table == 'sample'
        scene, following = self.rows[token]
        return dict(token=token, scene_token=scene, next=following)


def scene(count: int, first: str = 'a') -> dict[str, Any]:
    return dict(name='scene-0001', token='s', first_sample_token=first, nbr_samples=count)


def test_samples_come_by_their_links() -> None:
    tables: Any = Tables(a=('s', 'c'), b=('s', ''), c=('s', 'b'))
    assert [sample['token'] for sample in samples_of(tables, scene(3))] == ['a', 'c', 'b']
    assert list(samples_of(tables, scene(0, ''))) == []


COMES_BACK = "expected a chain of 'next' that ends, found one that comes back here"


@pytest.mark.parametrize(('rows', 'count', 'message'), [
    (dict(a=('s', 'b'), b=('s', 'a')), 2, f'sample a: {COMES_BACK}'),
    (dict(a=('s', 'a')), 1, f'sample a: {COMES_BACK}'),
    (dict(a=('s', 'b'), b=('t', '')), 2, 'sample b: expected a sample of this scene, found one of scene t'),
    (dict(a=('s', '')), 2, 'expected nbr_samples = 2, found 1 linked'),
    (dict(a=('s', 'b'), b=('s', '')), 1, 'expected nbr_samples = 1, found 2 linked'),
])  # fmt: skip
def test_a_broken_chain_is_named(rows: dict[str, tuple[str, str]], count: int, message: str) -> None:
    tables: Any = Tables(**rows)
    with pytest.raises(TablesError) as error:
        list(samples_of(tables, scene(count)))
    assert str(error.value) == f'scene scene-0001: {message}. {AGAIN}'


@pytest.mark.parametrize(('raised', 'found'), [
    (KeyError('t1'), "no 't1'"), (IndexError('list index'), 'IndexError: list index'),
    (TypeError('int'), 'TypeError: int'), (ValueError('a\nb'), 'ValueError: a'),
    (AttributeError('x'), 'AttributeError: x'),
])  # fmt: skip
def test_errors_of_broken_tables_are_one_line(raised: Exception, found: str) -> None:
    with pytest.raises(TablesError) as error, broken_tables_explained(Path('data/v1.0-mini')):
        raise raised
    assert str(error.value) == (
        'data/v1.0-mini: expected nuScenes tables whose tokens all lead to rows, found ' + found + '. Unpack them again'
    )
    assert error.value.__cause__ is raised


def test_what_is_said_already_gets_the_folder_and_the_rest_passes() -> None:
    with pytest.raises(TablesError, match=r'^data: scene a: why$'), broken_tables_explained(Path('data')):
        raise TablesError('scene a: why')
    with pytest.raises(OSError, match='disk'), broken_tables_explained(Path('data')):
        raise OSError('disk')
