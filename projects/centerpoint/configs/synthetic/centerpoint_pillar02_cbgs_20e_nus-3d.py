# CPU-sized config of CenterPoint on pillars, for the synthetic nuScenes of preset `demo`.
#
# Command   python tools/train.py projects/centerpoint/configs/synthetic/centerpoint_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here, batches of 8 on preset `temporal`.
# Note      As that of BEVDistill's teacher: cosine in place of the cyclic schedule, no augmentation.
_base_ = ['../centerpoint_pillar02_cbgs_20e_nus-3d.py', './_base_/centerpoint_pillar02.py']

model = dict(**_base_.cpu_centerpoint, data_preprocessor=_base_.cpu_voxels)
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(infinite=True),
    dataset=dict(
        dataset=dict(
            dataset=dict(
                data_root=_base_.cpu_root,
                pipeline=dict(points_turn=None, points_flip=None, **_base_.cpu_train_pipeline),
            )
        )
    ),
)
val_dataloader = _base_.cpu_test_dataloader
test_dataloader = _base_.cpu_test_dataloader
val_evaluator = _base_.cpu_evaluator
test_evaluator = _base_.cpu_evaluator
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=5))
param_scheduler = _base_.cpu_param_scheduler
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=600, val_interval=600)
