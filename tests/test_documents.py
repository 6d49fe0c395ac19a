"""The documents' code runs: the example of CONTRIBUTING.md is a loss that builds, computes and is right."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import torch
from mmdet3d.registry import MODELS

from bevdistill.structures import BEVGrid, BEVOutputs, Targets

REPO = Path(__file__).resolve().parents[1]


def python_blocks(name: str) -> list[str]:
    return re.findall(r'^```python\n(.*?)^```', (REPO / name).read_text(), flags=re.MULTILINE | re.DOTALL)


def outputs(batch: int, channels: int) -> BEVOutputs:
    grid = BEVGrid((-4.0, -2.0, -1.0, 4.0, 2.0, 1.0), rows=2, cols=3)
    return BEVOutputs(grid=grid, bev=torch.randn(batch, channels, 2, 3), states=torch.randn(1, batch, 5, 4),
                      logits=torch.randn(1, batch, 5, 10), codes=torch.randn(1, batch, 5, 10),
                      references=torch.rand(1, batch, 5, 2))


def test_example_of_a_loss_works() -> None:
    example, config = python_blocks('CONTRIBUTING.md')[:2]
    try:
        exec(compile(example, 'CONTRIBUTING.md', 'exec'), {'__name__': 'contributing'})
        names: dict[str, dict[str, dict[str, object]]] = {}
        exec(compile(config, 'CONTRIBUTING.md', 'exec'), names)
        entry = names['losses']['mean_map']
        entry.pop('weight')  # the distiller's
        loss = MODELS.build(entry)
    finally:
        MODELS.module_dict.pop('MeanMapLoss', None)
    student, teacher = outputs(2, 4), outputs(2, 6)
    empty = Targets((torch.zeros(0, 9),) * 2, (torch.zeros(0, dtype=torch.long),) * 2)
    expected = sum(
        (float(student.bev[b, :, r, c].mean()) - float(teacher.bev[b, :, r, c].mean())) ** 2
        for b in range(2) for r in range(2) for c in range(3)
    ) / 12
    torch.testing.assert_close(loss(student, teacher, empty)['loss'], torch.tensor(expected))


def test_python_in_documents_parses() -> None:
    for name in ('README.md', 'CONTRIBUTING.md'):
        for block in python_blocks(name):
            ast.parse(block)


def test_files_that_documents_link_to_exist() -> None:
    for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'):
        for target in re.findall(r'\]\(([^)#:]+)\)', (REPO / name).read_text()):
            assert (REPO / target).exists(), f'{name} links to {target}'


def test_make_targets_in_documents_exist() -> None:
    known = set(re.findall(r'^(\w+):.*##', (REPO / 'Makefile').read_text(), flags=re.MULTILINE))
    for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'):
        text = (REPO / name).read_text()
        used = set(re.findall(r'(?:^|`)make (\w+)', text, flags=re.MULTILINE)) - {'PYTHON'}
        assert used <= known, f'{name} names targets that the Makefile lacks: {sorted(used - known)}'
