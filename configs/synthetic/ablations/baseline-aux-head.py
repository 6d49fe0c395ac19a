# CPU-sized config of the ablation: the undistilled student with the auxiliary heatmap.
#
# Command   python tools/train.py configs/synthetic/ablations/baseline-aux-head.py
# Hardware  2 CPU cores.
# Result    Not measured here yet.
# Note      All CPU-sized configs have the heatmap, so this is synthetic/bevformer/bevformer_r50_1x_nus-3d.py, named for the
#           table.
_base_ = '../bevformer/bevformer_r50_1x_nus-3d.py'
