"""Builds a long line of fields, takes it apart again and looks at each piece."""


def build(count):
    text = ""
    for i in range(count):
        if i > 0:
            text += ","
        text += f"item-{i}:{i % 7}"
    return text


def summary(text):
    total = 0
    matching = 0
    initials = ""
    for field in text.split(","):
        parts = field.split(":")
        name = parts[0].upper()
        total += int(parts[1])
        if name.startswith("ITEM-1"):
            matching += 1
        if name.endswith("99"):
            initials += name[5:6]
    return f"{total} {matching} {initials}"


def run():
    return summary(build(50_000))
