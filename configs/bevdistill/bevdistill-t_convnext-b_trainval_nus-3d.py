# BEVDistill-T with a ConvNeXt-B, trained on training and validation data together: the paper's entry on the test server
# (arXiv 2211.09386).
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           python tools/test.py configs/bevdistill/bevdistill-t_convnext-b_trainval_nus-3d.py CHECKPOINT --format-only
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py, trained on the same data
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 59.4, mAP 49.8 on nuScenes test: from the paper. Not measured here.
# Note      The paper does not say how the backbone was trained. Here: ImageNet-21k, then the optimizer of the other rows,
#           0.4 of stochastic depth, activations of the backbone computed twice to save memory. The backbone is
#           mmpretrain's (pip install 'bevdistill[backbones]').
_base_ = './bevdistill-t_r50_2x_nus-3d.py'

custom_imports = dict(imports=['bevdistill', 'bevdistill.students.mmpretrain_backbones'])
model = dict(
    student=dict(
        img_backbone=dict(
            _delete_=True,
            type='mmpretrain.ConvNeXt',
            arch='base',
            out_indices=(1, 2, 3),
            drop_path_rate=0.4,
            gap_before_final_norm=False,
            with_cp=True,
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://download.openmmlab.com/mmclassification/v0/convnext/'
                'convnext-base_in21k-pre-3rdparty_32xb128_in1k_20220124-eb2d6ada.pth',
                prefix='backbone.',
                # The classifier looked at the last stage only; the norms of the others start from ones.
                allow_missing=['norm1.*', 'norm2.*'],
            ),
        ),
        img_neck=dict(
            in_channels=[256, 512, 1024],
            init_cfg=dict(_delete_=True, type='Xavier', layer='Conv2d', distribution='uniform'),
        ),
    ),
)
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='nuscenes_infos_trainval.msgpack.gz')))
# Nothing is left to validate on.
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = dict(dataset=dict(ann_file='nuscenes_infos_test.msgpack.gz'))
test_evaluator = dict(ann_file='nuscenes_infos_test.msgpack.gz', format_only=True, jsonfile_prefix='work_dirs/submission')
