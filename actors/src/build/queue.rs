//! Who may run cargo next: one at a time, in the order of arrival, one request per process. Who is not
//! ready when cargo is free lets others pass, and keeps the place.

use std::collections::VecDeque;

use crate::ids::{JobId, ProcessName};

/// The line before cargo.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    desk: Desk,
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Desk {
    Free,
    Taken,
}

#[derive(Debug)]
struct Waiting<T> {
    process: ProcessName,
    job: JobId,
    request: Request<T>,
}

#[derive(Debug)]
enum Request<T> {
    /// It is still being prepared: others pass.
    Awaited,
    Ready(T),
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            desk: Desk::Free,
            waiting: VecDeque::new(),
        }
    }

    /// Puts a request into the line, in the place of an older one of the same process, or in the one
    /// that was [reserved](Self::reserve) for it.
    pub(crate) fn push(&mut self, process: ProcessName, job: JobId, request: T) {
        self.put(process, job, Request::Ready(request));
    }

    /// Keeps a place for a request that is not ready yet, as [`Self::push`] would choose it.
    pub(crate) fn reserve(&mut self, process: ProcessName, job: JobId) {
        self.put(process, job, Request::Awaited);
    }

    fn put(&mut self, process: ProcessName, job: JobId, request: Request<T>) {
        let place = self.waiting.iter().position(|w| w.process == process);
        let newer = Waiting {
            process,
            job,
            request,
        };
        match place {
            Some(place) => self.waiting[place] = newer,
            None => self.waiting.push_back(newer),
        }
    }

    /// Takes what the process asked for out of the line.
    pub(crate) fn withdraw(&mut self, process: &ProcessName) {
        self.waiting.retain(|w| w.process != *process);
    }

    /// Takes one request out of the line, if it still is what the process asked for.
    pub(crate) fn cancel(&mut self, process: &ProcessName, job: JobId) {
        self.waiting
            .retain(|w| w.process != *process || w.job != job);
    }

    /// Sends everybody home.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Who may run cargo now: the first who is ready. Nobody while another one does.
    pub(crate) fn admit(&mut self) -> Option<T> {
        if self.desk == Desk::Taken {
            return None;
        }
        let is_ready = |w: &Waiting<T>| matches!(w.request, Request::Ready(_));
        let first = self.waiting.iter().position(is_ready)?;
        let Request::Ready(request) = self.waiting.remove(first)?.request else {
            return None;
        };
        self.desk = Desk::Taken;
        Some(request)
    }

    /// Whoever ran cargo is done with it.
    pub(crate) fn leave(&mut self) {
        self.desk = Desk::Free;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str) -> ProcessName {
        name.parse().unwrap()
    }

    fn drain(queue: &mut Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| {
            queue.leave();
            queue.admit()
        })
        .collect()
    }

    #[test]
    fn one_at_a_time_in_the_order_of_arrival() {
        let mut queue = Queue::new();
        queue.push(process("a"), JobId(1), 1);
        queue.push(process("b"), JobId(1), 2);
        assert_eq!(queue.admit(), Some(1));
        assert_eq!(queue.admit(), None, "the first still runs");
        queue.leave();
        assert_eq!(queue.admit(), Some(2));
    }

    #[test]
    fn a_newer_request_takes_the_place_of_the_older_one() {
        let mut queue = Queue::new();
        queue.push(process("a"), JobId(1), 1);
        queue.push(process("b"), JobId(1), 2);
        queue.push(process("a"), JobId(2), 3);
        assert_eq!(drain(&mut queue), [3, 2]);
    }

    #[test]
    fn who_is_not_ready_lets_others_pass_and_keeps_the_place() {
        let mut queue = Queue::new();
        queue.reserve(process("a"), JobId(1));
        queue.push(process("b"), JobId(1), 2);
        queue.push(process("c"), JobId(1), 3);
        assert_eq!(queue.admit(), Some(2));
        queue.push(process("a"), JobId(1), 1);
        assert_eq!(drain(&mut queue), [1, 3]);

        queue.reserve(process("a"), JobId(2));
        assert_eq!(drain(&mut queue), [0; 0]);
        queue.cancel(&process("a"), JobId(2));
        queue.push(process("b"), JobId(2), 4);
        queue.push(process("a"), JobId(3), 5);
        assert_eq!(
            drain(&mut queue),
            [4, 5],
            "a place that was given up is lost"
        );
    }

    #[test]
    fn only_the_named_job_is_cancelled() {
        let mut queue = Queue::new();
        queue.push(process("a"), JobId(2), 1);
        queue.push(process("b"), JobId(2), 2);
        queue.cancel(&process("a"), JobId(1));
        queue.cancel(&process("b"), JobId(2));
        assert_eq!(drain(&mut queue), [1]);
    }
}
