"""`python -m picloud.rhai` alone: a conversation on a terminal, or through a pipe."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from picloud.rhai.tools.completeness import is_complete

COMMAND = [sys.executable, "-m", "picloud.rhai"]
SECONDS = 20.0


def piped(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(COMMAND, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_a_pipe_is_read_input_by_input(tmp_path: Path) -> None:
    script = tmp_path / "more.rhai"
    script.write_text("let loaded = [1, 'c', \"s\"];\nloaded")
    done = piped(
        'let x = 20;\nx + 1\nfn f(a) {\n  a * 2\n}\nf(x)\n1 +\n\n2\n()\n"text"\n'
        f":type 1.5\n:load {script}\n:vars\n:time f(1)\n:quit\n99\n"
    )
    assert done.returncode == 1, "one input failed"
    printed = done.stdout.splitlines()
    assert printed[:9] == [
        "21", "40", "2", '"text"', "f64", "[1, 'c', \"s\"]",
        "let x: i64 = 20", "let loaded: array = [1, 'c', \"s\"]", "fn f(a)",
    ]  # fmt: skip
    assert printed[9] == "2"
    assert printed[10].endswith(" ms")
    assert len(printed) == 11, "nothing behind :quit is read"
    assert done.stderr.splitlines()[0] == "error: Script is incomplete"


def test_an_error_shows_the_lines_of_the_inputs_that_it_passed_through() -> None:
    done = piped("fn first(a) { a.foo() }\nfn second() {\n  first(2)\n}\n\n\nsecond()\n")
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: Function not found: foo (i64) (line 1, position 17)",
        "in call to function 'first' (line 2, position 3)",
        "in call to function 'second' (line 1, position 1)",
        "  1 | fn first(a) { a.foo() }",
        "    |                 ^",
        "  2 |   first(2)",
        "    |   ^ `first` is called here",
        "  1 | second()",
        "    | ^ `second` is called here",
    ]


def test_names_of_earlier_inputs_are_advised() -> None:
    assert "did you mean `total`?" in piped("let total = 1;\ntotl\n").stderr


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("1 + 1", True),
        ("let x = (1", False),
        ("let x = [1,", False),
        ("#{ a: 1", False),
        ("fn f() {", False),
        ("fn f()", False),
        ("1 +", False),
        ("let x =", False),
        ("if true", False),
        ("let x = `a\nb", False),
        ("let x = `a ${1 + `b", False),
        ("let x = `a ${", False),
        ("let x = `${a} ${b", False),
        ('let x = #"a', False),
        ('let x = "a', True),
        ('let x = "a\\', False),
        ("/* a /* b */", False),
        ("/* a */ 1 // (", True),
        ("1)", True),
        ("let x = ;", True),
        ("1 1", True),
    ],
)
def test_an_input_goes_on_while_something_is_open(text: str, complete: bool) -> None:
    assert is_complete(text) == complete


# ------------------------------------------------------------------------------------------------ a terminal


class Conversation:
    """The program on a terminal of its own."""

    def __init__(self, state: Path) -> None:
        self._master, slave = pty.openpty()
        environment = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb", "INPUTRC": "/dev/null"}
        self.process = subprocess.Popen(
            COMMAND, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True, close_fds=True
        )
        os.close(slave)
        self.text = ""

    def until(self, wanted: str) -> str:
        """Return what is written up to ``wanted``, which is taken too."""
        while wanted not in self.text:
            ready, _, _ = select.select([self._master], [], [], SECONDS)
            assert ready, f"no {wanted!r} in {self.text!r}"
            try:
                read = os.read(self._master, 65536)
            except OSError:
                read = b""
            assert read, f"it ended: {self.text!r}"
            self.text += read.decode()
        before, _, self.text = self.text.partition(wanted)
        return before

    def say(self, text: str) -> None:
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def interrupt_until(self, wanted: str) -> None:
        """Interrupt what is typed; again if that is overlooked, as a signal is while Python turns to the keyboard."""
        while wanted not in self.text:
            self.interrupt()
            while wanted not in self.text and select.select([self._master], [], [], 2.0)[0]:
                self.text += os.read(self._master, 65536).decode()
        self.until(wanted)

    def end(self) -> int:
        self.say("\x04")
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def conversation(tmp_path: Path) -> Iterator[Conversation]:
    found = Conversation(tmp_path)
    try:
        found.until("rhai> ")
        yield found
    finally:
        found.close()


def test_a_terminal_gets_prompts_values_and_a_history(conversation: Conversation, tmp_path: Path) -> None:
    conversation.say("let x = 20;\n")
    conversation.until("rhai> ")
    conversation.say("[x,\n")
    conversation.until("  ... ")
    conversation.say("'c']\n")
    assert "[20, 'c']" in conversation.until("rhai> ")
    conversation.say("totl\n")
    assert "Variable not found: totl" in conversation.until("rhai> ")
    assert conversation.end() == 0, "a mistake on a terminal is no failure"
    assert "let x = 20;\n" in (tmp_path / "picloud" / "rhai-history").read_text()


def test_ctrl_c_stops_what_runs_and_what_is_typed_but_not_the_conversation(conversation: Conversation) -> None:
    conversation.say('let n = 0; print("running"); loop { n += 1; }\n')
    conversation.until("running\r\n")
    conversation.interrupt()
    assert "interrupted" in conversation.until("rhai> ")
    conversation.say("(1 +\n")
    conversation.until("  ... ")
    conversation.say("2")
    conversation.until("2")
    conversation.interrupt_until("rhai> ")
    conversation.say("6 * 7\n")
    conversation.until("42")
    conversation.until("rhai> ")
    assert conversation.end() == 0
