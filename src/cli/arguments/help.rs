//! What the help of each command teaches: examples first, then what is not plain from the options.

/// Below the help of `bpm` as a whole.
pub(super) const BPM: &str = "\
A first time:
  bpm init                 write a .mcp-run for what is here
  bpm run                  start the daemon, in the foreground
  bpm mcp-config claude    how to connect Claude Code

Every day:
  bpm status               what runs, since when, and what went wrong
  bpm restart              build and swap in what was changed; shows the compiler's errors
  bpm logs -f              what the processes print

Exit codes:
  0  done
  1  not done: a failed build, a roll-back, a crash
  2  usage or configuration
  3  the daemon does not run, or the connection to it broke
  4  time ran out
  5  no such process

NO_COLOR turns colours off. BPM_TOKEN is the token of a daemon that --url names and that is not this user's.
`bpm COMMAND --help` has examples for each.";

/// Below the help of `bpm status`.
pub(super) const STATUS: &str = "\
Examples:
  bpm status
  bpm status --watch           stays, and shows every change
  bpm status --json | jq '.processes[] | select(.health != \"ready\") | .name'

--json prints what the MCP tool get_status answers, on one line; with --watch, a line for each change.";

/// Below the help of `bpm reload`.
pub(super) const RELOAD: &str = "\
Examples:
  bpm reload
  bpm reload --json

Only what changed is touched. A file that is wrong changes nothing: the exit code is 2, and the errors are those
of `bpm check`. With reload = \"auto\" in .mcp-run, the default, the daemon does this by itself.";

/// Below the help of `bpm logs`.
pub(super) const LOGS: &str = "\
Examples:
  bpm logs                     the last lines of all processes, by time
  bpm logs web -f              and what comes, also when it or the daemon is restarted
  bpm logs --grep 'panic|ERROR' -C 3 --since 1h
  bpm logs main --run 7        what run 7 printed
  bpm logs main --build        what cargo printed in the newest build
  bpm logs -f --json | jq -r .text

--json prints a line for each line: {\"process\",\"run\",\"seq\",\"at\",\"stream\",\"text\"}, with \"build\":true for
builds and \"context\":true beside a match; and notices {\"notice\":\"gap\"|\"run_changed\"|\"dropped\",…}.";

/// Below the help of `bpm restart`.
pub(super) const RESTART: &str = "\
Examples:
  bpm restart                  the only process
  bpm restart main web         both at once
  bpm restart main && curl localhost:8080

Waits until the new run is ready and tells what came of it; the compiler's errors, if there are any, are printed.
What ran before serves until then. The exit code is 0 when the change is live, 1 when it is not, 4 when it is
not known yet. --json prints the outcome of each process on a line, as the MCP tool restart answers it.";

/// Below the help of `bpm stop`.
pub(super) const STOP: &str = "\
Examples:
  bpm stop web
  bpm stop main web --timeout 10s

The exit code is 0 when nobody of them is left. --json prints the outcome of each process on a line.";

/// Below the help of `bpm start`.
pub(super) const START: &str = "\
Examples:
  bpm start web
  bpm start main --json | jq .outcome

One that runs already is left alone. The exit code is 0 when all of them run.";

/// Below the help of `bpm wait`.
pub(super) const WAIT: &str = "\
Examples:
  bpm wait --for ready && npm test
  bpm wait web --for log='listening on' --timeout 1m
  bpm wait main --for exit --timeout 1h30m

ready: it serves, is ready, and nothing newer is on its way. exit: the run that serves now has ended or was replaced.
log=R: a line of its newest run matches the regular expression R, or does so later; that line is printed.
With --timeout 0 it only looks. The exit code is 0 when it came, 4 when time ran out, 1 when
it cannot come because the process is stopped.";

/// Below the help of `bpm events`.
pub(super) const EVENTS: &str = "\
Examples:
  bpm events                   what happened last
  bpm events -f                and what happens, one line for each event
  bpm events -f --json | jq -r 'select(.kind == \"crashed\") | .text'

--json prints {\"id\",\"kind\",\"process\",\"at\",\"text\"} on a line for each, with \"state\", \"serving\", \"run\" or
\"mode\" where it is about that.";

/// Below the help of `bpm run`.
pub(super) const RUN: &str = "\
Examples:
  bpm run                      the project that the current directory is in
  bpm run ~/ganbot
  nohup bpm run >/dev/null 2>&1 &

It ends on SIGTERM, Ctrl-C or with its terminal, and all processes with it. It is background-process-manager by another name.";

/// Below the help of `bpm init`.
pub(super) const INIT: &str = "\
Examples:
  bpm init
  bpm init ~/ganbot

Looks at Cargo.toml, package.json and Procfile. Asks nothing and overwrites nothing; read the file before you start.";

/// Below the help of `bpm check`.
pub(super) const CHECK: &str = "\
Examples:
  bpm check                    the project that the current directory is in
  bpm check ~/ganbot           that in this directory

All errors are reported together, with their lines. The exit code is 2 when there are any.";

/// Below the help of `bpm service`.
pub(super) const SERVICE: &str = "\
Examples:
  bpm service install          a unit of your user, for the project that you are in; it is started
  sudo bpm service install --system /home/ann/bot
  bpm service print            the unit, and nothing else happens
  bpm service status

A unit that somebody else wrote, or that was edited, is left alone. The exit code of status is 3 when the service
does not run.";

/// Below the help of `bpm mcp-config`.
pub(super) const MCP_CONFIG: &str = "\
Examples:
  bpm mcp-config               Claude Code: the command to run
  bpm mcp-config cursor        what belongs into .cursor/mcp.json
  sh -c \"$(bpm mcp-config claude)\"

Where the daemon asks for a token, it is in what is printed: keep that out of the repository.";

/// Below the help of `bpm tui`.
pub(super) const TUI: &str = "\
Examples:
  bpm tui
  bpm --url http://localhost:3001/mcp tui";

/// Below the help of `bpm completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  bpm completions bash > ~/.local/share/bash-completion/completions/bpm
  bpm completions zsh > ~/.zfunc/_bpm
  bpm completions fish > ~/.config/fish/completions/bpm.fish";

/// Below the help of `bpm man`.
pub(super) const MAN: &str = "\
Examples:
  bpm man ~/.local/share/man/man1
  bpm man                      into `man` beside this program";
