# CPU-sized config of the entry for the test server, for the synthetic nuScenes: trained on training and validation data, and
# scored on the latter so that there is a number at all.
#
# Command   python tools/train.py configs/synthetic/bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = ['../../bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py', '../_base_/cpu_distiller.py']

model = dict(
    student={
        **_base_.cpu_temporal_student,
        'img_backbone': dict(
            arch=dict(_delete_=True, depths=[2, 2], channels=[32, 64]), out_indices=(1,), drop_path_rate=0.0, init_cfg=None
        ),
    },
    **_base_.cpu_distiller,
)
train_dataloader = _base_.cpu_temporal_train_dataloader
test_dataloader = dict(
    dataset=dict(ann_file='nuscenes_infos_val.msgpack.gz', data_root=_base_.cpu_root, pipeline=_base_.cpu_test_pipeline),
    batch_size=8,
    num_workers=2,
)
test_evaluator = dict(ann_file='nuscenes_infos_val.msgpack.gz', format_only=False, jsonfile_prefix=None, **_base_.cpu_evaluator)
optim_wrapper = _base_.cpu_optim_wrapper
param_scheduler = _base_.cpu_param_scheduler
auto_scale_lr = _base_.cpu_auto_scale_lr
default_hooks = _base_.cpu_default_hooks
log_processor = dict(by_epoch=False)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=350)
