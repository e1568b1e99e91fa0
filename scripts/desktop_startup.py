"""PYQGIS_STARTUP of the driven desktop: an error in Python ends it instead of opening a dialog.

QGIS shows what fails before its window stands, such as loading the plugin, in a dialog that waits
for a click; nobody is there to click.
"""

import json
import os
import traceback

import qgis.utils


def report_and_quit(kind, value, trace, message, *_more):
    """In the place of QGIS's dialog: hand the error to desktop.py."""
    words = "".join(traceback.format_exception(kind, value, trace))
    with open(os.environ["CONCORD_STATUS"], "w", encoding="utf-8") as file:
        json.dump({"status": 1, "error": f"{message or 'Python error'}\n{words}"}, file)
    os._exit(1)


qgis.utils.open_stack_dialog = report_and_quit
