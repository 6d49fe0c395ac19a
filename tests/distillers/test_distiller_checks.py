"""What a distiller refuses: gaps between student, teacher, losses and data."""

from __future__ import annotations

import pytest
from mmengine.logging import MessageHub
from small_distiller import DENSE, build


def test_all_gaps_of_the_wiring_are_named_at_once(save_teacher) -> None:
    losses = dict(
        dense=DENSE | dict(tap='heatmap_features'),
        response=dict(type='HeatmapDistillLoss', mask=dict(type='AllCells')),
    )
    with pytest.raises(ValueError, match='cannot feed the losses') as caught:
        build(save_teacher(), student=dict(type='FakeDetector', source='imgs', heatmap=False), losses=losses)
    text = str(caught.value)
    assert "loss 'dense' (DenseBEVLoss) wants 'student.heatmap_features'" in text
    assert "loss 'response' (HeatmapDistillLoss) wants 'student.heatmap'" in text
    assert 'aux_heatmap=dict(...) in the head of the student' in text
    assert "'teacher.heatmap_features'" in text.split('offered:')[1]


def test_ranges_and_class_counts_must_agree(save_teacher) -> None:
    student = dict(type='FakeDetector', source='imgs', classes=4, limits=[-9.0, -6.0, -5.0, 8.0, 6.0, 3.0])
    with pytest.raises(ValueError, match=r'(?s)-9\.0.*-8\.0.*4 classes, the teacher 3'):
        build(save_teacher(), student=student)


@pytest.mark.parametrize('name', ['bev_loss', 'a.b'])
def test_names_of_losses(save_teacher, name: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        build(save_teacher(), losses={name: DENSE})


def test_teacher_checkpoint_is_required_for_training_alone(batch) -> None:
    model = build(None)
    for use in (model.check_trainable, model.init_weights):
        with pytest.raises(ValueError, match=r'(?s)needs teacher_checkpoint.*tools/train.py configs/object_dgcnn'):
            use()
    with pytest.raises(ValueError, match='needs teacher_checkpoint'):
        model(**batch(), mode='loss')
    model.eval()
    assert len(model(**batch(), mode='predict')) == len(batch()['data_samples'])
    assert model.checkpoint_meta() == {'teacher': {}}


def test_absent_teacher_checkpoint_stops_before_the_first_step(tmp_path) -> None:
    model = build(tmp_path / 'absent.pth')
    for use in (model.check_trainable, model.init_weights):
        with pytest.raises(FileNotFoundError, match=r'(?s)there is no teacher checkpoint.*tools/train\.py'):
            use()


def test_one_preprocessor_serves_both(save_teacher) -> None:
    student = dict(type='FakeDetector', source='imgs', data_preprocessor=dict(type='Det3DDataPreprocessor'))
    with pytest.raises(ValueError, match='student of a distiller must not have a data_preprocessor'):
        build(save_teacher(), student=student)


def test_unknown_schedule_key(save_teacher) -> None:
    with pytest.raises(ValueError, match=r"unknown key \['warm_up'\] in schedule.*'warmup'"):
        build(save_teacher(), losses=dict(dense=DENSE | dict(schedule=dict(warm_up=0.1))))


def test_classes_of_the_data_are_checked_before_the_first_step(save_teacher, batch) -> None:
    model = build(save_teacher())
    MessageHub.get_current_instance().update_info('dataset_meta', dict(classes=['bus', 'truck', 'car']))
    with pytest.raises(ValueError, match=r"'car', 'truck', 'bus'.*'bus', 'truck', 'car'"):
        model(**batch(), mode='loss')
