"""What `flowsource --help` says, written out so that it costs nothing; a test holds it to the commands there are."""

from __future__ import annotations

FRONT_PAGE = """\
Usage: flowsource COMMAND [OPTIONS]

Push to Git; the next run uses it.

Commands:
  run DEPLOYMENT         Ask for a run of a deployment, and watch it with --watch.
  runs ls                The newest runs first.
  runs show RUN          Everything about one run.
  logs RUN               What a run wrote; with -f as it comes, until the run ends.
  deployments ls         All deployments: their schedules, revisions and states.
  deployments show NAME  Everything about one deployment.
  demo                   See it work: a repository, pushes and runs, in a few seconds.

`flowsource COMMAND --help` tells the options of each.

Options for all:
  --json       Print data as JSON (where a command prints data).
  --debug      Let an error show its traceback.
  --help, -h   Show this page.
  --version    Show the version.

Exit codes:
  0    done             4    the source wants other credentials    70   a fault of flowsource's own
  1    the run failed   5    store or source cannot be used        124  timed out
  2    bad input        6    in conflict with the present state    130  interrupted
  3    not found

Environment:
  FLOWSOURCE_HOME   where the database is; servers and this command must agree on it
  NO_COLOR          no colours"""
