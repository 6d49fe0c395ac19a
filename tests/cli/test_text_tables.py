"""Tables for people: alignment, Markdown, short numbers."""

from __future__ import annotations

import pytest

from bevdistill.cli.text_tables import markdown_table, short_count, short_number, text_table


def test_columns_are_aligned() -> None:
    rows = [['part', 'parameters'], ['all', '9'], ['  backbone', '1234']]
    assert text_table(rows, right=(1,)).splitlines() == [
        '  part        parameters',
        '  all                  9',
        '    backbone        1234',
    ]
    assert text_table(rows, indent=0).splitlines()[1] == 'all         9'


def test_a_cell_is_printed_as_it_is() -> None:
    """No markup, no emoji, no line break where a line is long, columns by width on the screen."""
    long = 'x' * 300
    assert text_table([['[red]a[/red]', ':smile:', long], ['日本', '', 'b']]).splitlines() == [
        f'  [red]a[/red]  :smile:  {long}',
        '  日本                   b',
    ]


def test_markdown() -> None:
    table = markdown_table(['a', 'b'], [['1', '22'], ['', '-']], right=[1])
    assert table == '| a | b |\n| --- | ---: |\n| 1 | 22 |\n|  | - |'
    assert markdown_table(['a'], []) == '| a |\n| --- |'


@pytest.mark.parametrize(('value', 'text'), [
    (0.04321, '0.0432'), (1.5, '1.5'), (123.456, '123'), (98765.0, '98800'), (0, '0'), (1e-7, '1e-07'),
])
def test_short_number(value: float, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize(('count', 'text'), [
    (0, '-'), (999, '999'), (1000, '1.00 k'), (65432, '65.4 k'), (999_600, '1.00 M'), (42_860_000, '42.9 M'),
    (1_234_000_000_000, '1234 G'),
])
def test_short_count(count: int, text: str) -> None:
    assert short_count(count) == text
