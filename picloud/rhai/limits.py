"""What a script may use. The defaults are Rhai's own; 0 means no limit, as in Rhai."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """See the module. Sizes are in bytes for strings, in elements for arrays and maps."""

    max_operations: int = 0
    max_call_levels: int = 64
    max_expr_depth: int = 64
    max_function_expr_depth: int = 32
    max_string_size: int = 0
    max_array_size: int = 0
    max_map_size: int = 0
    max_variables: int = 0
    max_functions: int = 0
    max_modules: int = 0
    slice_operations: int = 10_000
    """After so many operations the host's slice hook is called."""

    @property
    def has_sizes(self) -> bool:
        """Whether the size of anything is limited."""
        return bool(self.max_string_size or self.max_array_size or self.max_map_size)
