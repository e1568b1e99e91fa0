"""Concord: label, refine and agree on land-cover maps in QGIS."""


def classFactory(iface):
    """Called by QGIS to load the plugin; nothing else is imported before."""
    from .plugin.plugin import ConcordPlugin

    return ConcordPlugin(iface)
