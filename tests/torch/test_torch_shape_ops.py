"""Shapes, indexing, images and sequences as PyTorch says them: ONNX text in; the lines of code, then the numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx.parser
import onnx.reference
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.errors import UnsupportedModel
from interlingua.notes import Notes
from interlingua.proof import execute

HEADER = '<ir_version: 10, opset_import: ["": {opset}]> test '
X = "float[N, 4, 8, 10] x"
BATCH = 3


@dataclasses.dataclass(frozen=True)
class Case:
    """What stands before and behind the arrow, the nodes, and the lines of `forward` that they become."""

    inputs: str
    nodes: str
    said: tuple[str, ...]
    output: str = "float y"
    opset: int = 20
    exported: bool = True

    def __str__(self) -> str:
        return self.nodes[:60]


def case(inputs: str, nodes: str, *said: str, output: str = "float y", opset: int = 20, exported: bool = True) -> Case:
    return Case(inputs, nodes, said, output, opset, exported)


def ints(name: str, *numbers: int) -> str:
    """A constant vector as ONNX text."""
    return f"{name} = Constant<value_ints=[{', '.join(map(str, numbers))}]>() "


def floats(name: str, *numbers: float) -> str:
    return f"{name} = Constant<value_floats=[{', '.join(map(str, numbers))}]>() "


CASES = [
    # shapes
    case(X, ints("s", 0, 4, -1) + "y = Reshape(x, s)", "return x.flatten(2)"),
    case(X, ints("s", 0, 8, -1) + "y = Reshape(x, s)", "return x.reshape(-1, 8, 40)"),
    case(X, ints("s", 0, -1, 5, 2) + "y = Reshape(x, s)", "return x.reshape(-1, 32, 5, 2)"),
    case(
        "float[N, 4, 8] x, float[M, 2] z",
        "n = Shape<start=0, end=1>(z) " + ints("m", -1) + "s = Concat<axis=0>(n, m) y = Reshape(x, s)",
        "M = z.shape[0]",
        "return x.reshape(M, -1)",
    ),
    case("float[2, 6] x, int64[2] s", "y = Reshape(x, s)", "return reshape(x, s.tolist())", exported=False),
    case(X, "y = Flatten(x)", "return x.flatten(1)"),
    case(X, "y = Flatten<axis=2>(x)", "return x.flatten(0, 1).flatten(1)"),
    case(X, "y = Flatten<axis=-4>(x)", "return x.flatten().unsqueeze(0)"),
    case(X, "y = Transpose<perm=[0, 1, 3, 2]>(x)", "return x.transpose(2, 3)"),
    case(X, "y = Transpose<perm=[0, 2, 3, 1]>(x)", "return x.permute(0, 2, 3, 1)"),
    case("float[N, 4] x", "y = Transpose(x)", "return x.T"),
    case("float[N, 1, 5] x", ints("a", 1) + "y = Squeeze(x, a)", "return x.squeeze(1)"),
    case(X, ints("a", 0, -1) + "y = Unsqueeze(x, a)", "return x.unsqueeze(0).unsqueeze(5)"),
    case("float[N, 1, 5] x", ints("s", 1, 3, 1) + "y = Expand(x, s)", "return x.expand(-1, 3, -1)"),
    case("float[N, 4] x", ints("s", 2, 1, 1) + "y = Expand(x, s)", "return x.expand(2, -1, -1)"),
    case("float[N, 4] x", ints("r", 1, 2) + "y = Tile(x, r)", "return x.repeat(1, 2)"),
    case("float[N, 6] x", "y, z = Split<axis=1, num_outputs=2>(x)", output="float y, float z"),
    case("float[N, 6] x", ints("s", 2, 4) + "y, z = Split<axis=1>(x, s)", output="float y, float z"),
    case(
        X,
        ints("p", 1, 1) + ints("a", -1) + floats("v", 0.5) + "y = Pad(x, p, v, a)",
        "return F.pad(x, (1, 1), value=0.5)",
    ),
    case(X, ints("p", 0, 0, -1, 2, 0, 0, 0, -2) + "y = Pad(x, p)", "return F.pad(x, (2, -2, -1, 0))"),
    case(
        X,
        ints("p", 1, 0, 0, 0, 0, 2, 0, 0) + 'y = Pad<mode="edge">(x, p)',
        'return pad_axes(x, [(1, 0), (0, 2), (0, 0), (0, 0)], "edge")',
    ),
    case("float[4, 3] x, int64[4] p", "y = Pad(x, p)", exported=False),
    case(X, 'y = DepthToSpace<blocksize=2, mode="CRD">(x)', "return F.pixel_shuffle(x, 2)"),
    case(
        X,
        "y = DepthToSpace<blocksize=2>(x)",
        "return F.pixel_shuffle(x.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2), 2)",
    ),
    case("float[N, 1, 8, 10] x", "y = SpaceToDepth<blocksize=2>(x)", "return F.pixel_unshuffle(x, 2)"),
    case(X, ints("s", 6, 13) + "y = CenterCropPad<axes=[2, 3]>(x, s)", "return F.pad(x, (1, 2, -1, -1))"),
    case(
        "float[N, 18, 12] x",
        ints("i", 4, 5) + ints("b", 3, 3) + "y = Col2Im<pads=[1, 1, 1, 1], strides=[1, 2]>(x, i, b)",
        "return F.fold(x, (4, 5), 3, padding=1, stride=(1, 2))",
    ),
    # indexing
    case(X, ints("s", 1) + ints("e", 2**31 - 1) + ints("a", 1) + "y = Slice(x, s, e, a)", "return x[:, 1:]"),
    case(
        X,
        ints("s", 0, -3) + ints("e", 2**62, -1) + ints("a", 3, 1) + ints("t", 2, 1) + "y = Slice(x, s, e, a, t)",
        "return x[:, -3:-1, :, ::2]",
    ),
    case(
        X,
        ints("s", 0) + ints("e", 2**62) + ints("a", -1) + ints("t", 2) + "y = Slice(x, s, e, a, t)",
        "return x[..., ::2]",
    ),
    case(
        X,
        ints("s", 6) + ints("e", -(2**62)) + ints("a", 2) + ints("t", -2) + "y = Slice(x, s, e, a, t)",
        "return x.flip(2)[..., -7::2, :]",
    ),
    case("float[N, 4] x", "i = Constant<value_int=-1>() y = Gather<axis=1>(x, i)", "return x[:, -1]"),
    case("float[N, 4] x", ints("i", 1, 2) + "y = Gather<axis=1>(x, i)", "return x[:, 1:3]"),
    case("float[N, 4] x", ints("i", 3, 0, 1) + "y = Gather<axis=1>(x, i)", "return x[:, [3, 0, 1]]"),
    case("float[5, 4] x, int64[N, 2] i", "y = Gather(x, i)", "return x[i]"),
    case("float[5, 4] x, int64[5, 2] i", "y = GatherElements<axis=1>(x, j) j = Neg(i)", exported=False),
    case("float[5, 5] x, int64[N, 2] i", "y = GatherND(x, i)", "return x[i.unbind(-1)]"),
    case(
        "float[5, 6] x, int64[3, 2] i, float[3, 2] u",
        "y = ScatterElements<axis=1>(x, i, u)",
        "return x.scatter(1, i % 6, u)",
    ),
    case(
        "float[5, 6] x, int64[3, 2] i, float[3, 2] u",
        'y = ScatterElements<reduction="max">(x, i, u)',
        'return x.scatter_reduce(0, i % 5, u, "amax")',
    ),
    case(
        "float[6, 6] x, int64[3, 1] i, float[3, 6] u",
        'y = ScatterND<reduction="add">(x, i, u)',
        "return x.index_put(i.unbind(-1), u, accumulate=True)",
    ),
    case(
        "float[6, 6] x, int64[3, 1] i, float[3, 6] u",
        'y = ScatterND<reduction="mul">(x, i, u)',
        'return scatter_nd(x, i, u, "prod")',
    ),
    case("float[4, 5] x", "y = NonZero(x)", "return x.nonzero().T", output="int64 y"),
    case("float[4, 5] x, bool[4] c", "y = Compress<axis=0>(x, c)", "return x[c]", exported=False),
    case("int64[6] x", "y, f, i, c = Unique<sorted=0>(x)", output="int64 y, int64 f, int64 i, int64 c", exported=False),
    # images
    case(
        X,
        floats("s", 1.0, 1.0, 2.0, 2.0) + "y = Resize(x, , s)",
        "return F.interpolate(x, scale_factor=2)",
    ),
    case(
        "float[3, 4, 8, 10] x",
        ints("s", 3, 4, 16, 15) + 'y = Resize<mode="linear">(x, , , s)',
        'return F.interpolate(x, size=(16, 15), mode="bilinear")',
    ),
    case(
        X,
        floats("s", 1.0, 1.0, 1.5, 1.5)
        + 'y = Resize<mode="cubic", coordinate_transformation_mode="align_corners">(x, , s)',
        'return F.interpolate(x, scale_factor=1.5, mode="bicubic", align_corners=True)',
    ),
    case(
        X,
        floats("s", 1.0, 1.0, 0.5, 0.5)
        + 'y = Resize<mode="linear", coordinate_transformation_mode="asymmetric">(x, , s)',
        'return resize(x, [2, 3], scales=[0.5, 0.5], mode="linear", places="asymmetric")',
    ),
    case(
        "float[N, 2, 5, 6] x, float[N, 3, 4, 2] g",
        "y = GridSample<align_corners=1>(x, g)",
        "return F.grid_sample(x, g, align_corners=True)",
    ),
    case(
        "float[N, 2, 3] x",
        "b = Shape<start=0, end=1>(x) " + ints("r", 2, 5, 6) + "s = Concat<axis=0>(b, r) y = AffineGrid(x, s)",
        "batch = x.shape[0]",
        "return F.affine_grid(x, (batch, 2, 5, 6), align_corners=False)",
    ),
    case(
        "float[1, 6, 4] x, float[1, 2, 6] s",
        ints("m", 3) + floats("o", 0.5) + "y = NonMaxSuppression(x, s, m, o)",
        "return non_max_suppression(x, s, 3, overlap=0.5)",
        output="int64 y",
    ),
    # sequences
    case(
        "float[2, 4] x, float[3, 4] z",
        "s = SequenceConstruct(x, z) y = ConcatFromSequence<axis=0>(s)",
        "x = [x, z]",
        "return torch.cat(x)",
    ),
    case(
        "float[N, 6] x",
        "p = Constant<value_int=2>() i = Constant<value_int=-1>() "
        "q = SplitToSequence<axis=1>(x, p) y = SequenceAt(q, i)",
    ),
]


def canonical(each: Case) -> ir.Model:
    text = HEADER.format(opset=each.opset) + f"({each.inputs}) => ({each.output}) {{ {each.nodes} }}"
    return passes.run(ir.from_proto(onnx.parser.parse_model(text)), notes=Notes())


def arrays_for(model: ir.Model) -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    made = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.dtype is not None
        shape = [size if isinstance(size, int) else BATCH for size in value.shape]
        if value.name == "s" and len(shape) == 1:
            made["s"] = np.array([0, -1])
        elif value.dtype.is_floating_point():
            made[value.name] = random.normal(0, 2, shape).astype(value.dtype.numpy())
        else:
            made[value.name] = (
                random.permutation(np.arange(np.prod(shape)) % 4).reshape(shape).astype(value.dtype.numpy())
            )
    return made


@pytest.mark.slow
@pytest.mark.parametrize("each", CASES, ids=str)
def test_what_is_said_and_computed(each: Case, tmp_path: Path) -> None:
    model = canonical(each)
    torch, options = plugin.framework("torch"), WriteOptions()
    package, _ = pipeline.write(model, torch, tmp_path, options)
    text = (tmp_path / "model.py").read_text("utf-8")
    body = text.partition("def forward")[2].partition("\n\n")[0]
    if each.said:
        assert tuple(line.strip() for line in body.splitlines()[1:]) == each.said
    forms = {"python": tmp_path}
    if each.exported:
        pipeline.materialise(package, torch, tmp_path, options)
        forms["torch-export"] = tmp_path / "model.pt2"
    arrays = arrays_for(model)
    reference = execute.run_ir(model, arrays)
    given = {port.identifier: arrays[port.name] for port in package.inputs}
    for form, path in forms.items():
        found = execute.run("torch", given, {"path": str(path), "format": form}, phase=f"run {form}")
        for left, right in zip(reference, found, strict=True):
            assert left.dtype == right.dtype
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


def test_regions_follow_the_reference_evaluator(tmp_path: Path) -> None:
    nodes = """y = RoiAlign<output_height=2, output_width=3, sampling_ratio=2,
        coordinate_transformation_mode="half_pixel">(x, r, b)"""
    model = canonical(case("float[2, 3, 9, 9] x, float[4, 4] r, int64[4] b", nodes))
    random = np.random.default_rng(3)
    boxes = np.array([[0, 0, 6, 8], [1.5, 2, 5, 7], [3, 3, 3.5, 4], [-2, 1, 12, 5]], np.float32)
    arrays = {"x": random.normal(0, 1, (2, 3, 9, 9)).astype(np.float32), "r": boxes, "b": np.array([0, 1, 1, 0])}
    pipeline.write(model, plugin.framework("torch"), tmp_path, WriteOptions())
    found = execute.run("torch", arrays, {"path": str(tmp_path), "format": "python"}, phase="run python")
    [expected] = onnx.reference.ReferenceEvaluator(ir.to_proto(model)).run(None, arrays)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-5)


def test_an_encoded_image_is_refused(tmp_path: Path) -> None:
    model = canonical(case("uint8[n] x", "y = ImageDecoder(x)", output="uint8 y"))
    with pytest.raises(UnsupportedModel, match="no decoder of images"):
        pipeline.write(model, plugin.framework("torch"), tmp_path, WriteOptions())


def test_cubic_samples_of_volumes_are_refused(tmp_path: Path) -> None:
    inputs = "float[1, 2, 3, 4, 5] x, float[1, 2, 2, 2, 3] g"
    model = canonical(case(inputs, 'y = GridSample<mode="cubic">(x, g)'))
    with pytest.raises(UnsupportedModel, match="cubic sampling of volumes"):
        pipeline.write(model, plugin.framework("torch"), tmp_path, WriteOptions())
