"""Child processes that never outlive their parent for long.

:class:`Child` starts a program in a session of its own, through the small program in ``launch.py``, which asks the
kernel for a signal at the parent's death, drops privileges if told to, and becomes the program. What flows in is a
command line and an environment; what flows out is a process id and an exit status.

It must not know what it starts: the supervisor and the embedded PostgreSQL both use it. It imports the standard
library's lightest parts alone, because the supervisor's memory counts.
"""

from picloud.process.child import Child

__all__ = ["Child"]
