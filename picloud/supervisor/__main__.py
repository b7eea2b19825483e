"""``python -m picloud.supervisor``: run a node until SIGINT or SIGTERM. ``picloud up`` becomes this program.

The only argument, if any, is how the person calls the command line, for the lines at the start.
"""

from __future__ import annotations

import os
import sys

from picloud import __version__
from picloud.config import Config, ConfigError
from picloud.postgres.account import NoAccount
from picloud.postgres.installation import NoInstallation
from picloud.postgres.server import ServerFailed
from picloud.supervisor.folder import TOKEN_FILE, FolderError
from picloud.supervisor.port import PortError
from picloud.supervisor.supervisor import StartFailed, Supervisor
from picloud.supervisor.voice import Voice


def main() -> int:
    """Run; return the exit code."""
    command = sys.argv[1] if len(sys.argv) > 1 else "picloud"
    try:
        config = Config.from_environment(os.environ)
        voice = Voice(config.log_format)
        Supervisor(config, os.environ, voice=voice).run(lambda: _tell_ready(config, command, voice))
    except (ConfigError, FolderError, NoAccount, NoInstallation, PortError, ServerFailed, StartFailed) as error:
        print(f"picloud: {error}", file=sys.stderr)
        return 1
    return 0


def _tell_ready(config: Config, command: str, voice: Voice) -> None:
    token = config.data / TOKEN_FILE
    if not voice.for_people:
        voice.say("supervisor.ready", "ready", url=config.url, data=str(config.data), version=__version__)
        return
    database = "embedded PostgreSQL" if config.embedded else "external PostgreSQL"
    voice.show(
        f"""
PiCloud {__version__} is ready:  {config.url}
  owner token   {token}
  data          {config.data} ({database})

Try this in a second terminal (Ctrl-C here stops everything):
  {command} deploy examples/hello.rhai --app demo --route 'GET /hello/{{name}}'
  curl {config.url}/apps/demo/hello/ada
  {command} logs demo
"""
    )


if __name__ == "__main__":
    sys.exit(main())
