"""PostgreSQL as PiCloud uses it: the embedded server, sessions with a server, and migrations.

``server`` owns the life of the embedded server (folder, system account, start, stop), ``sessions`` opens and lends
connections to whatever server the configuration names, ``migrations`` brings a database's schema up to the code's.

It must not know what is stored: the schema is in ``migrations/*.sql``, queries live with their users. The package
itself imports nothing, so that light processes can use ``folder`` and ``server`` without a database driver.
"""
