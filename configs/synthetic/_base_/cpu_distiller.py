# The distiller's side of the CPU-sized configs, beside the numbers of cpu.py.
#
# The one difference that is more than a number: the teacher has pillars where the paper's has voxels, since sparse
# convolutions do not train on a CPU. Its weights come from synthetic/object_dgcnn/teacher_pillar02_cbgs_20e_nus-3d.py.
_base_ = './cpu.py'

cpu_pillar_teacher = {
    **_base_.cpu_teacher,
    'pts_voxel_encoder': dict(
        _delete_=True,
        type='FlatPillarFeatureNet',
        in_channels=5,
        norm_cfg=dict(type='BN1d', eps=1e-3, momentum=0.01),
        **_base_.cpu_teacher.pts_voxel_encoder,
    ),
    'pts_middle_encoder': dict(_delete_=True, type='PointPillarsScatter', **_base_.cpu_teacher.pts_middle_encoder),
}
cpu_distiller = dict(
    teacher=cpu_pillar_teacher,
    data_preprocessor=dict(grid_mask=dict(prob=0.0), voxel_type='hard', **_base_.cpu_voxels),
    # A switch of its own, shown in every table; configs/synthetic/ablations has the parts one by one.
    init_from_teacher=True,
    losses=dict(
        # Features of two small networks have no common scale: compare in units of the teacher's spread.
        dense=dict(
            mask=dict(sigma=1.0),
            teacher_scale=dict(type='TeacherScale', mode='global'),
            channels='mean',
            normaliser='mask',
            weight=5.0,
            schedule=dict(decay_to=0.0),
        ),
        sparse=dict(
            schedule=dict(start=0.2),
            pairing=dict(max_boxes=20),
            terms=dict(
                contrast=dict(
                    student_critic=dict(in_channels=64, channels=64),
                    teacher_critic=dict(in_channels=64, channels=64),
                )
            ),
        ),
    ),
)
