# BEVFormer's schedule: AdamW 2e-4 (image backbone x 0.1), 500 warm-up iterations from a third, cosine to 1e-3 of the
# rate over all epochs, for 8 GPUs x 1 sample.
#
# The cosine takes its length from `train_cfg.max_epochs`. It steps once per epoch, as BEVFormer's did. A short run
# wants it per iteration and a shorter warm-up; a child config then sets train_cfg.max_epochs, and by the assignments
# `_base_.param_scheduler[0].end = 50` and `_base_.param_scheduler[1].convert_to_iter_based = True` the rest.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='SummaryOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.01),
    # Matched as a part of the name, hence also student.img_backbone of a distiller.
    paramwise_cfg=dict(custom_keys=dict(img_backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, eta_min_ratio=1e-3, convert_to_iter_based=False),
]

train_cfg = dict(by_epoch=True, max_epochs=24, val_interval=6)
val_cfg = dict()
test_cfg = dict()

# Samples per step that the rate is for; tools/train.py --auto-scale-lr scales it to those of a run.
auto_scale_lr = dict(enable=False, base_batch_size=8)
