from __future__ import annotations

from mmengine.model.wrappers import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from bevdistill.distributed import HostDistributedDataParallel, unwrap_model


class Wrapper(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


def test_a_bare_model_is_returned_itself_even_with_a_part_called_module() -> None:
    model = nn.Linear(2, 2)
    assert unwrap_model(model) is model
    part = Wrapper(nn.Linear(2, 2))
    assert unwrap_model(part) is part


def test_registered_wrappers_are_taken_off() -> None:
    MODEL_WRAPPERS.register_module(module=Wrapper, name='WrapperOfThisTest', force=True)
    model = nn.Linear(2, 2)
    try:
        assert unwrap_model(Wrapper(model)) is model
    finally:
        MODEL_WRAPPERS.module_dict.pop('WrapperOfThisTest')


def test_wrapper_for_cpu_processes_is_known_to_mmengines_runner() -> None:
    assert MODEL_WRAPPERS.get('HostDistributedDataParallel') is HostDistributedDataParallel
    assert issubclass(HostDistributedDataParallel, MMDistributedDataParallel)
