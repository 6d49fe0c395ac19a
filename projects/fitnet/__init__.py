"""FitNet (arXiv 1412.6550) on BEV maps: the student's whole map imitates the teacher's.

Nothing to register: the method is :class:`~bevdistill.losses.DenseBEVLoss` over
:class:`~bevdistill.losses.AllCells`, and its regressor is :class:`~bevdistill.losses.ConvAdapter`.
"""
