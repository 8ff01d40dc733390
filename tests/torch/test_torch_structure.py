"""Generated modules beside their sources: hierarchy, repeated blocks, ties, state dicts, names, signatures."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path

import onnx
import pytest
import torch
import torch_structure_nets as nets
from generated import Generated
from onnx import helper
from torch import nn

import interlingua

pytestmark = pytest.mark.slow

TOKENS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 19]])


def test_blocks_that_differ_by_numbers_and_an_optional_layer_are_one_class(tmp_path: Path) -> None:
    made = Generated(nets.Residual(), (torch.randn(2, 3, 9, 8),), tmp_path / "out").proved()
    assert made.classes == ["Bottleneck", "Model"]
    text = "\n".join(made.lines("Bottleneck"))
    assert "def __init__(self, in_channels, channels, downsample=False, stride=1):" in text
    assert "x if self.downsample is None else self.downsample(x)" in text
    whole = "\n".join(made.lines("Model"))
    assert "*(Bottleneck(8, 4) for _ in range(3))" in whole
    assert "Bottleneck(8, 6, downsample=True, stride=2)" in whole
    assert 'OrderedDict([("fc", nn.Linear(12, 7)), ("act", nn.ReLU()), ("out", nn.Linear(7, 5))])' in whole


def test_a_layer_is_given_only_where_that_is_shorter_than_a_class_of_its_own(tmp_path: Path) -> None:
    made = Generated(nets.Mobile(), (torch.randn(2, 4, 32, 32),), tmp_path / "out").proved()
    assert made.classes == ["Gate", "Inverted", "Inverted_2", "Wrapped", "Model"]
    assert "def __init__(self, in_channels, out_channels, stride):" in "\n".join(made.lines("Inverted_2"))
    assert "nn.ReLU6()," in made.text and "Inverted_2(5, 7, 2)" in made.text and "Inverted_2(7, 4, 1)" in made.text
    assert "Wrapped(nn.Conv2d(6, 6, 3))" in made.text and "Wrapped(Gate())" in made.text


def test_a_tied_output_layer_is_tied_under_the_names_of_the_source(tmp_path: Path) -> None:
    made = Generated(nets.Language(), (TOKENS,), tmp_path / "out").proved()
    assert "self.lm_head.weight = self.transformer.wte.weight" in made.text
    assert "self.positions[:, :4]" in made.text
    assert 'self.register_buffer("positions", torch.empty(1, 9, dtype=torch.int64))' in made.text


def test_a_list_of_one_head_has_it_as_often_as_the_sources(tmp_path: Path) -> None:
    made = Generated(nets.Heads(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert made.model.heads[0] is made.model.heads[2]  # type: ignore[index]


def test_a_layer_of_the_parent_that_a_child_calls_stands_where_it_is_called(tmp_path: Path) -> None:
    made = Generated(nets.Shared(), (TOKENS,), tmp_path / "out").proved()
    assert made.model.shared is made.model.encoder.embed_tokens  # type: ignore[union-attr]
    assert made.classes.count("Gate") == 1 and not any(name.startswith("Gate_") for name in made.classes)
    assert made.text.count("self.block = Gate()") == 1


def test_tensors_of_a_file_beside_layers_of_a_list_are_given_to_them_afterwards(tmp_path: Path) -> None:
    names = [f"blocks.{i}.{part}" for i in range(2) for part in ("attention.out.weight", "attention.scale")]
    weights = [helper.make_tensor(name, 1, [4, 4], [0.1 + i] * 16) for i, name in enumerate(names)]
    nodes = [
        helper.make_node("Gemm", ["x", names[0]], ["x1"], transB=1),
        helper.make_node("Mul", ["x1", names[3]], ["x2"]),
        helper.make_node("Gemm", ["x2", names[2]], ["x3"], transB=1),
        helper.make_node("Mul", ["x3", names[1]], ["x4"]),
    ]
    ports = [helper.make_tensor_value_info(name, 1, [4, 4]) for name in ("x", "x4")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], weights)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "model.onnx"
    )
    interlingua.convert(tmp_path / "model.onnx", "torch", tmp_path / "out")
    model = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    assert all(name in model.state_dict() for name in names)


def test_layers_without_a_name_in_the_source_keep_alike_modules_alike(tmp_path: Path) -> None:
    made = Generated(nets.Fed(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert made.classes.count("Feed") == 1 and not any(name.startswith("Feed_") for name in made.classes)
    text = "\n".join(made.lines("Feed"))
    assert "self.layer = nn.Dropout(0.2)" in text and "self.layer_2 = nn.Dropout(0.1)" in text


def test_a_matrix_that_the_source_keeps_turned_stays_turned(tmp_path: Path) -> None:
    made = Generated(nets.Turned(), (torch.randn(3, 6),), tmp_path / "out").proved()
    assert "torch.addmm(self.bias, x, self.weight)" in made.text
    assert "F.linear(" in made.text and "self.packed" in made.text


def test_constants_are_exact_in_their_types(tmp_path: Path) -> None:
    mask = torch.tensor([[True, False, False], [False, True, False]])
    made = Generated(nets.Masked(), (torch.randn(2, 3), mask), tmp_path / "out").proved()
    assert "torch.finfo(torch.float32).min" in made.text
    assert "0.3333333333333333" in made.text and "* 0.01" in made.text


def test_lists_of_layers_are_gone_through_only_where_a_loop_takes_all(tmp_path: Path) -> None:
    made = Generated(nets.Lists(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert "for layer in self.layers:" in made.text
    assert "nn.ModuleList([Gate() for _ in range(4)])" in made.text
    assert "for stage in self.stages:" in made.text and "nn.Sequential(nn.Linear(6, 5), nn.Tanh())" in made.text


def test_layers_that_are_given_all_that_was_before_are_a_loop(tmp_path: Path) -> None:
    """One class for any number of tensors, one for blocks of any length; the first layer, given one tensor, too."""
    made = Generated(nets.Grown(), (torch.randn(2, 4),), tmp_path / "out").proved()
    assert made.classes == ["DenseLayer", "DenseBlock", "NamedBlock", "Model"]
    layer, block, named = ("\n".join(made.lines(name)) for name in ("DenseLayer", "DenseBlock", "NamedBlock"))
    assert "def forward(self, *features):" in layer and "torch.cat(features, dim=1)" in layer
    assert "nn.ModuleList([DenseLayer(features + 3 * i, 3) for i in range(num_layers)])" in block
    assert "for layer in self.layers:\n            features.append(layer(*features))" in block
    assert "for i in range(num_layers):" in named and 'self.add_module(f"part{i + 1}", DenseLayer(features' in named
    assert "for layer in self.children():\n            features.append(layer(*features))" in named
    assert "self.block1 = DenseBlock(4, 4)" in made.text and "self.block4 = NamedBlock(4, 37)" in made.text
    x = torch.randn(3, 4)
    for module in (made.source, made.model):
        module(x).square().sum().backward()
    wanted = {name: parameter.grad for name, parameter in made.source.named_parameters()}
    found = {name: parameter.grad for name, parameter in made.model.named_parameters()}
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["order", "last", "kinds"])
def test_what_is_nearly_a_growing_list_is_no_loop(tmp_path: Path, how: str) -> None:
    """Another order of the tensors, one that stands twice in the whole, a layer of another class."""
    made = Generated(nets.Ungrown(how), (torch.randn(2, 4),), tmp_path / "out").proved()
    assert "*features" in made.text and ".append(" not in made.text


def test_a_tensor_that_is_read_beside_the_list_is_an_argument_of_its_own(tmp_path: Path) -> None:
    made = Generated(nets.Twice(), (torch.randn(2, 4),), tmp_path / "out").proved()
    assert "*features" not in made.text and ".append(" not in made.text


def test_rows_of_layers_whose_numbers_go_on_evenly_are_said_once(tmp_path: Path) -> None:
    made = Generated(nets.Widening(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert "nn.Sequential(*(nn.Linear(6 + 2 * i, 8 + 2 * i) for i in range(4)))" in made.text
    assert 'OrderedDict([(f"fc{i + 1}", nn.Linear(i + 14, i + 15)) for i in range(3)])' in made.text
    assert "nn.Sequential(nn.Linear(17, 18), nn.Linear(18, 20), nn.Linear(20, 23))" in made.text


def test_lists_of_unlike_length_make_one_class(tmp_path: Path) -> None:
    made = Generated(nets.Deep(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert made.classes == ["Gate", "Stage", "Model"]
    assert "nn.ModuleList([Gate() for _ in range(num_blocks)])" in made.text
    assert "self.first = Stage(4)" in made.text and "self.second = Stage(3)" in made.text


def test_arguments_are_called_by_what_they_do(tmp_path: Path) -> None:
    """The heads that attention splits by, though a table has as many columns; the height and width of an image."""
    made = Generated(nets.Attending(), (torch.randn(2, 48, 12),), tmp_path / "out").proved()
    text = "\n".join(made.lines("HeadsLayer"))
    assert "def __init__(self, channels, num_heads, size, height, width):" in text
    assert "nn.Parameter(torch.empty(9, num_heads))" in text and "unflatten(-1, (self.num_heads, -1))" in text
    assert "reshape(2, self.channels, self.height, self.width)" in text
    assert "query, key, value = x.chunk(3, dim=2)" in text


def test_parts_are_taken_at_once_where_all_are_read(tmp_path: Path) -> None:
    made = Generated(nets.Parted(), (torch.randn(2, 5, 6),), tmp_path / "out").proved()
    assert "x, two = self.two(x).reshape(2, 5, 2, 4).permute(2, 0, 1, 3).unbind()" in made.text
    assert made.text.count(".unbind()") == 1 and "y = x[0]" in made.text and "x[2]" in made.text


def test_a_size_is_read_inside_a_module_that_has_a_tensor_of_that_axis(tmp_path: Path) -> None:
    tokens = torch.randint(0, 20, (2, 4))
    made = Generated(nets.Sized(), (tokens,), tmp_path / "out", dynamic={"tokens": {0: "batch"}}).proved()
    for name in ("Started", "Joined"):
        text = "\n".join(made.lines(name))
        assert "def forward(self, x):\n        size = x.shape[0]" in text and ".expand(size, -1, -1)" in text
    whole = "\n".join(made.lines("Model"))
    assert ".shape" not in whole and "self.first(x)" in whole
    more = torch.randint(0, 20, (5, 4))
    with torch.no_grad():
        torch.testing.assert_close(made.model(more), made.source(more))


def test_modules_inside_loops_and_decisions_keep_their_names(tmp_path: Path) -> None:
    """The state dict is the source's, loop and decision stay, and modules are called by their names in them."""
    made = Generated(torch.jit.script(nets.Controlled()), (torch.ones(2, 6),), tmp_path / "out").proved()
    lines = [line.strip() for line in made.text.splitlines()]
    start = next(number for number, line in enumerate(lines) if line.startswith("while "))
    assert sum(line.startswith("if ") for line in lines[start:]) == 2 and "else:" in lines
    assert made.text.count("self.gate.left(x)") == 2 and "class First" in made.text and "self.first(x)" in made.text
    with torch.no_grad():
        for x in (torch.full((2, 6), -4.0), torch.full((3, 6), 4.0), torch.zeros(1, 6)):
            torch.testing.assert_close(made.model(x), made.source(x))


def test_nested_arguments_and_results_are_the_sources(tmp_path: Path) -> None:
    x = torch.randn(2, 4)
    example = (x, {"u": x * 2, "v": [x + 1, x - 1]}, None)
    made = Generated(nets.Nested(), example, tmp_path / "out").proved()
    assert list(inspect.signature(made.model.forward).parameters) == ["input", "pair", "state"]
    assert inspect.signature(made.model.forward).parameters["state"].default is None
    with pytest.raises(ValueError, match="without state"):
        made.model(x, example[1], x)


def test_a_call_with_the_sources_nesting_is_proved_by_itself(tmp_path: Path) -> None:
    x = torch.randn(2, 4)
    example = (x, {"u": x * 2, "v": [x + 1, x - 1]}, None)
    report = interlingua.convert(nets.Nested().eval(), "torch", tmp_path / "out", example_inputs=example)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert {proof.verdict for proof in interlingua.verify(tmp_path / "out")} == {"proved"}


def test_layers_whose_names_are_no_identifiers_keep_them(tmp_path: Path) -> None:
    made = Generated(nets.Keyed(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert '("block-0", Gate())' in made.text and made.classes == ["Gate", "Model"]


@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_a_file_of_the_exporter_is_written_as_modules(tmp_path: Path, optimize: bool, told: bool) -> None:
    """Normalizations are folded into convolutions with `optimize`; names of weights tell where nodes do not."""
    module, example = nets.Residual().eval(), torch.randn(2, 3, 9, 8)
    path = tmp_path / "net.onnx"
    program = torch.onnx.export(module, (example,), dynamo=True, optimize=optimize, verbose=False)
    assert program is not None
    if not told:
        for node in program.model.graph:
            node.metadata_props.clear()
    program.save(path)
    interlingua.convert(path, "torch", tmp_path / "out")
    text = (tmp_path / "out" / "model.py").read_text("utf-8")
    assert "self.layer1 = nn.Sequential(" in text and "*(" in text and " for _ in range(3))" in text
    names = set(runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]().state_dict())
    wanted = {name for name in module.state_dict() if name.endswith("weight") and "bn" not in name}
    assert wanted <= names


def test_a_list_of_layers_alone_is_one(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Sequential(nn.Linear(96, 5), nn.Tanh()))
    made = Generated(module, (torch.randn(2, 3, 8, 6),), tmp_path / "out").proved()
    assert "class Model(nn.Sequential):" in made.text


def test_repeats_are_found_in_a_file_that_tells_nothing_of_modules(tmp_path: Path) -> None:
    """No node has a name, no weight the source's: blocks are found in the graph, and written as one class."""
    module, example = nets.Lists().eval(), torch.randn(2, 6)
    program = torch.onnx.export(module, (example,), dynamo=True, optimize=False, verbose=False)
    assert program is not None
    graph = program.model.graph
    for number, value in enumerate(list(graph.initializers.values())):
        value.name = f"W{number}"
    for number, node in enumerate(graph):
        node.name = None
        node.metadata_props.clear()
        for output in node.outputs:
            output.name = output.name if output.is_graph_output() else f"t{number}"
    program.model.metadata_props.clear()
    program.save(tmp_path / "net.onnx")
    report = interlingua.convert(tmp_path / "net.onnx", "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    text = (tmp_path / "out" / "model.py").read_text("utf-8")
    assert text.count("class Block(nn.Module):") == 1 and "for block in self.blocks:" in text
    assert "nn.ModuleList([Block() for _ in range(4)])" in text


def test_generated_code_is_the_same_every_time(tmp_path: Path) -> None:
    first = Generated(nets.Residual(), (torch.randn(2, 3, 9, 8),), tmp_path / "one").text
    assert Generated(nets.Residual(), (torch.randn(2, 3, 9, 8),), tmp_path / "two").text == first
