# The numbers of the CPU-sized twins: 8 x 8 places of each box.
_base_ = '../../_base_/losses.py'

tigbev_losses = dict(geometry=dict(samples=8))
