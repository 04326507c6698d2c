"""Damage to the nodes, values and header of a model, one small change each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import onnx
from onnx import TensorProto, helper

from tests.fuzz.constant_changes import NUMBERS, SIZES
from tests.fuzz.draw import any_of, value_name

NAMES = (
    *(
        "",
        " ",
        "a b",
        "*/ int main(void) { /*",
        '"',
        "\\",
        "%d%s%n",
        "../../evil",
        "/etc/passwd",
        "a\nb",
        "\x00",
    ),
    *(
        "größe",
        "日本",
        "\U0001f9e0",
        "\u202e",
        "x" * 3000,
        "input",
        "int",
        "{{ x }}",
        "<b>",
        "#define",
        "-o",
        "//",
    ),
    *("linear_0.weight", "y.rows", "x.1", "requant_shift_0", "linear_0"),  # as tmc names values of its own
)
INTEGERS = (0, 1, -1, 2, -2, 3, 7, 127, 255, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))
OPS = (
    *(
        "Add",
        "MatMul",
        "Gemm",
        "Conv",
        "Relu",
        "Softmax",
        "Reshape",
        "Transpose",
        "Concat",
        "Split",
        "Gather",
    ),
    *(
        "Slice",
        "Expand",
        "Tile",
        "Resize",
        "LayerNormalization",
        "Attention",
        "RotaryEmbedding",
        "Where",
        "If",
    ),
    *("QuantizeLinear", "DequantizeLinear", "RequantShift", "Clip", "Cast", "Constant", "ConstantOfShape"),
    *("Range", "Identity", "Nonsense", ""),
)
DOMAINS = ("", "ai.onnx", "com.microsoft", "PACTOps", "ai.onnx.contrib", "x.y", "ai.onnx.ml")
ATTRIBUTES = (
    *(
        "axis",
        "axes",
        "perm",
        "to",
        "alpha",
        "epsilon",
        "keepdims",
        "pads",
        "strides",
        "group",
        "value",
        "div",
    ),
    *("n_levels", "signed", "mode", "block_size", "saturate", "output_dtype", "num_heads", "q_num_heads"),
    *(
        "scale",
        "approximate",
        "kernel_shape",
        "dilations",
        "auto_pad",
        "transA",
        "split",
        "num_outputs",
        "body",
    ),
)


def _drop_input(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None and len(node.input):
        del node.input[random.randrange(len(node.input))]


def _empty_input(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None and len(node.input):
        node.input[random.randrange(len(node.input))] = ""


def _add_input(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        node.input.extend([value_name(random, model)] * random.choice([1, 1, 2, 30]))


def _reorder_inputs(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        names = list(node.input)
        random.shuffle(names)
        node.input[:] = names


def _other_input(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None and len(node.input):
        node.input[random.randrange(len(node.input))] = value_name(random, model)


def _drop_output(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None and len(node.output):
        del node.output[-1]


def _add_output(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        node.output.append(random.choice(["", "more", value_name(random, model)]))


def _same_output(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None and len(node.output):
        node.output[0] = value_name(random, model)


def _drop_node(random: Random, model: onnx.ModelProto) -> None:
    if len(model.graph.node):
        del model.graph.node[random.randrange(len(model.graph.node))]


def _repeat_node(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        model.graph.node.add().CopyFrom(node)


def _reorder_nodes(random: Random, model: onnx.ModelProto) -> None:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _other_op(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        node.op_type = random.choice(OPS)


def _other_domain(random: Random, model: onnx.ModelProto) -> None:
    node = any_of(random, model.graph.node)
    if node is not None:
        node.domain = random.choice(DOMAINS)


def _attribute(random: Random, model: onnx.ModelProto) -> None:
    """Give an attribute of a node another number, list or type, or add one."""
    node = any_of(random, model.graph.node)
    if node is None:
        return
    found = any_of(random, node.attribute)
    name = found.name if found is not None and random.random() < 0.7 else random.choice(ATTRIBUTES)
    kept = [each for each in node.attribute if each.name != name]
    value = random.choice(
        [
            lambda: random.choice(INTEGERS),
            lambda: random.choice(NUMBERS),
            lambda: [random.choice(INTEGERS) for _ in range(random.choice([1, 2, 3, 4, 9]))],
            lambda: [random.choice(NUMBERS) for _ in range(random.choice([1, 3]))],
            lambda: random.choice(["tanh", "linear", "", "\xff", "NOTSET"]),
            lambda: helper.make_tensor("t", TensorProto.FLOAT, [2], [1.0, random.choice(NUMBERS)]),
            lambda: model.graph,
        ]
    )()
    attribute = helper.make_attribute(name, value)
    if random.random() < 0.2:
        attribute.type = random.choice([0, 1, 2, 3, 4, 6, 7, 8])
    del node.attribute[:]
    node.attribute.extend([*kept, *random.choice([[attribute], [attribute], [attribute, attribute], []])])


def _shape(random: Random, model: onnx.ModelProto) -> None:
    """Give an input or output another size, rank or type."""
    value = any_of(random, [*model.graph.input, *model.graph.output, *model.graph.value_info])
    if value is None:
        return
    dims = value.type.tensor_type.shape.dim
    choice = random.random()
    if choice < 0.4 and len(dims):
        dims[random.randrange(len(dims))].dim_value = random.choice(SIZES)
    elif choice < 0.5 and len(dims):
        dims[random.randrange(len(dims))].dim_param = random.choice(["batch", ""])
    elif choice < 0.6:
        dims.add().dim_value = random.choice(SIZES)
    elif choice < 0.7 and len(dims):
        del dims[-1]
    elif choice < 0.85:
        value.type.tensor_type.elem_type = random.choice([0, 1, 2, 6, 7, 8, 9, 10, 11, 14, 16, 17, 22, 77])
    elif choice < 0.95:
        value.type.Clear()
    else:
        value.type.sequence_type.elem_type.tensor_type.elem_type = 1


def _name(random: Random, model: onnx.ModelProto) -> None:
    """Give a value or a node another name, everywhere or in one place."""
    graph, new = model.graph, random.choice(NAMES)
    if random.random() < 0.3:
        node = any_of(random, graph.node)
        if node is not None:
            node.name = new
        return
    old = value_name(random, model)
    everywhere = random.random() < 0.8
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    if everywhere:
        for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            if value.name == old:
                value.name = new


def _opset(random: Random, model: onnx.ModelProto) -> None:
    choice = random.random()
    if choice < 0.7 and len(model.opset_import):
        any_of(random, model.opset_import).version = random.choice(
            [0, -1, 1, 7, 10, 12, 13, 18, 24, 25, 99, 2**40]
        )
    elif choice < 0.8:
        del model.opset_import[:]
    elif choice < 0.9:
        model.opset_import.add(
            domain=random.choice(["", "com.microsoft", "x"]), version=random.choice([1, 13])
        )
    else:
        model.ir_version = random.choice([0, 1, 3, 9, 99, 2**40])


def _outputs(random: Random, model: onnx.ModelProto) -> None:
    graph = model.graph
    choice = random.random()
    if choice < 0.3 and len(graph.output):
        graph.output.add().CopyFrom(graph.output[0])
    elif choice < 0.5 and len(graph.output):
        graph.output[0].name = value_name(random, model)
    elif choice < 0.7:
        del graph.output[:]
    elif choice < 0.85 and len(graph.input):
        graph.input.add().CopyFrom(graph.input[0])
    else:
        del graph.input[:]


def _function(random: Random, model: onnx.ModelProto) -> None:
    """Add a function of the file, at times one that calls itself, and call it."""
    inner = random.choice(["Relu", "Own"])
    body = [helper.make_node(inner, ["a"], ["b"], domain="own" if inner == "Own" else "")]
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    model.functions.append(helper.make_function("own", "Own", ["a"], ["b"], body, imports))
    model.opset_import.add(domain="own", version=1)
    node = any_of(random, model.graph.node)
    if node is not None:
        node.op_type, node.domain = "Own", "own"
        del node.attribute[:]


CHANGES: tuple[Callable[[Random, onnx.ModelProto], None], ...] = (
    *(_drop_input, _empty_input, _add_input, _reorder_inputs, _other_input, _drop_output, _add_output),
    *(_same_output, _drop_node, _repeat_node, _reorder_nodes, _other_op, _other_domain, _opset, _outputs),
    *(_attribute, _attribute, _attribute, _shape, _shape, _name, _name, _function),
)
