"""Recurrent layers in forms that torch's own do not take: lengths, peepholes, bounds, other activations."""

import torch


def run_recurrent(
    cell,
    parameters: tuple,
    x: torch.Tensor,
    states: tuple[torch.Tensor, ...],
    lengths: torch.Tensor | None = None,
    reverse: bool = False,
) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Runs a cell over x (time, batch, features); its first state at each time, and the last states.

    Beyond a sequence's length the states stay and the results are zero.
    """
    results = []
    times = range(x.shape[0])
    for time in reversed(times) if reverse else times:
        new = cell(x[time], states, *parameters)
        if lengths is None:
            states = new
            results.append(new[0])
        else:
            runs = (time < lengths).unsqueeze(-1)
            states = tuple(torch.where(runs, after, before) for after, before in zip(new, states, strict=True))
            results.append(torch.where(runs, new[0], 0.0))
    if reverse:
        results.reverse()
    return torch.stack(results), states


def over_time(
    cell: torch.nn.Module,
    x: torch.Tensor,
    states=None,
    batch_first: bool = False,
    reverse: bool = False,
) -> tuple:
    """Runs a cell of torch.nn over x (time, batch, features): its hidden state at each time, and its last states.

    With `batch_first` the batch comes before the time; without `states` it begins with zeros.
    """
    axis = 1 if batch_first else 0
    results = []
    steps = x.unbind(axis)
    for step in reversed(steps) if reverse else steps:
        states = cell(step, states)
        results.append(states[0] if isinstance(states, tuple) else states)
    if reverse:
        results.reverse()
    return torch.stack(results, axis), states


def bounded(x: torch.Tensor, limit: float | None) -> torch.Tensor:
    """x held between −limit and limit, if there is one."""
    return x if limit is None else x.clamp(-limit, limit)


def lstm_cell(
    x: torch.Tensor,
    states: tuple[torch.Tensor, ...],
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None,
    peephole: torch.Tensor | None,
    limit: float | None,
    input_forget: bool,
    activations: tuple,
) -> tuple[torch.Tensor, ...]:
    """One step of an LSTM whose gates stand in the order input, output, forget, cell."""
    gate, inner, outer = activations
    hidden, memory = states
    gates = x @ weight.T + hidden @ recurrence.T
    if bias is not None:
        gates = gates + bias[: weight.shape[0]] + bias[weight.shape[0] :]
    i, o, f, g = gates.chunk(4, dim=-1)
    if peephole is not None:
        of_input, of_output, of_forget = peephole.chunk(3)
        i, f = i + of_input * memory, f + of_forget * memory
    i = gate(bounded(i, limit))
    f = 1 - i if input_forget else gate(bounded(f, limit))
    memory = f * memory + i * inner(bounded(g, limit))
    if peephole is not None:
        o = o + of_output * memory
    return gate(bounded(o, limit)) * outer(memory), memory


def gru_cell(
    x: torch.Tensor,
    states: tuple[torch.Tensor, ...],
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None,
    linear_before_reset: bool,
    limit: float | None,
    activations: tuple,
) -> tuple[torch.Tensor, ...]:
    """One step of a GRU whose gates stand in the order update, reset, new."""
    gate, inner = activations
    (hidden,) = states
    if bias is None:
        bias = weight.new_zeros(2 * weight.shape[0])
    update_x, reset_x, new_x = (x @ weight.T + bias[: weight.shape[0]]).chunk(3, dim=-1)
    update_r, reset_r, new_r = recurrence.chunk(3)
    update_b, reset_b, new_b = bias[weight.shape[0] :].chunk(3)
    update = gate(bounded(update_x + hidden @ update_r.T + update_b, limit))
    reset = gate(bounded(reset_x + hidden @ reset_r.T + reset_b, limit))
    if linear_before_reset:
        new = new_x + reset * (hidden @ new_r.T + new_b)
    else:
        new = new_x + (reset * hidden) @ new_r.T + new_b
    return ((1 - update) * inner(bounded(new, limit)) + update * hidden,)


def rnn_cell(
    x: torch.Tensor,
    states: tuple[torch.Tensor, ...],
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None,
    limit: float | None,
    activations: tuple,
) -> tuple[torch.Tensor, ...]:
    """One step of a recurrent layer without gates."""
    (activation,) = activations
    summed = x @ weight.T + states[0] @ recurrence.T
    if bias is not None:
        summed = summed + bias[: weight.shape[0]] + bias[weight.shape[0] :]
    return (activation(bounded(summed, limit)),)


def run_directions(
    cell,
    parameters: list[tuple],
    x: torch.Tensor,
    states: tuple[torch.Tensor, ...],
    lengths: torch.Tensor | None,
    direction: str,
    batch_first: bool,
) -> tuple[torch.Tensor, ...]:
    """Runs a cell in each direction: results (time, directions, batch, size), last states (directions, batch, size).

    With `batch_first` the batch comes first in all of them, as it does in x and in the states.
    """
    if batch_first:
        x, states = x.transpose(0, 1), tuple(state.transpose(0, 1) for state in states)
    results, last = [], []
    for number, weights in enumerate(parameters):
        first = tuple(state[number] for state in states)
        result, ends = run_recurrent(cell, weights, x, first, lengths, direction == "reverse" or number == 1)
        results.append(result)
        last.append(ends)
    y = torch.stack(results, dim=1)
    final = tuple(torch.stack(each) for each in zip(*last, strict=True))
    if batch_first:
        return y.permute(2, 0, 1, 3), *(state.transpose(0, 1) for state in final)
    return y, *final


def by_direction(weight: torch.Tensor, *others: torch.Tensor | None) -> list[tuple]:
    """The weights of each direction; None for those that are left out."""
    weights = (weight, *others)
    return [tuple(None if each is None else each[number] for each in weights) for number in range(weight.shape[0])]


def first_states(x: torch.Tensor, recurrence: torch.Tensor, batch_first: bool) -> torch.Tensor:
    """States of zeros, (directions, batch, size), or the batch first."""
    batch, directions = x.shape[0 if batch_first else 1], recurrence.shape[0]
    sizes = (batch, directions) if batch_first else (directions, batch)
    return x.new_zeros(*sizes, recurrence.shape[-1])


def lstm(
    x: torch.Tensor,
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    hidden: torch.Tensor | None = None,
    memory: torch.Tensor | None = None,
    peephole: torch.Tensor | None = None,
    direction: str = "forward",
    batch_first: bool = False,
    limit: float | None = None,
    input_forget: bool = False,
    activations: tuple = (torch.sigmoid, torch.tanh, torch.tanh) * 2,
) -> tuple[torch.Tensor, ...]:
    """LSTM over x (time, batch, features): results, last hidden state, last memory; weights by direction."""
    hidden = first_states(x, recurrence, batch_first) if hidden is None else hidden
    memory = first_states(x, recurrence, batch_first) if memory is None else memory
    parameters = [
        (*each, limit, input_forget, activations[3 * number : 3 * number + 3])
        for number, each in enumerate(by_direction(weight, recurrence, bias, peephole))
    ]
    return run_directions(lstm_cell, parameters, x, (hidden, memory), lengths, direction, batch_first)


def gru(
    x: torch.Tensor,
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    hidden: torch.Tensor | None = None,
    direction: str = "forward",
    batch_first: bool = False,
    limit: float | None = None,
    linear_before_reset: bool = False,
    activations: tuple = (torch.sigmoid, torch.tanh) * 2,
) -> tuple[torch.Tensor, ...]:
    """GRU over x (time, batch, features): results, last hidden state; weights by direction."""
    hidden = first_states(x, recurrence, batch_first) if hidden is None else hidden
    parameters = [
        (*each, linear_before_reset, limit, activations[2 * number : 2 * number + 2])
        for number, each in enumerate(by_direction(weight, recurrence, bias))
    ]
    return run_directions(gru_cell, parameters, x, (hidden,), lengths, direction, batch_first)


def rnn(
    x: torch.Tensor,
    weight: torch.Tensor,
    recurrence: torch.Tensor,
    bias: torch.Tensor | None = None,
    lengths: torch.Tensor | None = None,
    hidden: torch.Tensor | None = None,
    direction: str = "forward",
    batch_first: bool = False,
    limit: float | None = None,
    activations: tuple = (torch.tanh, torch.tanh),
) -> tuple[torch.Tensor, ...]:
    """Recurrent layer without gates over x (time, batch, features): results, last state; weights by direction."""
    hidden = first_states(x, recurrence, batch_first) if hidden is None else hidden
    parameters = [
        (*each, limit, activations[number : number + 1])
        for number, each in enumerate(by_direction(weight, recurrence, bias))
    ]
    return run_directions(rnn_cell, parameters, x, (hidden,), lengths, direction, batch_first)
