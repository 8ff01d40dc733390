"""Counts of n-grams, tables of labels, ensembles of trees."""

import torch


def count_ngrams(
    x: torch.Tensor,
    pools: list[tuple[torch.Tensor, torch.Tensor]],
    size: int,
    max_skip: int = 0,
) -> torch.Tensor:
    """How often each n-gram stands in each row of x, (batch, size) or (size,) for a single row.

    `pools` holds, for each length, the n-grams (count, length) and the places of their counts in the result.
    """
    rows = x.unsqueeze(0) if x.ndim == 1 else x
    counts = torch.zeros(rows.shape[0], size, device=x.device)
    for grams, places in pools:
        length = grams.shape[1]
        for step in range(1, 2 if length == 1 else max_skip + 2):
            reach = (length - 1) * step + 1
            if reach > rows.shape[1]:
                break
            windows = rows.unfold(1, reach, 1)[:, :, ::step]
            found = (windows.unsqueeze(2) == grams).all(-1).sum(1).to(counts.dtype)
            counts = counts.index_add(1, places, found)
    return counts.squeeze(0) if x.ndim == 1 else counts


def look_up(x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, default: float) -> torch.Tensor:
    """The value of the first key that equals each element, `default` where none does; a NaN is a key like others."""
    same = (x.unsqueeze(-1) == keys) | ((x != x).unsqueeze(-1) & (keys != keys))
    found = values[same.int().argmax(-1)]
    return torch.where(same.any(-1), found, torch.full_like(found, default))


def tree_ensemble(
    x: torch.Tensor,
    roots: torch.Tensor,
    nodes: torch.Tensor,
    splits: torch.Tensor,
    members: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    outputs: int,
    depth: int,
    reduce: str = "sum",
) -> torch.Tensor:
    """What the leaves that x (batch, features) reaches give to each output.

    `nodes` has a row a node: feature, test (≤, <, ≥, >, =, ≠, in), then where a true test leads and whether that is a
    leaf, then the same for a false one. `splits` and `members` are what a feature is compared with.
    """
    place = roots.expand(x.shape[0], -1)
    leaf = torch.zeros_like(place, dtype=torch.bool)
    for _ in range(depth):
        at = torch.where(leaf, 0, place)
        node = nodes[at]
        value, split = x.gather(1, node[..., 0]), splits[at]
        tests = (value <= split, value < split, value >= split, value > split, value == split, value != split)
        member = (value.unsqueeze(-1) == members[at]).any(-1)
        truth = torch.stack((*tests, member), dim=-1).gather(-1, node[..., 1:2]).squeeze(-1)
        following = torch.where(truth, node[..., 2], node[..., 4])
        ends = torch.where(truth, node[..., 3], node[..., 5]).bool()
        place = torch.where(leaf, place, following)
        leaf = leaf | ends
    given = weights[place]
    if reduce in ("sum", "mean"):
        total = given.new_zeros(x.shape[0], outputs).scatter_add(1, targets[place], given)
        return total / roots.shape[0] if reduce == "mean" else total
    return given.new_zeros(x.shape[0], outputs).scatter_reduce(1, targets[place], given, reduce, include_self=False)
