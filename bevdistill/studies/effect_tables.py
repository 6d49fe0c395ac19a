"""Tables of the comparison of all rows with one base: for a terminal, as Markdown, as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .effects import Comparison, Effect
from .results import Results
from .tables import aligned, csv_text, markdown


def effect_cells(results: Results, comparisons: Sequence[Comparison]) -> list[list[str]]:
    """Return header and body: per metric the difference with its interval, and its p value."""
    header = ['model', 'seeds']
    for comparison in comparisons:
        header += [f'Δ {comparison.column}', 'p']
    body = []
    for row in results.rows:
        effects = [comparison.effects.get(row) for comparison in comparisons]
        seeds = next((f'{effect.seeds[0]} / {effect.seeds[1]}' for effect in effects if effect is not None), '-')
        if any(effects):
            body.append([results.titles[row], seeds, *(cell for effect in effects for cell in _cells(effect))])
    return [header, *body]


def _cells(effect: Effect | None) -> tuple[str, str]:
    if effect is None:
        return '-', '-'
    if math.isnan(effect.half):
        return f'{effect.mean:+.3f}', '-'
    low, high = effect.interval
    return f'{effect.mean:+.3f} [{low:+.3f}, {high:+.3f}]', p_text(effect.p_all)


def p_text(value: float) -> str:
    """Write a p value with two digits, those below 0.0001 as such."""
    return '<0.0001' if value < 1e-4 else f'{value:.2g}'


def effect_note(results: Results, comparisons: Sequence[Comparison], families: Sequence[Sequence[str]]) -> str:
    """Say what the table compares, on which variances, and over how many seeds, teachers and worlds."""
    base = results.titles[comparisons[0].base]
    lines = [
        f'Δ: difference to `{base}`, each teacher with one weight, with 95 % intervals that hold together within a '
        f'family, and p by Dunnett{" and Holm over the families" if len(families) > 1 else ""}; seeds of the row / of '
        'the base, which need not be the same ones. Variances are pooled over the rows; in the intervals are those '
        'between seeds and those by which a teacher or a world suits one row more than another.'
    ]
    if len(families) > 1:
        lines += [f'Family {place + 1}: {_names(results, rows)}.' for place, rows in enumerate(families)]
    lines += [_spread(comparison) for comparison in comparisons]
    return '\n'.join(lines)


def _names(results: Results, rows: Sequence[str]) -> str:
    return '; '.join(results.titles[row] for row in rows)


def _spread(comparison: Comparison) -> str:
    found, parts = comparison.variances, []
    for name, square, value in (
        ('seeds', found.seeds, found.seeds.value),
        ('teachers', found.teachers, found.between_teachers),
        ('worlds', found.worlds, found.worlds.value),
    ):
        parts.append(f'{name} {math.sqrt(value):.4f} ({square.df} df)' if square.df else f'{name} unknown')
    teachers = max((effect.teachers for effect in comparison.effects.values()), default=0)
    counts = [f'{count} {name}{"s" * (count != 1)}' for count, name in (
        (teachers, 'teacher'), (found.number_of_worlds, 'world')
    )]
    return f'{comparison.column}, standard deviation between {", ".join(parts)}; {", ".join(counts)}.'


def to_text(results: Results, comparisons: Sequence[Comparison], families: Sequence[Sequence[str]]) -> str:
    """Return the table for a terminal, with its note."""
    return f'{aligned(effect_cells(results, comparisons))}\n\n{effect_note(results, comparisons, families)}'


def save(
    results: Results, comparisons: Sequence[Comparison], families: Sequence[Sequence[str]], prefix: Path
) -> list[Path]:
    """Write ``PREFIX_against.md`` and ``.csv``; returns the files."""
    words = '\n\n'.join(effect_note(results, comparisons, families).split('\n'))
    lines = [
        dict(
            model=results.titles[row], base=results.titles[comparison.base], metric=comparison.column,
            seeds=effect.seeds[0], seeds_of_base=effect.seeds[1], teachers=effect.teachers, diff=effect.mean,
            low=effect.interval[0], high=effect.interval[1], p_family=effect.p, p=effect.p_all, df=effect.df,
        )
        for comparison in comparisons for row in results.rows if (effect := comparison.effects.get(row)) is not None
    ]  # fmt: skip
    prefix.parent.mkdir(parents=True, exist_ok=True)
    texts = {'.md': markdown(effect_cells(results, comparisons), words), '.csv': csv_text(pd.DataFrame(lines))}
    for ending, text in texts.items():
        prefix.with_name(f'{prefix.name}_against{ending}').write_text(text, encoding='utf-8')
    return [prefix.with_name(f'{prefix.name}_against{ending}') for ending in texts]
