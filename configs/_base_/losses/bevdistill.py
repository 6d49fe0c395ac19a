# BEVDistill's losses as the paper's text has them (arXiv 2211.09386, section 3.2): dense imitation of the BEV map under a
# soft foreground mask; per matched instance InfoNCE of query states and L1 of boxes, weighted by quality.
#
# Weights of the terms are the release's, since the paper's are not public.
distill_losses = dict(
    dense=dict(
        type='DenseBEVLoss',
        tap='bev',
        mask=dict(type='SoftForeground', sigma=2.0),
        channels='sum',
        normaliser='cells',
        weight=0.01,
    ),
    sparse=dict(
        type='InstanceDistillLoss',
        pairing=dict(type='TeacherBoxPairing', max_boxes=50),
        quality=dict(type='ScoreIoUQuality', gamma=0.5),
        terms=dict(
            contrast=dict(
                type='StateContrastTerm',
                student_critic=dict(type='MLPCritic', in_channels=256, channels=256),
                teacher_critic=dict(type='MLPCritic', in_channels=256, channels=256),
                temperature=0.07,
                weight=0.2,
            ),
            box=dict(type='BoxCodeTerm', weight=0.25),
        ),
    ),
)
