"""Says in other operators what PyTorch's exporter has no function for, or writes as something else."""

import torch

from .runtime_attention import FUSED, needs_axes, with_axes

ATEN = torch.ops.aten
OWN = torch._C.DispatchKey.CompositeImplicitAutograd
"""Where PyTorch keeps how it takes an operator apart itself."""


def _running_product(x, dim, *, dtype=None):
    x = x if dtype is None else x.to(dtype)
    return torch.onnx.ops.symbolic("interlingua::CumProd", (x,), {"axis": dim}, dtype=x.dtype, shape=x.shape, version=1)


def _median(x, dim, keepdim=False):
    values, indices = torch.sort(x, dim)
    place = (x.shape[dim] - 1) // 2
    values, indices = values.narrow(dim, place, 1), indices.narrow(dim, place, 1)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


def _median_of_all(x):
    return torch.sort(x.flatten(), 0)[0][(x.numel() - 1) // 2]


def _found(numbers, values, right, wide):
    """How many of the sorted numbers come before each value."""
    numbers, values = numbers.unsqueeze(-2), values.unsqueeze(-1)
    before = numbers <= values if right else numbers < values
    return before.sum(-1, dtype=torch.int32 if wide else torch.int64)


def _searched(sorted_sequence, values, *, out_int32=False, right=False, side=None, sorter=None):
    if sorter is not None:
        sorted_sequence = sorted_sequence.gather(-1, sorter)
    if sorted_sequence.ndim == 1:
        return _found(sorted_sequence, values.reshape(-1), right or side == "right", out_int32).reshape(values.shape)
    return _found(sorted_sequence, values, right or side == "right", out_int32)


def _bucketized(values, boundaries, *, out_int32=False, right=False):
    return _searched(boundaries, values, out_int32=out_int32, right=right)


def _scattered_mean(x, dim, index, src, reduce, *, include_self=True):
    if reduce != "mean":
        return NotImplemented
    ones = torch.ones_like(x)
    if not include_self:
        nothing = torch.zeros_like(src)
        x, ones = x.scatter(dim, index, nothing), ones.scatter(dim, index, nothing)
    total = x.scatter_add(dim, index, src)
    count = ones.scatter_add(dim, index, torch.ones_like(src)).clamp(min=1)
    return total / count if x.is_floating_point() else total // count


def _distances(x1, x2, p=2.0, compute_mode=None):
    """The norm of the difference of each row of one and each row of the other."""
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def _of_indices(x, index):
    """The part of a tensor that indices of fewer elements read."""
    for axis, size in enumerate(index.shape):
        x = x.narrow(axis, 0, size)
    return x


def _scattered_sum(x, dim, index, src):
    return NotImplemented if src.shape == index.shape else x.scatter_add(dim, index, _of_indices(src, index))


def _scattered(x, dim, index, src):
    return NotImplemented if src.shape == index.shape else x.scatter(dim, index, _of_indices(src, index))


def _smoothed_loss(x, target, weight=None, reduction=1, ignore_index=-100, label_smoothing=0.0):
    """Cross entropy with a share of the target's probability spread over all classes."""
    if not label_smoothing:
        return ATEN.cross_entropy_loss.default._op_dk(OWN, x, target, weight, reduction, ignore_index, 0.0)
    classes = x.shape[1]
    logs = torch.log_softmax(x, 1)
    shape = [1, classes] + [1] * (x.ndim - 2)
    weights = torch.ones(classes, dtype=x.dtype) if weight is None else weight
    if target.is_floating_point():
        spread = target * (1 - label_smoothing) + label_smoothing / classes
        loss = -(logs * spread * weights.reshape(shape)).sum(1)
        count = x.numel() // classes if x.ndim == 2 else x.shape[0]
        return loss.sum() / count if reduction == 1 else loss.sum() if reduction == 2 else loss
    kept = target != ignore_index
    index = torch.where(kept, target, 0)
    own = weights[index] * kept
    smooth = -(logs * weights.reshape(shape)).sum(1) * kept
    right = -logs.gather(1, index.unsqueeze(1)).squeeze(1) * own
    loss = (1 - label_smoothing) * right + label_smoothing / classes * smooth
    return loss.sum() / own.sum() if reduction == 1 else loss.sum() if reduction == 2 else loss


def _complex_einsum(equation, tensors, *, path=None):
    """A product of two complex factors by parts, real and imaginary."""
    if len(tensors) != 2 or not any(each.is_complex() for each in tensors):
        return ATEN.einsum.default._op_dk(OWN, equation, tensors, path=path)
    a, b = tensors
    (a_real, a_imag), (b_real, b_imag) = _parts(a), _parts(b)

    def product(first, second):
        return torch.einsum(equation, first, second)

    if a_imag is None:
        return torch.complex(product(a_real, b_real), product(a_real, b_imag))
    if b_imag is None:
        return torch.complex(product(a_real, b_real), product(a_imag, b_real))
    real = product(a_real, b_real) - product(a_imag, b_imag)
    return torch.complex(real, product(a_real, b_imag) + product(a_imag, b_real))


def _parts(x):
    return (x.real, x.imag) if x.is_complex() else (x, None)


def _copied(x, source, non_blocking=False):
    if not x.is_complex():
        return NotImplemented
    real, imag = _parts(source)
    imag = torch.zeros_like(real) if imag is None else imag
    return torch.complex(real.expand(x.shape), imag.expand(x.shape))


BAGS = ("Sum", "Mean", "Max")


def _bag(weight, indices, offsets, scaled, mode, sparse, per_sample_weights, include_last_offset, padding_idx):
    if per_sample_weights is not None or padding_idx is not None:
        given = (weight, indices, offsets, scaled, mode, sparse, per_sample_weights, include_last_offset, padding_idx)
        return ATEN.embedding_bag.padding_idx._op_dk(OWN, *given)
    starts = offsets[:-1] if include_last_offset else offsets
    found = torch.onnx.ops.symbolic(
        "interlingua::EmbeddingBag%s" % BAGS[mode],
        (weight, indices, starts),
        dtype=weight.dtype,
        shape=(starts.shape[0], weight.shape[1]),
        version=1,
    )
    nothing = offsets.new_zeros(0)
    return found, nothing, nothing, nothing


def _put_into_slice(x, source, dim=0, start=None, end=None, step=1):
    if not x.is_complex():
        return NotImplemented
    pairs = zip((x.real, x.imag), (source.real, source.imag), strict=True)
    return torch.complex(*(torch.slice_scatter(whole, part, dim, start, end, step) for whole, part in pairs))


def _zeros(size, *, dtype=None, **others):
    if dtype is None or not dtype.is_complex:
        return NotImplemented
    part = torch.zeros(size, dtype=dtype.to_real())
    return torch.complex(part, part)


def _taken_from(x, other, alpha=1):
    """`other - alpha * x` in the type of both: the exporter looks for no such call of whole numbers."""
    dtype = torch.result_type(x, other)
    return NotImplemented if dtype == x.dtype else ATEN.rsub.Scalar(x.to(dtype), other, alpha)


def _all_true(x):
    return x.all()


def _any_true(x):
    return x.any()


def _always(node):
    return True


def _is_promoted(node):
    value = node.args[0].meta["val"]
    return torch.result_type(value, node.args[1]) != value.dtype


def _is_complex(node):
    value = node.meta["val"]
    return isinstance(value, torch.Tensor) and value.is_complex()


def _means(node):
    return node.args[4] == "mean"


def _reads_fewer(node):
    _, _, index, source = (each.meta["val"] if isinstance(each, torch.fx.Node) else None for each in node.args)
    return index.shape != source.shape


def _smooths(node):
    return bool(node.kwargs.get("label_smoothing", node.args[5] if len(node.args) > 5 else 0.0))


def _multiplies_complex(node):
    tensors = [each.meta["val"] for each in node.args[1]]
    return len(tensors) == 2 and any(each.is_complex() for each in tensors)


SPELLINGS = {
    ATEN.cumprod.default: (_always, {ATEN.cumprod.default: _running_product}),
    ATEN.median.dim: (_always, {ATEN.median.dim: _median}),
    ATEN.median.default: (_always, {ATEN.median.default: _median_of_all}),
    ATEN.searchsorted.Tensor: (_always, {ATEN.searchsorted.Tensor: _searched}),
    ATEN.bucketize.Tensor: (_always, {ATEN.bucketize.Tensor: _bucketized}),
    ATEN.cdist.default: (_always, {ATEN.cdist.default: _distances}),
    ATEN.scatter_add.default: (_reads_fewer, {ATEN.scatter_add.default: _scattered_sum}),
    ATEN.scatter_add_.default: (_reads_fewer, {ATEN.scatter_add.default: _scattered_sum}),
    ATEN.scatter.src: (_reads_fewer, {ATEN.scatter.src: _scattered}),
    ATEN.scatter_.src: (_reads_fewer, {ATEN.scatter.src: _scattered}),
    ATEN.scatter_reduce.two: (_means, {ATEN.scatter_reduce.two: _scattered_mean}),
    ATEN.cross_entropy_loss.default: (_smooths, {ATEN.cross_entropy_loss.default: _smoothed_loss}),
    ATEN.einsum.default: (_multiplies_complex, {ATEN.einsum.default: _complex_einsum}),
    ATEN.embedding_bag.padding_idx: (_always, {ATEN.embedding_bag.padding_idx: _bag}),
    ATEN.rsub.Scalar: (_is_promoted, {ATEN.rsub.Scalar: _taken_from}),
    ATEN._is_all_true.default: (_always, {ATEN._is_all_true.default: _all_true}),
    ATEN._is_any_true.default: (_always, {ATEN._is_any_true.default: _any_true}),
    FUSED: (needs_axes, {FUSED: with_axes}),
    ATEN.zeros.default: (_is_complex, {ATEN.zeros.default: _zeros}),
    ATEN.copy_.default: (_is_complex, {ATEN.copy.default: _copied, ATEN.slice_scatter.default: _put_into_slice}),
}
"""For each operator: which of its calls the exporter lacks or mistakes, and what says the same, by operators.

A call in place is one out of place once the program has no changes of tensors, and puts its result where it was.
"""


def spellings(program):
    """What every call of the program that PyTorch's exporter lacks or mistakes is said as in other operators."""
    table = {}
    for node in program.graph.nodes:
        wanted, others = SPELLINGS.get(node.target, (None, None))
        if wanted is not None and wanted(node):
            table.update(others)
    return table
