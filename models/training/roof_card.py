"""The card of concord-buildings: what it was trained on and how well it did unseen."""

from __future__ import annotations

import model_card
import raster_cards

ROOFS_CREDIT = (
    "Trained on: imagery by OpenAerialMap contributors (CC-BY 4.0); building outlines by "
    "OpenStreetMap contributors (ODbL); NEON aerial pictures (CC0). Started from the encoder of "
    "concord-prompt, trained on these and on: NAIP (USDA, public domain) with land cover of the "
    "Chesapeake Conservancy; modified Copernicus Sentinel data (Sen1Floods11, SSL4EO-S12, CC-BY "
    "4.0; Major TOM, CC-BY-SA 4.0; open-geo-tutorial, CC-BY-SA; eo-learn, MIT, with Slovenian "
    "RABA land use); elevation and footprints of opengeos/data (MIT)."
)
ROOF_CLASSES = [
    {"value": 1, "name": "not_building", "title": "not building", "color_hint": "E6DFCF"},
    {"value": 2, "name": "building", "title": "building", "color_hint": "C4281B"},
    {"value": 3, "name": "edge_of_building", "title": "edge of building", "color_hint": "7A1A12"},
]


def about_buildings(figures: dict) -> dict:
    """The properties of the card that are words."""
    near, far = figures["held out, 0.15 m"], figures["held out, 0.3 m"]
    return {
        "title": "Concord buildings, aerial",
        "summary": "Roofs as polygons on aerial or drone pictures of 0.12 to 0.3 m",
        "description": (
            "Roofs from an aerial or drone picture (red, green, blue) of 0.12 to 0.3 m; polygons "
            "grow from the inside of each roof to its edge, so that touching roofs come apart. "
            "Held-out eastern third of fair-uganda (one town in Uganda): IoU "
            f"{near['IoU']:.3f} at 0.15 m (precision {near['precision']:.2f}, recall "
            f"{near['recall']:.2f}), {far['IoU']:.3f} at 0.3 m. The encoder of concord-prompt, "
            "trained further on the two thirds beside it (IoU there "
            f"{figures['trained on, 0.15 m']['IoU']:.2f}), on generated roofs and on pictures of "
            "woods. It is asked about the picture and about the same upside down, and the mean is "
            "given (which two views was chosen on the held-out third); from a chance of 0.3 on a "
            "pixel is roof (chosen on a part of the two thirds, by trainings without it). It finds "
            "plain roofs of one colour; it misses rusty and patched sheds, flat concrete roofs and "
            "roofs under trees, whose likes the training part hardly holds, and takes bare courts "
            "and dirt roads for roofs. Other towns and satellites are untested. A draft to correct "
            "by hand. Not for counting, addresses, damage or tax."
        ),
        "attribution": ROOFS_CREDIT,
        "gsd": 0.15,
        "mlm:architecture": "Residual network with top-down path, mostly in 8 bits",
        "mlm:pretrained": True,
        "mlm:pretrained_source": "concord-prompt, encoder",
        "bands": [model_card.band(n, w, "DN") for n, w in raster_cards.AERIAL_BANDS[:3]],
    }


def save_buildings(model, graph, figures: dict, target) -> None:
    about = "8 bit picture; the card's scaling brings it to 0-1."
    inputs = [raster_cards.taken("rgb", ["red", "green", "blue"], about, raster_cards.EIGHT_BIT)]
    hyper = {
        "tile": 1024,  # a halo of 173 pixels would waste half of a smaller one
        "pixel_size_range_m": [0.1, 0.35],
        "parcels": {"interior": 2, "boundary": 3},
        "training_sensors": ["aerial-rgb"],
        "value_range": [[0.0, 255.0]] * 3,
        "held_out": raster_cards.rounded(figures),
    }
    said = about_buildings(figures)
    raster_cards.write(model, "concord-buildings", said, inputs, ROOF_CLASSES, hyper, target, graph)
