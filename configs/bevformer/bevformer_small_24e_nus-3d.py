# BEVFormer-small (BEVFormer, arXiv 2203.17270): images of 0.8 of the size, one level, three encoder layers, three frames,
# 150 x 150 cells of 0.683 m. For the public weights take bevformer_small_24e_released_nus-3d.py.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevformer/bevformer_small_24e_nus-3d.py --launcher pytorch
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    NDS 47.9, mAP 37.0 on nuScenes val: from the paper's repository. Not measured here.
_base_ = './bevformer_base_24e_nus-3d.py'

queue_length = 3
model = dict(
    queue_length=queue_length,
    img_backbone=dict(out_indices=(3,), with_cp=True),
    # FCOS3D's neck begins at a finer level, so this one starts from random numbers.
    img_neck=dict(
        in_channels=[2048],
        num_outs=1,
        init_cfg=dict(_delete_=True, type='Xavier', layer='Conv2d', distribution='uniform'),
    ),
    pts_bbox_head=dict(grid=dict(rows=150, cols=150), encoder=dict(num_layers=3, num_levels=1)),
)
scaled_images = dict(images=dict(transforms=dict(resize=dict(scale=0.8))))
train_dataloader = dict(dataset=dict(dataset=dict(queue_length=queue_length, pipeline=scaled_images)))
val_dataloader = dict(dataset=dict(pipeline=scaled_images))
test_dataloader = val_dataloader
