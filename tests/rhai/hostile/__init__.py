"""Scripts that mean harm: that hold up all else, or take memory without end.

`values` are the largest values that the limits allow, `natives` calls every native with them, `loops` are scripts that
are harmful by what they do again and again, `hoarding` those that gather memory; `watch` runs one and says how long it
kept others from their turn.
"""
