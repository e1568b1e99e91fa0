"""The wrong-unit guard: values that cannot be what their unit says, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def check(scene) -> None:
    """Look at the values of a ``Scene``; changes and warnings are noted in it.

    Backscatter without a negative value is linear power and is read as dB from here on; a
    baseline offset that only a name told and that the values contradict is taken back;
    values that cannot be what their unit says are warned of.
    """
    brightest: dict = {}
    for source in list(scene.sources.values()):
        if source.unit not in _LIMITS:
            continue
        values = scene.values(source.name)
        told = f"{Path(source.path).name}: {source.name}"
        if source.unit == "reflectance" and values.size:
            high = float(np.percentile(values, 99))
            brightest[source.sensor] = max(high, brightest.get(source.sensor, high))
        if not values.size:
            scene.warnings.append(f"{told} holds no data")
        else:
            _LIMITS[source.unit](scene, source, values, told)
    scene.warnings += [
        f"No band of {sensor} exceeds {high:.4f}, too low for reflectance; its scale may have "
        "been applied twice"
        for sensor, high in brightest.items()
        if high < 0.002
    ]


def _heights(scene, source, values, told: str) -> None:
    if values.min() < -500 or values.max() > 9000:
        scene.warnings.append(
            f"{told} spans {values.min():.0f} to {values.max():.0f} m, which no ground does; check "
            "its no-data value and unit"
        )


def _temperatures(scene, source, values, told: str) -> None:
    middle = float(np.median(values))
    if not 180 <= middle <= 400:
        scene.warnings.append(
            f"{told} has a median of {middle:.0f} K, which no ground has; check its scale"
        )


def _decibels(scene, source, values, told: str) -> None:
    if source.band.formula == "palsar":
        return
    if values.min() >= 0 and np.median(values) > 20:
        scene.warnings.append(
            f"{told} holds digital numbers (median {np.median(values):.0f}), not backscatter; "
            "calibrate the product first"
        )
    elif values.min() >= 0:
        scene.change(source, formula="power")
        scene.warnings.append(f"{told} is linear power, converted to dB")
    elif np.median(values) > 20 or np.median(values) < -60:
        scene.warnings.append(
            f"{told} has a median of {np.median(values):.0f} dB, which no ground has; check its "
            "scale"
        )


def _reflectance(scene, source, values, told: str) -> None:
    low = float(np.percentile(values, 1))
    if source.band.doubtful and low < -0.05:
        scene.change(source, offset=0.0)
        scene.warnings.append(
            f"{told}: the offset of baseline 04.00 was undone before, it is not applied again"
        )
    elif np.median(values) > 2:
        scene.warnings.append(
            f"{told} has a median of {np.median(values):.0f}, too high for reflectance; check its "
            "scale"
        )
    elif low < -0.08:
        scene.warnings.append(
            f"{told} falls to {low:.2f}, too low for reflectance; its offset may have been applied "
            "twice"
        )


_LIMITS = {"dB": _decibels, "reflectance": _reflectance, "m": _heights, "K": _temperatures}
