//! What cargo and rustc are asked beside the build.

use std::{io, path::PathBuf};

use super::CargoRun;
use crate::{
    artifact::CargoVariables,
    build::{
        binary::{Binary, Products, default_run},
        cargo,
        cargo_env::{self, Configured},
        environment::Variables,
        messages::Metadata,
        output::capture,
        search_path::resolve,
    },
    children::Launch,
    exit::Exit,
};

/// More than the metadata of any workspace without its dependencies.
const MOST_METADATA: usize = 32 << 20;

impl CargoRun<'_> {
    /// Asks cargo for `default-run`, which its messages do not tell.
    pub(super) async fn default_of(&self, binaries: &[Binary]) -> Option<Binary> {
        let manifest_path = &binaries.first()?.manifest_path;
        let arguments = cargo::metadata_arguments(manifest_path);
        let json = self.ask(self.launch(&self.tool.cargo, arguments)).await?;
        let metadata: Metadata = serde_json::from_slice(&json).ok()?;
        default_run(binaries, &metadata.packages)
    }

    pub(super) async fn variables(&self, products: &Products, binary: &Binary) -> CargoVariables {
        let mut rust_libraries = None;
        if products.needs_rust_libraries() {
            let cwd = &self.job.spec().cwd;
            if let Ok(rustc) = resolve("rustc", &self.tool.variables, cwd) {
                let arguments = ["--print", "target-libdir"].map(Into::into).into();
                let folder = self.ask(self.launch(&rustc, arguments)).await;
                rust_libraries = folder.and_then(|folder| {
                    let folder = String::from_utf8(folder).ok()?;
                    Some(PathBuf::from(folder.trim_end()))
                });
            }
        }
        let mut cargo = products.variables(binary, &self.tool.cargo, rust_libraries);
        for (name, value) in self.configured().await {
            cargo.variables.entry(name).or_insert(value);
        }
        cargo
    }

    /// What cargo's configuration adds to the environment of programs.
    async fn configured(&self) -> Variables {
        let inherited = &self.tool.variables;
        if !cargo_env::is_there(&self.job.spec().cwd, inherited) {
            return Variables::new();
        }
        let question = |arguments| {
            let mut launch = self.launch(&self.tool.cargo, arguments);
            let (name, value) = cargo_env::LEAVE;
            launch.environment.retain(|(it, _)| it != name);
            launch.environment.push((name.into(), value.into()));
            launch
        };
        let values = self.ask(question(cargo_env::values())).await;
        let mut configured = Configured::read(&values.unwrap_or_default());
        if configured.is_relative() {
            let origins = self.ask(question(cargo_env::origins())).await;
            configured.locate(&origins.unwrap_or_default());
        }
        configured.given(inherited)
    }

    /// The stdout of a program that succeeds.
    async fn ask(&self, launch: Launch) -> Option<Vec<u8>> {
        let program = launch.program.display();
        let child = self.job.spawn(&launch);
        let said = match child {
            Ok(child) => capture(child, MOST_METADATA).await,
            Err(error) => Err(io::Error::other(error)),
        };
        match said {
            Ok(said) if said.exit == Some(Exit::Code(0)) => Some(said.stdout),
            Ok(said) => {
                let words = String::from_utf8_lossy(&said.stderr);
                log::debug!("{}: {program}: {words}", self.process());
                None
            }
            Err(error) => {
                log::debug!("{}: {program}: {error}", self.process());
                None
            }
        }
    }
}
