"""Of what a click may mean, the mask whose border lies on edges comes first."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import helper

from concord.plugin.engine.errors import ConcordError
from concord.plugin.engine.segment import edges, pair
from concord.plugin.engine.segment.prompts import Prompt
from concord.plugin.engine.segment.sam import SamPrompter
from concord.plugin.engine.segment.store import DiskStore

from .test_segment_pair import encoder, value, write

CLICK = Prompt(((30.0, 30.0),), (1,))


@pytest.fixture(scope="module")
def picture():
    """(64, 64, 3) uint8 with a bright roof of 32 pixels that has a dark band across."""
    image = np.random.default_rng(0).integers(98, 103, (64, 64, 3)).astype(np.uint8)
    image[16:48, 16:48] += 90
    image[28:32, 16:48] -= 15
    return image


def rectangle(top, bottom, left, right, side=32):
    mask = np.zeros((side, side), bool)
    mask[top:bottom, left:right] = True
    return mask


ROOF, PART, LEAKED = rectangle(8, 24, 8, 24), rectangle(17, 21, 11, 21), rectangle(8, 24, 8, 32)


def test_the_roof_beats_its_part_and_what_leaks(picture):
    change = edges.strength(picture, 32)
    roof, part, leaked = (edges.evidence(mask, change) for mask in (ROOF, PART, LEAKED))
    assert roof > leaked + 0.3 and roof > part + 0.3


def test_what_the_pictures_border_cuts_off_is_no_border_of_the_object():
    image = np.full((64, 64, 3), 100, np.uint8)
    image[:, :32] = 190
    change = edges.strength(image, 32)
    half = rectangle(0, 32, 0, 16)
    assert edges.evidence(half, change) == pytest.approx(np.log(change[0, 15] + 1), abs=0.2)


@pytest.mark.parametrize(
    "mask", [rectangle(0, 0, 0, 0), rectangle(5, 6, 5, 6), rectangle(0, 32, 0, 32)]
)
def test_masks_without_border_or_inside_say_something_finite(picture, mask):
    assert np.isfinite(edges.evidence(mask, edges.strength(picture, 32)))


@pytest.fixture
def model(tmp_path):
    """A pair that always answers part, leak, roof, and expects most of the part."""
    encoder(tmp_path / "e.encoder.onnx", output="image_embeddings")
    masks = np.stack([np.where(mask, 4.0, -4.0) for mask in (PART, LEAKED, ROOF)])
    nodes = [
        helper.make_node("ReduceMean", ["image_embeddings"], ["mean"], keepdims=0),
        helper.make_node("ReduceMean", ["point_coords"], ["spot"], keepdims=0),
        helper.make_node("Add", ["mean", "spot"], ["both"]),
        helper.make_node("Mul", ["both", "nil"], ["zero"]),
        helper.make_node("Add", ["kept", "zero"], ["low_res_masks"]),
        helper.make_node("Add", ["iou", "zero"], ["iou_predictions"]),
    ]
    inputs = [
        value("image_embeddings", [1, 8, 4, 4]),
        value("point_coords", [1, "n", 2]),
        value("point_labels", [1, "n"]),
        value("mask_input", [1, 1, 32, 32]),
    ]
    outputs = [value("low_res_masks", [1, 3, 32, 32]), value("iou_predictions", [1, 3])]
    weights = [
        ("nil", np.float32(0)),
        ("kept", masks[None].astype(np.float32)),
        ("iou", None),
    ]

    def told(iou=(0.62, 0.6, 0.58), **card):
        weights[-1] = ("iou", np.array([iou], np.float32))
        write(tmp_path / "e.decoder.onnx", nodes, inputs, outputs, weights)
        (tmp_path / "e.encoder.json").write_text(json.dumps({"size": 64, **card}))
        return SamPrompter(pair.find(str(tmp_path)))

    return told


def first(prompter, picture, prompt):
    encoding = prompter.encode(picture, np.ones(picture.shape[:2], bool))
    found = prompter.predict(encoding, prompt)
    assert len(found) == 3
    return found[0]


def test_a_model_whose_card_trusts_edges_puts_the_roof_first(model, picture):
    best = first(model(edges=0.4), picture, CLICK)
    assert best.mask.sum() == 32 * 32, "the roof"
    assert best.score == pytest.approx(0.58), "what the model expects is still said"


def test_what_the_model_expects_much_less_of_stays_behind(model, picture):
    prompter = model(edges=0.4, iou=(0.62, 0.58, 0.5))
    encoding = prompter.encode(picture, np.ones(picture.shape[:2], bool))
    scores = [answer.score for answer in prompter.predict(encoding, CLICK)]
    assert scores == pytest.approx([0.58, 0.62, 0.5]), (
        "what leaks, the part, and only then the roof"
    )


@pytest.mark.parametrize(
    "card, prompt",
    [
        ({}, CLICK),
        ({"edges": 0.4}, Prompt((), (), (10.0, 10.0, 50.0, 50.0))),
        ({"edges": 0.4}, Prompt(((30.0, 30.0), (20.0, 20.0)), (1, 1))),
    ],
)
def test_other_models_and_clear_prompts_keep_the_models_order(model, picture, card, prompt):
    assert first(model(**card), picture, prompt).score == pytest.approx(0.62)


def test_an_encoding_from_disk_answers_the_same(model, picture, tmp_path):
    prompter, disk = model(edges=0.4), DiskStore(tmp_path / "kept")
    encoding = prompter.encode(picture, np.ones(picture.shape[:2], bool))
    disk.write("key", encoding)
    stored = prompter.predict(disk.read("key"), CLICK)
    fresh = prompter.predict(encoding, CLICK)
    assert [answer.score for answer in stored] == [answer.score for answer in fresh]


def test_the_padding_of_a_picture_that_is_not_square_is_no_edge(model):
    plain = np.full((32, 64, 3), 200, np.uint8)
    content = model(edges=0.4).encode(plain, np.ones(plain.shape[:2], bool)).content
    assert content[edges.CONTENT].shape == (32, 32) and content[edges.CONTENT].max() == 0


def test_a_card_with_a_word_for_a_weight_is_refused(model):
    with pytest.raises(ConcordError, match="cannot be read"):
        model(edges="much")


def test_a_tile_that_is_no_multiple_of_the_masks_does_without_edges(model, picture):
    prompter = model(edges=0.4)
    prompter.tile = 72  # as a card may say: 72 / 32 is no whole number
    assert edges.CONTENT not in prompter.encode(picture, np.ones((64, 64), bool)).content
