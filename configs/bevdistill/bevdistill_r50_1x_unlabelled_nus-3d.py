# BEVDistill-R50, single frame, with labels on an eighth of the scenes: on all other frames the teacher's boxes stand for
# them, as targets of detection and as the foreground of the distillation losses. Not in the paper; see docs/unlabelled.md.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/bevdistill/bevdistill_r50_1x_unlabelled_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: a teacher trained with the labels of the same scenes, or of all scenes; say which beside a result.
# Hardware  8 GPUs x 1 sample, four of them labelled in each step; hours not measured here.
# Result    not measured here.
_base_ = ['./bevdistill_r50_1x_nus-3d.py']

model = dict(unlabelled=dict(min_score=0.3, max_boxes=300, weight=1.0))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='LabelledRatioSampler', labelled=1, unlabelled=1, infinite=False),
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='PartlyLabelledDataset',
            # Whole scenes: a number, a share as a float, a list of tokens, or None for all.
            labelled=0.125,
            seed=0,
            keep='all',
            # A second data set without labels, such as drives that were never annotated.
            unlabelled=None,
            dataset=_base_.train_dataloader.dataset.dataset)))
