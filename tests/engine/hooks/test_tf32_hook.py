"""Switches of TF32; what they change needs a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from bevdistill.engine.hooks.tf32_hook import Tf32Hook

REPO = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(('matmul', 'convolution'), [(True, True), (False, False), (True, False)])
def test_sets_both_switches(matmul: bool, convolution: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for switches in (torch.backends.cuda.matmul, torch.backends.cudnn):
        # What a test sets is set back at its end.
        monkeypatch.setattr(switches, 'allow_tf32', switches.allow_tf32)
    Tf32Hook(matmul, convolution).before_run(None)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (matmul, convolution)


def test_configs_have_the_defaults_of_torch() -> None:
    hook = dict(Config.fromfile(REPO / 'configs/_base_/default_runtime.py').default_hooks.tf32)
    assert hook.pop('type') == 'Tf32Hook'
    own = Tf32Hook(**hook)
    assert (own.matmul, own.convolution) == (False, True)
