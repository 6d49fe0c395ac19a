"""TiG-BEV's inner-geometry terms, a method to compare with; see README.md."""

from .inner_geometry import InnerGeometryLoss

__all__ = ['InnerGeometryLoss']
