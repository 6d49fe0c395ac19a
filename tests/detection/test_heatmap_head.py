from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseModule

from bevdistill.detection.heatmap_head import AuxHeatmapMixin


class Owner(AuxHeatmapMixin, BaseModule):
    def __init__(self, cfg: dict | None, in_channels: int = 8, num_classes: int = 10) -> None:
        super().__init__()
        self.build_aux_heatmap(in_channels, num_classes, cfg)


def test_names_and_shapes_are_those_of_the_release() -> None:
    owner = Owner(dict(share_channels=256), in_channels=256)
    shapes = {name: tuple(value.shape) for name, value in owner.state_dict().items() if 'bn' not in name}
    assert shapes == {
        'shared_conv.conv.weight': (256, 256, 3, 3),
        'task_heads.0.heatmap.0.conv.weight': (64, 256, 3, 3),
        'task_heads.0.heatmap.1.conv.weight': (64, 64, 3, 3),
        'task_heads.0.heatmap.2.weight': (10, 64, 3, 3),
        'task_heads.0.heatmap.2.bias': (10,),
    }
    assert len(owner.state_dict()) == 20


def test_output_of_batch_two_on_an_oblong_map() -> None:
    heatmap, features = Owner(dict(share_channels=6, head_channels=5, num_convs=2)).run_aux_heatmap(
        torch.randn(2, 8, 5, 9)
    )
    assert heatmap is not None and heatmap.shape == (2, 10, 5, 9)
    assert features is not None and features.shape == (2, 6, 5, 9)


def test_no_heatmap_has_no_parameters() -> None:
    owner = Owner(None)
    assert owner.run_aux_heatmap(torch.randn(2, 8, 5, 9)) == (None, None)
    assert not owner.state_dict()


@pytest.mark.parametrize('detach', [True, False])
def test_gradient_reaches_the_map_unless_detached(detach: bool) -> None:
    owner = Owner(dict(detach_input=detach))
    bev = torch.randn(2, 8, 5, 9, requires_grad=True)
    heatmap, _ = owner.run_aux_heatmap(bev)
    assert heatmap is not None
    heatmap.sum().backward()
    assert (bev.grad is None) == detach
    assert owner.shared_conv is not None
    assert all(parameter.grad is not None for parameter in owner.shared_conv.parameters())


@pytest.mark.parametrize('initialise', [True, False])
def test_every_cell_starts_near_the_prior_with_and_without_init_weights(initialise: bool) -> None:
    owner = Owner(dict(share_channels=32), in_channels=32)
    if initialise:
        owner.init_weights()
    torch.testing.assert_close(owner.task_heads[0].heatmap[-1].bias, torch.full((10,), -2.19))
    heatmap, _ = owner.run_aux_heatmap(torch.randn(4, 32, 16, 16).relu())
    assert heatmap is not None
    torch.testing.assert_close(heatmap.sigmoid().mean(), torch.tensor(0.1), atol=0.03, rtol=0)
    assert heatmap.std() < 1


def test_too_few_convolutions_are_refused() -> None:
    with pytest.raises(ValueError, match='num_convs >= 2, got 1'):
        Owner(dict(num_convs=1))


def test_forward_of_the_original(golden) -> None:  # type: ignore[no-untyped-def]
    meta, arrays = golden('distill_aux_heatmap')
    config = meta['config']
    owner = Owner(
        dict(share_channels=config['share_conv_channel'], num_convs=config['num_heatmap_convs']),
        in_channels=config['in_channels'],
    ).eval()
    owner.load_state_dict({key[2:]: torch.from_numpy(value) for key, value in arrays.items() if key.startswith('w.')})
    heatmap, features = owner.run_aux_heatmap(torch.from_numpy(arrays['in.bev_feat']))
    torch.testing.assert_close(heatmap, torch.from_numpy(arrays['out.heatmap_logits_0']), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features, torch.from_numpy(arrays['out.shared_feat']), atol=1e-5, rtol=1e-4)
