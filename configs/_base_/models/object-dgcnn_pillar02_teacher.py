# The teacher's form of Object-DGCNN: multi-head attention in place of the graph attention, a wider feed-forward network,
# an auxiliary class heatmap.
_base_ = './object-dgcnn_pillar02.py'

teacher = dict(
    pts_bbox_head=dict(
        encoder=dict(feedforward_channels=1024),
        decoder=dict(feedforward_channels=1024, self_attention=None),
        aux_heatmap=dict(_delete_=True, share_channels=256, head_channels=64, num_convs=3, detach_input=True),
        loss=dict(
            type='SetLoss',
            matcher=dict(type='HungarianMatcher', reg_cost=dict(type='BoxCodeL1Cost', weight=0.5)),
            loss_bbox=dict(type='mmdet.L1Loss', loss_weight=0.5),
        ),
    )
)
