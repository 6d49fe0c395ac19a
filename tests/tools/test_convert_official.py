"""tools/model_converters/convert_official.py as a command; what it does is tested in tests/engine/official."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

from bevdistill.checkpoints import KINDS

TOOL = Path(__file__).resolve().parents[2] / 'tools/model_converters/convert_official.py'
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
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run the tool in this process: ``run(*words) -> (exit code or message, printed text)``."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *words])
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as end:
            return end.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    return call


def test_converts_and_reports(run, tmp_path: Path) -> None:
    torch.save(dict(meta={}, state_dict=official()), 'in.pth')
    code, text = run('in.pth', 'out.pth', '--kind', 'bevdistill-teacher')
    assert code == 0
    lines = text.splitlines()
    assert lines[0] == 'reading in.pth ...' and 'writing out.pth ...' in lines
    assert ['kept', '10'] in [line.split()[:2] for line in lines]
    assert ['permuted', '1', 'boxes'] in [line.split()[:3] for line in lines]
    assert ['left', 'over', '0'] in [line.split() for line in lines]
    assert 'belongs to configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py' in lines
    assert 'state_dict' in torch.load(tmp_path / 'out.pth', weights_only=True)
    code, _ = run('out.pth', 'again.pth', '--kind', 'bevdistill-teacher')
    assert 'was converted from in.pth' in str(code)
    code, text = run('in.pth', 'out.pth', '--kind', 'bevdistill-teacher', '--force', '--verbose')
    assert code == 0
    assert f'permuted  {HEAD}reg_branches.0.4.bias  (boxes)' in text.splitlines()


def test_mistakes_are_said_in_words(run, tmp_path: Path) -> None:
    torch.save(official(), 'in.pth')
    (tmp_path / 'mine.pth').write_text('mine')
    teacher = ['--kind', 'bevdistill-teacher']
    for words, message in (
        (['in.pth', 'out.pth', '--kind', 'bevformer'], 'Give --kind bevdistill-teacher'),
        (['absent.pth', 'out.pth', *teacher], 'there is no checkpoint absent.pth'),
        (['mine.pth', 'out.pth', *teacher], 'mine.pth is not a checkpoint of torch'),
        (['in.pth', 'mine.pth', *teacher], 'mine.pth exists; give --force'),
        (['in.pth', './in.pth', *teacher, '--force'], 'must be different files'),
        (['in.pth', 'out.pth', *teacher, '--teacher-out', 't.pth'], 'only a file of kind distiller holds a teacher'),
    ):
        code, _ = run(*words)
        assert str(code).startswith('convert_official.py: error: ')
        assert message in str(code)
    assert (tmp_path / 'mine.pth').read_text() == 'mine'
    assert not (tmp_path / 'out.pth').exists()


def test_help_shows_kinds_and_examples(run) -> None:
    code, text = run('--help')
    assert code == 0
    for kind, about in KINDS.items():
        assert re.search(rf'^  {kind} +{re.escape(about)}$', text, flags=re.MULTILINE)
    assert '{' + ','.join(KINDS) + '}' in text
    for word in ('--teacher-out', 'tools/test.py configs/bevformer/'):
        assert word in text
