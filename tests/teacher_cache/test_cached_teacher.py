"""A cached teacher gives the losses of the live one, and says what is wrong before the first step."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.logging import MessageHub
from torch import nn

import bevdistill.losses
from bevdistill.checkpoints import META_KEY
from bevdistill.distillers import BEVDistiller
from bevdistill.teacher_cache import RECORD, CachedTeacher, TeacherCache

CRITIC = dict(type='MLPCritic', in_channels=4, channels=5)
BOXES = dict(type='TeacherBoxPairing', max_boxes=4)


def instance(**changes: Any) -> dict[str, Any]:
    terms = dict(box=dict(type='BoxCodeTerm', layers='all'))
    parts = dict(pairing=BOXES, quality=dict(type='ScoreIoUQuality'), terms=terms)
    return dict(type='InstanceDistillLoss', **(parts | changes))


LOSSES: dict[str, dict[str, Any]] = dict(
    dense_paper=dict(
        type='DenseBEVLoss',
        mask=dict(type='SoftForeground', sigma=2.0),
        channels='sum',
        normaliser='cells',
        weight=0.01,
    ),
    dense_released=dict(type='DenseBEVLoss', tap='heatmap_features', mask=dict(type='SoftForeground'), channels='sum'),
    dense_hard=dict(type='DenseBEVLoss', mask=dict(type='HardForeground')),
    dense_predicted=dict(type='DenseBEVLoss', mask=dict(type='PredictedForeground', source='teacher')),
    dense_queries=dict(type='DenseBEVLoss', mask=dict(type='QuerySampledForeground')),
    dense_scaled=dict(
        type='DenseBEVLoss',
        mask=dict(type='AllCells'),
        adapter=dict(type='ConvAdapter', student_channels=4, teacher_channels=4),
        teacher_scale=dict(type='TeacherScale', mode='channel', channels=4),
    ),
    response=dict(type='HeatmapDistillLoss', mask=dict(type='AllCells')),
    bev_contrast=dict(type='BEVContrastLoss', student_critic=CRITIC, teacher_critic=CRITIC),
    map_contrast=dict(
        type='BEVContrastLoss', tap='heatmap_features', negatives='batch', student_critic=CRITIC, teacher_critic=CRITIC
    ),
    sparse=instance(
        terms=dict(
            box=dict(type='BoxCodeTerm'),
            contrast=dict(type='StateContrastTerm', student_critic=CRITIC, teacher_critic=CRITIC),
            state=dict(type='StateL1Term'),
            classes=dict(type='SoftClassTerm', unmatched='background'),
        )
    ),
    box_released=instance(quality=dict(type='ScoreQuality', released_squared=True)),
    box_uniform=instance(quality=dict(type='UniformQuality')),
    truth=instance(pairing=dict(type='GroundTruthPairing')),
)


@pytest.fixture(autouse=True)
def _fresh_message_hub():
    yield
    MessageHub._instance_dict.clear()


def build(checkpoint: Any, cache: TeacherCache | None = None, **changes: Any) -> BEVDistiller:
    config = dict(
        type='BEVDistiller',
        student=dict(type='FakeDetector', source='imgs'),
        teacher=dict(type='FakeDetector', source='points'),
        teacher_checkpoint=str(checkpoint),
        teacher_cache=None if cache is None else str(cache.folder),
        losses=LOSSES,
    )
    torch.manual_seed(1)
    return MODELS.build(config | changes)


def losses_of(model: BEVDistiller, data: dict[str, Any]) -> dict[str, torch.Tensor]:
    model.eval()  # Without dropout; the scale of the teacher is measured all the same, once.
    values = model(**data, mode='loss')
    return {name: value for name, value in values.items() if name.startswith('distill.')}


def test_the_table_has_every_part_of_the_package() -> None:
    used: set[str] = set()

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            used.update([node['type']] if 'type' in node else [])
            for value in node.values():
                collect(value)

    collect(LOSSES)
    parts = {name for name in bevdistill.losses.__all__ if isinstance(getattr(bevdistill.losses, name), type)}
    contracts = {'CellMask', 'InstanceTerm', 'MapLoss', 'Pairer', 'Quality', 'Region'}
    modules = {name for name in parts if issubclass(getattr(bevdistill.losses, name), nn.Module)} - contracts
    assert modules - used == {'LinearAdapter'}, 'add the new part to LOSSES'


@pytest.mark.parametrize('size', [1, 2])
@pytest.mark.parametrize(('dtype', 'tolerance'), [('float32', 1e-6), ('float16', 1e-3)])
def test_every_loss_is_that_of_the_live_teacher(
    save_teacher, batch, fill_cache, size: int, dtype: str, tolerance: float
) -> None:
    path, data = save_teacher(), batch(size)
    live = build(path)
    live.init_weights()
    want = losses_of(live, data)
    cached = build(path, fill_cache(path, data, dtype))
    cached.load_state_dict(live.state_dict())
    for module in cached.modules():
        if isinstance(module, bevdistill.losses.TeacherScale):
            module.steps.zero_()
    del data['inputs']['points']
    got = losses_of(cached, data)
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert float(got[name]) == pytest.approx(float(value), rel=tolerance, abs=0), name


def test_gradients_are_those_of_the_live_teacher(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch()
    models = [build(path), build(path, fill_cache(path, data))]
    gradients = []
    for model in models:
        model.load_state_dict(models[0].state_dict())
        model.eval()
        model.parse_losses(model(**data, mode='loss'))[0].backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-5, atol=1e-7)


def test_no_ground_truth(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch(boxes=0)
    want = losses_of(build(path), data)
    got = losses_of(build(path, fill_cache(path, data)), data)
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-6, atol=0)


def test_a_cache_of_the_best_queries_gives_the_same_losses(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch()
    losses = {name: LOSSES[name] for name in ('sparse', 'box_released', 'dense_paper')}
    want = losses_of(build(path, losses=losses), data)
    got = losses_of(build(path, fill_cache(path, data, top_k=4), losses=losses), data)
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-7)


def test_the_detector_never_runs(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch()
    model = build(path, fill_cache(path, data))
    model.init_weights()
    model.train()
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    assert isinstance(model.teacher, CachedTeacher)
    assert deepcopy(model).teacher is model.teacher
    assert model.teacher.detector.seen_dtype is None
    assert {name.split('.')[0] for name in model.state_dict()} == {'student', 'losses'}
    model.to(device='meta')
    assert {parameter.device.type for parameter in model.teacher.parameters()} == {'cpu'}


def test_identity_is_that_of_the_live_teacher(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    live, cached = build(path), build(path, fill_cache(path, batch()))
    assert cached.checkpoint_meta() == {'teacher': {}}
    live.init_weights()
    cached.init_weights()
    assert cached.checkpoint_meta() == live.checkpoint_meta()
    assert len(cached.teacher_identity['sha256']) == 64


def test_a_student_starts_from_the_weights_in_the_file(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    live, cached = (build(path, cache, init_from_teacher=True) for cache in (None, fill_cache(path, batch())))
    live.init_weights()
    torch.manual_seed(1)
    cached.init_weights()
    given = torch.load(path, weights_only=True)['state_dict']
    for name in ('transformer.decoder.weight', 'cls_branches.0.weight', 'query_embedding.weight'):
        name = f'pts_bbox_head.{name}'
        assert torch.equal(cached.student.state_dict()[name], given[name])
        assert torch.equal(live.student.state_dict()[name], given[name])


def test_taps_and_queries_that_were_not_cached_are_named_at_once(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    cache = fill_cache(path, batch(), taps=('bev',), top_k=3)
    with pytest.raises(ValueError, match='cannot feed the losses') as caught:
        build(path, cache)
    text = str(caught.value)
    for line in (
        "loss 'dense_released' (DenseBEVLoss) wants 'teacher.heatmap_features', which is not in the cache",
        "loss 'response' (HeatmapDistillLoss) wants 'teacher.heatmap', which is not in the cache",
        "loss 'sparse' (InstanceDistillLoss) wants 'teacher.states', which is not in the cache",
        "loss 'box_uniform' (InstanceDistillLoss) reads the best 4 queries of the teacher, the cache has the best 3",
        "loss 'truth' (InstanceDistillLoss) reads all queries of the teacher, the cache has the best 3",
        'python tools/cache_teacher.py config.py teacher.pth --out cache',
        'more of --taps (this teacher offers bev states heatmap heatmap_features) or --top-k',
    ):
        assert line in text
    assert "'dense_paper'" not in text
    build(path, cache, losses=dict(dense=LOSSES['dense_paper']))


def test_a_tap_that_the_teacher_lacks_is_not_blamed_on_the_cache(save_teacher, batch, fill_cache) -> None:
    plain = dict(heatmap=False)
    path = save_teacher(**plain)
    cache = fill_cache(path, batch(), taps=('bev',), **plain)
    teacher = dict(type='FakeDetector', source='points', **plain)
    with pytest.raises(ValueError, match=r"wants 'teacher.heatmap', which needs aux_heatmap=dict\(...\) in the head"):
        build(path, cache, teacher=teacher, losses=dict(response=LOSSES['response']))


def test_a_cache_offers_no_tap_that_its_teacher_lacks(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    model = build(path, fill_cache(path, batch()))
    assert {'bev', 'logits', 'codes'} <= set(model.teacher.taps)
    model.teacher.detector.taps = ('bev',)
    assert model.teacher.taps == ('bev',)


def test_another_teacher(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    cache = fill_cache(path, batch())
    weights = torch.load(path, weights_only=True)
    weights['state_dict']['stem.0.bias'] += 1
    other = path.with_name('other.pth')
    torch.save(weights, other)
    held = cache.manifest.key.sha256
    with pytest.raises(ValueError, match=rf'(?s)does not belong to this run.*with the weights {held}, this run names'):
        build(other, cache).init_weights()
    wide = dict(type='FakeDetector', source='points', queries=9)
    with pytest.raises(ValueError, match=r'model\.queries: the cache has nothing, this run 9'):
        build(path, cache, teacher=wide).init_weights()


def test_classes_of_the_cached_teacher_are_compared(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch()
    cache = fill_cache(path, data)
    wrong = ['bus', 'truck', 'car']
    with pytest.raises(ValueError, match=r"'truck', 'bus'\], class_names in the config \['bus', 'truck', 'car'\]"):
        build(path, cache, class_names=wrong).init_weights()
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=wrong))
    with pytest.raises(ValueError, match=r"'car', 'truck', 'bus'\], the data set \['bus', 'truck', 'car'\]"):
        build(path, cache)(**data, mode='loss')


def test_the_checkpoint_file_is_needed_to_train(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    cache = fill_cache(path, batch())
    path.unlink()
    with pytest.raises(FileNotFoundError, match='there is no teacher checkpoint'):
        build(path, cache).init_weights()


def test_testing_needs_neither_cache_nor_checkpoint(tmp_path: Path, batch) -> None:
    model = build(tmp_path / 'absent.pth', TeacherCache(tmp_path / 'absent')).eval()
    assert all('bboxes_3d' in sample.pred_instances_3d for sample in model(**batch(), mode='predict'))
    with pytest.raises(FileNotFoundError, match='there is no teacher cache'):
        model.init_weights()


def test_samples_without_a_record(save_teacher, batch, fill_cache) -> None:
    path, data = save_teacher(), batch()
    cache = fill_cache(path, data)
    data['data_samples'][1].pop(RECORD)
    with pytest.raises(ValueError, match=r"sample s1 comes without outputs of the teacher.*type='LoadTeacherOutputs'"):
        build(path, cache)(**data, mode='loss')


def test_precision_of_a_cached_teacher_is_settled(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    with pytest.raises(ValueError, match=r"teacher_precision='follow' has no effect with teacher_cache"):
        build(path, fill_cache(path, batch()), teacher_precision='follow')


def test_voxels_are_compared_where_the_preprocessor_is_known(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    cache = fill_cache(path, batch(), preprocessor=dict(voxel=True, voxel_type='hard'))
    build(path, cache).init_weights()
    plain = dict(type='mmdet3d.Det3DDataPreprocessor', voxel=False)
    with pytest.raises(ValueError, match=r'(?s)voxels.voxel: the cache has True, this run False\n.*voxel_type'):
        build(path, cache, data_preprocessor=plain).init_weights()


def test_meta_key_is_where_the_classes_are(save_teacher, batch, fill_cache) -> None:
    path = save_teacher()
    classes = torch.load(path, weights_only=True)['meta'][META_KEY]['classes']
    assert fill_cache(path, batch()).manifest.teacher == dict(path=str(path), classes=classes)
