"""Save pictures of test samples while a model is being tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet3d.registry import HOOKS
from mmdet3d.structures import Det3DDataSample
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend, Visualizer
from PIL import Image
from torch import nn

from ..datasets.infos.names import name_of_file
from ..detection.bev_detector import BEVDetector
from ..structures import BEVGrid, BEVOutputs
from .boxes import BoxSet
from .figures import save_figure
from .frame import Frame
from .index_page import Entry, write_index
from .map_panels import ModelMaps
from .report import Page, page_title, report_page
from .window import require_windows, show_picture

SENSORS: dict[str | None, tuple[str, ...]] = {
    None: ('img', 'points'),
    'multi-modality_det': ('img', 'points'),
    'multi-view_det': ('img',),
    'lidar_det': ('points',),
}
"""Inputs that are drawn, by mmdet3d's name of the task."""


def predicting_model(model: nn.Module) -> nn.Module:
    """Return the detector whose predictions a model returns: the student of a distiller, else the model itself."""
    unwrapped: Any = model.module if is_model_wrapper(model) else model
    detector: nn.Module = getattr(unwrapped, 'student', unwrapped)
    return detector


def show_in_back_ends(visualizer: Visualizer, name: str, path: Path, step: int) -> None:
    """Hand a picture to the visualizer's back ends (TensorBoard, W&B), unless it has the work dir's alone."""
    if any(not isinstance(backend, LocalVisBackend) for backend in visualizer._vis_backends.values()):
        visualizer.add_image(name, np.asarray(Image.open(path).convert('RGB')), step)


@HOOKS.register_module()
class BEVVisualizationHook(Hook):
    """Save a report page of every `interval`-th sample of a test.

    Ground truth is that of the data sample, else of the data set (``eval_ann_info``). The page holds whatever there
    is: cameras if the model is given images, points if the root has them, maps if it is a :class:`BEVDetector`. The
    outputs are those of the prediction itself: a second pass would cost time and move a temporal student's history.
    Back ends of the run's visualizer other than the work dir, such as TensorBoard, get the pages too.

    Args:
        show_dir: Folder of the pictures; by default ``pages`` in the work dir.
        interval: Save each such sample, counted on this process.
        max_samples: Save at most so many on this process; None for no limit.
        score_threshold: Predictions that score less are not drawn.
        role: What the model is called on the page; by default its class.
        vis_task: What is drawn of the sensors: the images alone (``'multi-view_det'``), the points alone
            (``'lidar_det'``), or whatever there is (``'multi-modality_det'``, None).
        show: Show each page in a window as well.
        wait_time: Seconds that a window stays; 0 waits until it is closed.
        draw: False saves nothing, as in the shipped configs until a command asks for pictures. This and the next two
            are names of mmdet3d's hook, which its ``test.py`` sets.
        test_out_dir: `show_dir`.
        score_thr: `score_threshold`.

    Raises:
        ValueError: If `interval` is not positive, the task is not one of those, no window can be shown, or a folder or
            windows are asked for while `draw` is off.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        show_dir: str | None = None,
        interval: int = 50,
        max_samples: int | None = 10,
        score_threshold: float = 0.2,
        role: str | None = None,
        vis_task: str | None = None,
        show: bool = False,
        wait_time: float = 2.0,
        draw: bool = True,
        test_out_dir: str | None = None,
        score_thr: float | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        if vis_task not in SENSORS:
            raise ValueError(f'vis_task must be one of {", ".join(filter(None, SENSORS))}, got {vis_task!r}')
        asked = dict(show_dir=show_dir, test_out_dir=test_out_dir, show=show)
        named = [f'{name}={value!r}' for name, value in asked.items() if value]
        if named and not draw:
            raise ValueError(f'{named[0]} asks for pictures, and draw=False draws none; set draw=True')
        if show:
            require_windows()
        self.folder = show_dir or test_out_dir
        self.interval = interval
        self.max_samples = max_samples if draw else 0
        self.score_threshold = score_threshold if score_thr is None else score_thr
        self.sensors = SENSORS[vis_task]
        self.wait_time = wait_time if show else None
        self.role = role
        self._seen = 0
        self._saved = 0
        self._outputs: BEVOutputs | None = None
        self._index: list[Entry] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Count from zero again."""
        self._seen = self._saved = 0
        self._index = []

    def _wanted(self, batch_size: int) -> list[int]:
        """Return the places in the coming batch of the samples to save."""
        places = [place for place in range(batch_size) if (self._seen + place) % self.interval == 0]
        return places if self.max_samples is None else places[: max(self.max_samples - self._saved, 0)]

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        """Record the model's outputs if a sample of this batch is to be saved."""
        if data_batch is not None and self._wanted(len(data_batch['data_samples'])):
            self._listen(runner, True)

    def _listen(self, runner: Runner, on: bool) -> None:
        detector = predicting_model(runner.model)
        if isinstance(detector, BEVDetector):
            detector.outputs_listener = self._keep if on else None

    def _keep(self, outputs: BEVOutputs) -> None:
        self._outputs = outputs

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[Det3DDataSample] | None = None,
    ) -> None:
        """Save the pages of this batch."""
        self._listen(runner, False)
        kept, self._outputs = self._outputs, None
        if data_batch is None or outputs is None:
            return
        for place in self._wanted(len(outputs)):
            inputs = {key: values[place] for key, values in data_batch['inputs'].items() if key in self.sensors}
            page = self._page(runner, inputs, outputs[place], kept, place)
            path = save_figure(report_page(page), self._folder(runner) / f'{name_of_file(page.frame.token)}.png')
            print_log(f'saved {path}', logger='current')
            self._index.append(Entry(path, page.caption()))
            show_in_back_ends(runner.visualizer, f'pages/{page.frame.token[:8]}', path, runner.iter)
            if self.wait_time is not None:
                show_picture(path, self.wait_time)
            self._saved += 1
        self._seen += len(outputs)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the index of the pages."""
        if self._index:
            write_index(self._folder(runner), f'Pages of {Path(runner.work_dir).name}', self._index)

    def _folder(self, runner: Runner) -> Path:
        return Path(self.folder) if self.folder else Path(runner.work_dir) / 'pages'

    def _page(
        self,
        runner: Runner,
        inputs: Mapping[str, Any],
        sample: Det3DDataSample,
        kept: BEVOutputs | None,
        place: int,
    ) -> Page:
        dataset, detector = runner.test_dataloader.dataset, predicting_model(runner.model)
        role = self.role or type(detector).__name__
        frame = Frame.from_item(inputs, sample)
        if 'sample_idx' in sample.metainfo:
            frame = frame.with_truth_of(dataset, sample.sample_idx)
            if 'points' in self.sensors:
                frame = frame.with_points_of(dataset, sample.sample_idx)
        maps = () if kept is None else (ModelMaps.from_outputs(role, kept, place),)
        return Page(
            title=page_title(role, frame.token, str(sample.metainfo.get('scene_token', ''))),
            frame=frame,
            grid=kept.grid if kept is not None else _grid_of(detector),
            classes=dataset.metainfo['classes'],
            predictions=BoxSet.from_instances(sample.pred_instances_3d),
            maps=maps,
            threshold=self.score_threshold,
        )


def _grid_of(detector: nn.Module) -> BEVGrid:
    grid = getattr(detector, 'grid', None)
    if not isinstance(grid, BEVGrid):
        raise TypeError(
            f"{type(detector).__name__} is no BEVDetector and has no attribute 'grid', so the range of the "
            'pictures is unknown; give the detector a BEVGrid as its grid'
        )
    return grid
