# BEVDistill-R50 with a response of the whole set, single frame: a method of this project, arXiv 2211.09386 its base. Student,
# teacher, data and schedule are those of BEVDistill's row; one more loss is all that differs.
#
# Command   torchrun --nproc_per_node 8 tools/train.py projects/wholeset/configs/wholeset_r50_1x_nus-3d.py \
#               --launcher pytorch --cfg-options model.teacher_checkpoint=FILE
#           FILE: from configs/object_dgcnn/teacher_voxel01_cbgs_20e_nus-3d.py
# Hardware  8 GPUs x 1 sample; hours not measured here.
# Result    Not measured here yet on nuScenes; no paper has it. The CPU-sized result: docs/results/benchmark.md.
_base_ = ['../../../configs/bevdistill/bevdistill_r50_1x_nus-3d.py', './_base_/losses.py']

custom_imports = dict(imports=['bevdistill', 'projects.wholeset'])
model = dict(losses=dict(response=_base_.wholeset_response))
