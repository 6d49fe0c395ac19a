"""Boxes over images as paths, against places worked out by hand; what is missing is said, the rest is drawn."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bevdistill.studies.report.pictures import Picture, draw_picture, reach_of
from bevdistill.studies.report.samples import Boxes, Samples, read_samples

CAMERA = [[100.0, 0.0, 80.0], [0.0, 100.0, 60.0], [0.0, 0.0, 1.0]]
AHEAD = [[1.0, 0, 0, 0], [0, 0, -1.0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1.0]]
"""A camera at the LiDAR that looks along y."""
EYE = np.eye(4).tolist()


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """A sample with one camera of 160 x 120 pixels, and two LiDAR points."""
    Image.new('RGB', (160, 120), (200, 0, 0)).save(tmp_path / 'front.png')
    np.array([[5.0, 0.0, 1.0], [900.0, 0.0, 1.0]], dtype=np.float32).tofile(tmp_path / 'points.bin')
    lidar = dict(lidar2ego=EYE, lidar_path='points.bin', num_pts_feats=3)
    camera = dict(img_path='front.png', cam2img=CAMERA, lidar2cam=AHEAD)
    record = dict(token='a', instances=[], ego2global=EYE, lidar_points=lidar, images={'CAM_FRONT': camera})
    infos = dict(metainfo=dict(categories={'Van': 0}, dataset='own'), data_list=[record])
    (tmp_path / 'infos.json').write_text(json.dumps(infos))
    data = dict(ann_file='infos.json', data_root=str(tmp_path), metainfo={'classes': ['big_van']})
    return read_samples({'test_dataloader': {'dataset': data}})


def boxes(*rows: list[float], scores: list[float] | None = None) -> Boxes:
    return Boxes.of(rows, [0] * len(rows), scores)


def draw(samples: Samples, **runs: Boxes) -> Picture:
    return draw_picture('a', boxes([0.0, 5.0, 0.0, 2.0, 1.0, 1.0, np.pi / 2]), runs, samples, 10.0, 0.2)


def numbers(path: str) -> set[tuple[float, float]]:
    return {(float(x), float(y)) for x, y in re.findall(r'(-?[\d.]+) (-?[\d.]+)', path)}


def pixels(image: str) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image.partition('base64,')[2]))).convert('RGB'), dtype=int)


def test_from_above(samples: Samples) -> None:
    """30 units a metre, the car at (300, 300); a van 2 m long 5 m ahead, and one beyond the edge."""
    run = boxes([5.0, 0.0, 0.0, 2.0, 1.0, 1.0, 0.0], [11.0, 0, 0, 2, 1, 1, 0], scores=[1.0, 1.0])
    view = draw(samples, run=run).views[0]
    (there,), (found,) = view.layers
    assert numbers(there.path) == {(285, 180), (315, 180), (285, 120), (315, 120), (300, 150), (300, 120)}
    assert numbers(found.path) == {(420, 285), (420, 315), (480, 285), (480, 315), (450, 300), (480, 300)}
    assert (there.stroke, there.words, there.opacity) == ('#ffffff', 'big van', 1.0)
    assert (found.words, found.place, found.opacity) == ('big van 1.00', (450.0, 300.0), 1.0)
    bright = pixels(view.image).sum(axis=2)
    assert bright[300:302, 450:452].min() > 3 * bright[100:200, 100:200].max()


def test_in_a_camera(samples: Samples) -> None:
    """Thrice as large on the page: the near face of a van from 4 m on, half a metre to each side, is 75 pixels wide."""
    view = draw(samples, behind=boxes([0.0, -5.0, 0.0, 2.0, 1.0, 1.0, 0.0], scores=[0.9])).views[1]
    assert (view.name, view.width, view.height) == ('front', 480, 360)
    (there,), behind = view.layers
    assert {(202.5, 142.5), (277.5, 217.5), (215.0, 155.0), (265.0, 205.0)} <= numbers(there.path)
    assert there.path.count('M') == 13 and there.place[1] == 142.5
    assert behind == []
    assert pixels(view.image)[180, 240].tolist() == pytest.approx([200, 0, 0], abs=6)


def test_what_was_found(samples: Samples) -> None:
    near, far = [0.0, 6.9, 0.0, 2, 1, 1, 0], [0.0, 7.1, 0.0, 2, 1, 1, 0]
    picture = draw(samples, both=boxes(far, near, scores=[0.9, 0.3]), none=boxes(scores=[]))
    assert {layer.name: layer.words for layer in picture.layers} == {
        'ground truth': '1 object',
        'both': '1 of 1 object found, 1 false',
        'none': '0 of 1 object found, 0 false',
    }
    faint, sure = (shape.opacity for shape in picture.views[0].layers[1][::-1])
    assert 0.35 < faint < sure < 1


def test_missing_and_damaged_files_are_said(samples: Samples, tmp_path: Path) -> None:
    (tmp_path / 'front.png').write_bytes(b'no image')
    (tmp_path / 'points.bin').unlink()
    picture = draw(samples)
    assert [view.name for view in picture.views] == ['from above']
    points, camera = picture.missing
    assert points == f'LiDAR points: No such file or directory: {tmp_path}/points.bin'
    assert camera == f"CAM_FRONT: cannot identify image file '{tmp_path}/front.png'"


@pytest.mark.parametrize('name', ['../front.png', '/front.png'])
def test_nothing_outside_the_data_is_copied_into_the_page(samples: Samples, name: str) -> None:
    samples.infos['a']['images']['CAM_FRONT']['img_path'] = name
    assert draw(samples).missing == [f'CAM_FRONT: {name} of {samples.file} lies outside the data root; not read']


def test_the_reach_is_that_of_the_grid_or_the_metric(samples: Samples) -> None:
    grid = {'point_cloud_range': [-51.2, -40, -5, 30, 60.0, 3]}
    assert reach_of({'model': {'student': {'head': {'grid': grid}}}}, samples) == 60.0
    assert reach_of(grid, samples) == 60.0
    assert reach_of({}, samples) == 50.0
