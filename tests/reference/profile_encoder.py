"""The encoder beside the straightforward one: time, peak memory, and where the time goes.

From the top of the checkout::

    OMP_NUM_THREADS=1 PYTHONPATH=.:tests python -m reference.profile_encoder [--history] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import time

from torch import nn
from torch.profiler import ProfilerActivity, profile

from .bevformer_encoder import ReferenceEncoder
from .workload import Workload, encoder_workload


def step(module: nn.Module, work: Workload) -> None:
    """Forward and backward."""
    module.zero_grad()
    module(*work.arguments).sum().backward()


def seconds(module: nn.Module, work: Workload) -> float:
    """Processor time of a step."""
    start = time.process_time()
    step(module, work)
    return time.process_time() - start


def peak_mebibytes(module: nn.Module, work: Workload) -> float:
    """Highest sum of what a step allocates and has not freed; weights and inputs were there before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step(module, work)
    held = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == '[memory]':
            held += event.nbytes()
            peak = max(peak, held)
    return peak / 2**20


def table(module: nn.Module, work: Workload, rows: int = 14) -> str:
    """Share of each operator in a step's time."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step(module, work)
    entries = sorted(profiler.key_averages(), key=lambda entry: -entry.self_cpu_time_total)
    total = sum(entry.self_cpu_time_total for entry in entries)
    lines = ['| operator | share | calls |', '| --- | --- | --- |']
    for entry in entries[:rows]:
        lines.append(f'| `{entry.key}` | {100 * entry.self_cpu_time_total / total:.1f} % | {entry.count} |')
    return '\n'.join(lines)


def main() -> None:
    """Measure at the setting of BEVFormer-tiny and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--history', action='store_true', help='with a previous BEV map')
    parser.add_argument('--repeats', type=int, default=5)
    options = parser.parse_args()
    work = encoder_workload(history=options.history)
    modules = dict(package=work.encoder, reference=ReferenceEncoder.from_module(work.encoder))
    for module in modules.values():
        step(module, work)
    times: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(options.repeats):
        for name, module in modules.items():
            times[name].append(seconds(module, work))
    memory = {name: peak_mebibytes(module, work) for name, module in modules.items()}
    ratios = [ours / theirs for ours, theirs in zip(*times.values(), strict=True)]
    for name, values in times.items():
        spread = f'{min(values):.3f} to {max(values):.3f}'
        print(f'{name}: {statistics.median(values):.3f} s ({spread}), {memory[name]:.0f} MiB')
    print(f'time ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})')
    print(f"memory ratio {memory['package'] / memory['reference']:.3f}")
    for name, module in modules.items():
        print(f'\n{name}\n\n{table(module, work)}')


if __name__ == '__main__':
    main()
