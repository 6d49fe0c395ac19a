"""The command as a whole: verbs, help without heavy imports, errors in one line."""

from __future__ import annotations

import argparse
import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import Run

from bevdistill import __version__
from bevdistill.cli import ls
from bevdistill.cli.main import VERBS, main, module_of, tool, verb_parser

REPO = Path(__file__).resolve().parents[2]
HEAVY = {'torch', 'numpy', 'mmengine', 'mmcv', 'mmdet', 'mmdet3d', 'pandas', 'matplotlib', 'numba', 'scipy'}


def test_help_lists_the_verbs_with_what_they_do(run: Run) -> None:
    done = run('--help')
    assert done.code == 0
    for verb in VERBS:
        assert f'{verb} ' in done.out
        assert module_of(verb).HELP.split()[0] in done.out
    assert run('--version').out == f'bevdistill {__version__}\n'


@pytest.mark.parametrize('verb', VERBS)
def test_help_of_a_verb_ends_with_examples(verb: str, run: Run) -> None:
    done = run(verb, '--help')
    assert done.code == 0
    assert done.out.startswith(f'usage: bevdistill {verb} ')
    assert f'bevdistill {verb}' in module_of(verb).EXAMPLES


@pytest.mark.parametrize(('words', 'message'), [
    ([], 'the following arguments are required: VERB'),
    (['trian'], "there is no verb 'trian'; did you mean 'train'?"), (['xyz'], "invalid choice: 'xyz'"),
    (['train'], 'the following arguments are required: config'),
    (['train', 'config.py', '--amp', 'float8'], "invalid choice: 'float8'"),
    (['train', 'config.py', '--gpus', '1'], 'unrecognized arguments: --gpus 1; in place of --gpus: a process takes'),
    (['train', 'config.py', '--resume-from=a.pth'], 'in place of --resume-from: --resume CHECKPOINT'),
    (['train', 'config.py', '--workdir', 'a'], 'unrecognized arguments: --workdir a; did you mean --work-dir?'),
    (['test', 'config.py', 'a.pth', '--eval', 'bbox'], "in place of --eval: the metrics are the config's"),
    (['data', 'create', 'nuscenes', '--root_path', 'a'], 'did you mean --root-path?'),
    (['train', ''], 'an argument is empty; is a variable of the shell not set?'),
    (['train', 'config.py', '--work-dir='], 'an argument is empty'),
    (['train', 'config.py', '--data-root', ' '], 'an argument is empty'),
    (['test', 'config.py', 'a.pth', 'b.pth'], 'unrecognized arguments: b.pth\n'),
])
def test_wrong_words(words: list[str], message: str, run: Run) -> None:
    done = run(*words)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(('words', 'notice'), [
    (['study', 'ls', 'absent.yml', '--final'], "'--final' is called '--held-out' now"),
    (['study', 'run', 'absent.yml', '--only=a'], "'--only' is called '--until' now"),
    (['study', 'run', 'absent.yml', '--second-data', 'd'], "'--second-data' is called '--held-out-data' now"),
    (['study', 'run', 'absent.yml', '--jobs', '2'], "'--jobs' is called '--cores' now"),
    (['compare', 'absent.json', '--second'], "'--second' is called '--held-out' now"),
    (['compare', 'absent.json', '--held-out'], ''),
])
def test_old_names_work_with_a_notice(words: list[str], notice: str, run: Run) -> None:
    """What comes after the notice is the error of the file, not of the word."""
    lines = run(*words).err.splitlines()
    assert ('both work' in lines[0]) == bool(notice)
    assert notice in lines[0]
    assert 'absent' in lines[-1]


@pytest.mark.parametrize('errors', ['strict', 'surrogateescape'])
def test_output_in_a_locale_that_lacks_a_letter(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding='ascii', errors=errors)
    monkeypatch.setattr(sys, 'stdout', out)
    assert main(['ls', 'é']) == 1
    out.flush()
    assert out.buffer.getvalue() == b"no config has '\\xe9' in its path or note\n"


def processor_seconds(*command: object) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), cwd=REPO, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help_imports_nothing_heavy_and_answers_at_once() -> None:
    code = (
        'import sys\n'
        'from bevdistill.cli.main import VERBS, main, module_of, verb_parser\n'
        'for verb in VERBS:\n'
        '    verb_parser(module_of(verb), verb).format_help()\n'
        f'print(sorted({HEAVY!r} & set(sys.modules)))\n'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=REPO, capture_output=True, text=True, check=True)
    assert done.stdout == '[]\n'
    # 0.1 s on an idle core.
    assert processor_seconds(sys.executable, '-m', 'bevdistill', '--help') < 1
    assert processor_seconds(sys.executable, 'tools/train.py', '--help') < 1


WITHOUT_MODELS = [
    ('score', ['.', '.'], {'torch', 'mmengine', 'mmdet', 'mmdet3d'}),
    ('errors', ['.', '.'], {'torch', 'mmengine', 'mmdet', 'mmdet3d'}),
    ('bench', ['--data-root', 'nowhere'], {'torch', 'mmengine', 'mmdet', 'mmdet3d'}),
    ('synthetic', ['taken'], {'torch', 'mmengine', 'mmdet', 'mmdet3d'}),
    ('export', ['absent.pth', 'student.pth'], {'mmdet', 'mmdet3d.models', 'mmengine.runner'}),
    ('data', ['create', 'nuscenes', '--root-path', '.'], {'mmdet', 'mmdet3d'}),
]
"""Verbs, wrong words, and what they do not import, in the order of what they do import."""


def test_verbs_without_a_model_load_no_models(tmp_path: Path) -> None:
    """One after the other in one interpreter, since what each of them imports takes seconds."""
    (tmp_path / 'taken').mkdir()
    (tmp_path / 'taken' / 'file').touch()
    code = (
        'import sys\n'
        'from bevdistill.cli.main import main\n'
        f'for verb, words, absent in {WITHOUT_MODELS!r}:\n'
        '    print(verb, main([verb, *words]), sorted(absent & set(sys.modules)))\n'
    )
    env = {**os.environ, 'PYTHONPATH': str(REPO)}
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f'{verb} 1 []' for verb, _, _ in WITHOUT_MODELS], done.stderr
    for verb, _, _ in WITHOUT_MODELS:
        assert f'bevdistill {verb}: error: ' in done.stderr


@pytest.mark.parametrize(('words', 'message'), [
    ('score nowhere .', 'no folder nowhere'),
    ('score . nowhere', 'no file or folder nowhere'),
    ('score . . --ann-file nowhere', 'no file or folder nowhere'),
    ('errors nowhere .', 'no folder nowhere'),
    ('errors . a=. b=nowhere', 'no file or folder nowhere'),
    ('data create nuscenes --root-path nowhere', 'no nuScenes root at nowhere; give its folder with --root-path'),
    ('synthetic out --workers 0', 'argument --workers: must be at least 1, got 0'),
])  # fmt: skip
def test_what_is_not_there_is_told_before_anything_loads(words: str, message: str, run: Run) -> None:
    verb = words.split(maxsplit=1)[0]
    done = run(*words.split())
    assert done.code == (2 if message.startswith('argument') else 1)
    assert done.err.endswith(f'bevdistill {verb}: error: {message}\n')
    assert '...' not in done.err


def raising(error: BaseException) -> object:
    def run(args: argparse.Namespace) -> None:
        raise error

    return run


def test_errors_are_one_line_and_a_flag_shows_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ls, 'run', raising(FileNotFoundError('no file b')))
    done = run('ls')
    assert (done.code, done.err) == (1, 'bevdistill ls: error: no file b\n')
    with pytest.raises(FileNotFoundError, match='no file b'):
        run('ls', '--traceback')
    monkeypatch.setattr(ls, 'run', raising(KeyboardInterrupt()))
    done = run('ls')
    assert (done.code, done.err) == (130, 'bevdistill ls: stopped\n')
    monkeypatch.setattr(ls, 'run', raising(RuntimeError('a defect\nof a library')))
    done = run('ls')
    assert done.code == 1
    assert done.err.startswith('bevdistill ls: error: RuntimeError: a defect of a library (a defect, or an input that')
    assert done.err.count('\n') == 1


def test_a_reader_that_has_ended_is_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ls, 'run', raising(BrokenPipeError(32, 'Broken pipe')))
    assert 'Broken pipe' in run('ls').err, 'of another pipe'
    reader, writer = os.pipe()
    before = os.dup(1)
    os.close(reader)
    os.dup2(writer, 1)
    try:
        assert run('ls') == (141, '', '')
    finally:
        os.dup2(before, 1)
        for handle in (before, writer):
            os.close(handle)


def test_a_script_of_tools_keeps_its_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ls, 'run', raising(FileNotFoundError('no file b')))
    monkeypatch.setattr(sys, 'argv', ['tools/list_configs.py', 'word'])
    with pytest.raises(SystemExit) as end:
        tool('ls', 'fixed')
    assert (end.value.code, capsys.readouterr().err) == (1, 'list_configs.py: error: no file b\n')


def test_the_parser_knows_the_words_of_the_module() -> None:
    args = verb_parser(ls, 'ls').parse_args(['a', 'b'])
    assert args.words == ['a', 'b']


@pytest.mark.parametrize('script', [
    'train.py', 'test.py', 'create_data.py', 'make_synthetic_nuscenes.py', 'cache_teacher.py',
    'model_converters/convert_official.py', 'model_converters/export_student.py', 'analysis_tools/visualize.py',
    'analysis_tools/browse_dataset.py',
])
def test_scripts_of_tools_run_from_any_folder(script: str, tmp_path: Path) -> None:
    command = [sys.executable, str(REPO / 'tools' / script), '--help']
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f'usage: {Path(script).name} ')
    assert 'examples:' in done.stdout
