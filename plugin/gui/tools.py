"""A menu of algorithms that have no form of their own in a panel: QGIS's dialog opens for them."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QMenu, QToolButton

from ..bridge.text import tr


class AlgorithmMenu(QToolButton):
    """A button whose entries open the dialog of an algorithm.

    Args:
        title: the button's text.
        tip: its tooltip.
        entries: (text, algorithm id, tooltip) of each entry.
    """

    def __init__(self, title: str, tip: str, entries: tuple):
        super().__init__()
        self.setText(title)
        self.setToolTip(tip)
        self.setAccessibleName(title.replace("&", ""))
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        for text, algorithm, told in entries:
            action = self._menu.addAction(text)
            action.setToolTip(told)
            action.setData(algorithm)
            action.triggered.connect(lambda _checked=False, name=algorithm: open_dialog(name))
        self.setMenu(self._menu)


def open_dialog(algorithm: str):
    """Show QGIS's own dialog of an algorithm beside the panel; it goes when it is closed."""
    import processing

    dialog = processing.createAlgorithmDialog(algorithm, {})
    if dialog is None:
        return None
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog


def chip_tools() -> AlgorithmMenu:
    """What can be done with chips besides exporting a map's."""
    return AlgorithmMenu(
        tr("More with chips"),
        tr("Open a finished set as layers, cut chips around points, or make tables of parcels"),
        (
            (tr("Open a chip set as layers…"), "concord:importchips",
             tr("The labels and outlines of a native, COCO or LandCoverNet set")),
            (tr("Chips around points…"), "concord:pointchips",
             tr("A chip around every dated and labelled point")),
            (tr("Table of parcels…"), "concord:parceltable",
             tr("Median and percentiles of every band and date inside each parcel")),
        ),
    )  # fmt: skip
