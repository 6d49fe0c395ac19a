"""Tables of results: for a terminal, as Markdown, as CSV."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..for_people import counted
from .results import Results, bases, compared
from .scopes import parts
from .statistics import mean_and_spread, paired_difference

if TYPE_CHECKING:
    from .effects import Comparison

DIGITS = {'seconds': 0}
NOTE = (
    'Mean ± sample standard deviation over seeds. Δ: mean difference to `{base}`, seed by seed, with its 95 % interval '
    '(Student t).'
)
ONE_SEED = 'One seed each, so without spread and interval: runs of one config differ too. Δ: difference to `{base}`.'


def cell(results: Results, row: str, column: str) -> str:
    """Return the text of one cell: ``0.413``, ``0.413 ± 0.020`` over several seeds, or ``-``."""
    mean, spread = mean_and_spread(results.values(row, column))
    digits = DIGITS.get(column, 3)
    if math.isnan(mean):
        return '-'
    return f'{mean:.{digits}f}' if math.isnan(spread) else f'{mean:.{digits}f} ± {spread:.{digits}f}'


def difference_cell(results: Results, row: str, column: str) -> str:
    """Return a paired difference: ``+0.012 [+0.004, +0.020]``, without interval for one pair, ``-`` for none."""
    base = results.bases.get(row)
    difference = None if base is None else paired_difference(results, row, base, column)
    if difference is None or difference.pairs == 0:
        return '-'
    text = f'{difference.mean:+.3f}'
    if math.isnan(difference.half):
        return text
    low, high = difference.interval
    short = '' if difference.pairs == len(results.by_seed(row, column)) else f' ({counted(difference.pairs, "pair")})'
    return f'{text} [{low:+.3f}, {high:+.3f}]{short}'


def table_cells(results: Results, columns: Sequence[str]) -> list[list[str]]:
    """Return header and body; a column of seed counts appears where some row has several."""
    counts = results.runs.groupby('row').size()
    several = any(counts[row] > 1 for row in results.rows)
    many = len(bases(results)) > 1
    differing = compared(results, columns)
    header = ['model', *(['seeds'] if several else []), *(['base'] if many else [])]
    for column in columns:
        header += [column, f'Δ {column}'] if column in differing else [column]
    body = []
    for row in results.rows:
        line = [results.titles[row], *([str(counts[row])] if several else [])]
        line += [results.titles[results.bases[row]] if row in results.bases else '-'] if many else []
        for column in columns:
            line += [cell(results, row, column)]
            line += [difference_cell(results, row, column)] if column in differing else []
        body.append(line)
    return [header, *body]


def note(results: Results) -> str:
    """Say what differences mean, which rows are of a part of the split, that seeds differ; empty where nothing is."""
    found = bases(results)
    meaning = NOTE if (results.runs.groupby('row').size() > 1).any() else ONE_SEED
    text = meaning.format(base=found[0] if len(found) == 1 else 'the base of the row') if found else ''
    partial = parts(results.runs, [(row, results.titles[row]) for row in results.rows])
    scopes = [f'Scored on {scope}: {", ".join(rows)}.' for scope, rows in partial.items()]
    return '\n\n'.join(filter(None, (text, *scopes, unequal_seeds(results))))


def unequal_seeds(results: Results) -> str:
    """Warn where means of different seeds stand under each other: which, and of how many rows; else empty."""
    seeds = [results.runs.loc[results.runs['row'] == row, 'seed'].dropna() for row in results.rows]
    sets = Counter(tuple(sorted(map(int, each))) for each in seeds if len(each))
    if len(sets) < 2:
        return ''
    named = [f'{_ranges(each)} ({counted(count, "row")})' for each, count in sets.most_common()]
    return f'Rows have different seeds, so that their means are not of the same runs: {", ".join(named)}.'


def _ranges(seeds: Sequence[int]) -> str:
    """Write ``0-2 + 5`` for 0, 1, 2, 5."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ' + '.join(str(part[0]) if len(part) == 1 else f'{part[0]}-{part[-1]}' for part in parts)


def to_text(results: Results, columns: Sequence[str]) -> str:
    """Return the table in aligned columns for a terminal."""
    return aligned(table_cells(results, columns))


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Return cells, the heading first, in columns: the first to the left, the others to the right."""
    width = max(len(line[0]) for line in cells)
    header, *body = ([line[0].ljust(width), *line[1:]] for line in cells)
    return pd.DataFrame(body, columns=header).to_string(index=False)


def to_markdown(results: Results, columns: Sequence[str]) -> str:
    """Return the table in Markdown, with a line on what the differences mean."""
    return markdown(table_cells(results, columns), note(results))


def markdown(cells: Sequence[Sequence[str]], words: str) -> str:
    """Return cells, the heading first, as a table in Markdown with a paragraph below it."""
    header, *body = ([_escaped(line[0]), *line[1:]] for line in cells)
    lines = [header, ['---', *['---:'] * (len(header) - 1)], *body]
    table = '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines) + '\n'
    return table + (f'\n{words}\n' if words else '')


def _escaped(name: str) -> str:
    """Write a name, of a folder say, so that Markdown shows it as it is."""
    return ' '.join(name.replace('|', r'\|').replace('<', '&lt;').split())


def to_csv(results: Results, columns: Sequence[str]) -> str:
    """Return the table with full precision: mean and spread, and the difference with its interval to a base."""
    lines = []
    for row in results.rows:
        line: dict[str, object] = dict(model=results.titles[row], seeds=int((results.runs['row'] == row).sum()))
        for column in columns:
            line[column], line[f'{column}_std'] = mean_and_spread(results.values(row, column))
        for column in compared(results, columns):
            line |= _difference_numbers(results, row, column)
        if compared(results, columns):
            line['base'] = results.titles[results.bases[row]] if row in results.bases else ''
        lines.append(line)
    return csv_text(pd.DataFrame(lines))


def _difference_numbers(results: Results, row: str, column: str) -> dict[str, float]:
    keys = [f'{column}_{part}' for part in ('diff', 'diff_low', 'diff_high', 'pairs')]
    base = results.bases.get(row)
    if base is None:
        return dict.fromkeys(keys, math.nan)
    difference = paired_difference(results, row, base, column)
    return dict(zip(keys, (difference.mean, *difference.interval, difference.pairs), strict=True))


def seeds_csv(results: Results, columns: Sequence[str]) -> str:
    """Return the numbers of every run, and its difference to the base's run of the same seed."""
    tables = []
    for row in results.rows:
        runs = results.runs[results.runs['row'] == row].reindex(columns=['seed', *columns])
        runs.insert(0, 'model', results.titles[row])
        for column in compared(results, columns):
            base = results.by_seed(results.bases[row], column) if row in results.bases else pd.Series(dtype=float)
            runs[f'{column}_diff'] = runs[column] - runs['seed'].map(base)
        tables.append(runs)
    return csv_text(pd.concat(tables))


def csv_text(table: pd.DataFrame) -> str:
    """Return a frame as CSV with six digits."""
    numbers = table.select_dtypes('float').columns
    table = table.astype(dict.fromkeys(numbers, object))
    for column in numbers:
        table[column] = table[column].map(lambda value: '' if pd.isna(value) else f'{value:.6g}')
    return table.to_csv(index=False, lineterminator='\n')


def save(results: Results, columns: Sequence[str], prefix: Path, comparisons: Sequence[Comparison] = ()) -> list[Path]:
    """Write the table as Markdown, CSV, CSV of every run, and a picture per metric; returns the files.

    Args:
        results: The rows.
        columns: Columns of the table.
        prefix: Beginning of the files' paths.
        comparisons: Of all rows with one base, which the pictures then show in place of the paired differences.
    """
    from .plot import save_plots

    prefix.parent.mkdir(parents=True, exist_ok=True)
    texts = {'.md': to_markdown, '.csv': to_csv, '_seeds.csv': seeds_csv}
    files = {prefix.with_name(prefix.name + ending): write for ending, write in texts.items()}
    for path, write in files.items():
        path.write_text(write(results, columns), encoding='utf-8')
    return [*files, *save_plots(results, columns, prefix, comparisons)]
