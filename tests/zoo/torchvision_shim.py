"""Lets torchvision's CUDA wheel import beside PyTorch's CPU build; import it before torchvision, timm, transformers.

torchvision registers fake kernels for operators of its C++ extension at import. The wheel's extension wants CUDA's
libraries and is not loaded here, so that the operators have no schema and the import fails. Declaring the
schemas first is enough: no architecture of the zoo calls one of them.
"""

from __future__ import annotations

import torch

_IMAGE = "Tensor input, Tensor rois"
_ROI = "float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_SIZES = "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
_DEFORM = "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias"
_DEFORM_SIZES = (
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, "
    "SymInt groups, SymInt offset_groups, bool use_mask"
)
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    f"roi_align({_IMAGE}, {_ROI}, int sampling_ratio, bool aligned) -> Tensor",
    f"_roi_align_backward(Tensor grad, Tensor rois, {_ROI}, {_SIZES}, int sampling_ratio, bool aligned) -> Tensor",
    f"roi_pool({_IMAGE}, {_ROI}) -> (Tensor, Tensor)",
    f"_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {_ROI}, {_SIZES}) -> Tensor",
    f"ps_roi_align({_IMAGE}, {_ROI}, int sampling_ratio) -> (Tensor, Tensor)",
    "_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, "
    f"{_ROI}, int sampling_ratio, {_SIZES}) -> Tensor",
    f"ps_roi_pool({_IMAGE}, {_ROI}) -> (Tensor, Tensor)",
    f"_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, {_ROI}, {_SIZES}) -> Tensor",
    f"deform_conv2d({_DEFORM}, {_DEFORM_SIZES}) -> Tensor",
    f"_deform_conv2d_backward(Tensor grad, {_DEFORM}, {_DEFORM_SIZES}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
LIBRARY = torch.library.Library("torchvision", "DEF")
"""Kept: the declarations live as long as it does."""

for _schema in SCHEMAS:
    LIBRARY.define(_schema)
