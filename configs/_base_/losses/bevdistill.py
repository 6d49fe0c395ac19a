# BEVDistill's losses as the paper's text has them (arXiv 2211.09386, section 3.2): dense imitation of the BEV map under a
# soft foreground mask; per matched instance InfoNCE of query states and L1 of boxes, weighted by quality.
#
# Weights of the terms are the release's, since the paper's are not public. The dense term is a mean over the mass of its
# mask, as the release's is, so that 0.01 presses as hard whatever the mask and however many objects there are. Divided by
# the number of cells (normaliser='cells') the same force takes 0.01 * cells / mass of the mask, which is
# 0.01 * 128 * 128 / (32 objects * 2 pi * 2^2 cells) = 0.20 for 32 objects apart, 0.21 as they overlap.
distill_losses = dict(
    dense=dict(
        type='DenseBEVLoss',
        tap='bev',
        mask=dict(type='SoftForeground', sigma=2.0),
        channels='sum',
        normaliser='mask',
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
