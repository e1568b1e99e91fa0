"""The cards of the raster models, with what they were trained on and how well they did unseen.

Weights are the project's own, under CC-BY-SA-4.0, with the credit lines of the data.
"""

from __future__ import annotations

import json
from pathlib import Path

import aerial_scenes as aerial
import model_card
import nets
import s2_net
import s2_scenes as s2

ROOT = Path(__file__).resolve().parents[2]
LICENCE = "CC-BY-SA-4.0"
# West, south, east, north of every place that was trained on, in degrees.
PLACES = {
    "concord-landcover-s2": [
        [-0.78, 38.08, -0.74, 38.13], [73.29, 30.45, 73.32, 30.48], [103.70, 17.87, 103.80, 17.97],
        [14.55, 45.86, 14.57, 45.88], [-173.25, -18.37, -173.22, -18.35],
        [-128.64, 80.84, -128.50, 80.87], [-18.51, 63.02, -18.46, 63.04], [0.95, 57.66, 1.0, 57.68],
        [18.08, 34.25, 18.10, 34.27], [44.99, -8.71, 45.02, -8.69], [152.62, 2.27, 152.64, 2.29],
    ],
    # Chesapeake's chips bear no place; this is the NAIP quarter quadrangle that names them.
    "concord-landcover-aerial": [
        [-80.6250, 37.6250, -80.5625, 37.6875], [-99.19, 47.0, -99.12, 47.04],
    ],
    "concord-buildings": [[32.593, 0.350, 32.596, 0.352]],
}  # fmt: skip
OUTPUT = "logits"


def _taxonomy(name: str) -> dict:
    return json.loads((ROOT / "resources/taxonomies" / f"{name}.json").read_text("utf-8"))


def taken(name: str, bands: list, about: str, scaling) -> dict:
    return {
        "name": name,
        "description": about,
        "bands": bands,
        "input": {
            "shape": [-1, len(bands), -1, -1],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": scaling,
        "resize_type": None,
        "pre_processing_function": None,
    }


def _output(classes: list) -> dict:
    return {
        "name": OUTPUT,
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, len(classes), -1, -1],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": classes,
        "post_processing_function": None,
    }


def write(model, name, said: dict, inputs: list, classes: list, hyper: dict, target, graph=None):
    """Measure the halo of a model, write its ``graph``, else what it exports to, with its card."""
    planes = {entry["name"]: len(entry["bands"]) for entry in inputs}
    graph = graph or nets.export(model, planes, OUTPUT)
    tile = hyper.get("tile", 512)
    halo = nets.halo(model, planes, tile // 2)
    properties = {
        "license": LICENCE,
        "mlm:name": name,
        "mlm:architecture": "U-Net",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "ONNX",
        "mlm:framework_version": model_card.ONNX_RELEASE[nets.OPSET],
        "mlm:total_parameters": nets.parameters(model),
        "mlm:pretrained": False,
        "mlm:pretrained_source": None,
        "mlm:batch_size_suggestion": 1,
        "mlm:accelerator": None,
        **said,
        "mlm:input": inputs,
        "mlm:output": [_output(classes)],
        "mlm:hyperparameters": {
            "tile": 512,
            "halo": halo,
            "alignment": model.net.step,
            "blend": "crop",
            "activation": "logits",
            "ignore_value": 255,
            "training_places": PLACES[name],
            **hyper,
        },
    }
    asset = model_card.onnx_asset(name, "ONNX graph and weights")
    model_card.save(graph, model_card.item(name, properties, asset), target)
    print(f"{target}: {Path(target).stat().st_size / 1e6:.2f} MB, halo {halo}")


def rounded(figures: dict) -> dict:
    return {k: {n: round(v, 4) for n, v in row.items()} for k, row in figures.items()}


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


# --- Sentinel-2

S2_CREDIT = (
    "Trained on: Sen1Floods11 (CC-BY 4.0); SSL4EO-S12 (CC-BY 4.0); Major TOM (CC-BY-SA 4.0); "
    "eo-learn example data (MIT); contains modified Copernicus Sentinel data. Started from and "
    "taught by Dynamic World (Apache-2.0; the weights were changed). "
    "This code is produced for the Dynamic World Project by Google in partnership with National "
    "Geographic and the World Resources Institute."
)


FIGURES = "agreement", "without red edge", "four bands", "water IoU", "water IoU, teacher"
# By ``train_landcover_s2.py --without PLACES``: the same training as the bundled one without
# sen1floods and majortom, without ssl4eo, and without eolearn; of the last two the worst dates.
# All were looked at to choose it.
UNSEEN = {
    "sen1floods-es": (0.9418, 0.6940, 0.5341, 0.6433, 0.6390),
    "majortom-199U": (0.9484, 0.6307, 0.3305),
    "ssl4eo-s12 20200823 L1C": (0.9157, 0.5426, 0.4977),
    "ssl4eo-s12 20200604 L2A": (0.9769, 0.8285, 0.7950),
    "eolearn 4": (0.9745, 0.9739, 0.9445),
}  # fmt: skip
UNSEEN_PLACES = {name: dict(zip(FIGURES, values)) for name, values in UNSEEN.items()}


def _range(key: str) -> str:
    values = [row[key] for row in UNSEEN_PLACES.values()]
    return f"{100 * min(values):.0f} to {_percent(max(values))}"


def about_landcover_s2(figures: dict) -> str:
    """The description of the card."""
    rows = {k: v for k, v in figures.items() if "agreement" in v}
    flood = next(v for k, v in rows.items() if k.startswith("sen1floods"))
    single = "; ".join(f"{k} {_percent(v['agreement'])}" for k, v in rows.items())
    others = "; ".join(f"{k} {_percent(v['agreement'])}" for k, v in UNSEEN_PLACES.items())
    unseen = next(v for k, v in UNSEEN_PLACES.items() if k.startswith("sen1floods"))
    return (
        "Nine land covers from one Sentinel-2 image at 10 m, L1C or L2A: the network of "
        "Dynamic World, made fast, in part in 8 bits, behind layers that bring L2A to L1C and fill "
        "absent bands. Red edge and short-wave infrared may be absent (zeros stand for them); then "
        "it errs much more. Pixels that agree with the teacher on places that were left out of the "
        "training (the worst date where there are several), all bands: "
        f"{others}; without red edge {_range('without red edge')}, with four bands "
        f"{_range('four bands')}. "
        f"Of this file where its training did not look: {single}; there the other date of the "
        "ssl4eo-s12 place and the rest of majortom-199U and sen1floods-es were trained on. Water "
        "against the hand label of held-out squares of "
        f"sen1floods-es: IoU {flood['water IoU']:.3f}, the teacher's "
        f"{flood['water IoU, teacher']:.3f}; with the whole place left out "
        f"{unseen['water IoU']:.3f}, the teacher's {unseen['water IoU, teacher']:.3f}. "
        "Whether an image is L1C or L2A can be told (input level: 0 or 1); untold it is read from "
        "its blue, tile by tile. L2A gets the air back by a line a band, fitted on the date of "
        "ssl4eo-s12 that is held out, the only pair of both levels. For L2A the teacher "
        "was asked about the L1C image: the real one (ssl4eo-s12), or one calculated by that very "
        "line (majortom-199U), so that figure does not tell how other air errs (air 15 % thinner "
        "changes 16 % of the teacher's own answers there). Water follows a hand label of one "
        "place in Spain, so it is not quite the teacher's. Trained on a few scenes from Spain, "
        "India, Vietnam, Slovenia and coasts; it copies the teacher's mistakes. "
        "Clouds are called snow or built: mask them first. Not for area "
        "statistics or legal decisions without a check of your own."
    )


def save_landcover_s2(model, graph, figures: dict, target) -> None:
    said = {
        "title": "Concord land cover, Sentinel-2",
        "summary": "Nine land covers at 10 m from Sentinel-2, L1C or L2A",
        "description": about_landcover_s2(figures),
        "attribution": S2_CREDIT,
        "gsd": 10,
        "mlm:architecture": "Dynamic World's FCN with SiLU, in part 8 bits, behind 1x1 layers",
        "mlm:pretrained": True,
        "mlm:pretrained_source": "Dynamic World, https://github.com/google/dynamicworld",
        "bands": [model_card.band(n, w) for n, w in zip(s2.BANDS, s2.WAVELENGTHS)],
    }
    about = "Reflectance 0-1 at the top of the atmosphere or the surface; the graph normalises it."
    names = list(s2.BANDS)
    inputs = [
        taken("reflectance", names[:4], about, None),
        taken("rededge", names[4:8], f"{about} Zeros when absent.", None),
        taken("swir", names[8:], f"{about} Zeros when absent.", None),
    ]
    ranges = [[0.0, 0.5]] * 4
    left = {f"place left out: {name}": row for name, row in UNSEEN_PLACES.items()}
    hyper = {
        "unit": "reflectance",
        "pixel_size_range_m": [8, 13],
        "taxonomy": "dynamicworld",
        "training_sensors": ["sentinel-2-l1c", "sentinel-2-l2a"],
        "value_range": ranges,
        "levels": {
            "input": "level",
            "numbers": {"L1C": 0, "L2A": 1},
            "unknown": s2_net.UNKNOWN,
            "sensors": {"sentinel-2-l1c": "L1C", "sentinel-2-l2a": "L2A"},
            "air": {
                "weights": {"blue": 1.0, "red": -s2_net.OF_RED},
                "least": s2_net.AIR,
                "with": "L1C",
                "without": "L2A",
                "shares": [s2_net.FEW, s2_net.ENOUGH],
            },
        },
        "inputs": {
            "rededge": {"unit": "reflectance", "optional": True, "value_range": ranges},
            "swir": {"unit": "reflectance", "optional": True, "value_range": ranges[:2]},
        },
        "held_out": {**rounded(figures), **rounded(left)},
    }
    classes = model_card.classes(_taxonomy("dynamicworld"))
    write(model, "concord-landcover-s2", said, inputs, classes, hyper, target, graph)


# --- aerial land cover

AERIAL_CREDIT = (
    "Trained on: NAIP aerial imagery (USDA, public domain); land cover by the Chesapeake "
    "Conservancy, https://www.chesapeakeconservancy.org."
)
AERIAL_BANDS = (("red", 0.65), ("green", 0.55), ("blue", 0.45), ("nir", 0.83))
EIGHT_BIT = [{"type": "scale", "value": 255}]


def save_landcover_aerial(model, figures: dict, target) -> None:
    own, rival = figures["model"], figures["forest"]
    lean, ponds = figures["without nir"], figures["ponds of unseen dates"]
    each = ", ".join(
        f"{n} {own[n]:.2f} (forest {rival[n]:.2f})" for n in own if n not in ("accuracy", "mIoU")
    )
    said = {
        "title": "Concord land cover, aerial",
        "summary": "Water, trees and low plants on aerial images of about 1 m",
        "description": (
            "Four land covers from an aerial image of about 1 m: water, tree canopy, low "
            "vegetation, impervious. Near infrared may be absent (zeros stand for it). Leave one "
            f"chip out on the eight chips of chesapeake: mean IoU {own['mIoU']:.3f} of the three "
            f"classes there ({each}), a random forest on the same pixels {rival['mIoU']:.3f}; "
            f"without infrared {lean['mIoU']:.3f}. Ponds of naip-nd on two dates it had not seen: "
            f"IoU {ponds['water']:.2f} against a threshold of the water index, which is no ground "
            "truth, and at 5 m. The eight chips are one wooded part of West Virginia with 835 "
            "impervious pixels, 770 of them in one chip and along its tracks, while 116 of the "
            "131 pixels of its mapped buildings are labelled trees: too few to learn and to judge. "
            "Do not trust impervious; barren and roads are no classes of it. Bad at "
            "cities, bare fields, shadows of tall buildings. "
            "Not for counting buildings or sealed area."
        ),
        "attribution": AERIAL_CREDIT,
        "gsd": 1,
        "bands": [model_card.band(n, w, "DN") for n, w in AERIAL_BANDS],
    }
    about = "8 bit picture; the card's scaling brings it to 0-1."
    inputs = [
        taken("rgb", ["red", "green", "blue"], about, EIGHT_BIT),
        taken("nir", ["nir"], f"{about} Zeros when absent.", EIGHT_BIT),
    ]
    hyper = {
        "pixel_size_range_m": [0.7, 1.5],
        "taxonomy": "chesapeake",
        "training_sensors": ["naip"],
        "value_range": [[0.0, 255.0]] * 3,
        "inputs": {"nir": {"optional": True, "value_range": [[0.0, 255.0]]}},
        "held_out": rounded(figures),
    }
    listed = model_card.classes(_taxonomy("chesapeake"))
    classes = [entry for entry in listed if entry["value"] in aerial.CODES]
    write(model, "concord-landcover-aerial", said, inputs, classes, hyper, target)
