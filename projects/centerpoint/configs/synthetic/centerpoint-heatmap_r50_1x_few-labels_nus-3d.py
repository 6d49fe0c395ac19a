# CPU-sized config: the student that learns CenterPoint's map and heatmap where 25 of 200 drives are labelled, for the
# synthetic
# nuScenes of preset `temporal`.
#
# Command   python tools/train.py projects/centerpoint/configs/synthetic/centerpoint-heatmap_r50_1x_few-labels_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from projects/centerpoint/configs/synthetic/centerpoint_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here.
# Note      The labelled frames alone: this teacher has no queries whose boxes could say where the foreground of others is.
_base_ = ['./centerpoint-heatmap_r50_1x_nus-3d.py', '../../../../configs/synthetic/_base_/cpu_few_labels.py']

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            **{**_base_.cpu_few_labels, 'keep': 'labelled'},
            dataset=_base_.train_dataloader.dataset.dataset,
        )
    ),
)
train_cfg = dict(max_iters=600, val_interval=600)
