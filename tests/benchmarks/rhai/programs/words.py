"""Counts the words of a text of a megabyte, and lists the most frequent ones.

``collections.Counter`` would count in C; Rhai has nothing like it, so that would be another program.
"""

VOCABULARY = [
    "The",
    "cloud",
    "stores",
    "every",
    "event",
    "in",
    "a",
    "log",
    "and",
    "scripts",
    "answer",
    "requests",
    "while",
    "the",
    "manager",
    "watches",
    "over",
    "workers",
    "that",
    "run",
    "small",
    "programs",
    "for",
    "people",
    "who",
    "like",
    "their",
    "servers",
    "quiet",
    "at",
    "night",
]


def page(length):
    text = ""
    seed = 7
    while len(text) < length:
        seed = (seed * 75 + 74) % 65_537
        text += VOCABULARY[seed % len(VOCABULARY)]
        text += ". " if seed % 11 == 0 else " "
    return text


def count_words(text):
    counts = {}
    for word in text.split():
        if word in counts:
            counts[word] += 1
        else:
            counts[word] = 1
    return counts


def run():
    text = ""
    a_page = page(10_000)
    for _ in range(100):
        text += a_page

    text = text.lower()
    text = text.replace(".", "")
    counts = count_words(text)
    # In the order of their names, as Rhai's keys come, so that equal counts end up in the same order.
    words = sorted(counts)
    words.sort(key=lambda word: -counts[word])

    lines = []
    for word in words[:5]:
        lines.append(f"{word}: {counts[word]}")
    return lines
