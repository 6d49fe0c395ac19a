# Object-DGCNN's schedule: AdamW 1e-4, in 20 epochs once up to 10 times the rate (over 8 epochs) and down to 1e-4 of it
# (over 12), stepped per iteration, while beta1 goes from 0.9 to 0.9 * 0.85 / 0.95 and back. For 8 GPUs x 4 samples.
#
# Note: mmdet3d 1.4's schedule of this name gives the momenta as absolute numbers (beta1 runs to 0.895 and then to almost
# 1); the original gave ratios, as here.
#
# A shorter run: train_cfg.max_epochs, and the turning point (end of entries 0 and 2, begin of entries 1 and 3), which
# may be a fraction of an epoch.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='SummaryOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', begin=0, end=8, eta_min_ratio=10, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=8, end=20, eta_min_ratio=1e-4, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingMomentum', begin=0, end=8, eta_min_ratio=0.85 / 0.95, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingMomentum', begin=8, end=20, eta_min_ratio=1, by_epoch=True, convert_to_iter_based=True),
]

train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=20)
val_cfg = dict()
test_cfg = dict()

# Samples per step that the rate is for; tools/train.py --auto-scale-lr scales it to those of a run.
auto_scale_lr = dict(enable=False, base_batch_size=32)
