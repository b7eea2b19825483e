"""Mail in: what comes by SMTP to ``APP+ADDRESS@DOMAIN`` becomes invocations of the triggers of that address.

In: connections of other mail servers. Out: one append to the log per mail, with an invocation for each of its
recipients; a 250 behind the mail's last line says that it is committed. A process of its own, off unless
``PICLOUD_SMTP_LISTEN`` says where to listen: reading mail that strangers made takes its time, and holds up nobody here.

    lines.py       bytes into command lines and mails, in bounded memory
    command.py     what a command line means
    reply.py       what is answered
    session.py     the dialogue of one connection
    tls.py         the certificate, taken up anew when it was renewed
    message.py     a mail as values: headers, texts, attachments
    directory.py   the triggers of an address, read on use, forgotten when the catalog changes
    postmaster.py  who may be written to; a mail into the log
    server.py      connections, and how many
    __main__.py    the process

It must not know how runs are run: it asks for them by the log alone.
"""
