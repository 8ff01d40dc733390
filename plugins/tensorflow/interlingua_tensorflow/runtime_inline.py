"""Puts the bodies of functions where they are called: tf2onnx wants one flat graph.

Runs in the worker.
"""

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.grappler import tf_optimizer

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def assemble(nodes, library, versions):
    """A GraphDef of nodes by name."""
    graph = graph_pb2.GraphDef()
    graph.node.extend(nodes.values())
    graph.library.CopyFrom(library)
    graph.versions.CopyFrom(versions)
    return graph


def _open_functions(graph):
    """Takes away what keeps TensorFlow from inlining: marks for XLA, `noinline`, secondary implementations."""
    renamed = {function.signature.name: function.signature.name + "_plain" for function in graph.library.function}

    def open_node(node):
        for key in ("_XlaMustCompile", "_noinline"):
            if key in node.attr:
                del node.attr[key]
        for attribute in node.attr.values():
            for function in [attribute.func] if attribute.HasField("func") else attribute.list.func:
                function.name = renamed.get(function.name, function.name)
        node.op = renamed.get(node.op, node.op)

    for function in graph.library.function:
        function.signature.name = renamed[function.signature.name]
        for key in ("_XlaMustCompile", "_noinline", "api_implements"):
            if key in function.attr:
                del function.attr[key]
        for node in function.node_def:
            open_node(node)
    for gradient in graph.library.gradient:
        gradient.function_name = renamed.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = renamed.get(gradient.gradient_func, gradient.gradient_func)
    for node in graph.node:
        open_node(node)


def inlined(nodes, library, versions, kept):
    """The graph with every function call replaced by the function's body."""
    functions = {function.signature.name for function in library.function}
    if not any(node.op in CALLS or node.op in functions for node in nodes.values()):
        return nodes, library
    graph = assemble(nodes, library, versions)
    _open_functions(graph)
    with tf.Graph().as_default():
        meta = tf.compat.v1.train.export_meta_graph(graph_def=graph)
    meta.collection_def["train_op"].node_list.value.extend(kept)
    config = config_pb2.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.min_graph_nodes = -1
    rewrite.optimizers.append("function")
    rewrite.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    inlined = tf_optimizer.OptimizeGraph(config, meta)
    return {node.name: node for node in inlined.node}, inlined.library
