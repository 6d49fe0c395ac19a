"""Say what to write in place of words that a verb does not know: former flags of OpenMMLab, and misspelt ones."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator, Sequence

GPUS = 'a process takes the first GPU of CUDA_VISIBLE_DEVICES; several: tools/dist_train.sh CONFIG N'
OPTION = '--cfg-options {}'
FORMER = {
    '--gpu-id': GPUS, '--gpu-ids': GPUS, '--gpus': GPUS, '--device': GPUS,
    '--resume-from': '--resume CHECKPOINT', '--auto-resume': '--resume',
    '--load-from': OPTION.format('load_from=CHECKPOINT'),
    '--options': OPTION.format('KEY=VALUE'), '--eval-options': OPTION.format('test_evaluator.KEY=VALUE'),
    '--no-validate': OPTION.format('val_cfg=None val_dataloader=None val_evaluator=None'),
    '--deterministic': OPTION.format('randomness.deterministic=True'),
    '--diff-seed': OPTION.format('randomness.diff_rank_seed=True'),
    '--batch-size': OPTION.format('train_dataloader.batch_size=N'),
    '--workers': OPTION.format('train_dataloader.num_workers=N'),
    '--epochs': OPTION.format('train_cfg.max_epochs=N'), '--lr': OPTION.format('optim_wrapper.optimizer.lr=X'),
    '--eval': "the metrics are the config's test_evaluator", '--out': '--keep-predictions',
    '--gpu-collect': "leave it out, or use the evaluator's collect_device", '--tmpdir': 'leave it out',
    '--fuse-conv-bn': 'there is no such step; leave it out',
    '--config': 'the config is given without a flag', '--checkpoint': 'the checkpoint is given without a flag',
    '--extra-tag': 'the files are called nuscenes_infos_*; leave it out',
}  # fmt: skip
"""Flags that people know from other repositories of the family, and what stands in their place."""


def explained(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """Return the message for words that a parser does not know.

    Args:
        parser: Of the verb.
        unknown: The words that are left over.
    """
    known = sorted(set(_flags(parser)))
    lines = [f'unrecognized arguments: {" ".join(unknown)}']
    for word in unknown:
        flag = word.partition('=')[0]
        near = difflib.get_close_matches(flag.replace('_', '-'), known, n=1, cutoff=0.75)
        if flag in FORMER:
            lines.append(f'in place of {flag}: {FORMER[flag]}')
        elif near and flag.startswith('--'):
            lines.append(f'did you mean {near[0]}?')
    return '; '.join(lines)


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags of a parser and of those of its actions."""
    for action in parser._actions:
        yield from (flag for flag in action.option_strings if flag.startswith('--'))
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _flags(below)
