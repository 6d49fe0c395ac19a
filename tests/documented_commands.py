"""Commands of README, docs and --help, what stands in for their sizes and files, and which of them are not run here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from bevdistill.cli import main, show_data, show_model
from bevdistill.cli.main import VERBS, module_of

REPO = Path(__file__).resolve().parents[1]
START = 'docs/start.md'
OTHERS = (f'docs/{file.name}' for file in sorted((REPO / 'docs').glob('*.md')))
PAGES = (START, 'README.md', 'CONTRIBUTING.md', *(page for page in OTHERS if page != START))
HELPS = {'bevdistill': main, 'show data': show_data, 'show model': show_model}
HELPS |= {verb: module_of(verb) for verb in VERBS}
REAL = 'Two CPU cores, no data'
"""Section of the first page whose commands do their whole work; elsewhere trainings and tests stop before a step."""

SIZES = {r'iter_(600|350)\.pth': 'iter_1.pth'}
"""Where trainings are real they have one iteration."""
SUBSTITUTES = {
    r'^CONFIG$': 'configs/bevformer/bevformer-t_r50_2x_nus-3d.py',
    r'^CHECKPOINT$': 'runs/student/iter_1.pth',
    r'=FILE$|=teacher\.pth$': '=runs/teacher/iter_1.pth',
    r'^/data/nuscenes$': 'data/nuscenes',
    r'v1\.0-trainval': 'v1.0-mini',
    r'nuscenes_infos_test\.msgpack': 'nuscenes_infos_val.msgpack',
}
"""From what is written to what is there on the tiny root, by parts of words."""
NOT_RUN = {
    r'^bevdistill predict ': "a drive's images: tests/cli/test_predict.py has some",
    r'^bevdistill export .*\.(onnx|pt2)': 'minutes at full size: tests/apis/test_onnx_export.py writes small ones',
    r'^(\w+= )?(conda|pip|uv|pre-commit|tensorboard|\.) ': 'changes the environment, or waits for a browser',
    r'^(\w+=\S+ )?bevdistill mmcv': 'compiles for minutes: tests/cli/test_mmcv.py, test_mmcv_wheel.py',
    r'^make ': 'set-up and the whole suite; the demo and the benchmark have tests of their quick sizes',
    r'^torchrun |_(train|test)\.sh ': 'several processes, or Slurm: tests/tools and tests/distributed start them',
    r'two_hosts\.py': 'network spaces of Linux: tests/distributed/test_two_hosts.py runs it',
    r'^bevdistill synthetic data/(demo|temporal|benchmark|demo-test) ': 'minutes; data/tiny is made',
    r'--version v1\.0-test': 'the root has no test split: tests/cli/test_submission_end_to_end.py makes one',
    r'^bevdistill study ': 'hours: tests/studies run studies in small, test_real_study.py through these commands',
    r'^bevdistill bench': 'minutes: tests/benchmarks runs its smallest sizes',
    r'cache_teacher\.py|^bevdistill cache |model\.teacher_cache=': 'tests/cli/test_cli_cache.py, tests/teacher_cache',
    r'convert_official\.py|^bevdistill convert ': "needs the authors' file: tests/cli/test_cli_convert.py makes one",
    r'_released_nus-3d\.py bev\w+\.pth': "needs the authors' file: tests/checkpoints/official",
    r'projects/mean_map': 'not in the checkout: tests/test_documents.py writes, describes and trains it',
    r'--amp$': 'needs a GPU: tests/engine/test_mixed_precision.py',
    r'bevdistill-t_convnext-b': 'needs mmpretrain: tests/cli/test_submission_end_to_end.py writes a submission',
    r'^bevdistill (show|score|errors|agree) |error_split\.py': 'tests/cli/test_(cli_show_*|score|errors|agree)',
    r'^bevdistill compare .*(manifest\.json|_seed)': 'results of many seeds: tests/cli/test_compare.py',
    r"^bevdistill report '?work_dirs/": 'studies, and many seeds: tests/studies/report',
    r'docs\.experiments\.|data/dgp$|_dgp\.py': 'other data: tests/experiments/test_dgp_layout.py makes some',
    r'^bevdistill compare work_dirs/teacher ': 'names of runs that are not there: docs/start.md compares runs/*',
    r'^bevdistill describe (CONFIG|configs/(bevdistill|synthetic))': 'tests/cli/test_describe.py counts FLOPs in small',
    r'/\.mim/tools/misc/browse_dataset\.py': "mmdet3d's own script: tests/engine/test_flat_config.py runs it",
    r'_unlabelled_nus-3d': 'as the distillation of docs/start.md: tests/engine/test_unlabelled_runs.py trains it',
}
"""Commands that the test does not run, by a pattern, each with the reason; their arguments are parsed all the same."""


def commands_of(text: str) -> list[str]:
    """Commands of a text, one a line, without comments and line breaks."""
    lines = re.sub(r'\s*\\\n\s*', ' ', text).splitlines()
    words = [shlex.split(line, comments=True) for line in lines if line.strip()]
    return [shlex.join(command).replace("'*'", '*') for command in words if command]


def page_commands(page: str) -> list[tuple[str, bool]]:
    """Commands of the bash blocks of a page in their order, and whether each is of the section that is run for real."""
    found = []
    text = mask_comments((REPO / page).read_text())
    for title, section in re.findall(r'^#+ (.*?)\n(.*?)(?=^#+ |\Z)', text, re.M | re.S):
        for block in re.findall(r'^```bash\n(.*?)^```', section, re.M | re.S):
            found += [(command, title == REAL) for command in commands_of(block)]
    return found


def mask_comments(text: str) -> str:
    """Take comments out of code blocks: their sign is that of a title."""
    comments = re.compile(r'^#.*\n', re.M)
    return re.sub(r'^```bash\n.*?^```', lambda block: comments.sub('', block[0]), text, flags=re.M | re.S)


def help_commands(name: str) -> list[str]:
    """Commands among the examples that the help of a verb ends with."""
    text = re.sub(r'\s*\\\n\s*', ' ', HELPS[name].EXAMPLES)
    return commands_of('\n'.join(re.findall(r'^ +((?:bevdistill|torchrun|python) (?!VERB).*)$', text, re.M)))


def as_verb(command: str) -> list[str] | None:
    """Words after ``bevdistill`` of a command, of a script of tools/ by its verb; None for other programs."""
    words = shlex.split(command)
    script = next((word for word in words[:4] if re.fullmatch(r'tools/\S+\.py', word)), None)
    if script is not None:
        (call,) = re.findall(r'tool\((.*?)\)', (REPO / script).read_text())
        return [*re.findall(r"'(\w+)'", call), *words[words.index(script) + 1 :]]
    return words[1:] if words[0] == 'bevdistill' else None


def substituted(words: list[str], real: bool) -> list[str]:
    """Put what is there in place of what is written."""
    for pattern, there in (SUBSTITUTES | (SIZES if real else {})).items():
        words = [re.sub(pattern, there, word) for word in words]
    return words


def reason(command: str) -> str | None:
    """Why a command is not run, or None."""
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, command)), None)
