"""Draw boxes in cameras and from above, feature and mask maps, and report pages."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .bev_view import draw_bev, draw_outlines, map_extent
    from .boxes import BoxSet
    from .camera_view import draw_boxes_in_image, draw_camera, draw_cameras
    from .figures import new_figure, save_figure
    from .found import Found
    from .frame import Frame, truth_of, truth_of_info
    from .hook import BEVVisualizationHook, predicting_model
    from .index_page import Entry, write_index
    from .map_panels import ModelMaps
    from .map_view import PrincipalColours, channel_norm, draw_map
    from .pairs import MatchedPairs
    from .palette import class_colours, score_alpha
    from .projection import project_points, project_segments
    from .report import Page, page_title, report_page
    from .side_by_side import side_by_side_page
    from .viewer import ModelViewer, View
    from .wires import footprints, heading_marks, wireframes

__all__ = [
    'BEVVisualizationHook',
    'BoxSet',
    'Entry',
    'Found',
    'Frame',
    'MatchedPairs',
    'ModelMaps',
    'ModelViewer',
    'Page',
    'PrincipalColours',
    'View',
    'channel_norm',
    'class_colours',
    'draw_bev',
    'draw_boxes_in_image',
    'draw_camera',
    'draw_cameras',
    'draw_map',
    'draw_outlines',
    'footprints',
    'heading_marks',
    'map_extent',
    'new_figure',
    'page_title',
    'predicting_model',
    'project_points',
    'project_segments',
    'report_page',
    'save_figure',
    'score_alpha',
    'side_by_side_page',
    'truth_of',
    'truth_of_info',
    'wireframes',
    'write_index',
]

__getattr__ = lazy_names(__name__)
