"""OpenMMLab's names of the commands, for use from a checkout, and its set-up."""
