"""Scripts that nobody wrote, and what must be true of each.

`grammar` makes programs of the whole language by hypothesis strategies, `mutation` damages recorded ones, `verdict`
runs a source and says what is wrong with how it went. The three know nothing of each other.
"""
