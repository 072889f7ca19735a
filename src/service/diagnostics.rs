//! `search_build_log` with `diagnostics`: what the compiler found in one build.

use std::sync::Arc;

use bpm_actors::{
    artifact::{DescribeDiagnosis, Diagnosis, KnownDiagnosis, WhichBuild},
    ids::{BuildId, ProcessName},
    report::{EventReport, ProcessReport},
    search::NoSuchLog,
    spec::ProcessType,
};
use tokio::time::Instant;

use super::{Names, Service, ServiceError};

/// What is known of a build's errors and warnings.
#[derive(Clone, Debug)]
pub struct DiagnosisAnswer {
    /// Whose build.
    pub process: ProcessName,
    /// What is known.
    pub known: Diagnosed,
}

/// What the question came to.
#[derive(Clone, Debug)]
pub enum Diagnosed {
    /// These were found.
    Build {
        /// In which build.
        build: BuildId,
        /// What.
        diagnosis: Arc<Diagnosis>,
        /// A newer attempt to build that failed before cargo, where the newest build was asked for.
        unbuilt: Option<EventReport>,
    },
    /// The build goes on.
    UnderWay(BuildId),
    /// They are not remembered.
    Unknown(BuildId),
    /// A process of this type has no builds.
    NothingIsBuilt(ProcessType),
    /// It was not built yet.
    NothingRecorded {
        /// What the process does instead.
        now: Box<ProcessReport>,
    },
}

impl Service {
    /// The errors and warnings of one build; the process may be left out when there is only one.
    ///
    /// # Errors
    /// When no such process exists, when that build is not kept, or when the log store has gone.
    pub async fn diagnosis(
        &self,
        process: Option<&str>,
        which: WhichBuild,
    ) -> Result<DiagnosisAnswer, ServiceError> {
        let member = self.member(process)?;
        let process = member.name.clone();
        let answer = |known| DiagnosisAnswer {
            process: member.name.clone(),
            known,
        };
        if member.kind != ProcessType::Rust {
            return Ok(answer(Diagnosed::NothingIsBuilt(member.kind)));
        }
        let question = DescribeDiagnosis { process, which };
        let known = self.parts.diagnoses.send(question).await;
        match known.map_err(|_| ServiceError::LogsSilent)? {
            Ok(KnownDiagnosis::Found { build, diagnosis }) => {
                let unbuilt = match which {
                    WhichBuild::Index(-1) => member.board.borrow().unbuilt(Instant::now()),
                    WhichBuild::Index(_) | WhichBuild::Id(_) => None,
                };
                Ok(answer(Diagnosed::Build {
                    build,
                    diagnosis,
                    unbuilt,
                }))
            }
            Ok(KnownDiagnosis::UnderWay(build)) => Ok(answer(Diagnosed::UnderWay(build))),
            Ok(KnownDiagnosis::Unknown(build)) => Ok(answer(Diagnosed::Unknown(build))),
            Err(NoSuchLog::None) => {
                let now = Box::new(member.board.borrow().report(Instant::now()));
                Ok(answer(Diagnosed::NothingRecorded { now }))
            }
            Err(cause) => Err(ServiceError::NoSuchLog {
                process: Names(vec![member.name.clone()]),
                cause,
            }),
        }
    }
}
