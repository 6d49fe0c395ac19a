"""Profile the encoder beside the straightforward one: time, peak memory, and the share of each operator.

From the top of the checkout::

    OMP_NUM_THREADS=1 python -m docs.experiments.profile_encoder [--history] [--repeats 5]
"""

from __future__ import annotations

import argparse

from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.clock import Clock, peak_bytes, ratio
from benchmarks.ratios import encode_and_back
from benchmarks.reference.bevformer_encoder import ReferenceEncoder
from benchmarks.reference.workload import Workload, encoder_workload
from bevdistill.cli.text_tables import markdown_table


def operators(module: nn.Module, work: Workload, rows: int = 14) -> str:
    """Tabulate the share of each operator in a step's time."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        encode_and_back(module, work)()
    entries = sorted(profiler.key_averages(), key=lambda entry: -entry.self_cpu_time_total)
    total = sum(entry.self_cpu_time_total for entry in entries)
    return markdown_table(['operator', 'share', 'calls'], [
        [f'`{entry.key}`', f'{100 * entry.self_cpu_time_total / total:.1f} %', str(entry.count)]
        for entry in entries[:rows]
    ])  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    """Measure at the setting of BEVFormer-tiny and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--history', action='store_true', help='with a previous BEV map')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--cells', type=int, default=50, help='rows and columns (default: 50)')
    args = parser.parse_args(argv)
    work = encoder_workload(rows=args.cells, cols=args.cells, history=args.history)
    modules = dict(package=work.encoder, reference=ReferenceEncoder.from_module(work.encoder))
    sides = {name: encode_and_back(module, work) for name, module in modules.items()}
    times = Clock('cpu').alternate(sides, args.repeats, lambda: None)
    memory = {name: peak_bytes(run, 'cpu') / 2**20 for name, run in sides.items()}
    for name, seconds in times.items():
        middle = sorted(seconds)[len(seconds) // 2]
        print(f'{name}: {middle:.3f} s ({min(seconds):.3f} to {max(seconds):.3f}), {memory[name]:.0f} MiB')
    faster = ratio(times, ['package'], ['reference'])
    print(f'time ratio {faster.median:.3f} (quartiles {faster.low:.3f} to {faster.high:.3f})')
    print(f'memory ratio {memory["package"] / memory["reference"]:.3f}')
    for name, module in modules.items():
        print(f'\n{name}\n\n{operators(module, work)}')


if __name__ == '__main__':
    main()
