"""The engine: what all programs of a host have in common, and the way from source to program."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from picloud.rhai import codegen
from picloud.rhai.cache import ProgramCache, key_of
from picloud.rhai.errors import RhaiError
from picloud.rhai.limits import Limits
from picloud.rhai.packages import register_iterators, standard
from picloud.rhai.parser import parse
from picloud.rhai.program import Program
from picloud.rhai.registry import ANY, Native, Registry
from picloud.rhai.resolver import resolve
from picloud.rhai.runtime.functions import Module
from picloud.rhai.runtime.places import FILENAME, Catchable, returned
from picloud.rhai.runtime.run import Host, Run
from picloud.rhai.steps import EVAL
from picloud.rhai.syntax import Expression, ExpressionStatement, Script
from picloud.rhai.texts import Pause
from picloud.rhai.values import name_type

_DEFAULT: Final = Limits()


class Engine:
    """Compiles scripts. Host functions and modules are to be registered before the first one."""

    def __init__(
        self,
        limits: Limits = _DEFAULT,
        modules: Mapping[str, Module] | None = None,
        *,
        cache: ProgramCache | None = None,
        traced: bool = False,
    ) -> None:
        """``modules`` are there for every script without an import, under their names. What is compiled is kept in
        ``cache``. The programs of a ``traced`` engine tell each step to the ``tracer`` of their host; they are slower,
        and no cache keeps them."""
        self.limits = limits
        self.modules = dict(modules or {})
        self.cache = None if traced else cache
        self.traced = traced
        self.registry = Registry(standard())
        register_iterators(self.registry)
        self._options = codegen.Options(
            limits,
            self._known,
            self._changes,
            self._replacing,
            self.registry.overloads,
            self.registry.resolve,
            self.registry.found,
            traced=traced,
        )

    # ---------------------------------------------------------------------------------------- registration

    def register_fn(
        self,
        name: str,
        function: Callable[..., Any],
        *parameters: str,
        **flags: bool,
    ) -> None:
        """Register a native function: the names of its parameters' types (:data:`ANY` for any), and flags of
        :class:`~picloud.rhai.registry.Native`."""
        self.registry.add(Native(name=name, parameters=parameters, function=function, **flags))

    def register(self, natives: Iterable[Native]) -> None:
        """Register native functions."""
        for native in natives:
            self.registry.add(native)

    def register_type(self, type_: type, name: str) -> None:
        """Give a class of the host a name in the language."""
        name_type(type_, name)
        self.registry.add_type(type_, name)

    def register_module(self, name: str, module: Module) -> None:
        """Make a module known to every script."""
        self.modules[name] = module

    # ---------------------------------------------------------------------------------------- compiling

    def compile(self, source: str) -> Program:
        """Compile a script. Raises :class:`RhaiError` of stage "parse"."""
        return self._from_cache(source, from_outside=False)

    def compile_open(self, source: str, *, frozen: bool = False) -> Program:
        """Compile a script whose functions are called from outside, with anything; on constants if ``frozen``: then
        ``this`` is one.

        Raises :class:`RhaiError`.
        """
        return self._from_cache(source, from_outside=True, frozen=frozen)

    def kept(self, sha256: str) -> bytes | None:
        """Return what the cache has of the script with this SHA-256, for :meth:`Program.loaded`; None if it has
        nothing."""
        return self.cache.load(self._key(sha256, from_outside=False)) if self.cache is not None else None

    def _key(self, sha256: str, *, from_outside: bool, frozen: bool = False) -> str:
        return key_of(sha256, repr(self.limits), f"{from_outside} {frozen}", self.registry.fingerprint())

    def _from_cache(self, source: str, *, from_outside: bool, frozen: bool = False) -> Program:
        if self.cache is None:
            return self._compiled(source, from_outside=from_outside, frozen=frozen)
        digest = sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        key = self._key(digest, from_outside=from_outside, frozen=frozen)
        kept = self.cache.load(key)
        if kept is not None:
            return Program.loaded(self, kept)
        program = self._compiled(source, from_outside=from_outside, frozen=frozen)
        self.cache.store(key, program.dumped())
        return program

    def compile_part(self, script: Script, identity: str) -> Program:
        """Compile a tree whose variables live by name in the scope that it is run in, and so may outlive it.

        ``identity`` tells its closures from those of other parts.
        """
        return self._of_tree(script, "", identity, dynamic=True, from_outside=True)

    def _compiled(
        self,
        source: str,
        *,
        dynamic: bool = False,
        from_outside: bool = False,
        frozen: bool = False,
        pause: Pause | None = None,
    ) -> Program:
        # Trees hold no cycles, so the garbage collector would look at all their nodes again and again for nothing.
        collects = gc.isenabled()
        gc.disable()
        try:
            tree = parse(source, self.limits, optimize=not dynamic, pause=pause)
            return self._of_tree(
                tree, source, source, dynamic=dynamic, from_outside=from_outside, frozen=frozen, pause=pause
            )
        except (RecursionError, SyntaxError):
            # Python takes at most 20 loops and catches within each other.
            text = "Expression exceeds maximum complexity"
            raise RhaiError.parse("ExprTooDeep", text, None, "ExprTooDeep") from None
        finally:
            if collects:
                gc.enable()

    def _of_tree(
        self,
        script: Script,
        source: str,
        identity: str,
        *,
        dynamic: bool,
        from_outside: bool = False,
        frozen: bool = False,
        pause: Pause | None = None,
    ) -> Program:
        resolution = resolve(script, dynamic=dynamic)
        tree, symbols = codegen.generate(
            script, resolution, self._options, identity, from_outside=from_outside, frozen=frozen, pause=pause
        )
        code = compile(tree, FILENAME, "exec", dont_inherit=True)
        return Program(self, code, symbols, source)

    def new_run(self, host: Host) -> Run:
        """Return a fresh run for a program of this engine."""
        run = Run(self.limits, host, self.registry, self.modules)
        run.compile_text = self._text_compiler
        run.compile_module = self._module_compiler
        run.compile_tree = self._tree_evaluator
        return run

    def _text_compiler(self, compiling: Run, text: str) -> Callable[[Run, int, Any], Any]:
        program = self._compiled(text, dynamic=True, pause=compiling.pay)
        if program.function_names:
            text = "Function definitions must be at global level and cannot be inside a block or another function"
            raise RhaiError.parse("WrongFnDefinition", text, None, "WrongFnDefinition")

        def execute(run: Run, level: int, scope: Any) -> Any:
            functions = run.functions
            names = program.linked(run, part=EVAL)
            run.functions = functions
            return names["main"](scope, level)

        return execute

    def _tree_evaluator(self, run: Run, tree: Expression | Script) -> Any:
        script = tree if isinstance(tree, Script) else Script([ExpressionStatement(tree.line, tree.column, tree)], [])
        program = self._of_tree(script, "", "", dynamic=True)
        functions = run.functions
        names = program.linked(run)
        run.functions = functions
        try:
            return names["main"]([], run.depth)
        except Catchable as error:
            raise returned(error, None).located() from None

    def _module_compiler(self, run: Run, level: int, path: str, source: str) -> Module:
        return self.compile_open(source).as_module(run, level, path)

    # ---------------------------------------------------------------------------------------- what codegen asks

    def _known(self, name: str, count: int) -> bool:
        return bool(self.registry.overloads(name, count))

    def _changes(self, name: str, count: int) -> bool:
        return any(native.changes for native in self.registry.overloads(name, count))

    def _replacing(self, name: str, count: int) -> bool:
        return any(
            native.replaces and native.parameters[0] == ANY and name != "set_tag"
            for native in self.registry.overloads(name, count)
        )
