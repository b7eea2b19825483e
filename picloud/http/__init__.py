"""The HTTP side: scripts' endpoints, the control plane, health.

Requests come in, calls on the node go out; nothing here knows of SQL, events' order or executors.
"""
