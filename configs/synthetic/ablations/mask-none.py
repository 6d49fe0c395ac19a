# CPU-sized config of the ablation: dense imitation of all cells alike.
#
# Command   python tools/train.py configs/synthetic/ablations/mask-none.py --cfg-options model.teacher_checkpoint=FILE
# Hardware  2 CPU cores.
# Result    Not measured here yet.
_base_ = '../bevdistill/bevdistill_r50_1x_nus-3d.py'

model = dict(losses=dict(dense=dict(mask=dict(_delete_=True, type='AllCells'))))
