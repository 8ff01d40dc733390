"""Images: resizing, sampling at places, regions of interest."""

from interlingua.records import Input, attribute, constant, record_of

RECORDS = (
    record_of(
        "Resize",
        "another size by interpolation",
        [Input("X", "N C *")],
        [
            constant("roi", None, "the region, all begins then all ends, in shares of the size; of one mode only"),
            constant("scales", None, "by how much each axis grows"),
            constant("sizes", None, "the new size of each axis"),
            attribute("antialias", 0, "whether the kernel widens where an axis shrinks"),
            attribute("axes", None, "the axes meant; all where unsaid"),
            attribute(
                "coordinate_transformation_mode",
                "half_pixel",
                "where a new place lies in the old: half_pixel, half_pixel_symmetric, pytorch_half_pixel, "
                "align_corners, asymmetric, tf_crop_and_resize",
            ),
            attribute("cubic_coeff_a", -0.75, "the coefficient of the cubic kernel"),
            attribute("exclude_outside", 0, "whether places outside have no weight"),
            attribute("extrapolation_value", 0.0, "what stands outside the region"),
            attribute("keep_aspect_ratio_policy", "stretch", "how sizes are taken: stretch, not_larger, not_smaller"),
            attribute("mode", "nearest", "nearest, linear or cubic"),
            attribute(
                "nearest_mode",
                "round_prefer_floor",
                "which is nearest: round_prefer_floor, round_prefer_ceil, floor, ceil",
            ),
        ],
        outputs=[Input("Y", "N C *")],
        order=("X", "roi", "scales", "sizes"),
        synonyms=["interpolate", "upsample"],
    ),
    record_of(
        "GridSample",
        "the data at the places that a grid names, from −1 to 1 along each axis",
        [Input("X", "N C *"), Input("grid")],
        [
            attribute("align_corners", 0, "whether −1 and 1 are the centres of the corner pixels, or their edges"),
            attribute("mode", "linear", "nearest, linear or cubic"),
            attribute("padding_mode", "zeros", "what is outside: zeros, border or reflection"),
        ],
        outputs=[Input("Y", "N C *")],
    ),
    record_of(
        "AffineGrid",
        "the grid of places of an affine map, for GridSample",
        [Input("theta")],
        [
            constant("size", meaning="the shape of the data to sample"),
            attribute("align_corners", 0, "whether −1 and 1 are the centres of the corner pixels, or their edges"),
        ],
        outputs=[Input("grid")],
    ),
    record_of(
        "RoiAlign",
        "regions of images, each as a small image, by bilinear sampling",
        [Input("X", "N C *"), Input("rois"), Input("batch_indices")],
        [
            attribute(
                "coordinate_transformation_mode", "half_pixel", "half_pixel, or output_half_pixel without a shift"
            ),
            attribute("mode", "avg", "whether samples are averaged (avg) or the largest is taken (max)"),
            attribute("output_height", 1),
            attribute("output_width", 1),
            attribute("sampling_ratio", 0, "samples along each side of a bin; as many as its size where 0"),
            attribute("spatial_scale", 1.0, "from the coordinates of the regions to pixels"),
        ],
    ),
    record_of(
        "MaxRoiPool",
        "regions of images, each as a small image, by the largest element of each bin",
        [Input("X", "N C *"), Input("rois")],
        [
            attribute("pooled_shape", meaning="height and width of the result"),
            attribute("spatial_scale", 1.0, "from the coordinates of the regions to pixels"),
        ],
    ),
    record_of(
        "NonMaxSuppression",
        "the boxes with the best scores that do not overlap much, as rows of batch, class and box",
        [Input("boxes"), Input("scores")],
        [
            constant("max_output_boxes_per_class", 0, "how many a class and image; none where unsaid"),
            constant("iou_threshold", 0.0, "overlap beyond which the worse box goes"),
            constant("score_threshold", None, "score that a box must exceed"),
            attribute("center_point_box", 0, "whether boxes are given by centre and size, or by two corners"),
        ],
        outputs=[Input("selected_indices")],
        synonyms=["nms"],
    ),
    record_of(
        "ImageDecoder",
        "the pixels of an encoded image",
        [Input("encoded_stream")],
        [attribute("pixel_format", "RGB", "RGB, BGR or Grayscale")],
        outputs=[Input("image")],
    ),
)
