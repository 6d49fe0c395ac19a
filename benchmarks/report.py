"""Format what was measured as Markdown tables, and put them into a document."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bevdistill.cli.text_tables import markdown_table, short_number

BEGIN, END = '<!-- benchmark: begin -->', '<!-- benchmark: end -->'
MIB = 2**20
Facts = Mapping[str, Any]


def machine(device: str, threads: int) -> dict[str, Any]:
    """Collect processor, cores, device and versions."""
    import mmcv
    import mmdet3d
    import torch

    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return dict(
        processor=names[0] if names else platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        threads=threads,
        device=torch.cuda.get_device_name() if device == 'cuda' else 'cpu',
        system=platform.system(),
        versions=dict(
            python=platform.python_version(), torch=torch.__version__, mmcv=mmcv.__version__,
            mmdet3d=mmdet3d.__version__,
        ),
    )  # fmt: skip


def spread(facts: Facts, scale: float = 1.0) -> str:
    """Format median and quartiles: ``0.41 (0.40 to 0.43)``; a number alone if there is no spread."""
    median, low, high = (short_number(facts[key] * scale) for key in ('median', 'low', 'high'))
    return median if facts['repeats'] == 1 else f'{median} ({low} to {high})'


def head(results: Facts) -> str:
    """List machine, versions and how it was measured."""
    facts = results['machine']
    versions = ', '.join(f'{name} {version}' for name, version in facts['versions'].items())
    clock = 'processor time of the process' if facts['device'] == 'cpu' else 'CUDA events'
    where = f'{facts["processor"]}, {facts["cores"]} cores, {facts["threads"]} thread(s) used'
    where += '' if facts['device'] == 'cpu' else f'; {facts["device"]}'
    return (
        f'* Machine: {where}; {facts["system"]}; {versions}.\n'
        f'* Command: `{results["command"]}`, {results["date"]}, {results["minutes"]:.1f} minutes.\n'
        f'* Seconds are {clock}: median and, in brackets, quartiles of {results["repeats"]} repeats in which the '
        'sides took turns. A ratio is taken in each repeat, then its median.'
    )


def ratios(results: Facts) -> str:
    """Tabulate ratios against their targets."""
    rows = [
        [row['what'], spread(row), f'at most {row["target"]:g}', 'met' if row['met'] else '**not met**']
        for row in results['ratios'].values()
    ]
    return markdown_table(['ratio', 'measured', 'target', ''], rows)


def times(results: Facts) -> str:
    """Tabulate seconds, samples per second and memory."""
    rows = [
        [
            row['what'], spread(row), short_number(row['samples_per_second']),
            '-' if row['peak_bytes'] is None else f'{row["peak_bytes"] / MIB:.0f}',
        ]
        for row in results['times'].values()
    ]  # fmt: skip
    return markdown_table(['what', 'seconds', 'samples per second', 'memory added, MiB'], rows)


def loader(results: Facts) -> str:
    """Tabulate what a sample costs, and how long a step waits."""
    facts = results['loader']
    rows = [
        ['a sample, files to tensors, processor milliseconds of a worker', spread(facts['seconds_per_sample'], 1e3)],
        ['distilled step, milliseconds by the clock', spread(facts['step_seconds'], 1e3)],
        ['wait before it, milliseconds by the clock', spread(facts['wait_seconds'], 1e3)],
        ['share of its time that a worker is busy', short_number(facts['worker_load'])],
    ]
    return markdown_table([f'{facts["workers"]} workers, batch {facts["batch_size"]}', 'measured'], rows)


def stages(results: Facts) -> str:
    """Tabulate stages of the student beside the machine's peaks."""
    peaks = results['peaks']
    rows = [
        [
            name, spread(row), short_number(row['forward_seconds']), short_number(row['backward_seconds']),
            short_number(row['flops'] / 1e9), short_number(row['flops'] / row['median'] / 1e9),
            f'{row["share_of_product"]:.0%}', short_number(row['bytes'] / 1e9), f'{row["share_of_copy"]:.0%}',
        ]
        for name, row in results['stages'].items()
    ]  # fmt: skip
    columns = ['stage', 'seconds', 'forward', 'backward', 'GFLOP', 'GFLOP/s', 'of the matrix product',
               'GB moved (estimate)', 'of the copy (estimate)']  # fmt: skip
    image = ' x '.join(map(str, results['stages_image']))
    note = f'Peaks of this machine: matrix product {short_number(peaks["flops"] / 1e9)} GFLOP/s (float32), copy '
    note += f'{short_number(peaks["bytes"] / 1e9)} GB/s (read and written). Images {image}, batch 1, one history frame.'
    return f'{note}\n\n{markdown_table(columns, rows)}'


def scaling(results: Facts) -> str:
    """Tabulate exponents beside the expected ones."""
    rows = [
        [
            row['name'], row['what'], ', '.join(map(str, row['sizes'])),
            ', '.join(short_number(point['median']) for point in row['seconds']),
            f'{row["exponent"]:.2f}', f'{row["order"]:g}',
            'as expected' if row['as_expected'] else '**grows faster**',
            f'{max(0.0, row["fixed"] / row["seconds"][-1]["median"]):.0%}',
        ]
        for row in results['scaling']
    ]  # fmt: skip
    columns = ['over', 'what', 'sizes', 'seconds', 'exponent', 'expected at most', '', 'fixed part at the last size']
    return markdown_table(columns, rows)


SECTIONS = {
    'ratios': ('Ratios and targets', ratios),
    'times': ('Times and memory', times),
    'loader': ('Data loader', loader),
    'stages': ("How near to the machine's peak", stages),
    'scaling': ('How time grows', scaling),
}


def report(results: Facts, picture: str | None = None) -> str:
    """Format all tables of what was measured.

    Args:
        results: Of the benchmark.
        picture: Path of the plots as seen from the document, or None.
    """
    blocks = [head(results)]
    blocks += [f'### {title}\n\n{section(results)}' for key, (title, section) in SECTIONS.items() if results.get(key)]
    if picture is not None and results.get('scaling'):
        blocks.append(f'![time over BEV cells, cameras, queue length and batch]({picture})')
    return '\n\n'.join(blocks) + '\n'


def in_document(document: str, tables: str) -> str:
    """Replace the lines of a document between the two marks by tables.

    Raises:
        ValueError: If it lacks the marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'the document has no lines {BEGIN} and {END}, between which the tables go')
    return f'{before}{BEGIN}\n\n{tables}\n{END}{after}'
