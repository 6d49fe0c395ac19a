"""The Triton kernels compiled for a GPU that is not there: the interpreter takes more than the compiler does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('triton', minversion='3.6', reason='needs Triton 3.6')
KERNELS = Path(__file__).resolve().parents[3] / 'bevdistill/layers/sampling/triton_kernels.py'
# In a process without the interpreter. Two spatial attentions, of which one sums integers in the backward pass, and one
# attention over places of the map with bfloat16 tokens.
SCRIPT = """
import importlib.util, sys
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

spec = importlib.util.spec_from_file_location('kernels', sys.argv[1])
kernels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernels)
for name, tokens, levels, points, places, fixed in (
    ('gather', 'fp32', 4, 8, 4, None), ('scatter', 'fp32', 4, 8, 4, True), ('scatter', 'bf16', 1, 4, 0, False),
):
    kernel = getattr(kernels, name)
    sizes = dict(HEADS=8, CHANNELS=32, LEVELS=levels, POINTS=points, PLACES=places, SOFTMAX=places > 0,
                 NUMBER=tl.float32, BLOCK_P=points, BLOCK_K=32, BLOCK_LP=levels * points)
    sizes |= {} if fixed is None else dict(FIXED=fixed)
    integers = {'shapes', 'starts', 'image', 'first'} | ({'of_value'} if fixed else set())
    numbers = {'tokens', 'offsets_row', 'logits_row', 'queries'}
    signature = {
        argument: 'constexpr' if argument in sizes else 'i32' if argument in numbers
        else '*i64' if argument in integers else '*' + tokens if argument == 'value' else '*fp32'
        for argument in kernel.arg_names
    }
    compiled = triton.compile(
        ASTSource(fn=kernel, signature=signature, constexprs=sizes), target=GPUTarget('cuda', 90, 32),
        options=dict(num_warps=1 if fixed is None else 2),
    )
    print(name, len(compiled.asm['cubin']) > 1000, compiled.asm['ptx'].count('atom') > 0)
"""


def test_for_compute_capability_9(tmp_path):
    variables = {name: value for name, value in os.environ.items() if name != 'TRITON_INTERPRET'}
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(KERNELS)], capture_output=True, text=True, check=False,
        env=variables | dict(TRITON_CACHE_DIR=str(tmp_path)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ['gather True False', 'scatter True True', 'scatter True True']
