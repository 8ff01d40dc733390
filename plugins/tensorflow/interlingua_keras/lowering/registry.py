"""Where the lowerings register."""

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()
