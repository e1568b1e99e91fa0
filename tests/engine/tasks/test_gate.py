"""A gate that looks first, and dates left out in turn."""

from __future__ import annotations

import numpy as np
import pytest

from concord.plugin.engine import rasters
from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.infer.gate import Gate
from tests.engine.tiny import card_of, node

NAMES = ("dark", "bright")


@pytest.fixture
def half_bright(image):
    """A scene of 128 x 96 whose left half is bright."""
    values = np.zeros((3, 96, 128), np.float32)
    values[:, :, :64] = 0.9
    return image(values=values)


@pytest.fixture
def main(graph):
    """A model that calls every pixel bright or dark by its mean."""
    item = card_of("semantic-segmentation", classes=NAMES, halo=0)
    nodes = [node("ReduceMean", "in0", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "d m", "out", axis=1)]  # fmt: skip
    return graph(nodes, item, constants={"one": np.float32([1])})


@pytest.fixture
def chip_gate(graph):
    """A classifier of 16-pixel chips."""
    item = card_of("scene-classification", classes=NAMES, halo=None, tile=16)
    nodes = [node("GlobalAveragePool", "in0", "g"), node("Flatten", "g", "f"),
             node("ReduceMean", "f", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "d m", "out", axis=1)]  # fmt: skip
    return graph(nodes, item, ((1, 3, 16, 16),), (("out", 2),), {"one": np.float32([1])},
                 name="gate")  # fmt: skip


@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_tiles_that_the_gate_closes_stay_empty_and_are_not_run(
    main, chip_gate, run, half_bright, blend
):
    plain = run(main, half_bright, blend=blend)[2]["main"]
    report, _, made = run(main, half_bright, blend=blend, gate=Gate(chip_gate, (), 0.5))
    assert report["gate"]["left_out"] > 0
    assert np.array_equal(made["main"][0][:, :64], plain[0][:, :64])
    assert not made["main"][0][:, 96:].any() and plain[0][:, 96:].all()


def test_a_gate_of_pixels_opens_by_its_share(main, run, half_bright):
    report, _, made = run(main, half_bright, gate=Gate(main, ("bright",), 0.05))
    assert report["gate"]["left_out"] == 6 and report["tiles"] == 12
    assert made["main"][0][:, :64].all() and not made["main"][0][:, 64:].any()
    everything = run(main, half_bright, gate=Gate(main, ("bright", "dark"), 1.0))[0]
    assert everything["gate"]["left_out"] == 0


def test_the_gate_spares_the_work(main, chip_gate, run, half_bright, monkeypatch):
    calls = []
    plain = main.run_all
    monkeypatch.setattr(main, "run_all", lambda images: calls.append(1) or plain(images))
    run(main, half_bright, gate=Gate(chip_gate, ("bright",), 0.5))
    assert len(calls) == 6


@pytest.mark.parametrize(
    ("classes", "least", "said"),
    [(("cloud",), 0.05, "knows no class 'cloud'; it has dark, bright"),
     (("bright",), 0.0, "GATE_LEAST is 0; give a share above 0")],
)  # fmt: skip
def test_a_gate_that_cannot_serve(main, chip_gate, run, half_bright, classes, least, said):
    with pytest.raises(ConcordError, match=said):
        run(main, half_bright, gate=Gate(chip_gate, classes, least))


def test_a_regression_is_no_gate(main, graph, run, half_bright):
    item = card_of("regression", halo=0)
    nodes = [node("ReduceMean", "in0", "out", axes=[1], keepdims=1)]
    with pytest.raises(ConcordError, match="a gate needs a model that classifies"):
        run(main, half_bright, gate=Gate(graph(nodes, item, name="gate")))


def test_leaving_dates_out_shows_where_one_date_decides(graph, run, image, tmp_path):
    order = ["batch", "time", "bands", "height", "width"]
    item = card_of("semantic-segmentation", classes=NAMES, axes=order, halo=0)
    nodes = [node("ReduceMax", "in0", "t", axes=[1], keepdims=0),
             node("ReduceMean", "t", "m", axes=[1], keepdims=1),
             node("Sub", "one m", "d"), node("Concat", "d m", "out", axis=1)]  # fmt: skip
    model = graph(nodes, item, ((1, 3, 3, None, None),), constants={"one": np.float32([1])})
    flash = np.full((3, 40, 60), 0.2, np.float32)
    flash[:, :, :30] = 0.8
    calm = np.full((3, 40, 60), 0.2, np.float32)
    paths = [image("a.tif", calm), image("b.tif", flash), image("c.tif", calm)]
    doubt = str(tmp_path / "doubt.tif")
    _, _, plain = run(model, paths, unsure=doubt)
    _, _, made = run(model, paths, unsure=doubt, drops=True)
    names = [band.name for band in rasters.info(doubt).bands]
    dates = dict(zip(names, made["unsure"]))["dates"]
    assert np.array_equal(plain["main"], made["main"])
    # Without the second date the bright half answers 0.2 for 0.8: answers 0.8, 0.2, 0.8.
    assert np.allclose(dates[:, :30], np.std([0.8, 0.2, 0.8]), atol=1e-5)
    assert np.allclose(dates[:, 30:], 0, atol=1e-6)
    assert not dict(zip(names, plain["unsure"]))["dates"].any()
