# Ablation of BEVDistill: dense imitation alone, without the instance loss.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/dense-only.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(_delete_=True, dense=_base_.model.losses.dense))
