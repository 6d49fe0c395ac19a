from __future__ import annotations

import pytest
import torch

from bevdistill.structures import full_precision


@pytest.mark.parametrize(
    ('given', 'got'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_never_less_than_given(given: torch.dtype, got: torch.dtype) -> None:
    assert full_precision(torch.ones(2, dtype=given)).dtype == got
