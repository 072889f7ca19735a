//! What processes use: the last minutes, for the sparkline.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

/// One answer of the daemon for one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// Which process.
    pub process: String,
    /// When.
    pub at: Timestamp,
    /// CPU time of all of its tree so far; null while nothing runs.
    pub cpu_seconds: Option<f64>,
    /// Memory of all of its tree.
    pub resident_bytes: Option<u64>,
    /// Processes in the tree.
    pub tasks: Option<u64>,
}

/// What a process used between two answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// CPU in per cent of one core.
    pub cpu: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

/// The samples of all processes.
#[derive(Debug, Default)]
pub struct Usage {
    of: BTreeMap<String, Samples>,
}

/// The samples of one process.
#[derive(Debug, Default)]
pub struct Samples {
    /// The oldest first.
    pub samples: VecDeque<Sample>,
    last: Option<Measure>,
}

impl Samples {
    /// Processes in the tree now.
    #[must_use]
    pub fn tasks(&self) -> Option<u64> {
        self.last.as_ref()?.tasks
    }

    /// The newest.
    #[must_use]
    pub fn now(&self) -> Sample {
        self.samples.back().copied().unwrap_or_default()
    }
}

impl Usage {
    /// How many samples are kept: five minutes, one each 2 s.
    const KEPT: usize = 150;

    /// Takes an answer of the daemon.
    pub fn take(&mut self, measures: Vec<Measure>) {
        let listed = |name: &String| measures.iter().any(|it| it.process == *name);
        self.of.retain(|name, _| listed(name));
        for measure in measures {
            let own = self.of.entry(measure.process.clone()).or_default();
            let cpu = own.last.as_ref().and_then(|last| share(last, &measure));
            own.samples.push_back(Sample {
                cpu,
                memory: measure.resident_bytes,
            });
            if own.samples.len() > Self::KEPT {
                own.samples.pop_front();
            }
            own.last = Some(measure);
        }
    }

    /// Those of one process.
    #[must_use]
    pub fn of(&self, process: &str) -> Option<&Samples> {
        self.of.get(process)
    }
}

/// After a swap another tree is counted, whose time may be less: then nothing is known.
fn share(last: &Measure, now: &Measure) -> Option<f64> {
    let used = now.cpu_seconds? - last.cpu_seconds?;
    let passed = now.at.duration_since(last.at).as_secs_f64();
    (used >= 0.0 && passed > 0.0).then(|| used / passed * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(second: i64, cpu_seconds: Option<f64>) -> Measure {
        Measure {
            process: "main".to_owned(),
            at: Timestamp::from_second(second).unwrap(),
            cpu_seconds,
            resident_bytes: Some(1),
            tasks: Some(1),
        }
    }

    #[test]
    fn a_share_is_the_time_used_between_two_answers() {
        let mut usage = Usage::default();
        for (second, used) in [(0, Some(1.0)), (2, Some(2.0)), (4, Some(0.1)), (6, None)] {
            usage.take(vec![measure(second, used)]);
        }
        let samples = &usage.of("main").unwrap().samples;
        let shares: Vec<_> = samples.iter().map(|it| it.cpu).collect();
        assert_eq!(shares, [None, Some(50.0), None, None]);
    }

    #[test]
    fn no_more_than_the_last_minutes_are_kept_and_who_is_gone_is_forgotten() {
        let mut usage = Usage::default();
        for second in 0..400 {
            usage.take(vec![measure(second, Some(0.0))]);
        }
        assert_eq!(usage.of("main").unwrap().samples.len(), Usage::KEPT);
        usage.take(Vec::new());
        assert!(usage.of("main").is_none());
    }
}
