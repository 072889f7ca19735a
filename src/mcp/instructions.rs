//! What a client's model reads about the server before it has seen a tool.

use crate::service::Names;

/// Clients cut instructions at 2 KB.
pub(super) const MOST_BYTES: usize = 2_000;

const TEXT: &str = "\
Manages the running processes of this project: builds them, keeps them running, restarts them after \
crashes, and keeps what they print. Use these tools whenever you change this project's code or want \
to know what it does. Never run `cargo run`, `npm run dev` or the like yourself, and do not kill \
these processes: a second copy would fight for the port.

The usual sequence:
1. After a change of code call `restart`. It builds while the old version serves, and swaps only if \
the build succeeds. `ok: true` means that the change is live and ready.
2. Otherwise read `outcome`, `reason` and `errors` in its answer (file, line, message), mend them, \
and call `restart` again. `rolled_back`: the new version failed, the last good one serves. \
`search_build_log` has all that cargo said; with diagnostics: true each error and warning once.
3. `search_logs` shows what the processes printed: give a `pattern` (Rust regex), a `level`, \
`tail`, or an `index` (-1 the current run, -2 the one before).
4. `get_status` says what runs now, since when, why it crashed last, and whether the last build \
failed. To wait, call `wait_for` (ready, exit, log, build) instead of asking again and again.

If `restart` answers `building`, time ran out and it goes on: `wait_for` ready. After a crash in dev \
mode the process waits so that you can look; `restart` acts at once. `stop` ends a process until \
`start` or `restart`; a restart needs no stop. `process` may be left out when there is only one. \
A valid change of `.mcp-run` takes effect by itself; get_status has `config_error` if it is wrong.";

/// The instructions for these processes.
pub(super) fn instructions(project: &str, names: &Names) -> String {
    let here = format!("\n\nThe project is {project}; its processes: {names}.");
    if TEXT.len() + here.len() <= MOST_BYTES {
        format!("{TEXT}{here}")
    } else {
        TEXT.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_fit_into_what_clients_read() {
        let names = |count| {
            Names(
                (0..count)
                    .map(|it| format!("p{it}").parse().unwrap())
                    .collect(),
            )
        };
        let few = instructions("/home/u/ganbot", &names(3));
        assert!(few.ends_with("The project is /home/u/ganbot; its processes: p0, p1, p2."));
        assert!(few.len() <= MOST_BYTES);
        let many = instructions("/home/u/ganbot", &names(500));
        assert!(many.len() <= MOST_BYTES);
    }
}
