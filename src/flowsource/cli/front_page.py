"""What `flowsource --help` says, written out so that it costs nothing; a test holds it to the commands there are."""

from __future__ import annotations

FRONT_PAGE = """\
Usage: flowsource COMMAND [OPTIONS]

Push to Git; the next run uses it.

Commands:
  run DEPLOYMENT                 Ask for a run of a deployment, and watch it with --watch.
  runs ls                        The newest runs first.
  runs show RUN                  Everything about one run.
  runs cancel RUN                Ask a run to end, with its processes; --wait follows that.
  logs RUN                       What a run wrote; with -f as it comes, until the run ends.
  deployments ls                 All deployments: their schedules, revisions and states.
  deployments show NAME          Everything about one deployment.
  deployments history NAME       What happened to it: each promotion, and each act of a person.
  deployments pin NAME REVISION  Serve one revision, whatever is newer, until it is unpinned.
  deployments unpin NAME         Release a pin: the newest revision that loads serves again.
  deployments rollback NAME      Go back to what served before, until something newer is pushed.
  deployments accept NAME        Let a revision serve that is held for the dependencies it changes.
  deployments recheck NAME       Look again at a revision that was rejected or rolled back from.
  deployments pause NAME         Hold its schedules; runs on request go on.
  deployments resume NAME        Let its schedules go on, from now.
  source ls                      All sources: how and where they are, and when they are asked next.
  source explain NAME            Why a push is not live: the stages of the last poll, what helps.
  source sync [NAME]             Look for something new now; with --wait until that is done.
  source pause NAME              Look for nothing new until it is resumed.
  source resume NAME             Look for what is new again.
  source check URL ENTRYPOINT    Whether a flow loads from there, for a CI pipeline.
  source gc                      Remove from the cache what nobody needs, and tell what that freed.
  source listen                  Take webhooks, so that a push is looked at at once.
  store status                   Where the memory is, and the version of its tables.
  store downgrade VERSION        Bring its tables back to an older version.
  demo                           See it work: a repository, pushes and runs, in a few seconds.

`flowsource COMMAND --help` tells the options of each.

Options for all:
  --json       Print data as JSON (where a command prints data).
  --debug      Let an error show its traceback.
  --help, -h   Show this page.
  --version    Show the version.

Exit codes:
  0    done                     4    the source wants other credentials
  1    the run or check failed  5    store or source cannot be used
  2    bad input                6    in conflict with the present state
  3    not found                70   a fault of flowsource's own
  124  timed out                130  interrupted

Environment:
  FLOWSOURCE_HOME   where the database is; servers and this command must agree on it
  FLOWSOURCE_STORE  another database: sqlite:///PATH or postgresql://HOST/NAME
  NO_COLOR          no colours"""
