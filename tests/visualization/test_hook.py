from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from mmdet3d.registry import HOOKS
from mmdet3d.structures import Det3DDataSample
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from PIL import Image
from torch import nn

from bevdistill.detection.bev_detector import BEVDetector
from bevdistill.structures import BEVOutputs
from bevdistill.visualization import hook as hook_module
from bevdistill.visualization.figures import new_figure
from bevdistill.visualization.hook import BEVVisualizationHook, predicting_model, show_in_back_ends

from .helpers import CLASSES, GRID, box_set, front_camera


class Detector(BEVDetector):
    grid = GRID  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def extract_feat(self, batch_inputs: Any) -> None:
        return None

    def forward_outputs(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> BEVOutputs:
        self.calls += 1
        batch = len(samples)
        return BEVOutputs(
            GRID, torch.randn(batch, 4, GRID.rows, GRID.cols), torch.zeros(1, batch, 2, 8), torch.zeros(1, batch, 2, 2),
            torch.zeros(1, batch, 2, 10), torch.zeros(1, batch, 2, 2),
        )  # fmt: skip

    def predict_from_outputs(self, outputs: BEVOutputs, samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        found = box_set([[2, 8, -1, 4, 2, 1.5, 1.6]], scores=[0.7])
        for sample in samples:
            sample.pred_instances_3d = InstanceData(
                bboxes_3d=found.boxes, labels_3d=torch.tensor([0]), scores_3d=torch.tensor([0.7])
            )
        return samples


class Plain(nn.Module):
    grid = GRID

    def predict(self, inputs: dict[str, Any], samples: list[Det3DDataSample]) -> list[Det3DDataSample]:
        for sample in samples:
            sample.pred_instances_3d = InstanceData(
                bboxes_3d=box_set([]).boxes, labels_3d=torch.zeros(0), scores_3d=torch.zeros(0)
            )
        return samples


def _runner(model: nn.Module) -> Any:
    truth = dict(gt_bboxes_3d=box_set([[0, 5, 0, 4, 2, 1, 0]]).boxes, gt_labels_3d=np.array([0]))
    dataset = SimpleNamespace(metainfo=dict(classes=CLASSES), get_data_info=lambda index: dict(eval_ann_info=truth))
    loader, visualizer = SimpleNamespace(dataset=dataset), SimpleNamespace(_vis_backends={})
    return SimpleNamespace(model=model, test_dataloader=loader, visualizer=visualizer, iter=3)


def _batch(first: int, size: int) -> dict[str, Any]:
    samples = []
    for index in range(first, first + size):
        sample = Det3DDataSample()
        matrix = np.tile(front_camera().astype(np.float32), (1, 6, 1, 1))
        sample.set_metainfo(dict(token=f'token{index}', sample_idx=index, lidar2img=matrix))
        samples.append(sample)
    inputs = dict(img=[torch.zeros(1, 6, 3, 8, 16) for _ in samples], points=[torch.zeros(3, 5) for _ in samples])
    return dict(inputs=inputs, data_samples=samples)


def _test(hook: BEVVisualizationHook, model: nn.Module, batches: list[int]) -> None:
    runner = _runner(model)
    runner.work_dir = 'run'
    hook.before_test_epoch(runner)
    first = 0
    for index, size in enumerate(batches):
        batch = _batch(first, size)
        hook.before_test_iter(runner, index, batch)
        outputs = model.predict(batch['inputs'], batch['data_samples'])
        hook.after_test_iter(runner, index, batch, outputs)
        first += size
    hook.after_test_epoch(runner)


def test_saves_every_nth_sample_across_batches(tmp_path: Path) -> None:
    model = Detector()
    _test(BEVVisualizationHook(str(tmp_path), interval=3), model, [2, 2, 2, 1])
    assert sorted(path.stem for path in tmp_path.glob('*.png')) == ['token0', 'token3', 'token6']
    index = (tmp_path / 'index.html').read_text()
    assert index.count('<img') == 3 and 'Pages of run' in index
    assert model.calls == 4, 'pictures must not cost another forward pass'
    assert model.outputs_listener is None


def test_tensorboard_gets_the_pages_and_the_work_dir_no_copies(tmp_path: Path) -> None:
    loader = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    Image.new('RGB', (6, 4), (255, 0, 0)).save(tmp_path / 'page.png')
    for name, kinds in (('local', ['Local']), ('both', ['Local', 'Tensorboard'])):
        backends = [dict(type=f'{kind}VisBackend') for kind in kinds]
        visualizer = Visualizer(name, vis_backends=backends, save_dir=str(tmp_path / name))
        show_in_back_ends(visualizer, 'pages/token', tmp_path / 'page.png', 3)
        visualizer.close()
    assert not list((tmp_path / 'local').rglob('*.png'))
    events = loader.EventAccumulator(str(tmp_path / 'both/vis_data')).Reload()
    (image,) = events.Images('pages/token')
    assert (image.step, image.width, image.height) == (3, 6, 4)


def test_mmdet3ds_names_of_the_options_serve_its_own_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drawn: list[tuple[bool, bool, float]] = []

    def page(page: Any) -> Any:
        drawn.append((bool(page.frame.images), page.frame.points is not None, page.threshold))
        return new_figure(1, 1)

    monkeypatch.setattr(hook_module, 'report_page', page)
    for task in (None, 'multi-view_det', 'lidar_det', 'multi-modality_det'):
        _test(BEVVisualizationHook(test_out_dir='theirs', vis_task=task, score_thr=0.4), Plain(), [1])
    _test(BEVVisualizationHook(draw=False), Plain(), [1])
    assert drawn == [(True, True, 0.4), (True, False, 0.4), (False, True, 0.4), (True, True, 0.4)]
    assert Path('theirs/token0.png').is_file()
    _test(BEVVisualizationHook(), Plain(), [1])
    assert Path('run/pages/token0.png').is_file()
    with pytest.raises(ValueError, match=r"vis_task must be one of .*, got 'mono_det'"):
        BEVVisualizationHook(vis_task='mono_det')


def test_windows_are_shown_for_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r'(?i)needs a screen: matplotlib draws by its back end .agg.*--show-dir DIR'):
        BEVVisualizationHook(show=True)
    shown: list[float] = []
    before = pyplot.get_fignums()
    monkeypatch.setattr(hook_module, 'require_windows', lambda: None)
    monkeypatch.setattr(pyplot, 'pause', shown.append)
    monkeypatch.setattr(pyplot, 'show', lambda: shown.append(0.0))
    for seconds in (1.5, 0.0):
        _test(BEVVisualizationHook(str(tmp_path), interval=1, show=True, wait_time=seconds), Plain(), [1])
    assert shown == [1.5, 0.0]
    assert pyplot.get_fignums() == before


def test_stops_at_max_samples(tmp_path: Path) -> None:
    _test(BEVVisualizationHook(str(tmp_path), interval=1, max_samples=2), Detector(), [3, 3])
    assert sorted(path.stem for path in tmp_path.glob('*.png')) == ['token0', 'token1']


def test_model_without_outputs_and_without_boxes(tmp_path: Path) -> None:
    _test(BEVVisualizationHook(str(tmp_path), interval=1), Plain(), [1])
    assert len(list(tmp_path.glob('*.png'))) == 1


def test_is_built_by_name_and_checks_its_interval() -> None:
    hook = HOOKS.build(dict(type='BEVVisualizationHook', show_dir='pictures', interval=5))
    assert isinstance(hook, BEVVisualizationHook)
    with pytest.raises(ValueError, match='interval must be at least 1, got 0'):
        BEVVisualizationHook('pictures', interval=0)


def test_distiller_is_drawn_through_its_student() -> None:
    distiller = nn.Module()
    distiller.student = Detector()
    assert predicting_model(distiller) is distiller.student


def test_a_listener_hears_each_prediction_once() -> None:
    detector, heard = Detector(), []
    detector.outputs_listener = heard.append
    detector.predict({}, [Det3DDataSample()])
    assert [outputs.batch_size for outputs in heard] == [1]
    detector.outputs_listener = None
    detector.predict({}, [Det3DDataSample()])
    assert len(heard) == 1
    assert detector.calls == 2


def test_unknown_range_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    model = Plain()
    model.grid = None  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r'Plain is no BEVDetector and has no attribute .grid.'):
        _test(BEVVisualizationHook(str(tmp_path)), model, [1])
