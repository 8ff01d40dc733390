"""What cards cannot say: one function an op, by family."""

import importlib
import pkgutil

from interlingua.codegen.dialect import Lowerings

lowers = Lowerings()

for _family in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_family}")
