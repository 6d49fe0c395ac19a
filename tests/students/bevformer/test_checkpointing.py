"""Layers of the encoder and stages of the backbone that are computed again in the backward pass."""

from __future__ import annotations

import torch
from mmdet3d.registry import MODELS
from sequences import queue_batch
from student_configs import small
from torch import Tensor

from bevdistill.students import BEVFormer

QUEUES = [[('a', 0), ('a', 1)], [('c', 3), ('d', 0)]]


def student(encoder: bool = False, backbone: bool = False) -> BEVFormer:
    config = small()
    config['img_backbone']['with_cp'] = backbone
    config['pts_bbox_head']['encoder'] |= dict(with_cp=encoder, dropout=0.1)
    torch.manual_seed(0)
    model = MODELS.build(config | dict(queue_length=2))
    model.init_weights()
    return model.train()


def step(model: BEVFormer) -> tuple[dict[str, Tensor], int]:
    """Gradients of one step, and the bytes that were kept for the backward pass."""
    inputs, samples = queue_batch(QUEUES)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = model.loss(inputs, samples)
    total = torch.stack(list(losses.values())).sum()
    total.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    return found | dict(loss=total.detach()), sum(kept.values())


def test_same_gradients_with_less_memory() -> None:
    want, whole = step(student())
    for options, share in ((dict(encoder=True), 0.6), (dict(backbone=True), 0.95)):
        got, less = step(student(**options))
        print(f'{options}: {less / whole:.2f} of the bytes')
        assert less < share * whole
        assert got.keys() == want.keys()
        for name, gradient in got.items():
            scale = float(want[name].abs().max())
            torch.testing.assert_close(gradient, want[name], atol=1e-6 * scale, rtol=1e-6, msg=name)


def test_nothing_is_computed_twice_without_gradients() -> None:
    model, calls = student(encoder=True), []
    layer = model.pts_bbox_head.transformer.encoder.layers[0]
    layer.register_forward_hook(lambda *_: calls.append(1))
    inputs, samples = queue_batch(QUEUES)
    with torch.no_grad():
        model.eval().predict(inputs, samples)
    assert len(calls) == 2
