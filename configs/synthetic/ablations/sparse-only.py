# CPU-sized config of the ablation: the instance loss alone, without dense imitation.
#
# Command   python tools/train.py configs/synthetic/ablations/sparse-only.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(_delete_=True, sparse=_base_.model.losses.sparse))
