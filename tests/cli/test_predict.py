"""`predict` on a folder and on samples of a data set, and `export` of programs: what the files hold, and errors."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import cv2
import pytest
import torch
from cli_runs import Run
from small_student import drive, student_files  # noqa: F401

import bevdistill.apis.onnx_export as exporting
from bevdistill.visualization import report


def test_a_folder(
    run: Run, student_files: tuple[Path, Path], drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    monkeypatch.setitem(sys.modules, 'nuscenes', None)  # Not needed here: importing it now is an error.
    monkeypatch.setattr(report, 'new_figure', partial(report.new_figure, dpi=20))
    words = ('--images', drive.parent, '--calibration', drive, '--out', tmp_path, '--threshold', 0.3, '--video')
    done = run('predict', *student_files, *words)
    assert done.code == 0, done.err
    content = json.loads((tmp_path / 'boxes.json').read_text())
    assert [(moment['token'], moment['scene']) for moment in content['moments']] == [
        ('m0', 'first'), ('m1', 'first'), ('m2', 'second')
    ]  # fmt: skip
    found = [box for moment in content['moments'] for box in moment['objects']]
    assert found and all(box['score'] >= 0.3 for box in found)
    assert {box['name'] for box in found} <= set(content['classes'])
    assert {len(box[name]) for box in found for name in ('centre_m', 'size_m')} == {3}
    assert len(list(tmp_path.glob('*.png'))) == 3
    video = cv2.VideoCapture(str(tmp_path / 'video.mp4'))
    assert int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == 3
    assert not list(tmp_path.glob('.*'))


def test_samples_of_the_data(
    run: Run, student_files: tuple[Path, Path], synthetic_root: Path, synthetic_infos: Path, tmp_path: Path  # noqa: F811
) -> None:
    """The last sample of a scene, alone and with its scene, is the same: its history was read either way."""
    data = ('--data-root', synthetic_root, '--no-pictures', '--threshold', 0, '--cfg-options')
    infos = f'test_dataloader.dataset.ann_file={synthetic_infos / "nuscenes_infos_val.msgpack.gz"}'
    wrong = run('predict', *student_files, '--out', tmp_path, '--scene', 'nowhere', *data, infos)
    assert wrong.code == 1 and 'no scene nowhere in' in wrong.error
    scene = wrong.error.rpartition(' ')[2]
    for name, words in (('scene', ('--scene', scene)), ('token', None)):
        if words is None:
            words = ('--token', json.loads((tmp_path / 'scene/boxes.json').read_text())['moments'][-1]['token'])
        assert run('predict', *student_files, '--out', tmp_path / name, *words, *data, infos).code == 0
    whole, last = (json.loads((tmp_path / name / 'boxes.json').read_text())['moments'] for name in ('scene', 'token'))
    assert len(whole) == 3 and len(last) == 1
    assert whole[-1] == last[0]


@pytest.mark.parametrize(('words', 'message'), [
    (('--images', '.'), '--images and --calibration are given together'),
    (('--images', '.', '--calibration', 'absent.jsonl'), '--calibration: no file absent.jsonl'),
    (('--images', 'absent', '--calibration', 'a.jsonl'), '--images: no folder absent'),
    (('--token', 'a', '--no-pictures', '--video'), '--video is made of the pictures'),
    (('--token', 'a'), 'boxes.json: expected a whole JSON object, found one without units, moments. It is not of this'),
])  # fmt: skip
def test_mistakes_are_told_at_once(run: Run, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / 'boxes.json').write_text('{"parcels": 3}')
    done = run('predict', 'config.py', 'model.pth', '--out', tmp_path, *words)
    assert done.code == 1
    assert message in done.error and '\n' not in done.error


def test_lines_of_the_file_are_checked(
    run: Run, student_files: tuple[Path, Path], drive: Path, tmp_path: Path  # noqa: F811
) -> None:
    line = json.loads(drive.read_text().splitlines()[0])
    line['cameras']['front'] = line['cameras'].pop('CAM_FRONT')
    (tmp_path / 'other.jsonl').write_text(json.dumps(line))
    words = ('--images', drive.parent, '--calibration', tmp_path / 'other.jsonl', '--out', tmp_path)
    done = run('predict', *student_files, *words)
    assert done.code == 1
    assert "other.jsonl line 1: expected the cameras CAM_FRONT, CAM_FRONT_RIGHT" in done.error
    assert "found no 'CAM_FRONT'" in done.error


def test_a_program_and_its_card(
    run: Run, student_files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    """Size of the images after the config's resizing; scores of a test of the same weights are in the card."""
    config, checkpoint = student_files
    made = []
    monkeypatch.setattr(exporting, 'write_program', lambda _, size, path: (made.append(size), path.write_bytes(b'x')))
    out = tmp_path / 'student.onnx'
    assert '--config' in run('export', checkpoint, out).error
    done = run('export', checkpoint, out, '--config', config, '--image-size', 64, 96)
    assert done.code == 0, done.err
    assert made == [(32, 48)]
    assert '6 cameras of 32 x 48 pixels, batch 1, takes the previous BEV map' in done.out
    card = (tmp_path / 'student.md').read_text()
    assert '**Seed:** 7' in card and '**Classes:** car, truck' in card and 'CC BY-NC-SA 4.0' in card
    assert 'None found beside the checkpoint' in card
    assert 'student.onnx exists; give --force' in run('export', checkpoint, out, '--config', config).error
    out.unlink()
    assert run('export', checkpoint, out, '--config', config).code == 0, 'the card of before is replaced'
    out.unlink()
    (tmp_path / 'student.md').write_text('# Notes of my own')
    assert 'student.md exists; give --force' in run('export', checkpoint, out, '--config', config).error


def test_scores_in_the_card_are_those_of_the_same_weights(run: Run, tmp_path: Path) -> None:
    from bevdistill.checkpoints.find import sha256_of

    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(meta={}, state_dict={'student.a': torch.ones(1)}), checkpoint)
    for name, sha256 in (('1', sha256_of(checkpoint)), ('2', 'other')):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'tested.json').write_text(json.dumps(dict(sha256=sha256, samples='val.gz')))
        (tmp_path / name / f'{name}.json').write_text(json.dumps({'nus/NDS': 0.1 * int(name), 'nus/car_AP': 0.5}))
    assert run('export', checkpoint, tmp_path / 'student.pth').code == 0
    card = (tmp_path / 'student.md').read_text()
    assert '* NDS 0.1000 on val.gz' in card
    assert '0.2000' not in card and 'car_AP' not in card
