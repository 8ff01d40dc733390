"""The records are ONNX's operators: inputs, attributes and defaults are compared with the standard's own schemas."""

from __future__ import annotations

from typing import Any

import onnx
import pytest

from interlingua import extensions
from interlingua.cards import REQUIRED
from interlingua.ir.build import OPSET
from interlingua.own_operators import DOMAIN, RECORDS
from interlingua.records import Record, records

ROWS = [row for row in records().values() if not row.concept and "::" not in row.name]
BEYOND = {"auto_pad", "output_shape", "spatial", "consumed_inputs", "is_test"}
"""Attributes that the canonical form does without: `auto_pad` is resolved to `pads`, the others are of the past."""


def schema(row: Record) -> Any:
    return onnx.defs.get_schema(row.name, OPSET, "")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_attribute_is_in_the_record_and_no_other(row: Record) -> None:
    known = {name for name, p in row.parameters.items() if p.origin == "attribute"}
    assert known - BEYOND == set(schema(row).attributes) - BEYOND


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_defaults_are_the_schemas(row: Record) -> None:
    wrong = []
    for name, attribute in schema(row).attributes.items():
        if name in BEYOND:
            continue
        stated = row.parameters[name].default
        if attribute.required or name == "kernel_shape":
            wrong += [] if stated is REQUIRED else [f"{name} must be said"]
        elif attribute.default_value.type:
            default = onnx.helper.get_attribute_value(attribute.default_value)
            default = default.decode() if isinstance(default, bytes) else default
            if isinstance(default, list):
                default = tuple(item.decode() if isinstance(item, bytes) else item for item in default)
            wrong += (
                []
                if stated == pytest.approx(default) or stated == default
                else [f"{name} is {default!r}, not {stated!r}"]
            )
        else:
            wrong += [] if stated is None else [f"{name} has no default, not {stated!r}"]
    assert not wrong


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_order_of_the_inputs_is_the_schemas(row: Record) -> None:
    named = [each.name for each in schema(row).inputs]
    assert len(row.order) == len(named)
    if row.name not in ("Exp", "Log"):
        assert list(row.order) == named


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_optional_and_variadic_inputs_are_the_schemas(row: Record) -> None:
    options = onnx.defs.OpSchema.FormalParameterOption
    for given, each in zip(row.order, schema(row).inputs, strict=True):
        known = next((i for i in row.inputs if i.name == given), None)
        if known is None:
            required = row.parameters[given].default is REQUIRED
            assert required == (each.option == options.Single), given
        else:
            assert known.variadic == (each.option == options.Variadic), given
            assert known.optional == (each.option == options.Optional), given


def test_the_thirty_five_records_are_there() -> None:
    assert len(ROWS) >= 33


def test_operators_of_ours_have_the_inputs_and_attributes_of_their_bodies() -> None:
    bodies = {f"{body.domain}::{body.name}": body for body in extensions.functions() if body.domain == DOMAIN}
    own = {row.name: row for row in RECORDS}
    assert own and set(bodies) == set(own)
    for name, row in own.items():
        assert list(row.order) == list(bodies[name].input)
        assert set(row.parameters) == set(bodies[name].attribute)
