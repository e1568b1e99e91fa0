"""Roads, tracks, a village, hamlets and farms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import noise
from .covers import INDEX
from .fields import Parcels
from .terrain import Terrain

ROOFS = ("red roof", "grey roof", "hall roof")


@dataclass
class Place:
    """A settlement: centre (row, col), radius in pixels, direction of its main street (rad)."""

    row: float
    col: float
    radius: float
    angle: float


def settle(seed: int, terrain: Terrain, land: Parcels, cover: np.ndarray) -> np.ndarray:
    """Paint roads and buildings into ``cover``; returns building labels (0 = none)."""
    rng = noise.stream(seed, "settle")
    buildings = np.zeros(cover.shape, np.int32)
    wet = terrain.water >= 0
    _lanes(rng, land.block, cover, wet)
    places = _places(rng, terrain, cover)
    _main_road(rng, places, cover)
    for place in places:
        _village(rng, place, cover, buildings, wet)
    _farms(rng, places, cover, buildings, wet)
    return buildings


def _lanes(rng, block: np.ndarray, cover: np.ndarray, wet: np.ndarray) -> None:
    """Paved lanes and gravel tracks along some of the edges between blocks."""
    count = block.max() + 1
    kind = rng.random((count, count))
    right = np.zeros(block.shape, np.int32)
    below = np.zeros(block.shape, np.int32)
    right[:, :-1] = block[:, 1:]
    right[:, -1] = block[:, -1]
    below[:-1] = block[1:]
    below[-1] = block[-1]
    other = np.where(right != block, right, below)
    pair = kind[np.minimum(block, other), np.maximum(block, other)]
    edge = (other != block) & ~wet
    cover[edge & (pair < 0.34)] = INDEX["asphalt"]
    cover[edge & (pair >= 0.34) & (pair < 0.68)] = INDEX["track"]


def _places(rng, terrain: Terrain, cover: np.ndarray) -> list:
    """The main village and some hamlets, apart from each other, out of water and woods."""
    size = cover.shape[0]
    wanted = 2 + size // 170
    wood = np.isin(cover, [INDEX["broadleaf"], INDEX["conifer"]])
    places = []
    for _ in range(400):
        if len(places) == wanted:
            break
        first = not places
        radius = min(84.0, size * 0.15) if first else min(rng.uniform(16, 36), size * 0.09)
        row, col = rng.uniform(0.12, 0.88, 2) * size
        reach = int(radius * 0.7)
        around = (
            slice(max(0, int(row) - reach), int(row) + reach),
            slice(max(0, int(col) - reach), int(col) + reach),
        )
        if (terrain.water[around] >= 0).mean() > 0.03 or wood[around].mean() > 0.25:
            continue
        if any(np.hypot(row - p.row, col - p.col) < 2.4 * (radius + p.radius) for p in places):
            continue
        places.append(Place(row, col, radius, rng.uniform(0, np.pi)))
    return places


def _main_road(rng, places: list, cover: np.ndarray) -> None:
    """A two-pixel road from edge to edge through the settlements, with bridges."""
    from scipy import ndimage

    size = cover.shape[0]
    stops = []
    for place in places:
        if len(stops) < 4 and all(abs(place.col - p.col) > size / 8 for p in stops):
            stops.append(place)
    stops.sort(key=lambda p: p.col)
    first = (rng.uniform(0.1, 0.9) * size, -30.0)
    last = (rng.uniform(0.1, 0.9) * size, size + 30.0)
    knots = np.array([first, *((p.row, p.col) for p in stops), last])
    way = np.r_[0, np.cumsum(np.hypot(*np.diff(knots, axis=0).T))]
    at = np.arange(0, way[-1], 0.3)
    rows, cols = np.interp(at, way, knots[:, 0]), np.interp(at, way, knots[:, 1])
    # Filtered, so that the road curves through a place instead of breaking there.
    rows = ndimage.gaussian_filter1d(rows, 60, mode="nearest") + 6 * np.sin(at / 47.0)
    cols = ndimage.gaussian_filter1d(cols, 60, mode="nearest")
    for place in stops:
        spot = np.argmin(np.hypot(rows - place.row, cols - place.col))
        place.row, place.col = float(rows[spot]), float(cols[spot])
        ahead = min(spot + 30, len(at) - 1)
        place.angle = float(np.arctan2(rows[ahead] - rows[spot], cols[ahead] - cols[spot]))
    for shift in (0, 1):
        r, c = np.rint(rows).astype(int) + shift, np.rint(cols).astype(int)
        keep = (r >= 0) & (r < size) & (c >= 0) & (c < size)
        cover[r[keep], c[keep]] = INDEX["asphalt"]


def _village(rng, place: Place, cover, buildings, wet) -> None:
    """Gardens, streets and houses of one settlement."""
    shape = cover.shape
    yy, xx = np.mgrid[0 : shape[0], 0 : shape[1]]
    dc, dr = xx - place.col, yy - place.row
    along = dc * np.cos(place.angle) + dr * np.sin(place.angle)
    across = -dc * np.sin(place.angle) + dr * np.cos(place.angle)
    ragged = 1 + 0.22 * noise.smooth(rng, shape, place.radius * 0.5)
    inside = np.hypot(along / place.radius, across / (0.72 * place.radius)) < ragged
    inside &= ~wet
    road = cover == INDEX["asphalt"]
    trees = noise.smooth(rng, shape, 2.2)
    cover[inside & ~road] = INDEX["garden"]
    cover[inside & ~road & (trees > 1.15)] = INDEX["hedge"]

    streets = _streets(rng, place)
    for start, end in streets:
        rows, cols = noise.line(shape, start, end)
        keep = inside[rows, cols]
        cover[rows[keep], cols[keep]] = INDEX["asphalt"]
    for start, end in streets:
        _houses(rng, start, end, place, inside, cover, buildings)
    for _ in range(int(2 + place.radius / 9)):
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.15) * place.radius
        row, col = place.row + far * np.sin(turn) * 0.8, place.col + far * np.cos(turn)
        size = (rng.uniform(4, 11), rng.uniform(2.6, 5.5))
        _hall(rng, row, col, size, place.angle, cover, buildings, wet)


def _streets(rng, place: Place) -> list:
    """Street pieces ((row, col), (row, col)): a main street, side streets and back streets."""
    cos, sin = np.cos(place.angle), np.sin(place.angle)
    reach, bend = place.radius, rng.uniform(0.05, 0.12) * place.radius
    phase = rng.uniform(0, 6.3, 2)

    def spot(along, across):
        # Old streets are never straight; the main street stays on the road.
        fade = min(abs(across) / 8, 1.0)
        a = along + fade * bend * np.sin(3.1 * across / reach + phase[0])
        b = across + fade * bend * np.sin(2.3 * along / reach + phase[1])
        return (place.row + a * sin + b * cos, place.col + a * cos - b * sin)

    def pieces(start, end):
        count = max(1, round(float(np.hypot(end[0] - start[0], end[1] - start[1])) / 10))
        stops = np.linspace(start, end, count + 1)
        return [(spot(*stops[i]), spot(*stops[i + 1])) for i in range(count)]

    streets = pieces((-reach, 0), (reach, 0))
    for side in (-1, 1):
        at = -0.85 * reach + rng.uniform(0, 12)
        while at < 0.85 * reach:
            far = side * rng.uniform(0.22, 0.78) * reach
            streets += pieces((at, 0), (at + rng.normal(0, 0.2) * abs(far), far))
            at += rng.uniform(8, 15)
        for share in (0.2, 0.5)[: int(reach / 30)]:
            off = side * rng.uniform(share, share + 0.2) * reach
            left, right = rng.uniform(-0.75, -0.35) * reach, rng.uniform(0.4, 0.8) * reach
            streets += pieces((left, off), (right, off * rng.uniform(0.8, 1.2)))
    return streets


def _houses(rng, start, end, place, inside, cover, buildings) -> None:
    """Small houses on both sides of a street."""
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    if length < 4:
        return
    dr, dc = (end[0] - start[0]) / length, (end[1] - start[1]) / length
    angle = float(np.arctan2(dr, dc))
    at = rng.uniform(1, 3)
    while at < length:
        for side in (-1, 1):
            if rng.random() < 0.15:
                continue
            off = side * rng.uniform(1.6, 2.6)
            row, col = start[0] + dr * at + dc * off, start[1] + dc * at - dr * off
            size = (rng.uniform(1.3, 2.7), rng.uniform(1.1, 1.9))
            roof = ROOFS[rng.choice(3, p=(0.68, 0.29, 0.03))]
            rows, cols = noise.rectangle(cover.shape, row, col, *size, angle)
            keep = inside[rows, cols] & (cover[rows, cols] != INDEX["asphalt"])
            if keep.any():
                cover[rows[keep], cols[keep]] = INDEX[roof]
                buildings[rows[keep], cols[keep]] = buildings.max() + 1
        at += rng.uniform(2.2, 3.8)


def _hall(rng, row, col, size, angle, cover, buildings, wet) -> None:
    """A large building with a paved yard, unless it would stand in water."""
    yard = noise.rectangle(cover.shape, row, col, size[0] + 3, size[1] + 3, angle)
    if len(yard[0]) < 8 or wet[yard].any() or (buildings[yard] > 0).any():
        return
    paved = rng.random(len(yard[0])) < 0.8
    cover[yard[0][paved], yard[1][paved]] = INDEX["asphalt"]
    hall = noise.rectangle(cover.shape, row, col, *size, angle)
    cover[hall] = INDEX[ROOFS[rng.choice(3, p=(0.2, 0.35, 0.45))]]
    buildings[hall] = buildings.max() + 1


def _farms(rng, places, cover, buildings, wet) -> None:
    """Lone farms beside lanes and tracks, outside the settlements and the woods."""
    lane = np.isin(cover, [INDEX["asphalt"], INDEX["track"]])
    rows, cols = np.nonzero(lane)
    if not len(rows):
        return
    for pick in rng.integers(0, len(rows), max(3, cover.shape[0] // 60)):
        turn = rng.uniform(0, 2 * np.pi)
        row, col = rows[pick] + 5 * np.sin(turn), cols[pick] + 5 * np.cos(turn)
        if any(np.hypot(row - p.row, col - p.col) < 1.3 * p.radius for p in places):
            continue
        r = int(np.clip(row, 0, cover.shape[0] - 1))
        c = int(np.clip(col, 0, cover.shape[1] - 1))
        if cover[r, c] in (INDEX["broadleaf"], INDEX["conifer"]):
            continue
        angle = rng.uniform(0, np.pi)
        green = noise.rectangle(cover.shape, row, col, 15, 12, angle)
        keep = ~wet[green] & ~lane[green]
        cover[green[0][keep], green[1][keep]] = INDEX["garden"]
        for number in range(int(rng.integers(2, 4))):
            step = 6.5 * (number - 1)
            size = (rng.uniform(3, 5.5), rng.uniform(1.8, 3))
            _hall(
                rng,
                row + step * np.sin(angle),
                col + step * np.cos(angle),
                size,
                angle + np.pi / 2 * (number % 2),
                cover,
                buildings,
                wet,
            )
