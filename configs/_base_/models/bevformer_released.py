# What the code behind the public weights of BEVFormer and BEVDistill does differently: history turned about cell (100, 100)
# on every grid, ego motion added to the present too, the CAN-bus vector as stored, queues that stay in their scene.
released_student = dict(pts_bbox_head=dict(rotate_center=[100, 100], encoder=dict(released_shift_both=True)))
released_train_dataloader = dict(dataset=dict(dataset=dict(queue_rule='release', released_can_bus=True)))
released_test_dataloader = dict(dataset=dict(released_can_bus=True))
