"""Run the full-size temporal student on two consecutive real nuScenes keyframes, and draw how history moves."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from bevdistill.datasets.infos.own import import_own_data

if TYPE_CHECKING:
    from bevdistill.datasets import SequenceNuScenesDataset

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'bevformer' / 'bevformer-t_r50_2x_nus-3d.py'
NUSCENES_LIDAR = np.array([[0.0, 1.0, 0.0, 0.94], [-1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.84], [0.0, 0.0, 0.0, 1.0]])
"""The LiDAR on nuScenes' cars to a few millimetres, (4, 4): 0.94 m ahead of the rear axle, y ahead."""


def box_of(box: dict[str, Any], lidar2ego: NDArray[np.float64]) -> dict[str, Any]:
    """Convert a box in the LiDAR frame to one of the layout."""
    w, x, y, z = box['quaternion_wxyz']
    turn = lidar2ego[:3, :3] @ Rotation.from_quat([x, y, z, w]).as_matrix()
    width, length, height = box['size_wlh']
    return {
        'category': box['name'],
        'centre': (lidar2ego[:3, :3] @ box['centre'] + lidar2ego[:3, 3]).tolist(),
        'size': [length, width, height],
        'yaw': float(np.arctan2(turn[1, 0], turn[0, 0])),
        'velocity': (lidar2ego[:2, :2] @ box['velocity_xy']).tolist(),
        'track': box['track'],
        'num_points': box['num_lidar_pts'],
    }


def import_pair(folder: Path, out: Path) -> Path:
    """Write ``own_infos_pair.msgpack.gz`` for a folder with ``frames.json`` and twelve images.

    Args:
        folder: Holds the pair. Each frame has ``lidar`` and ``cameras`` with ``sensor2global`` (4, 4) at the sensor's
            own time, and ``boxes`` in the LiDAR frame.
        out: Folder to write.

    Returns:
        The information file.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not (out / 'images').is_symlink():
        (out / 'images').symlink_to(folder.absolute())
    ego2lidar = np.linalg.inv(NUSCENES_LIDAR)
    lines = []
    for frame in json.loads((folder / 'frames.json').read_text()):
        # Each camera stands where it was when it measured: its own pose of the ego car follows from its place.
        ego2global = np.array(frame['lidar']['sensor2global']) @ ego2lidar
        cameras = {
            name: {
                'image': f'images/{camera["file"]}',
                'intrinsics': camera['intrinsics'],
                'sensor2ego': (np.linalg.inv(ego2global) @ np.array(camera['sensor2global'])).tolist(),
            }
            for name, camera in frame['cameras'].items()
        }
        lines.append({
            'token': frame['token'],
            'scene': frame['scene_name'],
            'timestamp': frame['lidar']['timestamp_us'] / 1e6,
            'ego2global': ego2global.tolist(),
            'cameras': cameras,
            'boxes': [box_of(box, NUSCENES_LIDAR) for box in frame['boxes']],
        })  # fmt: skip
    (out / 'pair.jsonl').write_text(''.join(f'{json.dumps(line)}\n' for line in lines))
    return import_own_data(out, ['pair.jsonl'])[0]


def draw_history(dataset: SequenceNuScenesDataset, path: Path) -> None:
    """Draw the second frame with its boxes (white) and those of the first, moved by the ego motion (coloured)."""
    import torch

    from bevdistill.structures import BEVGrid
    from bevdistill.visualization import Frame, Page, report_page, save_figure

    first, second = (Frame.from_dataset(dataset, index) for index in (0, 1))
    poses = [dataset.get_data_info(index) for index in (0, 1)]
    lidar2global = [info['ego2global'] @ np.array(info['lidar_points']['lidar2ego']) for info in poses]
    move = torch.from_numpy(np.linalg.inv(lidar2global[1]) @ lidar2global[0]).float()
    assert first.truth is not None
    boxes = first.truth.boxes.clone()
    centres = boxes.tensor[:, :3] @ move[:3, :3].T + move[:3, 3]
    boxes.rotate(torch.atan2(move[1, 0], move[0, 0]))
    boxes.tensor[:, :3] = centres
    page = Page(
        title='keyframe 1: its boxes white, those of keyframe 0 moved by the ego motion coloured',
        frame=second,
        grid=BEVGrid((-51.2, -51.2, -5.0, 51.2, 51.2, 3.0), 128, 128),
        classes=list(dataset.metainfo['classes']),
        predictions=replace(first.truth, boxes=boxes, scores=np.ones(len(boxes))),
        note='half a second apart; walkers and cars that drive are behind by their own motion',
    )
    save_figure(report_page(page), path)


def main(argv: list[str] | None = None) -> None:
    """Import the pair, draw it, and run the student with random weights over both frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pair', type=Path, metavar='PAIR_FOLDER', help='folder with frames.json and twelve images')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER', help='folder of the picture and the data')
    args = parser.parse_args(argv)
    ann_file = import_pair(args.pair, args.out)
    import torch
    from mmdet3d.registry import DATASETS, MODELS
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import init_default_scope

    from benchmarks.models import drop_pretrained
    from bevdistill.engine.launch import load_config

    cfg = load_config(CONFIG)
    init_default_scope(cfg.default_scope)
    data = {**cfg.test_dataloader.dataset, 'data_root': str(args.out), 'ann_file': ann_file.name}
    dataset = DATASETS.build(data)
    draw_history(dataset, args.out / 'history.jpg')
    torch.manual_seed(0)
    drop_pretrained(cfg.model)
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train(False)
    for index in range(len(dataset)):
        start = time.perf_counter()
        with torch.no_grad():
            found = model.test_step(pseudo_collate([dataset[index]]))[0].pred_instances_3d
        finite = bool(torch.isfinite(found.bboxes_3d.tensor).all())
        seconds = time.perf_counter() - start
        print(f'keyframe {index}: {len(found)} boxes, finite: {finite}, {seconds:.1f} s', flush=True)


if __name__ == '__main__':
    main()
