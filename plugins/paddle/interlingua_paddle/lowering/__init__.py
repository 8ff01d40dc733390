"""What cards cannot say: one function an op, by family."""

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()
