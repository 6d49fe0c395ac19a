"""`report` on made-up runs over real synthetic data: samples and confusion, sizes, mistakes; the page in a browser."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PROGRAM, Browser
from cli_runs import Run
from made_up_runs import WriteRun, distilled, made_up_config, made_up_run, steps
from own_data import made_up_sample, write_samples
from pyquaternion import Quaternion

from bevdistill.cli import report as verb
from bevdistill.datasets.infos import read_infos
from bevdistill.datasets.infos.names import CATEGORIES
from bevdistill.datasets.infos.own import import_own_data

EVIL = 'a<script>alert(1)</script>'
INFOS = 'nuscenes_infos_val.msgpack.gz'


def predictions(infos: list[dict[str, Any]], keep: int, shift: float) -> dict[str, Any]:
    """Each `keep`-th object of a sample that counts within 25 m of the car, moved along global x, as a submission."""
    results = {}
    for info in infos:
        lidar2ego, ego2global = (np.array(pose) for pose in (info['lidar_points']['lidar2ego'], info['ego2global']))
        boxes = []
        for entry in info['instances']:
            x, y, z, length, width, height, yaw = entry['bbox_3d']
            in_ego = lidar2ego @ [x, y, z, 1]
            if entry['bbox_label_3d'] < 0 or not entry['bbox_3d_isvalid'] or np.hypot(*in_ego[:2]) > 25:
                continue
            centre = ego2global @ in_ego + [shift, 0, 0, 0]
            pose = Quaternion(matrix=(ego2global @ lidar2ego)[:3, :3], atol=1e-4)
            turn = pose * Quaternion(axis=[0, 0, 1], radians=yaw)
            boxes.append(dict(
                sample_token=info['token'], translation=centre[:3].tolist(), size=[width, length, height],
                rotation=turn.elements.tolist(), velocity=[0.0, 0.0], detection_score=0.9, attribute_name='',
                detection_name=CATEGORIES[entry['bbox_label_3d']],
            ))  # fmt: skip
        results[info['token']] = boxes[::keep]
    return {'meta': {}, 'results': results}


@pytest.fixture(scope='module')
def runs(tmp_path_factory: pytest.TempPathFactory, synthetic_root: Path, synthetic_infos: Path) -> list[Path]:
    """A student that finds every second object 1 m beside, and a distilled one that finds all, with a bad name."""
    root = tmp_path_factory.mktemp('runs')
    infos = read_infos(synthetic_infos / INFOS)['data_list']
    config = made_up_config(str(synthetic_root))
    config['test_dataloader']['dataset']['ann_file'] = str(synthetic_infos / INFOS)
    made = []
    for name, own, keep, shift in (('student', config, 2, 1.0), (EVIL, distilled(config), 1, 0.0)):
        kept = {'predictions/pred_instances_3d/results_nusc.json': predictions(infos, keep, shift)}
        logged = [steps(3.0, 2.0, 1.0) + steps(0.5, term='diagnose/cka_bev')]
        made.append(made_up_run(root / name.replace('/', '%'), own, logged, {'NDS': 0.1 * keep, 'car_AP': 0.5}, kept))
    return made


@pytest.fixture(scope='module')
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('page') / 'report.html'
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([*map(str, runs), '-o', str(out), '--samples', '2']))
    return out


def test_samples_and_confusion_of_what_was_predicted(runs: list[Path], page: Path) -> None:
    text = page.read_text()
    results = [json.loads(next(run.rglob('results_nusc.json')).read_text())['results'] for run in runs]
    tokens = re.findall(r'Sample (\w+)</h3>', text)
    assert len(tokens) == 2 and len(results[0]) == 6
    for token in tokens:
        found, there = (len(result[token]) for result in results)
        part = text[text.index(f'Sample {token}') :]
        assert f'</strong>: {there} object' in part
        assert f'</strong>: {there} of {there} objects found, 0 false' in part
        assert f'</strong>: {found} of {there} objects found, 0 false' in part
        assert part.count('data:image/jpeg;base64,') >= 7
    # Whole objects on the diagonal of the second matrix, none elsewhere.
    matrix = text[text.rindex('<table class="matrix">') :]
    cells = [re.findall(r'<td style[^>]*>(\d*)</td>', line) for line in matrix.split('</tr>')[1:12]]
    count = sum(map(len, results[1].values()))
    assert sum(int(row[place] or 0) for place, row in enumerate(cells[:10])) == count
    assert sum(int(cell or 0) for row in cells for cell in row) == count
    assert '<script>alert' not in text and 'nan' not in re.findall(r' d="([^"]*)"', text)


STATE = """(() => {
    const sample = document.querySelector('.sample');
    const shown = [...sample.querySelectorAll('.layer.shown')].map((layer) => layer.dataset.name);
    return [shown, Number(sample.querySelector('input').value)];
})()"""
BOX = """(() => {
    const slider = document.querySelector('.sample input');
    slider.scrollIntoView({block: 'center'});
    const box = slider.getBoundingClientRect();
    return [box.left, box.top + box.height / 2, box.width];
})()"""
SAID = 'document.querySelector(".sample input").getAttribute("aria-valuetext")'
NAMES = 'getComputedStyle(document.querySelector(".sample g text")).display'


def check_slider(browser: Browser, last: str) -> None:
    """By mouse between two layers, by keys and buttons from one to the next."""
    assert browser.value(STATE) == [['ground truth'], 0]
    left, middle, width = browser.value(BOX)
    browser.drag((left + 8, middle), (left + width / 4, middle))
    shown, value = browser.value(STATE)
    assert shown == ['ground truth', 'student'] and 0.3 < value < 0.7
    for key, expected in (('End', last), ('ArrowLeft', 'student'), ('ArrowRight', last), ('Home', 'ground truth')):
        browser.press(key)
        assert browser.value(STATE)[0] == [expected], key
    assert browser.value(SAID) == 'ground truth'
    browser.value('document.querySelectorAll(".sample .stops button")[1].click()')
    assert browser.value(STATE) == [['student'], 1]
    assert browser.value(SAID) == 'student'


@pytest.mark.skipif(PROGRAM is None, reason='no Chromium; on Debian: apt-get install chromium')
def test_the_page_in_a_browser(page: Path, tmp_path: Path) -> None:
    """Slider, names, phone width, dark screens, images; nothing in the console, nothing fetched; in one browser."""
    browser = Browser(tmp_path)
    try:
        browser.size(1200)
        browser.open(page)
        check_slider(browser, EVIL.replace('/', '%'))
        assert browser.value(NAMES) != 'none'
        browser.value('document.querySelector(".sample .names input").click()')
        assert browser.value(NAMES) == 'none'
        for width in (1200, 360):
            browser.size(width)
            assert browser.value('[document.documentElement.scrollWidth, innerWidth]') == [width, width]
            assert min(browser.value('[...document.querySelectorAll("button")].map((b) => b.offsetHeight)')) >= 30
        colours = []
        for scheme in ('light', 'dark'):
            browser('Emulation.setEmulatedMedia', features=[dict(name='prefers-color-scheme', value=scheme)])
            colours.append(browser.value('getComputedStyle(document.body).backgroundColor'))
        assert colours == ['rgb(255, 255, 255)', 'rgb(20, 23, 27)']
        assert browser.value('[...document.querySelectorAll(".view use")].every((u) => u.getBBox().width > 100)')
        assert browser.complaints == []
        assert browser.fetched == [page.as_uri()]
    finally:
        browser.close()


def test_predictions_of_own_data(write_run: WriteRun, tmp_path: Path, run: Run) -> None:
    """What `predict` wrote of data that are not nuScenes: one class of the two, by the other name of the file."""
    root = tmp_path / 'own'
    root.mkdir()
    write_samples(root, [made_up_sample(root, index) for index in range(2)])
    (file,) = import_own_data(root, [])
    content = read_infos(file)
    info, label = content['data_list'][0], content['metainfo']['categories']['Van']
    (van,) = [entry['bbox_3d'] for entry in info['instances'] if entry['bbox_label_3d'] == label]
    box = dict(name='Van', score=0.8, centre_m=van[:3], size_m=van[3:6], yaw_rad=van[6], velocity_m_s=[0, 0])
    moments = [dict(token=info['token'], objects=[box, {**box, 'score': 0.1}]), dict(token='other', objects=[])]
    predicted = write_run('predicted', files={'boxes.json': dict(moments=moments)})
    config = made_up_config('moved', test_evaluator={'type': 'BEVDetectionMetric'})
    config['test_dataloader']['dataset'] |= dict(ann_file='own_infos_train.pkl', metainfo={'classes': ['Van']})
    tested = write_run('tested', config, [steps(1.0)], {'mAP': 0.5})
    out = tmp_path / 'report.html'
    done = run('report', predicted, tested, '-o', out, '--data-root', root)
    assert done.code == 0, done.err
    text = out.read_text()
    assert '</strong>: 1 of 1 object found, 0 false' in text
    assert text.count('data:image/jpeg') == 3
    assert 'no predictions of “tested”' in done.err
    # One object, on the diagonal.
    cells = re.findall(r'<td style="--share:(\d+)"[^>]*>(\d*)</td>', text)
    assert cells == [('100', '1'), ('0', ''), ('0', ''), ('0', '')]
    lost = run('report', predicted, tested, '-o', out)
    assert lost.code == 0
    assert 'no information file moved/own_infos_train.pkl; name the data by --data-root DIR' in lost.err
    assert 'See below what is missing.' in out.read_text()


def test_the_size_is_kept(runs: list[Path], tmp_path: Path, run: Run) -> None:
    out = tmp_path / 'report.html'
    done = run('report', *runs, '-o', out, '--samples', 0)
    assert done.code == 0 and '0 samples' in done.out
    plain = out.stat().st_size
    done = run('report', *runs, '-o', out, '--max-mb', (plain + 1000) / 1e6)
    assert done.code == 0 and out.stat().st_size <= plain + 1000
    assert '0 of 3 samples are shown: more do not fit into the size of the page' in done.err
    done = run('report', *runs, '-o', out, '--max-mb', 0.01)
    assert done.code == 1 and 'the page without samples has' in done.error and '\n' not in done.error


def test_damaged_predictions_and_images_leave_the_rest(
    runs: list[Path], tmp_path: Path, run: Run, write_run: WriteRun
) -> None:
    other = write_run('other', files={'results_nusc.json': '{"results": {}}'})
    strange = write_run('strange', files={'boxes.json': '{"moments": [{}]}'})
    absent = write_run('absent', files={'boxes.json': '{"moments": [{"token": "x", "objects": []}]}'})
    out = tmp_path / 'report.html'
    done = run('report', *runs, other, strange, absent, '-o', out, '--samples', 1, '--data-root', tmp_path)
    assert done.code == 0, done.err
    assert 'results_nusc.json has no sample in it' in done.err
    assert "boxes.json is no file of predictions as bevdistill predict writes it: KeyError('token')" in done.err
    assert 'have no sample in common; name the data by' in done.err
    text = out.read_text()
    assert text.count('No such file or directory') == 7
    assert text.count('<svg class="view') == 3


@pytest.mark.parametrize(('words', 'message'), [
    (('absent',), 'absent: expected a work dir, found nothing'),
    (('student', '--against', 'x'), "--against x: no such row; there are ['student']"),
    (('student', '-o', '.'), '--out . is a folder; name a file in it'),
    (('student', '-o', 'config.py'), '--out config.py: expected a page, a file that ends in .html'),
    (('student', '--data-root', 'absent'), '--data-root: no folder absent'),
    (('student', '--ann-file', 'absent'), 'no information file absent; name the data by --data-root DIR'),
])  # fmt: skip
def test_mistakes_are_one_line(
    runs: list[Path], run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(runs[0].parent)
    done = run('report', *words)
    assert done.code == 1
    assert message in done.error and '\n' not in done.error
    assert not Path('report.html').exists()
