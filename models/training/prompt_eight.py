"""Both halves of concord-prompt with most convolutions in 8 bits: half the time, half the bytes.

What is small beside large stays as it was: the first and the last layers of the encoder, which the
likeness of cells is read from, and the decoder's last steps at half the picture's side.
"""

from __future__ import annotations

import eight_bits
import nets
import numpy as np
import prompt_batches
import prompt_net
import prompt_split
import prompt_user
import torch

ENCODER = ("/stages.0/stages.0.1", *(f"/stages.{n}/" for n in (1, 2, 3, 4)), "/smooth.")
DECODER = tuple(
    f"/decoder/{part}"
    for part in ("told/", "down1/", "down2/", "down3/", "join3/", "join2/", "join1/")
)
SEED, CROPS, TARGETS, SIDE = 71, 16, 4, 512
PERCENTILE = 99.999  # at 99.9 the expected IoU is off by 0.06, here by 0.003


def pair(encoder, decoder) -> tuple:
    """Both graphs (`onnx.ModelProto`) in 8 bits, calibrated on crops of the training scenes."""
    source, crops = prompt_batches.Source(prompt_split.training()), []
    for number in range(CROPS):
        rng = np.random.default_rng((SEED, number))
        crops.append((rng, *source.batch(rng, 1, TARGETS, SIDE)))
    pictures = [
        {"images": (planes.astype(np.float32) - prompt_net.MEAN) / prompt_net.STD}
        for _, planes, *_ in crops
    ]
    encoder = eight_bits.quantised(encoder, pictures, ENCODER, PERCENTILE)
    see, answer = (nets.opened(graph.SerializeToString()) for graph in (encoder, decoder))
    told = []
    for picture, (rng, _, masks, points, boxes, _) in zip(pictures, crops):
        embedding = see.run(None, picture)[0]
        told += _conversations(answer, embedding, prompt_user.Prompts(points, boxes, masks, rng))
    return encoder, eight_bits.quantised(decoder, told, DECODER, PERCENTILE)


def _conversations(answer, embedding, prompts) -> list:
    """What the decoder is given when each target has had its number of answers."""
    found = []
    for k, rounds in enumerate(prompts.rounds):
        for number in range(rounds):
            _, scores, low = answer.run(None, _given(embedding, prompts, k))
            answers = torch.from_numpy(low), torch.from_numpy(scores)
            prompts.answered(np.array([k]), *answers, number)
        found.append(_given(embedding, prompts, k))
    return found


def _given(embedding, prompts, k: int) -> dict:
    coords, labels, mask, has = (tensor.numpy().copy() for tensor in prompts.tensors([k]))
    return {
        "image_embeddings": embedding, "point_coords": coords, "point_labels": labels,
        "mask_input": mask, "has_mask_input": has,
        "orig_im_size": np.array([SIDE, SIDE], np.float32),
    }  # fmt: skip
