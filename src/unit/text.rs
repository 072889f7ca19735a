//! What the unit says. Pure: everything comes in as values.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf, time::Duration};

use super::{
    Scope,
    escape::{self, Unwritable},
};

/// What a unit is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Whose systemd runs it.
    pub scope: Scope,
    /// The project's directory; canonical.
    pub project_dir: PathBuf,
    /// The daemon's executable; absolute.
    pub daemon: PathBuf,
    /// Variables that it is started with.
    pub environment: Vec<(OsString, OsString)>,
    /// The longest time that a process of the project may take to stop.
    pub longest_grace: Duration,
}

/// What the daemon itself may take to stop beside the grace of its processes: kill what is left, write
/// the last lines.
const OWN_END: u64 = 15;
/// What it may take to start beside that grace, which what a dead daemon left is given as well.
const OWN_START: u64 = 60;

/// Works without privileges.
const HARDENING: [&str; 4] = [
    "NoNewPrivileges=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
];
/// Needs them. No `PrivateTmp`, because programs meet at sockets in /tmp; no
/// `MemoryDenyWriteExecute`, because node compiles at run time; no `ProtectClock`, because it takes
/// away all devices (serial ports, GPUs) as well.
const SYSTEM_HARDENING: [&str; 4] = [
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectControlGroups=yes",
];

impl Unit {
    /// The unit file, without the mark at its beginning.
    ///
    /// # Errors
    /// When a path or a variable cannot be written into such a file.
    pub fn text(&self) -> Result<String, Unwritable> {
        let directory = escape::path("the project's directory", &self.project_dir)?;
        let start = escape::command_line(&self.daemon, &[self.project_dir.as_os_str()])?;
        let grace = self.longest_grace.as_secs_f64().ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the configuration bounds it, and it is not negative"
        )]
        let grace = grace as u64;

        let mut sections = vec![vec![
            "[Unit]".to_owned(),
            format!("Description=Processes of {directory}"),
            "Documentation=https://github.com/Baughn/background-process-manager".to_owned(),
        ]];
        if self.scope != Scope::User {
            sections[0].push("After=network.target".to_owned());
        }
        // A port that is taken now may be free later.
        sections[0].push("StartLimitIntervalSec=0".to_owned());

        let mut service = vec![
            "[Service]".to_owned(),
            "Type=notify".to_owned(),
            "NotifyAccess=main".to_owned(),
        ];
        if let Scope::System { user } = &self.scope {
            service.push(format!("User={}", escape::path("the user", user.as_ref())?));
        }
        service.push(format!("WorkingDirectory={directory}"));
        for (name, value) in &self.environment {
            let mut assignment = name.clone();
            assignment.push("=");
            assignment.push(value);
            let word = escape::word("a variable", &assignment)?;
            service.push(format!("Environment={word}"));
        }
        service.push(format!("ExecStart={start}"));
        // The shell's own kill: there may be no other.
        service.push(r#"ExecReload=/bin/sh -c "kill -HUP $$MAINPID""#.to_owned());
        service.extend([
            "Restart=always".to_owned(),
            "RestartSec=2".to_owned(),
            "# A configuration that is wrong stays wrong.".to_owned(),
            "RestartPreventExitStatus=2".to_owned(),
            "WatchdogSec=30".to_owned(),
            "# The daemon ends its processes itself, side by side, each with its grace.".to_owned(),
            "KillMode=mixed".to_owned(),
            format!("TimeoutStopSec={}", grace + OWN_END),
            format!("TimeoutStartSec={}", grace + OWN_START),
            "# A process that takes too much memory is a crash of that process alone.".to_owned(),
            "OOMPolicy=continue".to_owned(),
        ]);
        service.extend(HARDENING.map(str::to_owned));
        if self.scope != Scope::User {
            service.extend(SYSTEM_HARDENING.map(str::to_owned));
        }
        sections.push(service);

        let target = match self.scope {
            Scope::User => "default.target",
            Scope::System { .. } => "multi-user.target",
        };
        sections.push(vec!["[Install]".to_owned(), format!("WantedBy={target}")]);

        let mut text = String::new();
        for (at, section) in sections.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            for line in section {
                let _ = writeln!(text, "{line}");
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn unit(scope: Scope) -> Unit {
        Unit {
            scope,
            project_dir: "/home/u/my bot".into(),
            daemon: "/home/u/.cargo/bin/background-process-manager".into(),
            environment: vec![("PATH".into(), "/home/u/.cargo/bin:/usr/bin".into())],
            longest_grace: Duration::from_millis(10_500),
        }
    }

    #[test]
    fn a_user_unit() {
        assert_snapshot!(unit(Scope::User).text().unwrap(), @r#"
        [Unit]
        Description=Processes of /home/u/my bot
        Documentation=https://github.com/Baughn/background-process-manager
        StartLimitIntervalSec=0

        [Service]
        Type=notify
        NotifyAccess=main
        WorkingDirectory=/home/u/my bot
        Environment="PATH=/home/u/.cargo/bin:/usr/bin"
        ExecStart="/home/u/.cargo/bin/background-process-manager" "/home/u/my bot"
        ExecReload=/bin/sh -c "kill -HUP $$MAINPID"
        Restart=always
        RestartSec=2
        # A configuration that is wrong stays wrong.
        RestartPreventExitStatus=2
        WatchdogSec=30
        # The daemon ends its processes itself, side by side, each with its grace.
        KillMode=mixed
        TimeoutStopSec=26
        TimeoutStartSec=71
        # A process that takes too much memory is a crash of that process alone.
        OOMPolicy=continue
        NoNewPrivileges=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        RestrictRealtime=yes

        [Install]
        WantedBy=default.target
        "#);
    }

    #[test]
    fn a_system_unit() {
        let user = "u".to_owned();
        assert_snapshot!(unit(Scope::System { user }).text().unwrap(), @r#"
        [Unit]
        Description=Processes of /home/u/my bot
        Documentation=https://github.com/Baughn/background-process-manager
        After=network.target
        StartLimitIntervalSec=0

        [Service]
        Type=notify
        NotifyAccess=main
        User=u
        WorkingDirectory=/home/u/my bot
        Environment="PATH=/home/u/.cargo/bin:/usr/bin"
        ExecStart="/home/u/.cargo/bin/background-process-manager" "/home/u/my bot"
        ExecReload=/bin/sh -c "kill -HUP $$MAINPID"
        Restart=always
        RestartSec=2
        # A configuration that is wrong stays wrong.
        RestartPreventExitStatus=2
        WatchdogSec=30
        # The daemon ends its processes itself, side by side, each with its grace.
        KillMode=mixed
        TimeoutStopSec=26
        TimeoutStartSec=71
        # A process that takes too much memory is a crash of that process alone.
        OOMPolicy=continue
        NoNewPrivileges=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        RestrictRealtime=yes
        ProtectSystem=full
        ProtectKernelTunables=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes

        [Install]
        WantedBy=multi-user.target
        "#);
    }

    #[test]
    fn a_project_with_a_difficult_name() {
        let difficult = Unit {
            project_dir: r#"/home/u/50% "off" $now"#.into(),
            environment: vec![("PATH".into(), r"/a b:/c%d:/e\f".into())],
            ..unit(Scope::User)
        };
        let text = difficult.text().unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains('/') && !line.contains("https"));
        assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
        Description=Processes of /home/u/50%% "off" $now
        WorkingDirectory=/home/u/50%% "off" $now
        Environment="PATH=/a b:/c%%d:/e\\f"
        ExecStart=:"/home/u/.cargo/bin/background-process-manager" "/home/u/50%% \"off\" $now"
        ExecReload=/bin/sh -c "kill -HUP $$MAINPID"
        "#);
    }
}
