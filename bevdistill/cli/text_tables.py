"""Format tables for the terminal and for Markdown documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from io import StringIO

Row = Sequence[str]


def text_table(rows: Sequence[Row], right: Collection[int] = (), indent: int = 2) -> str:
    """Align cells in columns two spaces apart.

    Args:
        rows: Cells, the heading first; all rows have the same length.
        right: Columns aligned to the right.
        indent: Spaces before each row.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    for column in range(len(rows[0])):
        table.add_column(justify='right' if column in right else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*row)
    out = StringIO()
    width = sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True))
    Console(file=out, width=width, markup=False, emoji=False, highlight=False, color_system=None).print(table)
    return '\n'.join(' ' * indent + line.rstrip() for line in out.getvalue().splitlines())


def markdown_table(head: Row, rows: Sequence[Row], right: Collection[int] = ()) -> str:
    """Format a Markdown table, one line a row, without padding: a changed cell changes one line of a diff.

    Args:
        head: Heading.
        rows: Cells.
        right: Columns aligned to the right.
    """
    marks = ['---:' if column in right else '---' for column in range(len(head))]
    return '\n'.join(f'| {" | ".join(row)} |' for row in (head, marks, *rows))


def short_number(value: float) -> str:
    """Write three digits without an exponent: ``0.0432``, ``1.5``, ``98800``."""
    digits = f'{value:.3g}'
    return f'{float(digits):.0f}' if 'e' in digits and value >= 1 else digits


def short_count(count: int) -> str:
    """Write a count with three digits and its unit: ``42.9 M``; ``-`` for none."""
    for size, unit in ((1e9, ' G'), (1e6, ' M'), (1e3, ' k')):
        if count >= 0.9995 * size:
            return f'{count / size:.{max(0, 3 - len(str(int(count / size))))}f}{unit}'
    return str(count) if count else '-'
