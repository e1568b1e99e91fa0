"""Dynamic World as a model that reads reflectance and describes itself.

    .venv/bin/python models/training/wrap_dynamicworld.py INPUT.onnx OUTPUT.onnx

INPUT is the network's forward pass as ONNX (float32 batch x height x width x 9, already
normalised). OUTPUT takes reflectance 0-1, does the normalisation itself and carries its card.
Brown et al., 2022, Dynamic World, Scientific Data 9:251, https://doi.org/10.1038/s41597-022-01307-4
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import model_card  # noqa: E402

NAME = "dynamicworld"
# STAC common name, centre wavelength (µm), then the network's constants a and b of the band.
BANDS = (
    ("blue", 0.490, 1.7417268007636313, 2.023298706048351),
    ("green", 0.560, 1.7261204997060209, 2.038905204308012),
    ("red", 0.665, 1.6798346251414997, 2.179592821212937),
    ("rededge071", 0.704, 1.7734969472909623, 2.2890068333026603),
    ("rededge075", 0.740, 2.289154079164943, 2.6171674549378166),
    ("rededge078", 0.783, 2.382939712192371, 2.773418590375327),
    ("nir", 0.842, 2.3828939530384052, 2.7578332604178284),
    ("swir16", 1.610, 2.1952484264967844, 2.789092484314204),
    ("swir22", 2.190, 1.554812948247501, 2.4140534947492487),
)
PREFIX = "concord_"
INPUT, OUTPUT = "reflectance", "logits"
TILE = 512
# Measured on a real image: a changed pixel reaches 22 px and no farther. With tiles of 128 px the
# largest difference of a probability from the whole image is 0.048 at halo 16, 0 at halo 24.
HALO = 24
ALIGNMENT = 2  # the network works on a grid of half the size, which hangs on the image's corner
VALUE_RANGE = [0.0, 0.6]  # wide on purpose: dark water to bright sand
ATTRIBUTION = (
    "This code is produced for the Dynamic World Project by Google in partnership with National "
    "Geographic and the World Resources Institute."
)


def wrap(source: str | Path, target: str | Path) -> None:
    """Fold the normalisation into ``source`` and write ``target`` with its card, and the sidecar.

    Raises:
        ValueError: ``source`` is not the network's forward pass.
    """
    model = onnx.load(str(source))
    graph = model.graph
    if len(graph.input) != 1 or len(graph.output) != 1 or _channels(graph.input[0]) != len(BANDS):
        raise ValueError(f"{source} is not Dynamic World's forward pass (one input of 9 bands)")
    old_input, old_output = graph.input[0].name, graph.output[0].name
    before, constants = _before(old_input)
    after = _after(old_output)
    # What the network read and wrote becomes inner; the new ends take their places.
    nodes = list(graph.node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend([*before, *nodes, *after])
    graph.initializer.extend([*kept, *constants])
    del graph.input[:], graph.output[:]
    size = ["batch", "height", "width"]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [*size, len(BANDS)]))
    graph.output.append(
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [*size, len(BANDS)])
    )
    graph.name = NAME
    onnx.checker.check_model(model)
    opset = max(entry.version for entry in model.opset_import if entry.domain == "")
    model_card.save(model, card(_parameters(nodes, kept), opset), target)


def _channels(value) -> int:
    dims = value.type.tensor_type.shape.dim
    return dims[3].dim_value if len(dims) == 4 else 0


def _parameters(nodes: list, tensors: list) -> int:
    """Weights and biases of the convolutions."""
    size = {tensor.name: int(np.prod(tensor.dims)) for tensor in tensors}
    learnt = {name for node in nodes if node.op_type == "Conv" for name in node.input[1:]}
    return sum(size.get(name, 0) for name in learnt)


def _before(network_input: str) -> tuple:
    """Nodes and constants from reflectance to what the network reads.

    An odd row or column is repeated, because the network halves and doubles its grid and would
    stretch an odd image by half a pixel.
    """
    nodes, constants = [], []

    def constant(name, value, dtype=np.float32):
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), PREFIX + name))
        return PREFIX + name

    def node(kind, inputs, output, **attributes):
        name = output if output == network_input else PREFIX + output
        nodes.append(helper.make_node(kind, inputs, [name], name=PREFIX + kind, **attributes))
        nodes[-1].name = f"{PREFIX}{len(nodes)}_{kind}"
        return name

    a = [band[2] for band in BANDS]
    b = [band[3] for band in BANDS]
    # log(0.005 * DN + 1) with DN = 10,000 * reflectance; nothing below 0 reaches the logarithm.
    scaled = node("Mul", [INPUT, constant("scale", 50.0)], "scaled")
    positive = node("Relu", [scaled], "positive")
    lifted = node("Add", [positive, constant("one", 1.0)], "lifted")
    log = node("Log", [lifted], "log")
    centred = node("Sub", [log, constant("a", a)], "centred")
    ratio = node("Div", [centred, constant("b", b)], "ratio")
    steep = node("Mul", [ratio, constant("five", 5.0)], "steep")
    moved = node("Sub", [steep, PREFIX + "one"], "moved")
    normal = node("Sigmoid", [moved], "normal")

    shape = node("Shape", [normal], "size", start=1, end=3)
    odd = node("Mod", [shape, constant("two", 2, np.int64)], "odd")
    none = constant("none", [0], np.int64)
    first = constant("first", [0, 0, 0, 0], np.int64)
    pads = node("Concat", [first, none, odd, none], "pads", axis=0)
    node("Pad", [normal, pads], network_input, mode="edge")
    return nodes, constants


def _after(network_output: str) -> list:
    """The repeated row or column is cut off again."""
    start, axes = PREFIX + "corner", PREFIX + "axes"
    make = helper.make_node
    values = [
        make("Constant", [], [start], name=start, value_ints=[0, 0]),
        make("Constant", [], [axes], name=axes, value_ints=[1, 2]),
    ]
    inputs = [network_output, start, PREFIX + "size", axes]
    return [*values, make("Slice", inputs, [OUTPUT], name=PREFIX + "cut")]


def card(parameters: int, opset: int) -> dict:
    """The MLM item of the wrapped network."""
    taxonomy = json.loads(
        (ROOT / "resources/taxonomies/dynamicworld.json").read_text(encoding="utf-8")
    )
    shape = [-1, -1, -1, len(BANDS)]
    properties = {
        "title": "Dynamic World",
        "description": (
            "Nine land covers from one Sentinel-2 image at 10 m, the network of Google's Dynamic "
            "World with its normalisation inside the graph. Input is top-of-atmosphere "
            "reflectance (L1C). Codes are 1 to 9 in the order of the outputs; the product "
            f"counts from 0. A halo of {HALO} px covers the receptive field: tiles agree with "
            "the whole image when they start on an even row and column of it."
        ),
        "license": "Apache-2.0",
        "attribution": ATTRIBUTION,
        "gsd": 10,
        "bands": [model_card.band(name, wavelength) for name, wavelength, _, _ in BANDS],
        "mlm:name": NAME,
        "mlm:architecture": "FCN",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "ONNX",
        "mlm:framework_version": model_card.ONNX_RELEASE[opset],
        "mlm:total_parameters": parameters,
        "mlm:pretrained": True,
        "mlm:pretrained_source": "Dynamic World training data, https://doi.org/10.1594/PANGAEA.933475",
        "mlm:batch_size_suggestion": 1,
        "mlm:accelerator": None,
        "mlm:input": [
            {
                "name": INPUT,
                "description": "Top-of-atmosphere reflectance 0-1; the graph normalises it.",
                "bands": [band[0] for band in BANDS],
                "input": {
                    "shape": shape,
                    "dim_order": ["batch", "height", "width", "bands"],
                    "data_type": "float32",
                },
                "value_scaling": None,
                "resize_type": None,
                "pre_processing_function": None,
            }
        ],
        "mlm:output": [
            {
                "name": OUTPUT,
                "tasks": ["semantic-segmentation"],
                "result": {
                    "shape": shape,
                    "dim_order": ["batch", "height", "width", "class"],
                    "data_type": "float32",
                },
                "classification:classes": model_card.classes(taxonomy),
                "post_processing_function": None,
            }
        ],
        "mlm:hyperparameters": {
            "tile": TILE,
            "halo": HALO,
            "alignment": ALIGNMENT,
            "blend": "crop",
            "activation": "logits",
            "unit": "reflectance",
            "pixel_size_range_m": [8, 12],
            "ignore_value": 255,
            "taxonomy": "dynamicworld",
            "training_sensors": ["sentinel-2-l1c"],
            "value_range": [VALUE_RANGE] * len(BANDS),
        },
    }
    links = [
        {
            "rel": "about",
            "href": "https://github.com/google/dynamicworld",
            "type": "text/html",
            "title": "Dynamic World, source of the network",
        }
    ]
    asset = model_card.onnx_asset(NAME, "ONNX graph and weights")
    return model_card.item(NAME, properties, asset, links)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wrap(sys.argv[1], sys.argv[2])
