# BEVDistill's losses as the authors' release computes them: dense imitation after the shared convolutions of two auxiliary
# heatmaps, InfoNCE of BEV features read at all predicted centres, box distillation weighted by score. They need the
# auxiliary heatmap on the student.
released_aux_heatmap = dict(share_channels=256, head_channels=64, num_convs=3, detach_input=False)
released_critic = dict(type='MLPCritic', in_channels=256, channels=512, projections=1, depth=2, norm='BN')
released_losses = dict(
    dense=dict(
        type='DenseBEVLoss',
        tap='heatmap_features',
        mask=dict(type='SoftForeground', min_overlap=0.1, min_radius=1),
        channels='sum',
        normaliser='mask',
        weight=0.01,
    ),
    box=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=50),
        quality=dict(type='ScoreQuality', released_squared=True),
        terms=dict(box=dict(type='BoxCodeTerm', weight=0.25, layers='all')),
    ),
    contrast=dict(
        type='BEVContrastLoss',
        student_critic=released_critic,
        teacher_critic=released_critic,
        temperature=0.07,
        weight=0.2,
    ),
)
