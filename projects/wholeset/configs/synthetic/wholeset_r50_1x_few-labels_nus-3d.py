# CPU-sized config: BEVDistill with a response of the whole set where 25 of 200 drives are labelled, for the synthetic
# nuScenes of preset `temporal`.
#
# Command   python tools/train.py projects/wholeset/configs/synthetic/wholeset_r50_1x_few-labels_nus-3d.py \
#               --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py
# Hardware  2 CPU cores.
# Result    see docs/results/benchmark.md: measured here.
# Note      Half of each batch has labels; the losses act on all of it. Starting from the teacher's head, a switch of its
#           own, is off here and on in the study.
_base_ = ['./wholeset_r50_1x_nus-3d.py', '../../../../configs/synthetic/_base_/cpu_few_labels.py']

model = dict(init_from_teacher=False, unlabelled=_base_.cpu_losses_alone)
train_dataloader = dict(
    sampler=dict(_delete_=True, **_base_.cpu_mixture),
    dataset=dict(
        dataset=dict(_delete_=True, **_base_.cpu_few_labels, dataset=_base_.train_dataloader.dataset.dataset)
    ),
)
train_cfg = dict(max_iters=600, val_interval=600)
