from __future__ import annotations

from mmdet3d.registry import MODELS

from bevdistill.distillers import offered_taps


def detector(**arguments):
    return MODELS.build(dict(type='FakeDetector', source='imgs', **arguments))


def test_offered_taps_are_those_of_the_outputs(batch) -> None:
    for heatmap in (True, False):
        model = detector(heatmap=heatmap)
        data = batch()
        assert offered_taps(model) == model.forward_outputs(data['inputs'], data['data_samples']).taps()


def test_a_detector_may_speak_for_itself() -> None:
    model = detector()
    model.taps = ('bev',)
    assert offered_taps(model) == ('bev',)
