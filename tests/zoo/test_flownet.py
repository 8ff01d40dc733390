"""The FlowNet family is the published one: every layer's parameters, the totals, and the correlation by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
import flownet

SD_TABLE = {
    "conv0": 3520,
    "conv1": 36928,
    "conv1_1": 73856,
    "conv2": 147584,
    "conv2_1": 147584,
    "conv3": 295168,
    "conv3_1": 590080,
    "conv4": 1180160,
    "conv4_1": 2359808,
    "conv5": 2359808,
    "conv5_1": 2359808,
    "conv6": 4719616,
    "conv6_1": 9438208,
    "predict_flow6": 18434,
    "upsampled_flow6_to_5": 66,
    "deconv5": 8389120,
    "inter_conv5": 4728320,
    "predict_flow5": 9218,
    "upsampled_flow5_to_4": 66,
    "deconv4": 4202752,
    "inter_conv4": 1774336,
    "predict_flow4": 4610,
    "upsampled_flow4_to_3": 66,
    "deconv3": 1577088,
    "inter_conv3": 444800,
    "predict_flow3": 2306,
    "upsampled_flow3_to_2": 66,
    "deconv2": 395328,
    "inter_conv2": 111808,
    "predict_flow2": 1154,
}
CONTRACTING = {
    "conv4": 1180160,
    "conv4_1": 2359808,
    "conv5": 2359808,
    "conv5_1": 2359808,
    "conv6": 4719616,
    "conv6_1": 9438208,
    "deconv5": 8389120,
    "deconv4": 4202752,
    "deconv3": 1577088,
    "deconv2": 395328,
    "predict_flow6": 18434,
    "predict_flow5": 18470,
    "predict_flow4": 13862,
    "predict_flow3": 6950,
    "predict_flow2": 3494,
}
"""From 1/16 on, and every deconvolution and prediction: the same in S and C."""
S_TABLE = {
    "conv1": 37696,
    "conv2": 204928,
    "conv3": 819456,
    "conv3_1": 590080,
    **CONTRACTING,
    **{f"upsampled_flow{level + 1}_to_{level}": 64 for level in (5, 4, 3, 2)},
}
C_TABLE = {
    "conv1": 9472,
    "conv2": 204928,
    "conv3": 819456,
    "conv_redir": 8224,
    "conv3_1": 1090048,
    **CONTRACTING,
    **{f"upsampled_flow{level + 1}_to_{level}": 66 for level in (5, 4, 3, 2)},
}
FUSION_TABLE = {
    "conv0": 6400,
    "conv1": 36928,
    "conv1_1": 73856,
    "conv2": 147584,
    "conv2_1": 147584,
    "predict_flow2": 2306,
    "upsampled_flow2_to_1": 66,
    "deconv1": 65568,
    "inter_conv1": 46688,
    "predict_flow1": 578,
    "upsampled_flow1_to_0": 66,
    "deconv0": 41488,
    "inter_conv0": 11824,
    "predict_flow0": 290,
}
TABLES = {
    flownet.FlowNetSD: SD_TABLE,
    flownet.FlowNetS: S_TABLE,
    flownet.FlowNetC: C_TABLE,
    flownet.FlowNetFusion: FUSION_TABLE,
}
TOTALS = {
    flownet.FlowNetSD: 45_371_666,
    flownet.FlowNetS: 38_695_322,
    flownet.FlowNetC: 39_175_298,
    flownet.FlowNetFusion: 581_226,
    flownet.FlowNet2: 162_518_834,
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("network", TABLES, ids=lambda kind: kind.__name__)
def test_table_of_layers(network: type[nn.Module]) -> None:
    with torch.device("meta"):
        layers = {name: count(part) for name, part in network().named_children()}
    assert layers == TABLES[network]
    assert sum(layers.values()) == TOTALS[network]


@pytest.mark.parametrize("network", TOTALS, ids=lambda kind: kind.__name__)
def test_totals(network: type[nn.Module]) -> None:
    with torch.device("meta"):
        assert count(network()) == TOTALS[network]


def test_simple_network_on_six_channels() -> None:
    with torch.device("meta"):
        assert count(flownet.FlowNetS(6)) == 38_676_506


@pytest.mark.parametrize(
    ("network", "given", "found"),
    [
        (flownet.FlowNetSD, (1, 6, 512, 512), (1, 2, 128, 128)),
        (flownet.FlowNetS, (1, 12, 512, 512), (1, 2, 128, 128)),
        (flownet.FlowNetC, (1, 6, 512, 512), (1, 2, 128, 128)),
        (flownet.FlowNetFusion, (1, 11, 512, 512), (1, 2, 512, 512)),
        (flownet.FlowNet2, (1, 3, 2, 128, 128), (1, 2, 128, 128)),
    ],
)
def test_flows_at_a_quarter_of_the_size_or_the_whole(
    network: type[nn.Module], given: tuple[int, ...], found: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        assert network()(torch.empty(given)).shape == found


def test_correlation_by_hand() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 3, 5, 6, generator=generator) for _ in range(2))
    found = flownet.correlation(first, second, reach=4, step=2)
    assert found.shape == (2, 25, 5, 6)
    for dy, dx, y, x in ((-4, 2, 4, 1), (0, 0, 2, 3), (2, -2, 1, 5), (4, 4, 3, 3)):
        inside = 0 <= y + dy < 5 and 0 <= x + dx < 6
        other = second[1, :, y + dy, x + dx] if inside else torch.zeros(3)
        channel = (dy // 2 + 2) * 5 + dx // 2 + 2
        assert torch.isclose(found[1, channel, y, x], (first[1, :, y, x] * other).mean())


def test_warp_by_hand() -> None:
    image = torch.arange(20.0).reshape(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    assert torch.equal(flownet.warp(image, flow), image)
    flow[:, 0], flow[:, 1] = 1.5, -1.0
    moved = flownet.warp(image, flow)
    assert moved[0, 0, 2, 1] == (image[0, 0, 1, 2] + image[0, 0, 1, 3]) / 2
    assert moved[0, 0, 0, 4] == image[0, 0, 0, 4]
