"""How good a map is against a reference, and areas with confidence intervals."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

BOUNDARY = 2  # pixels by which a border may miss and still count


class Score:
    """Confusion tables and border matches of a map before and after, summed over tiles."""

    def __init__(self):
        self.tables = {name: np.zeros((256, 256), np.int64) for name in ("before", "after")}
        self.borders = {name: np.zeros(4, np.int64) for name in ("before", "after")}
        self.kept = np.zeros((2, 2), np.int64)

    def add(self, before, after, truth, core: tuple) -> None:
        """Count a tile.

        Args:
            before, after, truth: codes (rows, cols) with a rim of at least BOUNDARY pixels where
                the map goes on.
            core: slices of the part that counts.
        """
        known = ((truth != 0) & (truth != 255) & (before != 0))[core]
        right = truth[core][known]
        for name, codes in (("before", before), ("after", after)):
            pairs = codes[core][known].astype(np.int64) * 256 + right
            self.tables[name] += np.bincount(pairs, minlength=65536).reshape(256, 256)
            self.borders[name] += _borders(codes, truth, core)
        was, now = before[core][known] == right, after[core][known] == right
        self.kept += np.bincount(was * 2 + now, minlength=4).reshape(2, 2)

    def arrays(self) -> dict:
        """Plain arrays, for a journal."""
        out = {f"table_{n}": t for n, t in self.tables.items()}
        return {**out, **{f"border_{n}": b for n, b in self.borders.items()}, "kept": self.kept}

    def absorb(self, arrays: dict) -> None:
        """Add what ``arrays`` of another score gave."""
        for name in self.tables:
            self.tables[name] += arrays[f"table_{name}"]
            self.borders[name] += arrays[f"border_{name}"]
        self.kept += arrays["kept"]

    def values(self) -> dict | None:
        """Accuracy and the two shares that matter, or None when the reference knows no pixel."""
        total = int(self.kept.sum())
        if not total:
            return None
        wrong, right = int(self.kept[0].sum()), int(self.kept[1].sum())
        corrected, damaged = int(self.kept[0, 1]), int(self.kept[1, 0])
        return {
            "pixels": total,
            "accuracy_before": right / total,
            "accuracy_after": int(self.kept[:, 1].sum()) / total,
            "corrected_share": corrected / wrong if wrong else 0.0,
            "damaged_share": damaged / right if right else 0.0,
        }

    def details(self, scheme) -> dict | None:
        """Net gain, mean IoU, border F1 and the classes; None without a known pixel."""
        total = int(self.kept.sum())
        if not total:
            return None
        out = {"net_gain": int(self.kept[0, 1] - self.kept[1, 0]) / total}
        for name, table in self.tables.items():
            classes = per_class(table, scheme)
            out[f"mean_iou_{name}"] = float(np.mean([c["iou"] for c in classes]))
            out[f"boundary_f1_{name}"] = _f1_of(self.borders[name])
            out[f"classes_{name}"] = classes
        return out


def border_of(codes: np.ndarray) -> np.ndarray:
    """Pixels whose right or lower neighbour has another class."""
    edge = np.zeros(codes.shape, bool)
    edge[:, :-1] |= codes[:, :-1] != codes[:, 1:]
    edge[:-1] |= codes[:-1] != codes[1:]
    return edge


def _borders(codes, truth, core) -> np.ndarray:
    """[border pixels that are met, all, reference border pixels that are met, all]."""
    known = (truth != 0) & (truth != 255)
    own, wanted = border_of(codes) & known, border_of(truth) & known
    shape = np.ones((2 * BOUNDARY + 1,) * 2, bool)
    near_wanted = ndimage.binary_dilation(wanted, shape)
    near_own = ndimage.binary_dilation(own, shape)
    a, b = own[core], wanted[core]
    return np.array(
        [(a & near_wanted[core]).sum(), a.sum(), (b & near_own[core]).sum(), b.sum()], np.int64
    )


def _f1_of(counts) -> float:
    met, all_own, found, all_wanted = (int(v) for v in counts)
    if not all_own and not all_wanted:
        return 1.0
    precision = met / all_own if all_own else 0.0
    recall = found / all_wanted if all_wanted else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def per_class(table: np.ndarray, scheme) -> list:
    """F1 and IoU of each class that occurs in map or reference; ``table`` is [map][reference]."""
    found = []
    for code in np.flatnonzero(table.sum(axis=0) + table.sum(axis=1)):
        hit = int(table[code, code])
        mapped, true = int(table[code].sum()), int(table[:, code].sum())
        if code in (0, 255):
            continue
        found.append(
            {
                "code": int(code),
                "name": scheme.name(int(code)),
                "f1": 2 * hit / (mapped + true) if mapped + true else 0.0,
                "iou": hit / (mapped + true - hit) if mapped + true - hit else 0.0,
                "precision": hit / mapped if mapped else 0.0,
                "recall": hit / true if true else 0.0,
            }
        )
    return found


def stratified_areas(table: np.ndarray, mapped: np.ndarray, pixel: float, scheme) -> dict | None:
    """Areas, accuracies and 95 % intervals from a sample stratified by the map's classes
    (Olofsson et al. 2014, Remote Sensing of Environment 148, equations 4, 6 to 11).

    Args:
        table: sample counts [map class][reference class].
        mapped: pixels of each map class in the whole map (256).
        pixel: area of a pixel.

    Returns:
        None when a mapped class has fewer than two samples, because then there is no variance.
    """
    codes = [int(c) for c in np.flatnonzero(mapped) if c not in (0, 255)]
    reference = [int(c) for c in np.flatnonzero(table.sum(axis=0)) if c not in (0, 255)]
    if not codes or any(table[c].sum() < 2 for c in codes):
        return None
    total = float(sum(mapped[c] for c in codes))
    weight = {c: mapped[c] / total for c in codes}
    classes = []
    for j in sorted(set(codes) | set(reference)):
        shares = {i: table[i, j] / table[i].sum() for i in codes}
        share = sum(weight[i] * shares[i] for i in codes)
        variance = sum(
            weight[i] ** 2 * shares[i] * (1 - shares[i]) / (table[i].sum() - 1) for i in codes
        )
        area, half = share * total * pixel, 1.96 * math.sqrt(variance) * total * pixel
        users = float(table[j, j] / table[j].sum()) if j in codes else 0.0
        classes.append(
            {
                "code": j,
                "name": scheme.name(j),
                "mapped_area": float(mapped[j] * pixel),
                "area": float(area),
                "area_interval": float(half),
                "users_accuracy": users,
                "producers_accuracy": float(weight.get(j, 0.0) * users / share) if share else 0.0,
                "samples": int(table[j].sum()),
            }
        )
    accuracy = sum(weight[i] * table[i, i] / table[i].sum() for i in codes)
    spread = sum(
        weight[i] ** 2 * (table[i, i] / table[i].sum()) * (1 - table[i, i] / table[i].sum())
        / (table[i].sum() - 1) for i in codes
    )  # fmt: skip
    return {
        "accuracy": float(accuracy),
        "accuracy_interval": 1.96 * math.sqrt(float(spread)),
        "classes": classes,
        "samples": int(sum(table[c].sum() for c in codes)),
    }
