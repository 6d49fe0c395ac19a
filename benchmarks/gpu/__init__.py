"""Check a GPU: the blocks of ``benchmarks/gpu_check.py``, each a process of its own."""
