"""What `flowsource --help` says, written out so that it costs nothing; a test holds it to the commands there are."""

from __future__ import annotations

FRONT_PAGE = """\
Usage: flowsource COMMAND [OPTIONS]

Push to Git; the next run uses it.

Commands:
  serve SOURCE ENTRYPOINT        Serve a flow from where its code is; or with -f what a file lists.
  dev PATH[:NAME]                Serve the flows of a file or directory here, as they are edited.
  run DEPLOYMENT                 Ask for a run of a deployment, and watch it with --watch.
  runs ls [QUERY]                The newest runs first, such as state:failed tag:etl.
  runs show RUN                  Everything about one run.
  runs cancel RUN                Ask a run to end, with its processes, or all that a query asks for.
  runs rerun RUN                 Ask for a new run that does the same, or for all of a query.
  runs watch [QUERY]             Runs as they change, each state on a line.
  logs RUN                       What a run wrote; with -f as it comes, until the run ends.
  why RUN                        Why it is late, waits, is lost or failed; or of a deployment.
  deployments ls [QUERY]         All deployments: their schedules, revisions and states.
  deployments show NAME          Everything about one deployment.
  deployments history NAME       What happened to it: each promotion, and each act of a person.
  deployments pin NAME REVISION  Serve one revision, whatever is newer, until it is unpinned.
  deployments unpin NAME         Release a pin: the newest revision that loads serves again.
  deployments rollback NAME      Go back to what served before, until something newer is pushed.
  deployments accept NAME        Let a revision serve that is held for the dependencies it changes.
  deployments recheck NAME       Look again at a revision that was rejected or rolled back from.
  deployments pause NAME         Hold its schedules and triggers; runs on request go on.
  deployments resume NAME        Let its schedules and triggers go on, from now.
  deployments run NAME           Ask for a run of it, as `run` does.
  deployments delete NAME        Forget one that nobody serves, with its runs and its history.
  schedules ls [DEPLOYMENT]      When deployments run, by their code and by people.
  schedules next [DEPLOYMENT]    The next times, in the zone of each schedule and here; also of one
                                 that you think of: --cron, --interval or --rrule.
  schedules add DEPLOYMENT       Add a schedule, which stays whatever the code says.
  schedules pause NAME KEY       Hold one schedule; its others go on.
  schedules resume NAME KEY      Let it go on, from now.
  schedules remove NAME KEY      Take it away, until the code says something else of it.
  triggers ls [NAME]             What makes deployments run because something happened.
  triggers show NAME             What the triggers of a deployment fired, and for which events.
  triggers add NAME              Add one, which stays whatever the code says: --on-completion-of,
                                 --expect or --trigger.
  triggers pause NAME TRIGGER    Hold one trigger; its others go on.
  triggers resume NAME TRIGGER   Let it go on, with what happens from now.
  triggers remove NAME TRIGGER   Take it away, until the code says something else of it.
  events ls                      What happened, newest first; with -f as it happens.
  events tail                    What happened last, and what happens; as `events ls -f`.
  events emit EVENT              Tell that something happened, as order.created did.
  source ls                      All sources: how and where they are, and when they are asked next.
  source explain NAME            Why a push is not live: the stages of the last poll, what helps.
  source sync [NAME]             Look for something new now; with --wait until that is done.
  source pause NAME              Look for nothing new until it is resumed.
  source resume NAME             Look for what is new again.
  source check URL ENTRYPOINT    Whether a flow loads from there, for a CI pipeline.
  source gc                      Remove from the cache what nobody needs, and tell what that freed.
  source listen                  Take webhooks, so that a push is looked at at once.
  store prune                    Remove runs and logs that were kept long enough.
  runners ls                     The processes that serve: where they are, and what they serve.
  config show                    The settings: the value of each, and where it is from.
  dashboard                      A link by which a browser comes into the dashboard.
  server start                   Let runners and people on other machines use this store.
  tokens create NAME             Make one for a runner, a person, a script (server token create).
  tokens ls                      All, with what each may do (server token ls).
  tokens revoke NAME             Let a token count no more (server token revoke).
  store status                   Where the memory is, and the version of its tables.
  store downgrade VERSION        Bring its tables back to an older version.
  doctor                         Whether all is as it should be, and what helps where it is not.
  completion SHELL               What completes commands and options in bash, zsh or fish.
  demo                           See it work: a repository, pushes and runs, in a few seconds.

`flowsource COMMAND --help` tells the options of each.

Options for all:
  --json       Print data as JSON (where a command prints data).
  --debug      Let an error show its traceback.
  --help, -h   Show this page.
  --version    Show the version.

Exit codes:
  0    done                     4    other credentials are wanted
  1    the run or check failed  5    store or source cannot be used
  2    bad input                6    in conflict with the present state
  3    not found                70   a fault of flowsource's own
  124  timed out                130  interrupted

Environment:
  FLOWSOURCE_HOME   where the database is; servers and this command must agree on it
  FLOWSOURCE_STORE  another database: sqlite:///PATH or postgresql://HOST/NAME
  NO_COLOR          no colours"""
