"""Tables of rows: for a terminal, as Markdown, as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from .compare_runs import METRICS, Row
from .compare_stats import mean_and_spread, paired_difference

COLUMNS = (*METRICS, 'seconds')
DIGITS = {'seconds': 0}
NOTE = (
    'Mean ± sample standard deviation over seeds. Δ: mean difference to `{base}`, seed by seed, with its 95 % interval '
    '(Student t).'
)


def cell(row: Row, column: str) -> str:
    """Text of one cell: ``0.413``, ``0.413 ± 0.020`` over several seeds, or ``-``."""
    mean, spread = mean_and_spread(row.values(column))
    digits = DIGITS.get(column, 3)
    if math.isnan(mean):
        return '-'
    return f'{mean:.{digits}f}' if math.isnan(spread) else f'{mean:.{digits}f} ± {spread:.{digits}f}'


def difference_cell(row: Row, column: str) -> str:
    """Text of a paired difference: ``+0.012 [+0.004, +0.020]``, without interval for one pair, ``-`` for none."""
    if row.base is None or row.base is row:
        return '-'
    difference = paired_difference(row, row.base, column)
    if difference.pairs == 0:
        return '-'
    text = f'{difference.mean:+.3f}'
    if math.isnan(difference.half):
        return text
    low, high = difference.interval
    short = '' if difference.pairs == len(row.by_seed(column)) else f' ({difference.pairs} pairs)'
    return f'{text} [{low:+.3f}, {high:+.3f}]{short}'


def compared(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Columns that get a difference: metrics, where some row has a base."""
    return [column for column in columns if column != 'seconds'] if any(row.base for row in rows) else []


def table_cells(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> list[list[str]]:
    """Header and body of the table; a column of seed counts appears where some row has several."""
    several = any(len(row.runs) > 1 for row in rows)
    bases = {row.base.name for row in rows if row.base is not None}
    differing = compared(rows, columns)
    header = ['model', *(['seeds'] if several else []), *(['base'] if len(bases) > 1 else [])]
    for column in columns:
        header += [column, f'Δ {column}'] if column in differing else [column]
    body = []
    for row in rows:
        line = [row.name, *([str(len(row.runs))] if several else [])]
        line += [row.base.name if row.base else '-'] if len(bases) > 1 else []
        for column in columns:
            line += [cell(row, column), *([difference_cell(row, column)] if column in differing else [])]
        body.append(line)
    return [header, *body]


def note(rows: Sequence[Row]) -> str:
    """What the differences of a table mean; empty where there are none."""
    bases = sorted({row.base.name for row in rows if row.base is not None})
    return NOTE.format(base=bases[0] if len(bases) == 1 else 'the base of the row') if bases else ''


def to_text(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Table in aligned columns for a terminal."""
    cells = table_cells(rows, columns)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for name, *numbers in cells:
        aligned = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=True)]
        lines.append('  '.join([name.ljust(widths[0]), *aligned]))
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def to_markdown(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Table in Markdown, with a line on what the differences mean."""
    header, *body = table_cells(rows, columns)
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *body]
    table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'
    return table + (f'\n{note(rows)}\n' if note(rows) else '')


def to_csv(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Table as CSV with full precision: mean and spread, and the difference with its interval where there is a base."""
    differing = compared(rows, columns)
    header, lines = ['model', 'seeds'], []
    for column in columns:
        header += [column, f'{column}_std']
    header += [f'{column}_{part}' for column in differing for part in ('diff', 'diff_low', 'diff_high', 'pairs')]
    for row in rows:
        numbers = [number for column in columns for number in mean_and_spread(row.values(column))]
        for column in differing:
            numbers += _difference_numbers(row, column)
        lines.append([row.name, len(row.runs), *('' if math.isnan(number) else f'{number:.6g}' for number in numbers)])
    return _csv([header + (['base'] if differing else []), *(
        line + ([row.base.name if row.base else ''] if differing else []) for line, row in zip(lines, rows, strict=True)
    )])


def _difference_numbers(row: Row, column: str) -> list[float]:
    if row.base is None or row.base is row:
        return [math.nan] * 4
    difference = paired_difference(row, row.base, column)
    return [difference.mean, *difference.interval, difference.pairs]


def seeds_csv(rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> str:
    """Every run's numbers as CSV, and its difference to the base's run of the same seed."""
    differing = compared(rows, columns)
    lines: list[list[object]] = [['model', 'seed', *columns, *(f'{column}_diff' for column in differing)]]
    for row in rows:
        for run in row.runs:
            numbers = [run.value(column) for column in columns]
            for column in differing:
                base = row.base.by_seed(column) if row.base and row.base is not row else {}
                numbers.append(run.value(column) - base.get(run.seed, math.nan) if run.seed is not None else math.nan)
            texts = ['' if math.isnan(number) else f'{number:.6g}' for number in numbers]
            lines.append([row.name, '' if run.seed is None else run.seed, *texts])
    return _csv(lines)


def _csv(lines: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator='\n').writerows(lines)
    return out.getvalue()
