"""The bundled spectral model and the Dynamic World wrap: graph, card, figures."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from concord.plugin.engine import rasters, taxonomy
from concord.plugin.engine.infer import item as items
from concord.plugin.engine.sample import scene

NAME = "concord-spectral"


def script(root, name: str):
    """A training script as a module."""
    folder = root / "models" / "training"
    spec = importlib.util.spec_from_file_location(f"training_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def embedded(path) -> dict:
    entries = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return json.loads(entries["stac:mlm"])


def check_card(item: dict, network) -> None:
    """What every card of ours must say, and that it says what the graph is."""
    properties = item["properties"]
    assert item["type"] == "Feature" and item["stac_version"] == "1.1.0"
    assert any("/mlm/v1.5" in extension for extension in item["stac_extensions"])
    for key in ("name", "architecture", "tasks", "framework", "framework_version", "input"):
        assert properties[f"mlm:{key}"], key
    assert properties["description"] and properties["license"]
    asset = item["assets"]["model"]
    assert "mlm:model" in asset["roles"] and asset["mlm:artifact_type"] == "onnx"

    source, result = properties["mlm:input"][0], properties["mlm:output"][0]
    known = {band["name"] for band in properties["bands"]}
    assert set(source["bands"]) <= known
    for stated, actual in ((source, network.get_inputs()), (result, network.get_outputs())):
        assert len(actual) == 1 and stated["name"] == actual[0].name
        shape = (stated.get("input") or stated["result"])["shape"]
        assert [n for n in shape if n > 0] == [n for n in actual[0].shape if isinstance(n, int)]
        assert len(shape) == len(actual[0].shape)
    hyper = properties["mlm:hyperparameters"]
    for key in ("tile", "halo", "blend", "activation", "pixel_size_range_m", "ignore_value"):
        assert key in hyper, key
    assert len(hyper["value_range"]) == len(source["bands"])
    scheme = taxonomy.load(hyper["taxonomy"])
    listed = result["classification:classes"]
    assert [entry["value"] for entry in listed] == scheme.codes
    assert [entry["title"] for entry in listed] == [c.name for c in scheme.classes]
    assert ["#" + entry["color_hint"].lower() for entry in listed] == [
        c.colour for c in scheme.classes
    ]
    assert items.from_item(item, "the test").missing == ()
    check_stac(item)


def check_stac(item: dict) -> None:
    """STAC's own schema, which pystac brings along; extensions would need the network."""
    from pystac import STACObjectType
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    JsonSchemaSTACValidator().validate_core(item, STACObjectType.ITEM, "1.1.0")


def check_sidecar(path) -> None:
    """The mirror says the same, and the checksum is that of the file."""
    mirrored = json.loads(path.with_suffix(".mlm.json").read_text(encoding="utf-8"))
    content = path.read_bytes()
    asset = mirrored["assets"]["model"]
    assert asset.pop("file:checksum") == "1220" + hashlib.sha256(content).hexdigest()
    assert asset.pop("file:size") == len(content)
    mirrored["stac_extensions"].pop()
    assert mirrored == embedded(path)


@pytest.fixture(scope="module")
def bundled(root):
    return root / "models" / f"{NAME}.onnx"


@pytest.fixture(scope="module")
def network(bundled):
    return session(bundled)


def predict(network, image: np.ndarray) -> np.ndarray:
    return network.run(None, {"reflectance": image[None]})[0][0]


def test_bundled_card_is_complete(bundled, network):
    item = embedded(bundled)
    check_card(item, network)
    check_sidecar(bundled)
    assert "synthetic stand-in" in item["properties"]["description"]
    assert item["properties"]["mlm:input"][0]["bands"] == ["blue", "green", "red", "nir"]


def test_bundled_model_keeps_its_figures_on_unseen_scenes(bundled, network):
    hyper = embedded(bundled)["properties"]["mlm:hyperparameters"]
    assert not set(hyper["held_out_seeds"]) & set(hyper["training_seeds"])
    hits = []
    for seed in (2, 77):
        assert seed not in hyper["training_seeds"]
        sample = scene.generate(seed, 384)
        hits.append((predict(network, sample.optical).argmax(0) + 1 == sample.truth).mean())
    assert min(hits) > 0.85, hits
    assert hyper["held_out_accuracy"] > 0.88 and hyper["held_out_mean_iou"] > 0.84


def test_bundled_model_bears_another_sun_and_air(network):
    sample = scene.generate(2, 256)
    shares = []
    for gain, haze in ((0.88, 0.0), (1.12, 0.0), (1.0, 0.01)):
        image = (sample.optical * gain + haze).astype(np.float32)
        shares.append((predict(network, image).argmax(0) + 1 == sample.truth).mean())
    assert min(shares) > 0.75, shares


def test_a_tile_with_the_halo_equals_the_whole_image(bundled, network):
    halo = embedded(bundled)["properties"]["mlm:hyperparameters"]["halo"]
    image = scene.generate(3, 200).optical
    whole = predict(network, image)
    tile = predict(network, image[:, 40 - halo : 120 + halo, 61 - halo : 130 + halo])
    core = (slice(None), slice(halo, -halo), slice(halo, -halo))
    np.testing.assert_allclose(tile[core], whole[:, 40:120, 61:130], atol=1e-4)
    short = halo - 1
    tile = predict(network, image[:, 40 - short : 120 + short, 61 - short : 130 + short])
    core = (slice(None), slice(short, -short), slice(short, -short))
    assert np.abs(tile[core] - whole[:, 40:120, 61:130]).max() > 0.01


def test_graph_equals_the_features_it_was_trained_on(root, network):
    graph = script(root, "spectral_graph")
    image = scene.generate(3, 128).optical
    weights = np.eye(6, graph.FEATURES, dtype=np.float32)
    for start in range(0, graph.FEATURES - 5, 5):
        layer = [(np.roll(weights, start, 1), np.zeros(6, np.float32))]
        model = onnxruntime.InferenceSession(graph.build(layer).SerializeToString())
        expected = graph.features(image)[start : start + 6]
        np.testing.assert_allclose(predict(model, image), expected, atol=2e-3)


def test_saving_twice_gives_the_same_bytes(root, bundled, tmp_path):
    model_card = script(root, "model_card")
    target = tmp_path / bundled.name
    model_card.save(onnx.load(str(bundled)), embedded(bundled), target)
    assert target.read_bytes() == bundled.read_bytes()
    sidecar = bundled.with_suffix(".mlm.json")
    assert target.with_suffix(".mlm.json").read_bytes() == sidecar.read_bytes()


# Dynamic World, wrapped on the spot: none of its files is in the repository.


@pytest.fixture(scope="module")
def wrapped(root, real_data, tmp_path_factory):
    module = script(root, "wrap_dynamicworld")
    source = real_data / "models" / "dynamicworld" / "dynamicworld_forward_op18.onnx"
    target = tmp_path_factory.mktemp("models") / "dynamicworld.onnx"
    module.wrap(source, target)
    return module, source, target


@pytest.fixture(scope="module")
def spain(real_data):
    """(reflectance (1, rows, cols, 9), hand label) of sen1floods-es."""
    folder = real_data / "sen1floods-es"
    image = next((folder / "S2").glob("*.tif"))
    names = ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B11", "B12"]
    numbers = np.moveaxis(rasters.read(image, names=names), 0, -1)[None]
    label = rasters.read(next((folder / "Labels").glob("*.tif")))[0]
    return (numbers / 1e4).astype(np.float32), label


def test_wrapped_card_is_complete(wrapped):
    _, _, target = wrapped
    item = embedded(target)
    check_card(item, session(target))
    check_sidecar(target)
    assert item["properties"]["license"] == "Apache-2.0"
    assert "National Geographic" in item["properties"]["attribution"]


def test_wrapped_network_equals_the_original_after_its_normalisation(wrapped, spain):
    module, source, target = wrapped
    image = spain[0][:, :96, :96]
    a, b = (np.array([band[i] for band in module.BANDS]) for i in (2, 3))
    normal = (np.log(0.005 * 1e4 * image.astype(np.float64) + 1) - a) / b
    normal = 1 / (1 + np.exp(-(5 * normal - 1)))
    original = session(source)
    expected = original.run(None, {original.get_inputs()[0].name: normal.astype(np.float32)})[0]
    found = session(target).run(None, {"reflectance": image})[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_wrapped_network_finds_the_flood(wrapped, spain):
    image, label = spain
    found = session(wrapped[2]).run(None, {"reflectance": image})[0][0].argmax(-1) + 1
    known = label >= 0
    water, true = (found == 1) & known, label == 1
    iou = (water & true).sum() / (water | true).sum()
    assert iou == pytest.approx(0.64, abs=0.01)


def test_wrapped_network_is_exact_with_its_halo(wrapped, spain):
    _, _, target = wrapped
    hyper = embedded(target)["properties"]["mlm:hyperparameters"]
    halo, step = hyper["halo"], hyper["alignment"]
    image = spain[0][:, :221, :231]  # odd sizes are repeated to even ones inside the graph
    network = session(target)
    whole = network.run(None, {"reflectance": image})[0]
    assert whole.shape == (1, 221, 231, 9)
    row, col, size = 31 * step, 40 * step, 64
    rows, cols = slice(row - halo, row + size + halo), slice(col - halo, col + size + halo)
    tile = network.run(None, {"reflectance": image[:, rows, cols]})[0]
    core = tile[:, halo:-halo, halo:-halo]
    expected = whole[:, row : row + size, col : col + size]
    np.testing.assert_allclose(core, expected, atol=1e-3)


def test_another_network_is_not_wrapped(wrapped, bundled, tmp_path):
    with pytest.raises(ValueError, match="not Dynamic World"):
        wrapped[0].wrap(bundled, tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())
