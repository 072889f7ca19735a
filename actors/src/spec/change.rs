//! What a new configuration of a process means for what runs of it. Pure.

use super::{ProcessSpec, Program, Readiness, Sockets};

/// What it takes until a changed entry is true of what runs. The later ones include the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Nothing: limits and waits hold from now on, also for what runs.
    Settle,
    /// A new child of the program that there is.
    Swap,
    /// A new build.
    Rebuild,
}

impl ProcessSpec {
    /// What it takes to come from this entry to `new`; `None` where they say the same.
    #[must_use]
    pub fn change_to(&self, new: &Self) -> Option<Change> {
        let changes = self.differences(new).into_iter();
        changes.map(|(_, change)| change).max()
    }

    /// The keys of the configuration that differ.
    #[must_use]
    pub fn changed_keys(&self, new: &Self) -> Vec<&'static str> {
        let changes = self.differences(new).into_iter();
        changes.map(|(key, _)| key).collect()
    }

    /// Each key that differs, with what that takes.
    fn differences(&self, new: &Self) -> Vec<(&'static str, Change)> {
        use Change::{Rebuild, Settle, Swap};
        let waits = (&self.crash_policy, &new.crash_policy);
        let mut all = self.program.differences(&new.program);
        all.extend([
            ("cwd", Rebuild, self.cwd != new.cwd),
            ("env", Swap, self.env != new.env),
            ("watchdog_seconds", Swap, self.watchdog != new.watchdog),
            (
                new.sockets.key().or(self.sockets.key()).unwrap_or_default(),
                Swap,
                !self.sockets.has_doors_of(&new.sockets),
            ),
            (
                "overlap",
                Settle,
                self.sockets.overlap() != new.sockets.overlap()
                    && self.sockets.has_doors_of(&new.sockets),
            ),
            ("ready", Swap, !self.readiness.asks_like(&new.readiness)),
            (
                match new.readiness {
                    Readiness::Settle(_) => "settle_seconds",
                    Readiness::Probe { .. } => "ready.timeout_seconds",
                },
                Settle,
                self.readiness != new.readiness && self.readiness.asks_like(&new.readiness),
            ),
            (
                "stop_grace_seconds",
                Settle,
                self.stop_grace != new.stop_grace,
            ),
            ("drain_seconds", Settle, self.drain != new.drain),
            ("stable_seconds", Settle, self.stable != new.stable),
            (
                "dev_crash_wait_seconds",
                Settle,
                waits.0.dev_wait != waits.1.dev_wait,
            ),
            (
                "release_crash_backoff_initial_seconds",
                Settle,
                waits.0.release_initial != waits.1.release_initial,
            ),
            (
                "release_crash_backoff_max_seconds",
                Settle,
                waits.0.release_max != waits.1.release_max,
            ),
        ]);
        let differ = all.into_iter().filter(|(.., differs)| *differs);
        differ.map(|(key, change, _)| (key, change)).collect()
    }

    /// Whether a child of this entry is like one of `other`, but for limits and waits.
    #[must_use]
    pub fn runs_like(&self, other: &Self) -> bool {
        self.change_to(other).is_none_or(|it| it == Change::Settle)
    }

    /// Whether the builder does the same for this entry as for `other`, so that what it came to for one
    /// of them is true of both.
    #[must_use]
    pub fn is_made_like(&self, other: &Self) -> bool {
        match self.program {
            Program::Rust(_) => self.builds_like(other),
            // It looks for the program, with the environment of the run.
            Program::Npm(_) | Program::Command(_) => self.runs_like(other),
        }
    }

    /// Whether what was built for this entry can be run as `other` has it.
    #[must_use]
    pub fn builds_like(&self, other: &Self) -> bool {
        self.change_to(other).is_none_or(|it| it <= Change::Swap)
    }
}

impl Program {
    /// Each key that says what is run, what it takes when it differs, and whether it does.
    fn differences(&self, new: &Self) -> Vec<(&'static str, Change, bool)> {
        use Change::{Rebuild, Swap};
        match (self, new) {
            (Self::Rust(old), Self::Rust(new)) => vec![
                ("package", Rebuild, old.package != new.package),
                ("bin", Rebuild, old.bin != new.bin),
                ("features", Rebuild, old.features != new.features),
                ("cargo_args", Rebuild, old.cargo_args != new.cargo_args),
                ("target_dir", Rebuild, old.target_dir != new.target_dir),
                ("in_place", Rebuild, old.in_place != new.in_place),
                ("args", Swap, old.args != new.args),
            ],
            // Where nothing is built, every program is there already.
            (Self::Npm(old), Self::Npm(new)) | (Self::Command(old), Self::Command(new)) => {
                vec![("command", Swap, old != new)]
            }
            _ => vec![("type", Rebuild, true)],
        }
    }
}

impl Readiness {
    /// Whether both find out in the same way, however long it may take.
    fn asks_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Settle(_), Self::Settle(_)) => true,
            (Self::Probe { probe: one, .. }, Self::Probe { probe: other, .. }) => one == other,
            _ => false,
        }
    }
}

impl Sockets {
    /// The key that asks for them.
    fn key(&self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::Held { .. } => Some("listen"),
            Self::Relayed { .. } => Some("port"),
        }
    }

    /// Whether both are the same sockets, whoever may run beside whom.
    #[must_use]
    pub fn has_doors_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Own, Self::Own) => true,
            (Self::Held { listen: one, .. }, Self::Held { listen: other, .. }) => one == other,
            (Self::Relayed { public: one, .. }, Self::Relayed { public: other, .. }) => {
                one == other
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::spec::{
        CargoTarget, CommandLine, CrashPolicy, Listen, ListenAddress, Overlap, Probe, Target,
        TargetPort,
    };

    type Edit = fn(&mut ProcessSpec);

    fn base(program: Program) -> ProcessSpec {
        let crash_policy = CrashPolicy {
            dev_wait: Duration::from_mins(2),
            release_initial: Duration::from_secs(1),
            release_max: Duration::from_mins(5),
        };
        let name = "main".parse().unwrap();
        ProcessSpec::new(name, program, "/p".into(), crash_policy)
    }

    fn held(port: u16, overlap: Overlap) -> Sockets {
        Sockets::Held {
            listen: vec![Listen {
                name: "http".into(),
                address: ListenAddress::Tcp(([127, 0, 0, 1], port).into()),
            }],
            overlap,
        }
    }

    fn tcp(port: u16, timeout: u64) -> Readiness {
        Readiness::Probe {
            probe: Probe::Tcp(Target {
                host: "127.0.0.1".into(),
                port: TargetPort::Fixed(port),
            }),
            timeout: Duration::from_secs(timeout),
        }
    }

    fn target(spec: &mut ProcessSpec) -> &mut CargoTarget {
        match &mut spec.program {
            Program::Rust(target) => target,
            other => panic!("{other:?}"),
        }
    }

    fn command(args: &[&str]) -> Program {
        Program::Command(CommandLine {
            program: "serve".into(),
            args: args.iter().map(|it| (*it).to_owned()).collect(),
        })
    }

    #[test]
    fn each_key_takes_what_it_must_and_no_more() {
        const TABLE: &[(&str, Edit, Option<Change>)] = &[
            ("nothing", |_| {}, None),
            ("stop_grace", |it| it.stop_grace *= 2, Some(Change::Settle)),
            ("drain", |it| it.drain *= 2, Some(Change::Settle)),
            ("stable", |it| it.stable *= 2, Some(Change::Settle)),
            (
                "crash_policy",
                |it| it.crash_policy.dev_wait *= 2,
                Some(Change::Settle),
            ),
            (
                "settle_seconds",
                |it| it.readiness = Readiness::Settle(Duration::from_secs(9)),
                Some(Change::Settle),
            ),
            (
                "env",
                |it| drop(it.env.insert("A".into(), "1".into())),
                Some(Change::Swap),
            ),
            (
                "args",
                |it| target(it).args.push("-v".into()),
                Some(Change::Swap),
            ),
            ("ready", |it| it.readiness = tcp(1, 30), Some(Change::Swap)),
            (
                "watchdog",
                |it| it.watchdog = Some(Duration::from_secs(1)),
                Some(Change::Swap),
            ),
            (
                "listen",
                |it| it.sockets = held(8080, Overlap::Beside),
                Some(Change::Swap),
            ),
            (
                "package",
                |it| target(it).package = Some("a".into()),
                Some(Change::Rebuild),
            ),
            (
                "bin",
                |it| target(it).bin = Some("a".into()),
                Some(Change::Rebuild),
            ),
            (
                "features",
                |it| target(it).features.push("a".into()),
                Some(Change::Rebuild),
            ),
            (
                "cargo_args",
                |it| target(it).cargo_args.push("-q".into()),
                Some(Change::Rebuild),
            ),
            (
                "target_dir",
                |it| target(it).target_dir = Some("/t".into()),
                Some(Change::Rebuild),
            ),
            (
                "in_place",
                |it| target(it).in_place = true,
                Some(Change::Rebuild),
            ),
            ("cwd", |it| it.cwd = "/q".into(), Some(Change::Rebuild)),
            (
                "type",
                |it| it.program = command(&[]),
                Some(Change::Rebuild),
            ),
            (
                "args and features",
                |it| {
                    target(it).args.push("-v".into());
                    target(it).features.push("a".into());
                },
                Some(Change::Rebuild),
            ),
            (
                "args and stop_grace",
                |it| {
                    target(it).args.push("-v".into());
                    it.stop_grace *= 2;
                },
                Some(Change::Swap),
            ),
        ];
        for (key, edit, change) in TABLE {
            let old = base(Program::Rust(CargoTarget::default()));
            let mut new = old.clone();
            edit(&mut new);
            assert_eq!(old.change_to(&new), *change, "{key}");
            assert_eq!(new.change_to(&old), *change, "{key}, back");
        }
    }

    #[test]
    fn a_command_is_swapped_because_nothing_is_built() {
        let (old, new) = (base(command(&[])), base(command(&["-v"])));
        assert_eq!(old.change_to(&new), Some(Change::Swap));
    }

    #[test]
    fn the_same_sockets_and_the_same_probe_need_no_new_child() {
        let mut old = base(command(&[]));
        old.sockets = held(8080, Overlap::Beside);
        old.readiness = tcp(8080, 30);
        let mut new = old.clone();
        new.sockets = held(8080, Overlap::Alone);
        new.readiness = tcp(8080, 60);
        assert_eq!(old.change_to(&new), Some(Change::Settle));
        new.sockets = held(8081, Overlap::Beside);
        assert_eq!(old.change_to(&new), Some(Change::Swap));
    }
}
