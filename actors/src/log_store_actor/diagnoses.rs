//! What the compiler found in builds: of the newest in memory, of all whose logs are kept beside
//! those.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use actix::prelude::*;

use super::{LogStoreActor, answer::Answer, kept::at};
use crate::{
    artifact::{
        DescribeDiagnosis, DescribeKnown, Diagnosed, Diagnosis, Known, KnownDiagnosis, WhichBuild,
    },
    ids::{BuildId, ProcessName},
    logs::{LogKey, Source, archive::findings::Findings},
    search::{LogKind, NoSuchLog},
};

/// Of how many builds of one process they are remembered.
const MOST_BUILDS: usize = 10;
/// How much memory they have for one process, in bytes. The newest build always has its own.
const MOST_BYTES: usize = 1 << 20;

/// The findings of all processes.
#[derive(Debug, Default)]
pub(super) struct Diagnoses {
    builds: HashMap<ProcessName, VecDeque<(BuildId, Arc<Diagnosis>)>>,
}

impl Diagnoses {
    fn insert(&mut self, process: ProcessName, build: BuildId, diagnosis: Arc<Diagnosis>) {
        let builds = self.builds.entry(process).or_default();
        builds.push_back((build, diagnosis));
        let too_many = |builds: &VecDeque<(_, Arc<Diagnosis>)>| {
            let bytes: usize = builds.iter().map(|(_, it)| it.size()).sum();
            builds.len() > 1 && (builds.len() > MOST_BUILDS || bytes > MOST_BYTES)
        };
        while too_many(builds) {
            builds.pop_front();
        }
    }

    fn of(&self, process: &ProcessName, build: BuildId) -> Option<&Arc<Diagnosis>> {
        let builds = self.builds.get(process)?;
        let found = builds.iter().rev().find(|(id, _)| *id == build);
        found.map(|(_, diagnosis)| diagnosis)
    }
}

impl Diagnosis {
    /// The memory that it occupies, in bytes.
    fn size(&self) -> usize {
        let of_one = |it: &crate::artifact::Diagnostic| {
            let file = it.file.as_ref().map_or(0, String::len);
            size_of_val(it) + file + it.message.len() + it.rendered.len()
        };
        size_of::<Self>() + self.findings.iter().map(of_one).sum::<usize>()
    }
}

impl Handler<Diagnosed> for LogStoreActor {
    type Result = ();

    fn handle(
        &mut self,
        Diagnosed {
            process,
            build,
            diagnosis,
            known,
        }: Diagnosed,
        _: &mut Self::Context,
    ) {
        let findings = Findings { diagnosis, known };
        if let Some(archive) = &mut self.archive {
            archive.keep(&process, build, &findings);
        }
        self.diagnoses.insert(process, build, findings.diagnosis);
    }
}

impl Handler<DescribeDiagnosis> for LogStoreActor {
    type Result = Answer<Result<KnownDiagnosis, NoSuchLog>>;

    fn handle(
        &mut self,
        DescribeDiagnosis { process, which }: DescribeDiagnosis,
        _: &mut Self::Context,
    ) -> Self::Result {
        let build = match which {
            WhichBuild::Index(index) => self.build_at(&process, index),
            WhichBuild::Id(build) => Ok(build),
        };
        let build = match build {
            Ok(build) => build,
            Err(refusal) => return Answer::new(async { Err(refusal) }),
        };
        if let Some(known) = self.known(&process, build) {
            return Answer::new(async { Ok(known) });
        }
        let findings = self.written(&process, Some(build));
        Answer::new(async move {
            Ok(match findings.await {
                Some(Findings { diagnosis, .. }) => KnownDiagnosis::Found { build, diagnosis },
                None => KnownDiagnosis::Unknown(build),
            })
        })
    }
}

impl Handler<DescribeKnown> for LogStoreActor {
    type Result = Answer<Option<Arc<Known>>>;

    fn handle(
        &mut self,
        DescribeKnown { process, before }: DescribeKnown,
        _: &mut Self::Context,
    ) -> Self::Result {
        let archive = self.archive.as_ref();
        let build = archive.and_then(|archive| archive.found_before(&process, before));
        let findings = self.written(&process, build);
        Answer::new(async move { Some(findings.await?.known) })
    }
}

impl LogStoreActor {
    /// Which builds there are is known by their logs.
    fn build_at(&self, process: &ProcessName, index: i64) -> Result<BuildId, NoSuchLog> {
        let kept = self.kept(process, LogKind::Builds);
        at(&kept, index, self.removed(process, LogKind::Builds)).map(BuildId)
    }

    /// What is known without looking elsewhere.
    fn known(&self, process: &ProcessName, build: BuildId) -> Option<KnownDiagnosis> {
        if let Some(diagnosis) = self.diagnoses.of(process, build) {
            let diagnosis = Arc::clone(diagnosis);
            return Some(KnownDiagnosis::Found { build, diagnosis });
        }
        let key = LogKey {
            process: process.clone(),
            source: Source::Build(build),
        };
        let is_live = self.live.contains_key(&key);
        is_live.then_some(KnownDiagnosis::UnderWay(build))
    }

    /// What the history has of a build, read elsewhere.
    fn written(
        &self,
        process: &ProcessName,
        build: Option<BuildId>,
    ) -> impl Future<Output = Option<Findings>> + 'static {
        let archive = self.archive.as_ref();
        let path = build.and_then(|build| archive?.findings(process, build));
        let looks = Arc::clone(&self.looks);
        async move {
            let path = path?;
            let permit = looks.acquire_owned().await.ok()?;
            let work = tokio::task::spawn_blocking(move || {
                let findings = Findings::read(&path);
                drop(permit);
                findings
            });
            work.await.ok()?
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, time::UNIX_EPOCH};

    use super::*;
    use crate::{
        artifact::Diagnostic,
        logs::{BuildEnded, BuildEnding, OpenLog, passthrough::Passthrough},
        report::BuildOutcome,
        spec::Mode,
    };

    fn diagnosis(rendered: usize) -> Arc<Diagnosis> {
        Arc::new(Diagnosis {
            mode: Mode::Dev,
            outcome: BuildOutcome::Ok,
            error_count: 0,
            warning_count: 1,
            new_count: None,
            findings: vec![Diagnostic {
                level: "warning".to_owned(),
                code: None,
                file: None,
                line: None,
                column: None,
                message: "unused".to_owned(),
                rendered: "x".repeat(rendered),
                new: false,
            }],
        })
    }

    /// The builds that are remembered after as many as these had findings of such sizes.
    fn remembered(sizes: &[usize]) -> Vec<u64> {
        let main: ProcessName = "main".parse().unwrap();
        let mut diagnoses = Diagnoses::default();
        for (size, id) in sizes.iter().zip(1..) {
            diagnoses.insert(main.clone(), BuildId(id), diagnosis(*size));
        }
        let all = 1..=sizes.len() as u64;
        all.filter(|id| diagnoses.of(&main, BuildId(*id)).is_some())
            .collect()
    }

    #[actix::test]
    async fn they_are_found_by_index_and_by_id() {
        let passthrough = Passthrough::to_one(Box::new(io::sink())).unwrap();
        let store = LogStoreActor::new(passthrough).start();
        let main: ProcessName = "main".parse().unwrap();
        let ask = |which| {
            let process = main.clone();
            let answer = store.send(DescribeDiagnosis { process, which });
            async { answer.await.unwrap() }
        };
        assert_eq!(ask(WhichBuild::Index(-1)).await, Err(NoSuchLog::None));
        let found = diagnosis(10);
        for (build, diagnosis) in [(1, None), (2, Some(&found)), (3, None)] {
            let build = BuildId(build);
            let key = LogKey {
                process: main.clone(),
                source: Source::Build(build),
            };
            let (mode, at, outputs) = (Mode::Dev, UNIX_EPOCH, Vec::new());
            store.do_send(OpenLog {
                key,
                mode,
                at,
                preface: bytes::Bytes::new(),
                outputs,
            });
            if build == BuildId(3) {
                continue;
            }
            let process = main.clone();
            if let Some(diagnosis) = diagnosis.cloned() {
                store.do_send(Diagnosed {
                    process: process.clone(),
                    build,
                    diagnosis,
                    known: Arc::default(),
                });
            }
            store.do_send(BuildEnded {
                process,
                build,
                ending: BuildEnding::Failed,
            });
        }
        let known = || KnownDiagnosis::Found {
            build: BuildId(2),
            diagnosis: Arc::clone(&found),
        };
        let under_way = KnownDiagnosis::UnderWay(BuildId(3));
        assert_eq!(ask(WhichBuild::Index(-1)).await, Ok(under_way));
        assert_eq!(ask(WhichBuild::Index(-2)).await, Ok(known()));
        assert_eq!(ask(WhichBuild::Id(BuildId(2))).await, Ok(known()));
        let cancelled = KnownDiagnosis::Unknown(BuildId(1));
        assert_eq!(ask(WhichBuild::Index(0)).await, Ok(cancelled));
        let (index, kept) = (-4, 3);
        let no_such = NoSuchLog::Index {
            index,
            kept,
            removed: None,
        };
        assert_eq!(ask(WhichBuild::Index(index)).await, Err(no_such));
    }

    #[test]
    fn the_newest_builds_are_remembered() {
        assert_eq!(remembered(&[10; 3]), [1, 2, 3]);
        assert_eq!(remembered(&[10; 12]), (3..=12).collect::<Vec<_>>());
        let other: ProcessName = "other".parse().unwrap();
        assert_eq!(Diagnoses::default().of(&other, BuildId(1)), None);
    }

    #[test]
    fn large_findings_make_older_ones_leave_and_never_the_newest() {
        assert_eq!(remembered(&[400_000, 400_000, 400_000]), [2, 3]);
        assert_eq!(remembered(&[10, 10, 2_000_000]), [3]);
    }
}
