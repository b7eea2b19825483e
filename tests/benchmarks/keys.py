"""Scripts of the benchmarks of ``kv::``: each run has keys of its own, so that none waits for another."""

from __future__ import annotations

from typing import Final

MANY: Final = 100
"""So many reads or writes in a run."""

SCRIPTS: Final = {
    "none": "let own = ctx.invocation.id; ()",
    "twenty": "let own = ctx.invocation.id; for i in 0..20 { kv::set(own + i, i); } ()",
    "counters": "for i in 0..20 { kv::incr(`counter/${i}`); } ()",
    "reads": "let n = 0; for i in 0..100 { if kv::get(`read/${i}`) != () { n += 1; } } n",
    "writes": "let own = ctx.invocation.id; for i in 0..100 { kv::set(own + i, i); } ()",
}
