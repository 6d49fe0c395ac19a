"""The verb convert; what it does is tested in tests/checkpoints/official."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from cli_runs import Run

from bevdistill.checkpoints import KINDS

HEAD = 'pts_bbox_head.'


def official() -> dict[str, torch.Tensor]:
    """A teacher of a few numbers under the names of the original code."""
    shapes = {
        'pts_backbone.blocks.0.0.weight': (2, 2, 3, 3),
        'pts_neck.lateral_convs.0.conv.weight': (2, 2, 1, 1),
        HEAD + 'query_embedding.weight': (3, 4),
        HEAD + 'transformer.reference_points.weight': (2, 2),
        HEAD + 'transformer.level_embeds': (4, 2),
        HEAD + 'transformer.encoder.layers.0.norms.0.weight': (2,),
        HEAD + 'transformer.decoder.layers.0.norms.0.weight': (2,),
        HEAD + 'cls_branches.0.6.bias': (10,),
        HEAD + 'reg_branches.0.4.bias': (10,),
        HEAD + 'shared_conv.conv.weight': (2, 2, 3, 3),
        HEAD + 'task_heads.0.heatmap.2.bias': (10,),
    }
    return {name: torch.rand(shape) for name, shape in shapes.items()}


@pytest.fixture
def convert(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``convert(*words)`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: run('convert', *words)


def test_converts_and_reports(convert: Run, tmp_path: Path) -> None:
    torch.save(dict(meta={}, state_dict=official()), 'in.pth')
    code, text, _ = convert('in.pth', 'out.pth', '--kind', 'bevdistill-teacher')
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == 'reading in.pth ...' and 'writing out.pth ...' in lines
    assert ['kept', '10'] in [line.split()[:2] for line in lines]
    assert ['permuted', '1', 'boxes'] in [line.split()[:3] for line in lines]
    assert ['left', 'over', '0'] in [line.split() for line in lines]
    assert 'belongs to configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py' in lines
    assert 'state_dict' in torch.load(tmp_path / 'out.pth', weights_only=True)
    code, _, said = convert('out.pth', 'again.pth', '--kind', 'bevdistill-teacher')
    assert code == 1
    assert 'was converted from in.pth' in said
    code, text, _ = convert('in.pth', 'out.pth', '--kind', 'bevdistill-teacher', '--force', '--verbose')
    assert code == 0
    assert f'permuted  {HEAD}reg_branches.0.4.bias  (boxes)' in text.splitlines()


def test_mistakes_are_said_in_words(convert: Run, tmp_path: Path) -> None:
    torch.save(official(), 'in.pth')
    (tmp_path / 'mine.pth').write_text('mine')
    teacher = ['--kind', 'bevdistill-teacher']
    for words, message in (
        (['in.pth', 'out.pth', '--kind', 'bevformer'], 'Give --kind bevdistill-teacher'),
        (['absent.pth', 'out.pth', *teacher], 'no checkpoint '),
        (['mine.pth', 'out.pth', *teacher], 'mine.pth is no checkpoint: it is text'),
        (['in.pth', 'mine.pth', *teacher], 'mine.pth exists; give --force'),
        (['in.pth', './in.pth', *teacher, '--force'], 'must be different files'),
        (['in.pth', 'out.pth', *teacher, '--teacher-out', 't.pth'], 'only a file of kind distiller holds a teacher'),
    ):
        code, _, said = convert(*words)
        assert code == 1
        assert 'bevdistill convert: error: ' in said
        assert message in said
    assert (tmp_path / 'mine.pth').read_text() == 'mine'
    assert not (tmp_path / 'out.pth').exists()


def test_help_shows_kinds_and_examples(convert: Run) -> None:
    code, text, _ = convert('--help')
    assert code == 0
    for kind, about in KINDS.items():
        assert re.search(rf'^  {kind} +{re.escape(about)}$', text, flags=re.MULTILINE)
    assert '{' + ','.join(KINDS) + '}' in text
    for word in ('--teacher-out', 'bevdistill test configs/bevformer/'):
        assert word in text
