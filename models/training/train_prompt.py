"""Train concord-prompt: interactive segmentation on real regions and generated scenes.

    make train MODEL=prompt [ARGS="--steps 23000 --minutes 115 --start models/concord-prompt"]

Writes checkpoints to .build/prompt/ (and goes on from the last one; remove the folder to begin
anew), then the ONNX pair to models/concord-prompt/. It ends after so many steps or minutes,
whatever comes first, and runs the rate of learning down towards that end: a slow machine gets a
model that has seen less. One core does 220 small or 50 to 85 large crops' steps a minute, a GPU far
more. Seeds are fixed; where the minutes end it, the bytes depend on the machine.
``--start`` trains a pair on, with a ``--seed`` of its own, and writes the mean of what was before
and after. The weights that are shipped came about in three trainings: 23,000 steps whose recipe
grew on the way (the box's strips, larger zooms and more boxes before step 3700, collages and
patched roofs at 6000, ponds without bright ground at 10000, like neighbours at 15800; started
again from its checkpoint some seventeen times), then 4,400 from that pair on, with crops as large
as a tile, the waters, the regions that last through all dates and what a click may mean besides,
then 4,447 more with the seed 20261129 and the mean of before and after. A new training gives a
comparable model, not these bytes: in 115 minutes on two cores beside other work, 9,100 steps, it
reached held-out medians of 0.82 after three clicks on roofs, 0.94 on ponds and 0.92 on fields.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import prompt_batches
import prompt_net
import prompt_split
import prompt_user
import prompt_warm
import torch
import torch.nn.functional as F

OUT = prompt_split.ROOT / ".build" / "prompt"
SEED, RATE, AGAIN, WARM, DECAY = 20261120, 2e-3, 3e-4, 100, 0.998
SMALL, MIDDLE, LARGE = (4, 6, 160), (4, 6, 256), (1, 8, 512)  # crops, targets of each, pixels
GROWN, WHOLE = 0.6, 0.3  # share of the training with small crops; of later batches that are large
ALSO = 0.25  # weight of what a click may mean besides
_source, _seed = None, SEED  # of the loading process


def _load(seed: int) -> None:
    global _source, _seed
    _seed = seed
    _source = prompt_batches.Source(prompt_split.training())


def _batch(step: int, small: bool) -> tuple:
    """The batch of a step: small crops at first, then larger ones and some as large as a tile."""
    rng = np.random.default_rng((_seed, step))
    large = LARGE if rng.random() < WHOLE else MIDDLE
    return _source.batch(rng, *(SMALL if small else large))


def unlike(logits, goal):
    """Focal (normalised) and Jaccard loss of every mask, (t, masks)."""
    cross = F.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    share = torch.sigmoid(logits)
    with torch.no_grad():
        hard = (share - goal).abs() ** 2 + 1e-3
        hard = hard / hard.sum((2, 3), keepdim=True)
    focal = (cross * hard).sum((2, 3))
    both = (share * goal).sum((2, 3))
    jaccard = 1 - (both + 1) / ((share + goal).sum((2, 3)) - both + 1)
    return 0.5 * focal + jaccard


def losses(logits, scores, truth, clear, others) -> tuple:
    """Loss over masks, the best of three counting most, the IoU's error, and the IoU.

    ``clear`` targets were prompted with more than a click: there all three masks must be right.
    A click alone may mean ``others`` (t, n, h, w) too: one of the masks shall be each of them.
    """
    goal = truth[:, None].expand_as(logits)
    each = unlike(logits, goal)
    best, mean = each.min(1).values, each.mean(1)
    main = torch.where(clear, 0.4 * best + 0.6 * mean, 0.9 * best + 0.1 * mean).mean()
    row, which = torch.nonzero((others.amax((2, 3)) > 0) & ~clear[:, None], as_tuple=True)
    if len(row):
        meant = others[row, which][:, None].expand(-1, logits.shape[1], -1, -1)
        main = main + ALSO * unlike(logits[row], meant).min(1).values.sum() / len(clear)
    with torch.no_grad():
        hit, sure = goal > 0.5, logits > 0
        iou = (hit & sure).sum((2, 3)) / (hit | sure).sum((2, 3)).clamp(min=1)
    return main, F.mse_loss(scores, iou), iou


def step(encoder, decoder, batch, rng, device, fast: bool, frozen: bool) -> tuple:
    """Simulate what the user has done so far, then one answer to learn from.

    ``frozen`` keeps the means and spreads of batch normalisation as they are.
    """
    pictures, masks, points, boxes, others = batch
    prompts = prompt_user.Prompts(points, boxes, masks, rng, device)
    images = torch.from_numpy(pictures).to(device).float()
    images = ((images - prompt_net.MEAN) / prompt_net.STD).to(memory_format=torch.channels_last)
    crop = np.repeat(np.arange(len(pictures)), masks.shape[1])
    with torch.autocast(device, torch.bfloat16, enabled=fast):
        embedding = encoder(images)
        decoder.eval()
        with torch.no_grad():
            for number in range(len(prompt_user.ROUNDS) - 1):
                chosen = np.flatnonzero(prompts.rounds > number)
                if not chosen.size:
                    break
                seen = embedding.detach()[crop[chosen]]
                prompts.answered(chosen, *decoder(seen, *prompts.tensors(chosen)), number)
        decoder.train(not frozen)
        everything = np.arange(len(crop))
        told = prompts.tensors(everything)
        logits, scores = decoder(embedding[crop], *told)
    truth = torch.from_numpy(prompts.truth).to(device).float()
    truth = F.avg_pool2d(truth[:, None], 2)[:, 0]
    others = F.avg_pool2d(torch.from_numpy(others).to(device).float(), 2)
    clear = ((told[1] >= 0).sum(1) > 1) | (told[3] > 0)
    return losses(logits.float(), scores.float(), truth, clear, others)


@dataclass(frozen=True)
class Plan:
    """How long to train, and how: from nothing, or on from weights that were trained before.

    Args:
        steps, minutes: the training ends after either, with the rate of learning run down.
        grown: the share of it with small crops. ``frozen``: see `step`.
        seed: of the crops and prompts; a training that goes on needs one of its own.
    """

    steps: int
    minutes: float
    grown: float = GROWN
    peak: float = RATE
    frozen: bool = False
    seed: int = SEED

    def done(self, number: int, minutes: float) -> float:
        """The share that is over."""
        return min(1.0, max(number / self.steps, minutes / self.minutes))

    def rate(self, number: int, done: float) -> float:
        """Of learning: a ramp, then half a cosine down to a fiftieth."""
        ramp = min(1.0, (number + 1) / WARM)
        return self.peak * ramp * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def train(plan: Plan, device: str, fast: bool, start: str = "") -> None:
    """Train from the last checkpoint, else from ``start`` (folder of an ONNX pair), else anew."""
    torch.manual_seed(plan.seed)
    OUT.mkdir(parents=True, exist_ok=True)
    nets = torch.nn.ModuleDict({"encoder": prompt_net.Encoder(), "decoder": prompt_net.Decoder()})
    if start:
        prompt_warm.load(nets, prompt_warm.begun(start, OUT))
    nets.to(device, memory_format=torch.channels_last)
    slow = {key: value.detach().clone() for key, value in nets.state_dict().items()}
    optimiser = torch.optim.AdamW(nets.parameters(), RATE, weight_decay=0.02)
    kept, number, spent, notes = OUT / "last.pt", 0, 0.0, []
    if kept.exists():
        state = torch.load(kept, map_location=device, weights_only=True)
        nets.load_state_dict(state["nets"])
        optimiser.load_state_dict(state["optimiser"])
        slow, number, spent = state["slow"], state["step"], state["minutes"]
    began, done = time.time() - 60 * spent, plan.done(number, spent)
    with ProcessPoolExecutor(1, get_context("fork"), _load, (plan.seed,)) as pool:
        waiting = [pool.submit(_batch, number + k, done < plan.grown) for k in range(3)]
        nets.train(not plan.frozen)
        while done < 1:
            batch = waiting.pop(0).result()
            waiting.append(pool.submit(_batch, number + 3, done < plan.grown))
            for group in optimiser.param_groups:
                group["lr"] = plan.rate(number, done)
            rng = np.random.default_rng((plan.seed, number, 1))
            main, error, iou = step(*nets.values(), batch, rng, device, fast, plan.frozen)
            optimiser.zero_grad(set_to_none=True)
            (main + 2.0 * error).backward()
            torch.nn.utils.clip_grad_norm_(nets.parameters(), 2.0)
            optimiser.step()
            _follow(slow, nets, min(DECAY, (number + 1) / (number + 20)))
            notes.append((main.item(), error.item(), iou.max(1).values.mean().item()))
            number, spent = number + 1, (time.time() - began) / 60
            done = plan.done(number, spent)
            if number % 25 == 0:
                means = " ".join(f"{v:.4f}" for v in np.mean(notes[-50:], axis=0))
                print(f"{number} {spent:.1f} min {means}", flush=True)
            if number % 200 == 0 or done == 1:
                _keep(kept, nets, optimiser, slow, number, spent)


def _follow(slow: dict, nets, decay: float) -> None:
    """Move the averaged weights towards the present ones."""
    for key, value in nets.state_dict().items():
        if value.is_floating_point():
            slow[key].lerp_(value, 1 - decay)
        else:
            slow[key].copy_(value)


def _keep(target, nets, optimiser, slow, number: int, minutes: float) -> None:
    partial = target.with_suffix(".part")
    state = {"nets": nets.state_dict(), "optimiser": optimiser.state_dict(), "slow": slow}
    torch.save({**state, "step": number, "minutes": minutes}, partial)
    partial.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=23000)
    parser.add_argument("--minutes", type=float, default=115)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start", default="", help="folder of an ONNX pair to train on")
    parser.add_argument("--seed", type=int, default=SEED, help="of the crops and prompts")
    parser.add_argument("--no-export", action="store_true")
    values = parser.parse_args()
    torch.set_num_threads(values.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    fast = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    plan = Plan(values.steps, values.minutes, seed=values.seed)
    if values.start:  # large crops only, at a lower rate
        plan = replace(plan, grown=0.0, peak=AGAIN, frozen=True)
    train(plan, device, fast, values.start)
    if not values.no_export:
        import prompt_export

        start = [str(OUT / "start")] if values.start else []
        prompt_export.main([str(OUT / "last.pt"), str(prompt_export.TARGET), *start])


if __name__ == "__main__":
    main()
