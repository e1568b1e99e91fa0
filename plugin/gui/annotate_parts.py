"""The lower half of the Annotate panel, and what its parts tell each other."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QPushButton

from ..bridge.text import tr
from .annotate_fields import FieldsBox
from .annotate_finish import FinishBox
from .annotate_touch import TouchBox
from .keys import legend
from .prompt_session import ALGORITHM
from .widgets import note, side_by_side


def add_buttons(panel) -> None:
    """Start, accept, drop, save, similar objects."""
    panel.start_button = panel.step(
        panel.body,
        tr("Start &prompting"),
        ALGORITHM,
        panel._need,
        panel.toggle,
        tr("Turn clicks on the map into prompts"),
    )
    panel.start_button.setCheckable(True)
    panel.state = note()
    panel.accept_button = QPushButton(tr("&Accept"))
    panel.accept_button.setToolTip(tr("Write the proposal into the label layer (Enter)"))
    panel.accept_button.clicked.connect(panel.accept)
    panel.drop_button = QPushButton(tr("&Drop"))
    panel.drop_button.setToolTip(tr("Forget the prompts of this object (Esc)"))
    panel.drop_button.clicked.connect(panel.session.clear)
    panel.keep_button = QPushButton(tr("Save la&bels"))
    panel.keep_button.setToolTip(tr("Write accepted labels into the file; editing goes on"))
    panel.keep_button.clicked.connect(lambda: panel._guarded(panel.save))
    # In the foot: on a small screen they would be below what can be seen while one clicks.
    panel.foot.insertWidget(0, panel.state)
    panel.foot.insertWidget(
        1, side_by_side(panel.accept_button, panel.drop_button, panel.keep_button)
    )
    panel.similar_button = QPushButton(tr("Find similar in view"))
    panel.similar_button.setToolTip(tr("Look for objects like the last ones you accepted"))
    panel.similar_button.clicked.connect(panel.session.find_similar)
    panel.all_button = QPushButton(tr("Accept all similar"))
    panel.all_button.setToolTip(tr("Write every similar object that is shown"))
    panel.all_button.clicked.connect(panel.acceptance.accept_all)
    panel.body.addWidget(side_by_side(panel.similar_button, panel.all_button))


def add_sections(panel) -> None:
    """Touch up, outlines, fields, keys."""
    column = panel.section(tr("Touch up"))
    panel.touch = TouchBox(panel)
    column.addWidget(panel.touch)
    column = panel.section(tr("Outlines"), collapsed=True)
    panel.finish = FinishBox()
    column.addWidget(panel.finish)
    column = panel.section(tr("Fields"), collapsed=True)
    panel.fields = FieldsBox()
    panel.fields.changed.connect(panel.refresh)
    column.addWidget(panel.fields)
    column = panel.section(tr("Keys on the map"))
    column.addLayout(legend(panel.keys))


def connect(panel, canvas) -> None:
    """Signals of the tools, the session, the layers and the canvas."""
    panel.classes.changed.connect(panel._class_changed)
    panel.classes.failed.connect(panel.fail)
    panel.labels.layerChanged.connect(panel._label_layer_changed)
    panel.raster.layerChanged.connect(panel._raster_changed)
    panel.destination.changed.connect(panel._destination_changed)
    panel.tool.clicked.connect(panel.session.add_point)
    panel.tool.boxed.connect(panel.session.set_box)
    panel.tool.stroked.connect(panel.session.add_stroke)
    panel.tool.hovered.connect(panel.session.hover)
    panel.tool.left.connect(panel.session.leave)
    panel.tool.grown.connect(panel.session.grow)
    panel.tool.pointed.connect(panel.refine_at)
    panel.tool.similar.connect(panel.session.find_similar)
    panel.tool.accepted.connect(panel.accept)
    panel.tool.dropped.connect(panel.session.clear)
    panel.tool.undone.connect(panel.session.undo)
    panel.tool.cycled.connect(panel.session.cycle)
    panel.tool.class_picked.connect(panel.classes.pick)
    panel.tool.wished.connect(panel.touch.wish)
    panel.session.changed.connect(panel._show_state)
    panel.session.progressed.connect(panel._show_share)
    panel.session.failed.connect(panel._prompt_failed)
    # Closing the panel ends prompting; a tab in front of it does not.
    panel.toggleViewAction().toggled.connect(panel._shown)
    canvas.mapToolSet.connect(panel._tool_set)
    canvas.extentsChanged.connect(panel._view_changed)
    panel.changes.connect()
    panel.image_box.connect()
    panel._label_layer_changed(panel.labels.currentLayer())
    panel._class_changed()
