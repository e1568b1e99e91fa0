"""QGIS profiles of our own in .build: the settings file that enables the plugin."""

from __future__ import annotations

import re
from pathlib import Path

# What greets a first user and what asks the network; neither belongs in a test or a picture.
QUIET = {
    "qgis": {
        "checkVersion": "false",
        "projOpenAtLaunch": "1",
        "showTips322": "false",
        "showTips340": "false",
        "symbolsListGroupsIndex": "0",
    },
    # QGIS's news, named so by 3.22 and then by 3.40. News and fonts are fetched by pooled threads
    # that open the authentication database; 3.40.6 dies on signal 11 when one of them ends at exit
    # (mended in later versions of QGIS).
    "core": {
        r"NewsFeed\httpsfeedqgisorg\disabled": "true",
        r"httpsfeedqgisorg\disabled": "true",
    },
    "fonts": {"downloadMissingFonts": "false"},
    "app": {
        r"plugin_installer\checkOnStart": "false",
        # A dialog that would wait for an answer: which of several ways from NAD83 to WGS 84.
        r"projections\promptWhenMultipleTransformsExist": "false",
    },
    "plugin-manager": {"automatically-check-for-updates": "false"},
    "PythonPlugins": {"concord": "true"},
}

TOPOLOGY = ("libtopolplugin", "libplugin_topology")  # QGIS 3.22 and 3.40


def ini_file(profile: Path) -> Path:
    """The settings file of a profile folder."""
    return profile / "QGIS" / "QGIS3.ini"


def enable_plugin(profile: Path) -> None:
    """Enable Concord in a profile; other settings stay as they are."""
    path = ini_file(profile)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if re.search(r"(?m)^concord=true$", text):
        return
    text = re.sub(r"(?m)^concord=.*\n", "", text)
    if "[PythonPlugins]" not in text:
        text = "[PythonPlugins]\n" + text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        text.replace("[PythonPlugins]\n", "[PythonPlugins]\nconcord=true\n", 1), "utf-8"
    )


def new_profile(profile: Path, theme: str = "default", topology: bool = False) -> None:
    """Write a profile's settings anew: quiet start, Concord enabled, this user interface theme.

    With `topology` QGIS's topology checker is on too, which judges what Concord's tests draw.
    """
    sections = {**QUIET, "UI": {"UITheme": theme}}
    if topology:
        sections["Plugins"] = dict.fromkeys(TOPOLOGY, "true")
    lines: list[str] = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key}={value}" for key, value in values.items()), ""]
    path = ini_file(profile)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
