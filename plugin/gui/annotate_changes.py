"""What becomes of the open prompts when what they were said of changes."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, QTimer

from ..bridge.text import tr


class Changes(QObject):
    """Keeps the prompts of an Annotate panel, or drops them with a word."""

    def __init__(self, panel):
        super().__init__(panel)
        self._panel = panel
        self._prompted = None  # id and name of the image; a removed layer cannot tell them

    def connect(self) -> None:
        """Listen from now on."""
        panel = self._panel
        panel.image_box.changed.connect(self._reconfigure)
        panel._canvas.destinationCrsChanged.connect(self._crs_changed)
        panel.project.cleared.connect(self._start_over)

    def release(self) -> None:
        """Stop listening to the canvas and the project."""
        self._panel._canvas.destinationCrsChanged.disconnect(self._crs_changed)
        self._panel.project.cleared.disconnect(self._start_over)

    def _reconfigure(self) -> None:
        """Another image, composite or model: the prompts are of the image and stay with it."""
        session, wish = self._panel.session, self._panel.image_box.wish()
        before, session.settings = session.settings, wish
        if wish != before:
            session.examples = []
            image = wish.get("IMAGE")
            if image is before.get("IMAGE"):
                session.ask_again()
            else:
                self._other_image(image)
        self._panel.refresh()

    def _other_image(self, image) -> None:
        panel, had = self._panel, not self._panel.session.empty
        panel.session.clear()
        left, self._prompted = self._prompted, image and (image.id(), image.name())
        if left:  # not now: the project may just be removing layers
            new = image.name() if had and image else ""
            QTimer.singleShot(0, lambda: self._image_left(*left, new))

    def _image_left(self, identifier: str, name: str, new: str) -> None:
        """An image is not the chosen one any more; ``new`` is, and points were dropped for it."""
        panel = self._panel
        if panel._released:
            return
        if panel.project.mapLayer(identifier) is not None:
            if new:
                text = tr("The image is {new} now; the points on {old} were dropped.")
                panel.tell(text.format(new=new, old=name), warn=True)
        elif panel.prompting:
            panel._stop()
            text = tr("{name} is no longer in the project; choose an image and start again.")
            panel.tell(text.format(name=name), warn=True)

    def _crs_changed(self) -> None:
        had = not self._panel.session.empty
        self._panel.session.clear()  # points of another CRS would lie elsewhere
        if had:
            text = tr("The map has another CRS now; the points were dropped.")
            self._panel.tell(text, warn=True)

    def _start_over(self) -> None:
        """Another project: nothing that is said or counted comes from the one before."""
        panel = self._panel
        if panel.prompting or panel.touch.tool_on:
            panel._stop()
        panel.session.clear()
        panel.session.object = 1
        panel.say("")
