"""Split a detector's errors: objects missed, of a wrong class, found twice; errors along the camera ray and across.

Import the modules, not this package's names: they need the devkit and matplotlib.
"""
