"""A config file, its overrides and its work dir, read without torch."""

from __future__ import annotations

from pathlib import Path

import mmengine.config.config
import pytest
from mmengine.config import Config
from toy_run import REPO, write_config

from bevdistill.engine.config_file import load_config, read_config


def test_missing_config_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / 'bevformer_r50.py').touch()
    with pytest.raises(FileNotFoundError, match=r'no config file .*r51\.py; did you mean .*bevformer_r50\.py\?'):
        load_config(tmp_path / 'bevformer_r51.py')
    with pytest.raises(FileNotFoundError, match=r'the folder .*nowhere does not exist'):
        load_config(tmp_path / 'nowhere/a.py')
    with pytest.raises(FileNotFoundError, match=r'did you mean bevdistill::bevformer/bevformer_base_24e_nus-3d\.py or'):
        load_config('bevformer_base_24e_nus-3d.py')
    with pytest.raises(FileNotFoundError, match=r'did you mean bevdistill::bevformer/bevformer_base_24e_nus-3d\.py or'):
        load_config('no_folder/bevformer_base_24e_nus-3d.py')


@pytest.mark.parametrize(
    ('text', 'why'), [
        ('model = dict(', 'SyntaxError'), ('a = 1 / 0', 'ZeroDivisionError'), ('a = b', 'NameError'),
        ('\0', 'null bytes'),
    ],
)  # fmt: skip
def test_what_is_no_config_is_named(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / 'broken.py').write_text(text)
    with pytest.raises(ValueError, match=rf'broken\.py: cannot be read as a config: .*{why}'):
        read_config(tmp_path / 'broken.py')


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine writes a copy of each config file into the folder of temporary files."""

    def full(*args: object, **options: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    monkeypatch.setattr(Config, '_file2dict', full)
    with pytest.raises(OSError, match=f'^.Errno 28. cannot write in {tmp_path}: No space left on device'):
        read_config(write_config(tmp_path))


def test_work_dir(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    assert load_config(file).work_dir == 'work_dirs/toy_epoch'
    assert load_config(file, work_dir=tmp_path / 'x').work_dir == str(tmp_path / 'x')
    assert load_config(file, work_dir='~/x').work_dir == str(Path.home() / 'x')
    file = write_config(tmp_path, extra="work_dir = 'own'\n")
    assert load_config(file).work_dir == 'own'


def test_text_of_a_config_is_a_config_and_takes_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # of what conftest.py does to the text
    file = write_config(tmp_path)
    cfg = load_config(file, {'model.num_classes': 2})
    assert cfg.filename == str(file)
    with monkeypatch.context() as patch:
        patch.setattr(mmengine.config.config, 'FormatCode', None)  # yapf, seconds for each text
        text = cfg.pretty_text
    assert Config.fromstring(text, '.py').to_dict() == cfg.to_dict()
    cfg.model.num_classes = 3
    assert Config.fromstring(cfg.pretty_text, '.py').model.num_classes == 3, 'the text is that of today'
    assert load_config(file, {'model.num_classes': 2}).pretty_text == text


def test_the_file_that_a_run_leaves_is_its_config(tmp_path: Path) -> None:
    cfg = read_config(REPO / 'configs/synthetic/bevdistill/bevdistill_r50_1x_nus-3d.py')
    cfg.dump(str(tmp_path / 'dumped.py'))
    dumped = read_config(tmp_path / 'dumped.py', work_dir=cfg.work_dir)
    assert dumped.to_dict() == cfg.to_dict()
    stages, again = (list(config.train_dataloader.dataset.dataset.pipeline) for config in (cfg, dumped))
    assert again == stages != sorted(stages), 'stages run in the order in which they stand'


def test_unknown_override(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no key 'model\.num_clases'; did you mean 'model\.num_classes'"):
        load_config(write_config(tmp_path), {'model.num_clases': 3})
    with pytest.raises(ValueError, match=r"'data_root' is a variable .*train_dataloader\.dataset\.dataset\.ann_file"):
        load_config(write_config(tmp_path), {'data_root': '/elsewhere/'})


def test_custom_modules_are_imported_after_reading_alone(tmp_path: Path) -> None:
    file = tmp_path / 'config.py'
    file.write_text("custom_imports = dict(imports=['absent_module_of_a_config'])\n")
    assert read_config(file).custom_imports.imports == ['absent_module_of_a_config']
    with pytest.raises(ImportError, match='absent_module_of_a_config'):
        load_config(file)
    assert load_config(file, {'custom_imports': None}).custom_imports is None
