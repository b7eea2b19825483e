"""Statements and control structures.

A loop of the language is a ``for`` over the run's ticks, so that each turn is paid for; a loop over a range or an
array is a ``for`` over both at once. Where a block's value is wanted, its last statement brings it to a destination:
a temporary, or the function's return.
"""

from __future__ import annotations

from typing import Any

from picloud.rhai import syntax
from picloud.rhai.codegen import nodes, ranges, types
from picloud.rhai.codegen.emitter import RETURN, Destination, Value
from picloud.rhai.codegen.expressions import zero
from picloud.rhai.codegen.ranges import ALL
from picloud.rhai.codegen.tracing import STRUCTURES, Tracing
from picloud.rhai.codegen.types import ANY, BOOL, FLOAT, INT, STRING, UNIT
from picloud.rhai.errors import Position
from picloud.rhai.resolver import Variable
from picloud.rhai.syntax import Node, start
from picloud.rhai.texts import Pause

_STATEMENT = 20
"""So many microseconds it takes to write one, about."""
_SHORT = 64
"""Texts that are so short cost nothing to add."""
_JUMPS = (nodes.Return, nodes.Break, nodes.Continue)


class Statements(Tracing):
    """The part of the generator for what has control flow."""

    pause: Pause
    """Is told of the work on the way."""
    loops: list[str | None]
    """For each loop that we are in, the temporary that ``break`` brings its value to."""

    # ---------------------------------------------------------------------------------------- blocks

    def statements(self, statements: list[syntax.Statement], destination: Destination) -> None:
        """Write statements; the last one's value goes to the destination."""
        if not statements:
            self.finish(None, destination)
            return
        runs = self.find_runs(statements) if self.hot and not self.traced and len(statements) > 1 else {}
        end = last = len(statements) - 1
        for at, statement in enumerate(statements):
            self.pause(_STATEMENT)
            if at in runs:
                end, prefixes = runs[at]
                self.begin_run(prefixes)
            self.one_statement(statement, destination if at == last else None)
            if self.held and at + 1 == end:
                self.end_run(_JUMPS)
            if at != last and not self.held:
                self.pay_at(len(self.out))

    def one_statement(self, statement: syntax.Statement, destination: Destination) -> None:
        """Write a statement, and clear the temporaries that it left."""
        outer, holders = self.temporaries, self.holders
        self.holders = []
        if self.traced:
            self.trace_step(statement)
        self.statement(statement, destination)
        if self.holders and not (self.out and isinstance(self.out[-1], _JUMPS)):
            empty: list[Any] = [nodes.Name(name, nodes.STORE) for name in dict.fromkeys(self.holders)]
            self.out.append(nodes.Assign(empty, nodes.constant(None)))
        self.temporaries, self.holders = outer, holders

    def block(self, block: syntax.Block, destination: Destination) -> None:
        """Write a block, with a scope of its own."""
        if not self.traced:
            self._block(block, destination)
            return
        outer = list(self.in_sight)
        self._block(block, destination)
        self.in_sight = outer

    def _block(self, block: syntax.Block, destination: Destination) -> None:
        declares = self.scope.dynamic and any(
            isinstance(each, syntax.Let) or _may_eval(each) for each in block.statements
        )
        imports = any(isinstance(each, syntax.Import) for each in block.statements)
        if not declares and not imports:
            self.statements(block.statements, destination)
            return
        size = self.temporary(INT)
        target = self.temporary(ANY) if destination is RETURN else destination
        if declares:
            self.out.append(nodes.assign(size, nodes.call("len", [nodes.name("Z")])))
        modules = self.temporary(INT)
        if imports:
            self.out.append(nodes.assign(modules, nodes.call("imported", [nodes.name("R")])))
        self.statements(block.statements, target)
        if self.out and isinstance(self.out[-1], _JUMPS):
            return
        if declares:
            self.out.append(nodes.statement(nodes.call("rewind", [nodes.name("Z"), nodes.name(size)])))
        if imports:
            self.out.append(nodes.statement(nodes.call("forget_imports", [nodes.name("R"), nodes.name(modules)])))
        if destination is RETURN:
            assert target is not None
            self.finish(self.fresh(target, ANY), RETURN)

    def statement(self, statement: syntax.Statement, destination: Destination) -> None:
        """Write a statement whose value goes to the destination."""
        if type(statement) is syntax.ExpressionStatement:
            if self.traced:
                self._traced_expression(statement, destination)
            else:
                self.into(statement.expression, destination)
            return
        _STATEMENTS[type(statement)](self, statement)
        if not (self.out and isinstance(self.out[-1], _JUMPS)):
            if self.traced:
                self.trace_change(statement)
            self.finish(None, destination)

    def _traced_expression(self, statement: syntax.ExpressionStatement, destination: Destination) -> None:
        if destination is not RETURN or isinstance(statement.expression, STRUCTURES):
            self.into(statement.expression, destination)
            if not _jumps(self.out):
                self.trace_change(statement)
            return
        # What it changes is told before the function is left.
        value = self.temporary(ANY)
        self.into(statement.expression, value)
        self.trace_change(statement)
        self.finish(self.fresh(value, ANY), RETURN)

    # ---------------------------------------------------------------------------------------- declarations

    def let(self, node: syntax.Let) -> None:
        """``let`` and ``const``."""
        variable = self.resolution.bindings[node]
        assert variable is not None
        value = self.expression(node.value) if node.value is not None else Value(nodes.constant(None), UNIT)
        if self.keeps_constants and node.constant and node in self.top_level:
            value = self.kept(value)
            store = nodes.call("keep_constant", [nodes.name("R"), nodes.constant(node.name), value.node])
            self.out.append(nodes.statement(store))
        limit = self.options.limits.max_variables
        if limit:
            self._check_variables(node, limit)
        if self.scope.dynamic:
            arguments = [nodes.name("Z"), nodes.constant(node.name), value.node, nodes.constant(node.constant)]
            self.out.append(nodes.statement(nodes.call("declare", arguments)))
            if node.exported:
                self._export(node.name, node.name, (node.line, node.column))
            return
        self.define(variable, value)

    def _check_variables(self, node: syntax.Let, limit: int) -> None:
        count = self.resolution.depths.get(node, 0)
        if count >= limit:
            self.out.append(nodes.statement(nodes.call("too_many_variables", [], (node.line, node.column))))

    def define(self, variable: Variable, value: Value) -> None:
        """Make a variable with a value."""
        node = value.node
        if variable.captured:
            helper = "constant_cell" if variable.constant else "cell"
            node = nodes.call(helper, [node])
        self.out.append(nodes.assign(variable.python, node))
        self.ranges.forget(variable)
        if self.traced:
            self.in_sight.append(variable)

    def export(self, node: syntax.Export) -> None:
        """``export name as alias``."""
        self._export(node.name, node.alias, node.place)

    def _export(self, name: str, alias: str, place: Position) -> None:
        arguments = [nodes.name("R"), nodes.name("Z"), nodes.constant(name), nodes.constant(alias)]
        self.out.append(nodes.statement(nodes.call("export", arguments, place)))

    def import_module(self, node: syntax.Import) -> None:
        """``import path as alias``."""
        path = self.expression(node.path)
        alias = nodes.constant(node.alias)
        arguments = [nodes.name("R"), self.level, path.node, alias, nodes.constant((node.line, node.column))]
        self.out.append(nodes.statement(nodes.call("import_module", arguments, start(node.path))))

    # ---------------------------------------------------------------------------------------- assignment

    def assign(self, node: syntax.Assign) -> None:
        """``target = value`` and ``target op= value``."""
        target = node.target
        if type(target) is syntax.Variable:
            self._assign_variable(node, target)
        elif type(target) is syntax.This and self.frozen:
            self.finish(self.expression(node.value), None)
            raises = nodes.call("constant", [nodes.constant("")], (target.line, target.column))
            self.out.append(nodes.statement(raises))
        elif type(target) is syntax.This:
            place = nodes.element(nodes.name("this"), nodes.constant(0), (target.line, target.column))
            if type(node.value) is not syntax.Literal:
                self.out.append(nodes.statement(place))
            value = self.kept(self.expression(node.value))
            self._assign_to(node, place, ANY, value)
        elif isinstance(target, syntax.Property | syntax.Index | syntax.MethodCall):
            self.assign_chain(node)
        else:
            value = self.expression(node.value)
            name = nodes.constant(getattr(target, "name", ""))
            self.finish(value, None)
            self.finish(self.expression(target), None)
            raises = nodes.call("constant", [name], (target.line, target.column))
            self.out.append(nodes.statement(raises))

    def _assign_variable(self, node: syntax.Assign, target: syntax.Variable) -> None:
        variable = self.resolution.bindings.get(target)
        value = self.expression(node.value)
        unknown = variable is None and (type(self.scope.node) is not syntax.Script)
        if variable is None and self.function_named(target.name) is not None:
            self.finish(value, None)
            raises = nodes.call("constant", [nodes.constant(target.name)], (target.line, target.column))
            self.out.append(nodes.statement(raises))
            return
        if unknown and not self.scope.dynamic:
            self.finish(value, None)
            raises = nodes.call("missing", [nodes.constant(target.name)], (target.line, target.column))
            self.out.append(nodes.statement(raises))
            return
        if self.scope.dynamic or variable is None:
            value = self.stored(value)
            cell = self.stored(Value(self.found(target, "writable"), types.OTHER))
            self._assign_to(node, nodes.cell(cell.node), ANY, value)
        elif variable.captured:
            value = self.kept(value)
            if variable.constant or not self.is_declared(variable):
                name = nodes.constant(target.name)
                check = nodes.call("variable", [nodes.name(variable.python), name], (target.line, target.column))
                self.out.append(nodes.statement(check))
            self._assign_to(node, nodes.cell(nodes.name(variable.python)), variable.types or ANY, value)
        else:
            self._assign_to(node, nodes.name(variable.python), variable.types, value, variable)
            self.ranges.forget(variable)

    def _assign_to(
        self, node: syntax.Assign, target: Any, types_: int, value: Value, variable: Variable | None = None
    ) -> None:
        """Assign to a variable that is given as it is read."""
        if node.operator == "=":
            self.out.append(nodes.assign_to(target, value.node))
            return
        operator = node.operator[:-1]
        bounds = ALL if variable is None else self.ranges.of_variable(variable)
        old = Value(target, types_, simple=isinstance(target, nodes.Name), bounds=bounds)
        numbers = not (types_ | value.types) & ~types.NUMBER
        if numbers and (types_ == INT == value.types or (types_ == FLOAT and operator in ("+", "-", "*"))):
            if operator in ("+", "-", "*"):
                self._quick_operation_on(operator, target, old, value, node)
                return
            if operator in ("/", "%"):
                value = self.kept(value)
                result = self.divided(operator, self.kept(old), value, node, types_)
                if isinstance(result.node, nodes.IfExp):
                    result.node.orelse = self._assigned(node, target, value)
                self.out.append(nodes.assign_to(target, result.node))
                return
        if self.hot and operator in ("+", "-", "*") and types_ & types.NUMBER and value.types & types.NUMBER:
            self._tested_operation_on(operator, target, old, value, node)
            return
        if self.hot and operator == "+" and types_ & STRING and value.types & STRING:
            self._joined(target, old, value, node)
            return
        value = self.kept(value)
        self.out.append(nodes.assign_to(target, self._assigned(node, target, value)))

    def _assigned(self, node: syntax.Assign, target: Any, value: Value) -> Any:
        arguments = [nodes.name("R"), self.level, nodes.constant(node.operator), target, value.node]
        return nodes.call("assign_variable", arguments, (node.line, node.column))

    def _quick_operation_on(self, operator: str, target: Any, old: Value, value: Value, node: syntax.Assign) -> None:
        if old.types == FLOAT:
            self.out.append(nodes.assign_to(target, nodes.binary(operator, target, value.node)))
            return
        value = self.kept(value)
        bounds = ranges.of_operation(operator, old.bounds, value.bounds)
        if ranges.within(bounds):
            self.out.append(nodes.assign_to(target, nodes.binary(operator, target, value.node)))
            return
        result = self.stored(Value(nodes.binary(operator, target, value.node), INT))
        raises = nodes.statement(self._assigned(node, target, value))
        self.out.append(nodes.branch(nodes.negate(self.fits(bounds, result.node)), [raises]))
        self.out.append(nodes.assign_to(target, result.node))

    def _tested_operation_on(self, operator: str, target: Any, old: Value, value: Value, node: syntax.Assign) -> None:
        value = self.kept(value)
        old = self.kept(old)
        name = self.temporary(INT)
        slow = [nodes.assign_to(target, self._assigned(node, target, value))]
        quick = nodes.binary(operator, old.node, value.node)
        fits = self.fits(ranges.of_operation(operator, old.bounds, value.bounds), nodes.name(name))
        stores = nodes.branch(fits, [nodes.assign_to(target, nodes.name(name))], [*slow])
        otherwise: list[Any] = slow
        if self._may_be_mixed(old, value):
            on_floats = nodes.both(self._are_numbers(old, value))
            otherwise = [nodes.branch(on_floats, [nodes.assign_to(target, quick)], slow)]
        if old.types & INT and value.types & INT:
            tests = nodes.both(self._are(INT, old, value))
            otherwise = [nodes.branch(tests, [nodes.assign(name, quick), stores], otherwise)]
        if not old.stable:
            self.out += otherwise
            return
        # The old value is in a temporary: were it an array, it would be held twice and copied.
        self.out += otherwise

    def _joined(self, target: Any, old: Value, value: Value, node: syntax.Assign) -> None:
        """``text += text``, where the limit on strings is not near."""
        value = self.kept(value)
        tests = self._are(STRING, old, value)
        limit = min(self.options.limits.max_string_size or types_ceiling(), types_ceiling())
        tests.append(nodes.compare(nodes.call("len", [target]), "<", nodes.constant(limit // 8)))
        is_short = isinstance(value.node, nodes.Constant) and len(str(value.node.value)) < _SHORT
        if not is_short and not (value.types == STRING and value.bounds[1] < _SHORT):
            tests.append(nodes.compare(nodes.call("len", [value.node]), "<", nodes.constant(_SHORT)))
        joined = nodes.assign_to(target, nodes.binary("+", target, value.node))
        slow = nodes.assign_to(target, self._assigned(node, target, value))
        self.out.append(nodes.branch(nodes.both(tests), [joined], [slow]))

    # ---------------------------------------------------------------------------------------- leaving

    def leave_function(self, node: syntax.Return) -> None:
        """``return``."""
        value = self.expression(node.value) if node.value is not None else Value(nodes.constant(None), UNIT)
        self.returned |= value.types
        self.out.append(nodes.Return(value.node))

    def throw(self, node: syntax.Throw) -> None:
        """``throw``."""
        value: Any = self.expression(node.value).node if node.value is not None else nodes.constant(None)
        self.out.append(nodes.statement(nodes.call("throw", [value], (node.line, node.column))))

    def leave_loop(self, node: syntax.Break) -> None:
        """``break``."""
        result = self.loops[-1]
        if node.value is not None:
            value = self.expression(node.value)
            if result is not None:
                self.collected[result] = self.collected.get(result, 0) | value.types
                self.out.append(nodes.assign(result, value.node))
            else:
                self.finish(value, None)
        self.out.append(nodes.Break())

    def next_turn(self, node: syntax.Continue) -> None:
        """``continue``."""
        self.out.append(nodes.Continue())

    # ---------------------------------------------------------------------------------------- control structures

    def control(self, node: Node, destination: Destination) -> bool:
        """Write a control structure that brings its value to a destination; False if the node is none."""
        handler = _CONTROLS.get(type(node))
        if handler is None:
            return False
        handler(self, node, destination)
        return True

    def if_else(self, node: syntax.If, destination: Destination) -> None:
        """``if``."""
        since = len(self.holders)
        test = self.condition(node.condition)
        clear = self._cleared(since)
        before = dict(self.ranges.here)
        self.ranges.learn(node.condition, True)
        if _counts(node):
            self.present.add(node.then.statements[0].target)  # type: ignore[attr-defined]
        then = self.collect(lambda: self.block(node.then, destination))
        after_then = None if _jumps(then) else self.ranges.here
        self.ranges.here = before
        self.ranges.learn(node.condition, False)
        otherwise = self.collect(lambda: self._otherwise(node.otherwise, destination))
        self.ranges.join(after_then, None if _jumps(otherwise) else self.ranges.here)
        self.out.append(nodes.branch(test, [*clear, *then], [*clear, *otherwise]))

    def _cleared(self, since: int) -> list[Any]:
        """Return the statement that clears what a condition left in temporaries, for the branches to begin with."""
        names = list(dict.fromkeys(self.holders[since:]))
        del self.holders[since:]
        return [nodes.clear(names)] if names else []

    def _otherwise(self, node: Node | None, destination: Destination) -> None:
        if node is None:
            self.finish(None, destination)
            return
        if self.traced and isinstance(node, syntax.If):
            self.trace_step(node)
        self.into(node, destination)

    def _loop_result(self, destination: Destination) -> str | None:
        """Return the temporary that ``break`` brings its value to, with () in it."""
        if destination is None:
            return None
        result = self.temporary(ANY) if destination is RETURN else destination
        self.collected[result] = ANY
        self.out.append(nodes.assign(result, nodes.constant(None)))
        return result

    def _finish_loop(self, result: str | None, destination: Destination) -> None:
        if destination is RETURN:
            assert result is not None
            self.finish(self.fresh(result, ANY), RETURN)

    def _turns(self, node: Node, result: str | None, emit: Any) -> list[Any]:
        """Return the body of a loop."""
        self.loops.append(result)
        outer_hot, self.hot = self.hot, True
        outer_loop, self.in_loop = self.in_loop, True
        self.repeats = True
        before = self.ranges.enter(node)
        body = self.collect(emit)
        self.ranges.leave(before)
        self.hot, self.in_loop = outer_hot, outer_loop
        self.loops.pop()
        return body

    def while_loop(self, node: syntax.While, destination: Destination) -> None:
        """``while`` and ``loop``."""
        result = self._loop_result(destination)
        size = self._scope_size()

        def turn() -> None:
            self._rewind(size)
            if self.traced and node.condition is not None:
                self.trace_step(node.condition)
            if node.condition is not None and not _is_true(node.condition):
                self._leave_unless(node.condition, negated=True)
            self.block(node.body, None)

        body = self._turns(node, result, turn)
        self._loop_over_ticks(node, body)
        self._rewind(size)
        self._finish_loop(result, destination)

    def _loop_over_ticks(self, node: Node, body: list[Any]) -> None:
        ticks = nodes.place(nodes.Name("T", nodes.LOAD), (node.line, node.column))
        loop = nodes.For(nodes.Name("_", nodes.STORE), ticks, body or [nodes.Pass()], [])
        self.out.append(nodes.place(loop, (node.line, node.column)))

    def _scope_size(self) -> str | None:
        """Keep how many variables there are, in a dynamic function: a loop may be left from within blocks."""
        if not self.scope.dynamic:
            return None
        size = self.temporary(INT)
        self.out.append(nodes.assign(size, nodes.call("len", [nodes.name("Z")])))
        return size

    def _rewind(self, size: str | None) -> None:
        if size is not None:
            self.out.append(nodes.statement(nodes.call("rewind", [nodes.name("Z"), nodes.name(size)])))

    def _leave_unless(self, condition: Node, *, negated: bool) -> None:
        outer, holders = self.temporaries, self.holders
        self.holders = []
        test = self.condition(condition)
        if self.holders:
            test = self.stored(Value(test, BOOL)).node
            empty: list[Any] = [nodes.Name(name, nodes.STORE) for name in dict.fromkeys(self.holders)]
            self.out.append(nodes.Assign(empty, nodes.constant(None)))
        self.out.append(nodes.branch(nodes.negate(test) if negated else test, [nodes.Break()]))
        self.ranges.learn(condition, negated)
        self.temporaries, self.holders = outer, holders

    def do_loop(self, node: syntax.DoWhile, destination: Destination) -> None:
        """``do … while`` and ``do … until``; ``continue`` skips the condition, as in Rust."""
        result = self._loop_result(destination)
        size = self._scope_size()

        def turn() -> None:
            self._rewind(size)
            self.block(node.body, None)
            if self.traced:
                self.trace_step(node.condition)
            self._leave_unless(node.condition, negated=not node.until)

        body = self._turns(node, result, turn)
        self._loop_over_ticks(node, body)
        self._rewind(size)
        self._finish_loop(result, destination)

    def for_loop(self, node: syntax.For, destination: Destination) -> None:
        """``for``."""
        over = self._iterable(node.iterable)
        result = self._loop_result(destination)
        variable = self.resolution.bindings[node]
        counter = self.resolution.counters.get(node)
        assert variable is not None
        setup: list[Any] = []
        outer_size = self._scope_size()
        if self.scope.dynamic:
            for name in (node.counter, node.name):
                if name is not None:
                    arguments = [nodes.name("Z"), nodes.constant(name), nodes.constant(None), nodes.constant(False)]
                    self.out.append(nodes.statement(nodes.call("declare", arguments)))
        targets: list[Any] = []
        for each, name in ((variable, node.name), (counter, node.counter)):
            if each is not None and name is not None:
                targets.append(self._loop_target(each, name, setup))
        sources = [over, *([nodes.call("count", [])] if counter is not None else []), nodes.name("T")]
        targets.append(nodes.Name("_", nodes.STORE))

        size = self._scope_size()

        def turn() -> None:
            self._rewind(size)
            if self.traced:
                self.trace_step(node)
            self.out += setup
            if not self.traced:
                self.block(node.body, None)
                return
            outer = list(self.in_sight)
            self.in_sight += [each for each in (variable, counter) if each is not None]
            self.trace_change(node)
            self.block(node.body, None)
            self.in_sight = outer

        body = self._turns(node, result, turn)
        target = nodes.Tuple(targets, nodes.STORE)
        source = nodes.call("zip", sources, (node.line, node.column))
        self.out.append(nodes.For(target, source, body or [nodes.Pass()], []))
        self._rewind(outer_size)
        self._finish_loop(result, destination)

    def _loop_target(self, variable: Variable, name: str, setup: list[Any]) -> Any:
        """Return what Python's loop assigns to; ``setup`` brings it to the script's variable if that is a cell."""
        if not self.scope.dynamic and not variable.captured:
            return nodes.Name(variable.python, nodes.STORE)
        item = self.temporary(ANY)
        if self.scope.dynamic:
            cell: Any = nodes.call("find", [nodes.name("Z"), nodes.constant(name)])
        else:
            # One cell for all turns, as in Rust: closures made in the loop share it.
            self.out.append(nodes.assign(variable.python, nodes.call("cell", [nodes.constant(None)])))
            cell = nodes.name(variable.python)
        setup.append(nodes.assign_to(nodes.cell(cell), nodes.name(item)))
        return nodes.Name(item, nodes.STORE)

    def _iterable(self, node: Any) -> Any:
        """Return the Python iterator of what a ``for`` goes through."""
        if type(node) is syntax.RangeExpression and node.end is not None:
            first = node.start
            low, high = self.sequence(
                [
                    (lambda: self.expression(first)) if first is not None else zero,
                    lambda: self.expression(node.end),  # type: ignore[arg-type]
                ]
            )
            if low.types == INT and high.types == INT:
                end = nodes.binary("+", high.node, nodes.constant(1)) if node.inclusive else high.node
                return nodes.call("range", [low.node, end])
            helper = "closed_turns" if node.inclusive else "open_turns"
            return nodes.call(helper, [nodes.name("R"), low.node, high.node], (node.line, node.column))
        value = self.expression(node)
        return nodes.call("elements", [nodes.name("R"), value.node], start(node))

    def try_catch(self, node: syntax.Try, destination: Destination) -> None:
        """``try`` and ``catch``."""
        self.in_try += 1
        self.ranges.drop(node)
        before = dict(self.ranges.here)
        target = self.temporary(ANY) if destination is RETURN else destination
        size = self._scope_size()
        # None of the body's temporaries: the place of an error is told by what they hold.
        error = self.temporary(ANY)
        body = self.collect(lambda: self.block(node.body, target))
        self.in_try -= 1
        self.ranges.here = dict(before)
        in_sight = list(self.in_sight)
        handler = self.collect(lambda: self._handler(node, error, size))
        self.in_sight = in_sight
        self.ranges.here = before
        if target is not None and not (handler and isinstance(handler[-1], _JUMPS)):
            handler.append(nodes.assign(target, nodes.constant(None)))
            self.collected[target] = ANY
        catch = nodes.ExceptHandler(nodes.name("Catchable"), error, handler)
        self.out.append(nodes.Try(body or [nodes.Pass()], [catch], [], []))
        if destination is RETURN:
            assert target is not None
            self.finish(self.fresh(target, ANY), RETURN)

    def _handler(self, node: syntax.Try, error: str, size: str | None) -> None:
        self._rewind(size)
        # Without a place this frame would not count for an error that can't be caught and goes on outwards.
        caught = nodes.call("caught", [nodes.name("R"), nodes.name(error)], (node.line, node.column))
        variable = self.resolution.bindings.get(node)
        if variable is None:
            self.out.append(nodes.statement(caught))
        elif self.scope.dynamic:
            assert node.name is not None
            arguments = [nodes.name("Z"), nodes.constant(node.name), caught, nodes.constant(False)]
            self.out.append(nodes.statement(nodes.call("declare", arguments)))
        else:
            self.define(variable, Value(caught, ANY))
        self.in_try += 1
        again = self.temporary(ANY)
        body = self.collect(lambda: self.block(node.handler, None))
        self.in_try -= 1
        if any(_throws(statement) for statement in node.handler.statements):
            rethrow = nodes.statement(nodes.call("rethrow", [nodes.name("R"), nodes.name(error), nodes.name(again)]))
            catch = nodes.ExceptHandler(nodes.name("Catchable"), again, [rethrow])
            self.out.append(nodes.Try(body or [nodes.Pass()], [catch], [], []))
        else:
            self.out += body
        self._rewind(size)

    keeps_constants = False
    top_level: frozenset[Node] = frozenset()
    returned = 0


def _jumps(statements: list[Any]) -> bool:
    return bool(statements) and isinstance(statements[-1], _JUMPS)


def _throws(node: Any) -> bool:
    """Whether a ``throw`` stands in a node, outside of closures."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, syntax.Throw):
            return True
        if isinstance(each, syntax.Closure) or not hasattr(each, "__slots__"):
            continue
        for kind in type(each).__mro__:
            for name in getattr(kind, "__slots__", ()):
                child = getattr(each, name, None)
                if isinstance(child, syntax.Node):
                    waiting.append(child)
                elif isinstance(child, list):
                    waiting += [item for item in child if isinstance(item, syntax.Node)]
    return False


def _counts(node: syntax.If) -> bool:
    """Whether it is ``if key in map { map[key] op= value; … }``, with names and a value that change nothing."""
    condition, first = node.condition, node.then.statements[0] if node.then.statements else None
    if type(condition) is not syntax.Binary or condition.operator != "in" or type(first) is not syntax.Assign:
        return False
    target = first.target
    if type(target) is not syntax.Index or type(first.value) not in (syntax.Literal, syntax.Variable):
        return False
    pairs = (target.index, condition.left), (target.base, condition.right)
    return all(
        type(one) is syntax.Variable and type(other) is syntax.Variable and one.name == other.name
        for one, other in pairs
    )


def _may_eval(node: Any) -> bool:
    return isinstance(node, syntax.ExpressionStatement | syntax.Assign)


def _is_true(node: Node) -> bool:
    return type(node) is syntax.Literal and node.value is True


def types_ceiling() -> int:
    """Bytes that no string gets longer than."""
    return 1 << 30


_STATEMENTS: dict[type, Any] = {
    syntax.Let: Statements.let,
    syntax.Assign: Statements.assign,
    syntax.Return: Statements.leave_function,
    syntax.Throw: Statements.throw,
    syntax.Break: Statements.leave_loop,
    syntax.Continue: Statements.next_turn,
    syntax.Import: Statements.import_module,
    syntax.Export: Statements.export,
}
_CONTROLS: dict[type, Any] = {
    syntax.Block: Statements.block,
    syntax.If: Statements.if_else,
    syntax.Switch: Statements.switch,
    syntax.While: Statements.while_loop,
    syntax.DoWhile: Statements.do_loop,
    syntax.For: Statements.for_loop,
    syntax.Try: Statements.try_catch,
}
