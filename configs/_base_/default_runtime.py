# What every run shares. All behaviour comes through hooks, so mmengine's own Runner runs these configs unchanged.
custom_imports = dict(imports=['bevdistill'], allow_failed_imports=False)
default_scope = 'mmdet3d'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # backend 'atomic': a checkpoint is whole or absent, also when the run dies while it is written.
    # The keys tell save_best of which metrics more is better, and of which less; docs/keeping_the_best.md.
    checkpoint=dict(
        type='CheckpointHook', interval=1, max_keep_ckpts=3, backend_args=dict(backend='atomic'),
        save_best=None, rule=None,
        greater_keys=['NDS', 'mAP', 'AP'], less_keys=['mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE', '_err', 'loss'],
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    plain_checkpoint=dict(type='PlainCheckpointHook'),
    checkpoint_identity=dict(type='CheckpointIdentityHook', allow_missing=[], allow_unexpected=[], ignore=[]),
    finite_loss=dict(type='FiniteLossHook'),
    logged_numbers=dict(type='LoggedNumbersHook'),
    repeatable_run=dict(type='RepeatableRunHook'),
    tf32=dict(type='Tf32Hook', matmul=False, convolution=True),  # torch's own defaults; docs/performance.md
    resume=dict(type='ResumeHook'),
    # Of distillers alone, every so many iterations; -1: never. docs/diagnosis.md.
    diagnose=dict(type='DiagnoseDistillation', interval=50),
    # Draws where a command asks for pictures (test --show-dir), mmdet3d's tools/test.py too.
    visualization=dict(type='BEVVisualizationHook', draw=False),
)
custom_hooks = []
# Where numbers go: scalars.json in the work dir; docs/keeping_the_best.md has TensorBoard and W&B.
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])

# A line every 50 iterations: loss terms averaged over the last 50, seconds per iteration, time left (eta).
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds that a process waits for the others. It has to outlast scoring, which one process does alone.
    dist_cfg=dict(backend='nccl', timeout=600),
)
randomness = dict(seed=0, deterministic=False, diff_rank_seed=False)
find_unused_parameters = False

load_from = None
resume = False
