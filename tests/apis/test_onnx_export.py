"""Programs of a student: ONNX Runtime and torch's own format against the student, through the page on deployment."""

from __future__ import annotations

import re
import runpy
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from docs.experiments.keyframe_pair import import_pair

import bevdistill.apis.onnx_export as exporting
from bevdistill.apis import Stream, Student, detect
from bevdistill.apis.onnx_export import FrameProgram, example_inputs, export_program, staged_size, write_program
from bevdistill.apis.predictions import follow
from bevdistill.apis.sources import folder_moments

REPO = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r'```python\n(.*?)```', (REPO / 'docs/deployment.md').read_text(), re.DOTALL)
SIZE = (32, 48)


@pytest.fixture(scope='module')
def program(student: Student) -> torch.export.ExportedProgram:
    """Exported once for all formats: seconds."""
    return export_program(student, SIZE)


@pytest.fixture(scope='module')
def onnx_file(
    student: Student, program: torch.export.ExportedProgram, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    for package in ('onnx', 'onnxscript', 'onnxruntime'):
        pytest.importorskip(package, reason=f"no {package}; pip install 'bevdistill[export]'")
    path = tmp_path_factory.mktemp('onnx') / 'student.onnx'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, 'export_program', lambda *given: program)
        write_program(student, SIZE, path)
    return path


def printed(student: Student, drive: Path) -> list[str]:
    """What the loop should print, by the student itself."""
    lines = []
    for entry, found in follow(student, folder_moments(student, drive.parent, drive), 0.2):
        for box in found:
            values = np.array([*box.centre_m, *box.size_m, box.yaw_rad, *box.velocity_m_s]).round(3)
            lines.append(' '.join([entry.token, box.name, f'{box.score:.3f}', *map(str, values)]))
    return lines


def run_loop(onnx_file: Path, drive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loop = tmp_path / 'loop.py'
    loop.write_text(next(block for block in BLOCKS if 'onnxruntime' in block))
    monkeypatch.setattr(sys, 'argv', ['loop.py', str(onnx_file), str(drive), str(drive.parent)])
    runpy.run_path(str(loop), run_name='__main__')


def compare(lines: list[str], expected: list[str]) -> None:
    assert len(expected) > 5
    assert [line.split()[:2] for line in lines] == [line.split()[:2] for line in expected]
    found, right = (np.array([line.split()[2:] for line in side], float) for side in (lines, expected))
    np.testing.assert_allclose(found, right, atol=2e-3)  # Three digits are printed.


@pytest.mark.slow  # the exporter traces the student twice
def test_the_loop_of_the_page_finds_what_the_student_finds(
    student: Student, onnx_file: Path, drive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run_loop(onnx_file, drive, monkeypatch, tmp_path)
    compare(capsys.readouterr().out.splitlines(), printed(student, drive))


def test_outputs_on_real_calibrations(
    student: Student, onnx_file: Path, keyframe_pair: Path, tmp_path: Path
) -> None:
    """Both real keyframes, the second with the first as history: to 1e-3, with another car's matrices."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file))
    folder = import_pair(keyframe_pair, tmp_path).parent
    program = FrameProgram(student, SIZE)
    bev = exists = None
    for entry in folder_moments(student, folder, folder / 'pair.jsonl'):
        images = torch.nn.functional.interpolate(entry.moment.images.float(), SIZE)[None]
        scale = np.diag([SIZE[1] / 800, SIZE[0] / 450, 1, 1])
        matrix = torch.from_numpy((scale @ entry.moment.lidar2img)[None].astype(np.float32))
        motion = torch.zeros(1, 18)
        motion[0, :2], motion[0, 16], motion[0, 17] = torch.tensor([2.0, -3.8]), 5.78, 1.5
        bev = torch.zeros(1, 48, 8) if bev is None else bev
        given = (images, matrix, motion, bev, torch.tensor([exists is not None]))
        with torch.no_grad():
            expected = program(*given)
        names = [entry.name for entry in session.get_inputs()]
        outputs = session.run(None, {name: value.numpy() for name, value in zip(names, given, strict=True)})
        for right, found in zip(expected, outputs, strict=True):
            np.testing.assert_allclose(found, right.numpy(), atol=1e-3)
        bev, exists = expected[3], True


def test_torchs_own_format(
    student: Student, program: torch.export.ExportedProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported program computes what the detector does; a model of single frames has three inputs."""
    monkeypatch.setattr(exporting, 'export_program', lambda *given: program)
    inputs = example_inputs(student, SIZE)
    write_program(student, SIZE, tmp_path / 'student.pt2')
    assert zipfile.is_zipfile(tmp_path / 'student.pt2')
    with torch.no_grad():
        expected = FrameProgram(student, SIZE)(*inputs)
        found = program.module()(*inputs)
    for right, value in zip(expected, found, strict=True):
        torch.testing.assert_close(value, right, atol=1e-4, rtol=1e-4)
    assert (expected[1] > 0).any()
    assert staged_size(student, (64, 96)) == SIZE
    monkeypatch.setattr(student.detector, 'queue_length', 1)
    single = FrameProgram(student, SIZE)
    with torch.no_grad():
        torch.testing.assert_close(single(*example_inputs(student, SIZE)), single(*inputs))
    assert len(example_inputs(student, SIZE)) == 3


def test_what_cannot_be_exported_is_said(student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r'expected a name that ends in .onnx or .pt2'):
        write_program(student, SIZE, tmp_path / 'student.trt')
    monkeypatch.setattr(student.detector.pts_bbox_head.coder, 'score_threshold', 0.1)
    with pytest.raises(ValueError, match='the coder has a score_threshold'):
        export_program(student, SIZE)
    monkeypatch.setattr(exporting, 'find_spec', lambda name: None if name == 'onnxscript' else find_spec(name))
    with pytest.raises(ValueError, match=r"needs onnxscript: pip install 'bevdistill\[export\]'"):
        write_program(student, SIZE, tmp_path / 'student.onnx')
    assert not list(tmp_path.iterdir())


def test_the_loop_in_python_of_the_page(
    student: Student, student_files: tuple[Path, Path], drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The 15 lines of the page run as they stand."""
    import json

    moments = []
    for line, entry in zip(drive.read_text().splitlines(), folder_moments(student, drive.parent, drive), strict=True):
        cameras = list(json.loads(line)['cameras'].values())
        intrinsics = [camera['intrinsics'] for camera in cameras]
        half = np.diag([0.5, 0.5, 1, 1])
        four = [np.pad(matrix, (0, 1)) + np.diag([0, 0, 0, 1]) for matrix in intrinsics]
        lidar2cam = [np.linalg.inv(half @ k) @ m for k, m in zip(four, entry.moment.lidar2img, strict=True)]
        files = [str(drive.parent / camera['image']) for camera in cameras]
        moments.append(dict(files=files, intrinsics=intrinsics, lidar2cam=lidar2cam,
                            ego2global=json.loads(line)['ego2global']))  # fmt: skip
    config, checkpoint = student_files
    exec(BLOCKS[0], dict(CONFIG=config, CHECKPOINT=checkpoint, MOMENTS=moments[:1]))
    found = detect(student, [next(iter(folder_moments(student, drive.parent, drive))).moment], [Stream()])[0]
    confident = [box for box in found if box.score > 0.2]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [box.name for box in confident]
    assert len(BLOCKS[0].splitlines()) <= 15
