"""Switches of TF32; what they change needs a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from bevdistill.engine.hooks.tf32_hook import Tf32Hook

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture
def _switches_as_before() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.usefixtures('_switches_as_before')
@pytest.mark.parametrize(('matmul', 'convolution'), [(True, True), (False, False), (True, False)])
def test_sets_both_switches(matmul: bool, convolution: bool) -> None:
    Tf32Hook(matmul, convolution).before_run(None)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (matmul, convolution)


def test_configs_have_the_defaults_of_torch() -> None:
    hook = dict(Config.fromfile(REPO / 'configs/_base_/default_runtime.py').default_hooks.tf32)
    assert hook.pop('type') == 'Tf32Hook'
    own = Tf32Hook(**hook)
    assert (own.matmul, own.convolution) == (False, True)
