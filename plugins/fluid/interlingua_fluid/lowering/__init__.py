"""What cards cannot say, by family: layers that make their own parameters, activations they take along."""

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()
"""The lowerings of Fluid by canonical op; the modules of this package fill it."""
