# Ablation of BEVDistill: dense imitation of all cells alike.
#
# Command   torchrun --nproc_per_node 8 tools/train.py configs/ablations/mask-none.py --launcher pytorch \
#               --cfg-options model.teacher_checkpoint=FILE
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(dense=dict(mask=dict(_delete_=True, type='AllCells'))))
