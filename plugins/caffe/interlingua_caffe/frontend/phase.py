"""Which layers a network has when it is tested: Caffe's include and exclude rules."""

from __future__ import annotations

from interlingua.errors import InvalidSource
from interlingua_caffe.proto import Message

TEST = 1


def _meets(rule: Message, level: int, stages: frozenset[str]) -> bool:
    return not (
        (rule.HasField("phase") and rule.phase != TEST)
        or (rule.HasField("min_level") and level < rule.min_level)
        or (rule.HasField("max_level") and level > rule.max_level)
        or not stages.issuperset(rule.stage)
        or stages.intersection(rule.not_stage)
    )


def _kept(layer: Message, level: int, stages: frozenset[str]) -> bool:
    if layer.include and layer.exclude:
        raise InvalidSource("Expected include rules or exclude rules. Received both.", place=f"layer {layer.name!r}")
    if layer.include:
        return any(_meets(rule, level, stages) for rule in layer.include)
    return not any(_meets(rule, level, stages) for rule in layer.exclude)


def tested(net: Message) -> list[Message]:
    """The layers of the test phase, at the level and stages the network's own `state` names."""
    level, stages = net.state.level, frozenset(net.state.stage)
    return [layer for layer in net.layer if _kept(layer, level, stages)]
