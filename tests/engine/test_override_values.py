"""Values of overrides as they are typed."""

from __future__ import annotations

from typing import Any

import pytest

from bevdistill.engine.override_values import parse_value


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3), ('1e-4', 1e-4), ('True', True), ('false', False), ('None', None), ('none', 'none'), ('', ''),
        ('2026_11_30', '2026_11_30'),
        ('/data/my drive/x', '/data/my drive/x'), ("'/data/a, b'", '/data/a, b'), ('"5"', '5'),
        ("/data/john's", "/data/john's"), ('/x(1)/y', '/x(1)/y'), ('s3://a:b', 's3://a:b'),
        ('[1,2]', [1, 2]), ('[car, truck]', ['car', 'truck']), ('a,b', ['a', 'b']), ("'a','b,c'", ['a', 'b,c']),
        ('(1,2)', (1, 2)), ('(1,)', (1,)), ('[]', []), ('[[1,2],[3]]', [[1, 2], [3]]),
        ('[(1,2),(3,4)]', [(1, 2), (3, 4)]),
        ("[dict(type='A', at=[1,2]),dict(type=B, in='x y')]", [dict(type='A', at=[1, 2]), {'type': 'B', 'in': 'x y'}]),
        ("{'a': 1, b: 'c:d'}", dict(a=1, b='c:d')), ('dict(a=dict(b=None))', dict(a=dict(b=None))), ('dict()', {}),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_the_home_folder_is_meant_where_shells_do_not_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    assert parse_value('[~/a.pth,b~/c,~]') == ['/home/me/a.pth', 'b~/c', '~']


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[1,2', r'the bracket \[ at the beginning is not closed'),
        ("'a", "the quote ' at the beginning is not closed"),
        ('dict(a)', r"'a' inside dict\(\.\.\.\) is not of the form key=value"),
        ('{a}', r"'a' inside \{\.\.\.\} is not of the form"),
        ('{[1]: 2}', r"'\[1\]' cannot name an entry"),
        ('[' * 50_000, 'brackets nest deeper than 50'),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_value(text)
