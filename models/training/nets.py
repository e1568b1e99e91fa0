"""The small convolutional network of the raster models, and how it is trained and exported.

One shape serves all: a stem on the image's grid, residual blocks on coarser grids, and the way
back up with what the finer grids kept. No layer looks at the whole tile, so tiles agree with the
whole image once the halo covers the receptive field. Torch is a development dependency only.
"""

from __future__ import annotations

import copy
import io
import time
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

OPSET = 17


def block(width_in: int, width_out: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution 3x3, batch norm, ReLU."""
    conv = nn.Conv2d(width_in, width_out, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width_out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions beside the identity (He et al., 2016, arXiv 1512.03385)."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.first = block(width, width, 1, dilation)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(x + self.norm(self.second(self.first(x))))


class Net(nn.Module):
    """A small U-Net (Ronneberger et al., 2015, arXiv 1505.04597) with additions for joins.

    Args:
        planes: input planes after ``prepare``.
        classes: output planes, logits.
        widths: planes on each grid, the image's own first; each next grid is half as fine.
        blocks: for each coarser grid the dilations of its residual blocks.
    """

    def __init__(self, planes: int, classes: int, widths: tuple, blocks: tuple):
        super().__init__()
        self.stem = block(planes, widths[0])
        pairs = list(zip(widths[:-1], widths[1:]))
        self.down = nn.ModuleList(
            nn.Sequential(block(a, b, 2), *(Residual(b, d) for d in dilations))
            for (a, b), dilations in zip(pairs, blocks)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.join = nn.ModuleList(block(a, a) for a, _ in pairs)
        self.head = nn.Conv2d(widths[0], classes, 1)
        self.step = 2 ** len(pairs)

    def forward(self, x):
        kept = [self.stem(x)]
        for down in self.down:
            kept.append(down(kept[-1]))
        x = kept.pop()
        for up, join in zip(reversed(self.up), reversed(self.join)):
            fine = kept.pop()
            # An odd side is one pixel too long after halving and doubling.
            x = up(x)[..., : fine.shape[-2], : fine.shape[-1]]
            x = join(F.relu(x + fine))
        return self.head(x)


def threads(number: int = 1) -> None:
    """Fixed seeds and so many threads; the same machine gives the same weights."""
    torch.set_num_threads(number)
    torch.manual_seed(7)


def fit(
    net: nn.Module,
    batches,
    loss,
    steps: int,
    rate: float,
    decay: float = 1e-3,
    parts=None,
    half: bool = True,
) -> nn.Module:
    """Adam with one rise and fall of the rate; the average of the last weights is handed back.

    Args:
        batches: step -> tuple of tensors; ``loss(net, *tensors)`` is minimised.
        parts: [(parameters, rate)] where parts of the net learn at rates of their own.
        half: convolutions in bfloat16, which is twice as fast.
    """
    parts = parts or [(net.parameters(), rate)]
    groups, rates = [{"params": list(p)} for p, _ in parts], [r for _, r in parts]
    net.train().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(groups, rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps, pct_start=0.15)
    began, shown = time.monotonic(), 0.0
    for step in range(steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            cost = loss(net, *batches(step))
        optimiser.zero_grad(set_to_none=True)
        cost.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        _follow(average, net, min(0.99, step / (step + 10)))
        shown = float(cost.detach()) if step == 0 else 0.95 * shown + 0.05 * float(cost.detach())
        if step % 50 == 49 or step == steps - 1:
            spent = time.monotonic() - began
            print(f"  step {step + 1}/{steps}, loss {shown:.4f}, {spent:.0f} s", flush=True)
    return average.eval()


def _follow(average: nn.Module, net: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for mean, now in zip(average.state_dict().values(), net.state_dict().values()):
            if mean.dtype.is_floating_point:
                mean.mul_(keep).add_(now, alpha=1 - keep)
            else:
                mean.copy_(now)


@contextmanager
def renormalised(net: nn.Module):
    """While it lasts, what runs through ``net`` tells its batch normalisations what to take away.

    Each takes the mean and spread of what it is given, and puts back as much: the answers stay.
    Weights that had their normalisation folded in can be trained again so. ``net`` must be in
    evaluation and see one batch.
    """
    hooks = [
        part.register_forward_pre_hook(_restated)
        for part in net.modules()
        if isinstance(part, nn.BatchNorm2d)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _restated(norm: nn.BatchNorm2d, given: tuple) -> None:
    sums = given[0].float()
    mean, var = sums.mean((0, 2, 3)), sums.var((0, 2, 3))
    with torch.no_grad():
        slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        norm.bias.add_((mean - norm.running_mean) * slope)
        norm.weight.copy_(slope * torch.sqrt(var + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)


def turned(rng, *arrays) -> list:
    """The same random turn and mirror for arrays (..., rows, cols)."""
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    arrays = [np.rot90(a, turns, (-2, -1)) for a in arrays]
    return [a[..., ::-1] if mirror else a for a in arrays]


def halo(model: nn.Module, inputs: dict, size: int = 256) -> int:
    """How many pixels away a changed pixel may change the answer, measured on noise.

    Args:
        inputs: {name: planes} in the order of the model's arguments.
    """
    model, found = _open(model), 0
    for shift in range(model.net.step):  # coarse grids reach differently from each pixel
        at = size // 2 + shift
        images = [torch.rand(1, n, size, size, requires_grad=True) for n in inputs.values()]
        slopes = torch.autograd.grad(model(*images)[0, :, at, at].sum(), images)
        for slope in slopes:
            places = torch.nonzero(slope.abs().sum((0, 1)))
            found = max(found, int((places - at).abs().max()))
    return found


def _open(model: nn.Module) -> nn.Module:
    """A copy with small weights above 0: trained ones hide ways through the network where they are
    sure of noise, and what is no way today is one in another picture.
    """
    model, draw = copy.deepcopy(model).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.reset_running_stats()
                part.reset_parameters()
            elif isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
                part.weight.uniform_(0.5, 1.5, generator=draw).div_(part.weight[0].numel())
                if part.bias is not None:
                    part.bias.zero_()
    return model


def export(net: nn.Module, inputs: dict, output: str, constants: dict | None = None):
    """The ONNX graph of ``net``, any height and width.

    Args:
        inputs: {name: planes} in the order of the net's arguments.
        constants: {name: number} of the arguments behind them; see `with_defaults`.
    """
    import onnx

    net = net.eval().cpu().to(memory_format=torch.contiguous_format)
    constants = constants or {}
    example = tuple(torch.rand(1, planes, 64, 64) for planes in inputs.values())
    example += tuple(torch.tensor([number]) for number in constants.values())
    free = {0: "batch", 2: "height", 3: "width"}
    stream = io.BytesIO()
    torch.onnx.export(
        net,
        example,
        stream,
        input_names=[*inputs, *constants],
        output_names=[output],
        dynamic_axes={name: free for name in (*inputs, output)},
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load_model_from_string(stream.getvalue())
    onnx.checker.check_model(model, full_check=True)
    return model


def opened(content, threads: int = 1):
    """An onnxruntime session on the CPU; ``content`` is bytes or a path."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def with_defaults(model, constants: dict):
    """The graph whose inputs of one number, {name: number}, need not be given."""
    from onnx import numpy_helper

    for name, number in constants.items():
        value = numpy_helper.from_array(np.array([number], np.float32), name)
        model.graph.initializer.append(value)
    return model


class Graph:
    """An ONNX graph, as bytes or a path, that can stand where the trained torch module stood."""

    def __init__(self, content, threads: int = 1):
        self.session = opened(content, threads)
        self.inputs = [(i.name, i.shape[1]) for i in self.session.get_inputs()]

    def __call__(self, *planes):
        feed = {n: np.ascontiguousarray(p) for (n, _), p in zip(self.inputs, planes)}
        return torch.from_numpy(self.session.run(None, feed)[0])


def halved(model):
    """The graph with large weights as float16; onnxruntime widens them once, at opening."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < 256:
            continue
        name, values = weight.name, numpy_helper.to_array(weight)
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    return model


def weights(graph) -> dict:
    """{name: float32 array} of a graph's weights, whether they are stored in 32, 16 or 8 bits."""
    from onnx import numpy_helper

    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for name, values in tensors.items():
        kept = name.removesuffix("_half").removesuffix("_quantized")
        # onnxruntime names the scale of a bias in another way than that of a weight.
        scale = next((tensors[n] for n in (f"{name}_scale", f"{kept}_scale") if n in tensors), None)
        values = values.astype(np.float32)
        if name.endswith("_quantized"):
            values = values * scale.reshape(-1, *[1] * (values.ndim - 1))
        found[kept] = values
    return found


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())
