"""Regions of interest and boxes."""

import torch


def roi_align(
    x: torch.Tensor,
    boxes: torch.Tensor,
    images: torch.Tensor,
    size: tuple[int, int],
    scale: float = 1.0,
    samples: int = 0,
    shift: float = 0.5,
    mode: str = "avg",
) -> torch.Tensor:
    """Each box (x1, y1, x2, y2) of an image of `x` as an image of `size`, by bilinear samples.

    A bin takes `samples` by `samples` of them, or as many as it has pixels; `shift` is 0.5 where pixels are areas, and
    0 where they are points and a box has at least the size of one.
    """
    boxes = boxes * scale - shift
    rows = roi_places(boxes[:, 1], boxes[:, 3], size[0], samples, shift == 0)
    columns = roi_places(boxes[:, 0], boxes[:, 2], size[1], samples, shift == 0)
    top, bottom, down, in_rows = roi_corners(rows, x.shape[2])
    left, right, along, in_columns = roi_corners(columns, x.shape[3])
    image = images.long()[:, None, None, None, None]

    def pixels(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        return x.movedim(1, -1)[image, row[:, :, :, None, None], column[:, None, None, :, :]]

    down, along = down[:, :, :, None, None, None], along[:, None, None, :, :, None]
    corners = (
        (1 - down) * (1 - along) * pixels(top, left),
        (1 - down) * along * pixels(top, right),
        down * (1 - along) * pixels(bottom, left),
        down * along * pixels(bottom, right),
    )
    counted = ~(rows.isnan()[:, :, :, None, None] | columns.isnan()[:, None, None, :, :])[..., None]
    inside = (in_rows[:, :, :, None, None] & in_columns[:, None, None, :, :])[..., None]
    if mode == "max":
        values = torch.where(inside, torch.stack(corners).amax(0), 0.0)
        pooled = torch.where(counted, values, -torch.inf).amax((2, 4))
    else:
        values = torch.where(inside & counted, sum(corners), 0.0)
        pooled = values.sum((2, 4)) / counted.sum((2, 4)).clamp(min=1)
    return pooled.movedim(-1, 1)


def roi_places(start: torch.Tensor, end: torch.Tensor, bins: int, samples: int, at_least_one: bool) -> torch.Tensor:
    """The samples of each bin of each region along an axis: (regions, bins, samples), NaN where one has fewer."""
    length = (end - start).clamp(min=1.0) if at_least_one else end - start
    width = length / bins
    count = torch.ceil(width).clamp(min=0) if samples <= 0 else torch.full_like(width, samples)
    most = samples if samples > 0 else int(torch.cat([count, count.new_ones(1)]).max())
    sample = torch.arange(most, device=start.device)
    share = (sample + 0.5) / count[:, None]
    bin_ = torch.arange(bins, device=start.device)[:, None]
    places = start[:, None, None] + (bin_ + share[:, None, :]) * width[:, None, None]
    return torch.where((sample < count[:, None])[:, None, :], places, torch.nan)


def roi_corners(places: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The pixels before and after each place, the share of the later one, and whether the place is in the image."""
    inside = (places >= -1) & (places <= size)
    places = places.nan_to_num(0.0).clamp(0, size - 1)
    before = places.floor()
    share = places - before
    return before.long(), (before.long() + 1).clamp(max=size - 1), share, inside


def max_roi_pool(x: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int], scale: float) -> torch.Tensor:
    """The largest pixel in each bin of each box (image, x1, y1, x2, y2), 0 where a bin has none."""
    corners = boxes[:, 1:] * scale
    corners = corners.sign() * torch.floor(corners.abs() + 0.5)
    rows = roi_bins(corners[:, 1], corners[:, 3], size[0], x.shape[2])
    columns = roi_bins(corners[:, 0], corners[:, 2], size[1], x.shape[3])
    images = x[boxes[:, 0].long()]
    lines = [images.masked_fill(~rows[:, None, i, :, None], -torch.inf).amax(2) for i in range(size[0])]
    image = torch.stack(lines, 2)
    cells = [image.masked_fill(~columns[:, None, None, i, :], -torch.inf).amax(3) for i in range(size[1])]
    pooled = torch.stack(cells, 3)
    return torch.where(pooled == -torch.inf, 0.0, pooled)


def roi_bins(start: torch.Tensor, end: torch.Tensor, bins: int, size: int) -> torch.Tensor:
    """Which pixels of an axis are in which bin of which region: (regions, bins, size)."""
    width = (end - start + 1).clamp(min=1) / bins
    number = torch.arange(bins, device=start.device)
    first = (torch.floor(number * width[:, None]) + start[:, None]).clamp(0, size)[..., None]
    last = (torch.ceil((number + 1) * width[:, None]) + start[:, None]).clamp(0, size)[..., None]
    pixel = torch.arange(size, device=start.device)
    return (pixel >= first) & (pixel < last)


def box_overlap(boxes: torch.Tensor, centered: bool) -> torch.Tensor:
    """The intersection over the union of each box with each other, (boxes, boxes)."""
    if centered:
        first, last = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    else:
        first = torch.minimum(boxes[:, :2], boxes[:, 2:])
        last = torch.maximum(boxes[:, :2], boxes[:, 2:])
    sides = (torch.minimum(last[:, None], last) - torch.maximum(first[:, None], first)).clamp(min=0)
    shared = sides.prod(-1)
    area = (last - first).prod(-1)
    return torch.where(shared > 0, shared / (area[:, None] + area - shared), 0.0)


def non_max_suppression(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    most: int,
    overlap: float = 0.0,
    least_score: float | None = None,
    centered: bool = False,
) -> torch.Tensor:
    """The boxes that stay, best first, as rows (image, class, box): each overlaps no better one by more than `overlap`.

    Args:
        boxes: (images, boxes, 4); `centered` ones are x, y, width, height, the others two corners.
        scores: (images, classes, boxes); a box must score more than `least_score`.
        most: how many stay for each image and class.
    """
    rows = []
    for image in range(scores.shape[0]):
        overlaps = box_overlap(boxes[image], centered) > overlap
        for number in range(scores.shape[1]):
            score = scores[image, number]
            order = score.argsort(descending=True, stable=True)
            worse = overlaps[order][:, order].triu(1)
            fair = torch.ones_like(order, dtype=torch.bool) if least_score is None else score[order] > least_score
            stays = greedy_choice(worse, fair)
            kept = order[stays][:most]
            rows.append(torch.stack([torch.full_like(kept, image), torch.full_like(kept, number), kept], dim=1))
    return torch.cat(rows)


def greedy_choice(worse: torch.Tensor, fair: torch.Tensor) -> torch.Tensor:
    """Which items stay if each that stays drops the later ones marked in its row of `worse`.

    An item's fate is settled once those before it are, so the rounds end when nothing changes.
    """

    def unsettled(stays: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        return (stays != before).any()

    def again(stays: torch.Tensor, before: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return fair & ~(worse & stays[:, None]).any(0), stays.clone()

    state = again(fair, fair)
    if torch.compiler.is_compiling():
        return torch.while_loop(unsettled, again, state)[0]
    while unsettled(*state):
        state = again(*state)
    return state[0]
