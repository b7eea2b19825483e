"""For people who write scripts: how errors are shown, advice, warnings, the formatter and the REPL.

    excerpt.py    a line of a script with a caret under a place
    report.py     an error as a person reads it: message, excerpts of all places that it tells, advice
    advice.py     how an error of a run might be mended, "did you mean"
    mending.py    the same for errors of the parser
    spelling.py   which of several names somebody may have meant
    foreign.py    words, signs and functions of other languages
    warnings.py   what in a script that compiles is most likely a mistake, a Remark (remark.py) for each
    calls.py      of these: names and calls that nothing answers, functions that nobody calls
    comparisons.py  of these: comparisons whose answer is known
    bindings.py   who declares each name of a script, and who uses it
    tree.py       going through a syntax tree
    lexemes.py    the tokens of a source as written, with the comments between them
    session.py    a script that is told piece by piece
    completeness.py  whether such a piece is whole
    repl.py       a conversation on a terminal
    formatter/    a script in the one way in which it is written
    terminal.py   a run that prints to the terminal and finds modules in a folder

Nothing in here runs unless somebody asks for it: the compiler and the runtime know none of these modules, and messages
of errors are the language's own. What is said beside them is ours.
"""
