"""What benchmark.py prints and writes: Markdown tables, and the part of a document that holds them."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = '<!-- benchmark: begin -->', '<!-- benchmark: end -->'
MIB = 2**20


def machine(device: str, threads: int) -> dict[str, Any]:
    """Processor, cores, device and versions."""
    import mmcv
    import mmdet3d
    import torch

    facts = dict(
        processor=processor(),
        cores=os.cpu_count(),
        threads=threads,
        device=torch.cuda.get_device_name() if device == 'cuda' else 'cpu',
        system=platform.system(),
    )
    versions = dict(
        python=platform.python_version(), torch=torch.__version__, mmcv=mmcv.__version__, mmdet3d=mmdet3d.__version__
    )
    return dict(facts, versions=versions)


def processor() -> str:
    """Name of the processor."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return '\n'.join(f'| {" | ".join(row)} |' for row in (head, ['---'] * len(head), *rows))


def number(value: float) -> str:
    """Three digits, without an exponent."""
    digits = f'{value:.3g}'
    return f'{float(digits):.0f}' if 'e' in digits and value >= 1 else digits


def spread(facts: Mapping[str, Any], scale: float = 1.0) -> str:
    """Median and quartiles: ``0.41 (0.40 to 0.43)``; a number alone if there is no spread."""
    median, low, high = (number(facts[key] * scale) for key in ('median', 'low', 'high'))
    return median if facts['repeats'] == 1 else f'{median} ({low} to {high})'


def head(results: Mapping[str, Any]) -> str:
    """Machine, versions and how it was measured."""
    facts = results['machine']
    versions = ', '.join(f'{name} {version}' for name, version in facts['versions'].items())
    clock = 'processor time of the process' if facts['device'] == 'cpu' else 'CUDA events'
    where = f'{facts["processor"]}, {facts["cores"]} cores, {facts["threads"]} thread(s) used'
    where += '' if facts['device'] == 'cpu' else f'; {facts["device"]}'
    return '\n'.join(
        [
            f'* Machine: {where}; {facts["system"]}; {versions}.',
            f'* Command: `{results["command"]}`, {results["date"]}, {results["minutes"]:.1f} minutes.',
            f'* Seconds are {clock}: median and, in brackets, quartiles of {results["repeats"]} repeats in which the '
            'sides took turns. A ratio is taken in each repeat, then its median.',
        ]
    )


def ratios(results: Mapping[str, Any]) -> str:
    """Ratios against their targets."""
    rows = [
        [row['what'], spread(row), f'at most {row["target"]:g}', 'met' if row['met'] else '**not met**']
        for row in results['ratios'].values()
    ]
    return table(['ratio', 'measured', 'target', ''], rows)


def times(results: Mapping[str, Any]) -> str:
    """Seconds, samples per second and memory."""
    rows = [
        [
            row['what'],
            spread(row),
            number(row['samples_per_second']),
            '-' if row['peak_bytes'] is None else f'{row["peak_bytes"] / MIB:.0f}',
        ]
        for row in results['times'].values()
    ]
    return table(['what', 'seconds', 'samples per second', 'memory added, MiB'], rows)


def loader(results: Mapping[str, Any]) -> str:
    """What a sample costs, and how long a step waits."""
    facts = results['loader']
    rows = [
        ['a sample, files to tensors, processor milliseconds of a worker', spread(facts['seconds_per_sample'], 1e3)],
        ['distilled step, milliseconds by the clock', spread(facts['step_seconds'], 1e3)],
        ['wait before it, milliseconds by the clock', spread(facts['wait_seconds'], 1e3)],
        ['share of its time that a worker is busy', number(facts['worker_load'])],
    ]
    return table([f'{facts["workers"]} workers, batch {facts["batch_size"]}', 'measured'], rows)


def stages(results: Mapping[str, Any]) -> str:
    """Stages of the student beside the machine's peaks."""
    peaks = results['peaks']
    rows = [
        [
            name,
            spread(row),
            number(row['forward_seconds']),
            number(row['backward_seconds']),
            number(row['flops'] / 1e9),
            number(row['flops'] / row['median'] / 1e9),
            f'{row["share_of_product"]:.0%}',
            number(row['bytes'] / 1e9),
            f'{row["share_of_copy"]:.0%}',
        ]
        for name, row in results['stages'].items()
    ]
    columns = ['stage', 'seconds', 'forward', 'backward', 'GFLOP', 'GFLOP/s', 'of the matrix product',
               'GB moved (estimate)', 'of the copy (estimate)']  # fmt: skip
    image = ' x '.join(map(str, results['stages_image']))
    note = f'Peaks of this machine: matrix product {number(peaks["flops"] / 1e9)} GFLOP/s (float32), copy '
    note += f'{number(peaks["bytes"] / 1e9)} GB/s (read and written). Images {image}, batch 1, one history frame.'
    return f'{note}\n\n{table(columns, rows)}'


def scaling(results: Mapping[str, Any]) -> str:
    """Exponents beside the expected ones."""
    rows = [
        [
            row['name'],
            row['what'],
            ', '.join(map(str, row['sizes'])),
            ', '.join(number(point['median']) for point in row['seconds']),
            f'{row["exponent"]:.2f}',
            f'{row["order"]:g}',
            'as expected' if row['as_expected'] else '**grows faster**',
            f'{max(0.0, row["fixed"] / row["seconds"][-1]["median"]):.0%}',
        ]
        for row in results['scaling']
    ]
    columns = ['over', 'what', 'sizes', 'seconds', 'exponent', 'expected at most', '', 'fixed part at the last size']
    return table(columns, rows)


SECTIONS = {
    'ratios': ('Ratios and targets', ratios),
    'times': ('Times and memory', times),
    'loader': ('Data loader', loader),
    'stages': ("How near to the machine's peak", stages),
    'scaling': ('How time grows', scaling),
}


def report(results: Mapping[str, Any], picture: str | None = None) -> str:
    """All tables of what was measured.

    Args:
        results: Of the benchmark.
        picture: Path of the plots as seen from the document, or None.
    """
    blocks = [head(results)]
    for key, (title, section) in SECTIONS.items():
        if results.get(key):
            blocks.append(f'### {title}\n\n{section(results)}')
    if picture is not None and results.get('scaling'):
        blocks.append(f'![time over BEV cells, cameras, queue length and batch]({picture})')
    return '\n\n'.join(blocks) + '\n'


def in_document(document: str, tables: str) -> str:
    """A document whose lines between the two marks are the tables.

    Raises:
        ValueError: If it lacks the marks.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f'the document has no lines {BEGIN} and {END}, between which the tables go')
    return f'{before}{BEGIN}\n\n{tables}\n{END}{after}'
