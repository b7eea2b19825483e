"""``http::``: what scripts call outside of PiCloud, and what keeps them from calling what isn't theirs to call.

A call comes as plain arguments, goes out over a connection to an address that was checked, and comes back as a map.
Nothing here knows HTTP requests that come in; where an app's scripts may connect to is ``picloud.domain.egress``.

    service     the functions of scripts: headers that are added, answers as maps
    request     what a script asks, read and checked
    urls        URLs, read once and strictly
    guard       what may be connected to
    resolver    from names to addresses
    client      a call with its redirects, deadline and limits
    connections kept for a while, to checked addresses only
    failure     how a call fails without an answer
    recording   calls as a record may keep them
    metrics     how many there were
"""
