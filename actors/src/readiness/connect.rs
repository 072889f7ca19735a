//! The probes `tcp` and `http`: all addresses of a target at once, each at its own pace.

use std::{pin::pin, rc::Rc, time::Duration};

use futures_util::{StreamExt, future::select_all, stream::FuturesUnordered};
use tokio::time::sleep;

use super::{
    Findings, Ports, Subject,
    door::{Door, Opened, Queue},
    finding::{Finding, Slate},
    http,
    owner::Run,
    target::{self, Names},
};
use crate::spec::Target;

/// How long an answer is awaited before the question is asked once more; twice as long for each that
/// is open. The former ones stay open: their answer counts as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// What an accepted connection must show.
#[derive(Clone)]
enum Proof {
    /// Nothing more.
    Accepted,
    /// A good answer to this request.
    Answer(Rc<str>),
}

/// Returns when the run accepts a connection.
pub(super) async fn tcp(target: &Target, subject: Subject, ports: Ports, findings: Findings) {
    let Some(port) = target::port(target, subject.port) else {
        return target::never(&findings, NO_PORT).await;
    };
    let address = target::name(target, port);
    let question = address.clone();
    let names = Names { address, question };
    prove(
        target,
        port,
        names,
        &Proof::Accepted,
        subject,
        ports,
        findings,
    )
    .await;
}

/// Returns when the run answers a request well.
pub(super) async fn http(
    target: &Target,
    path: &str,
    subject: Subject,
    ports: Ports,
    findings: Findings,
) {
    let Some(port) = target::port(target, subject.port) else {
        return target::never(&findings, NO_PORT).await;
    };
    let address = target::name(target, port);
    let question = format!("http://{address}{path}");
    let names = Names { address, question };
    let request = http::request(path, &target::host_header(target, port));
    let proof = Proof::Answer(request.into());
    prove(target, port, names, &proof, subject, ports, findings).await;
}

const NO_PORT: &str = "the run was given no private port to probe";

async fn prove(
    target: &Target,
    port: u16,
    names: Names,
    proof: &Proof,
    subject: Subject,
    ports: Ports,
    findings: Findings,
) {
    let addresses = target::addresses(target, port, &findings).await;
    let slate = Slate::new(names, addresses.len(), findings);
    let queue = if subject.launch.sockets.is_empty() {
        Queue::Own
    } else {
        Queue::Shared
    };
    let doors = addresses.into_iter().enumerate().map(|(number, address)| {
        let run = Run::new(subject.tree, Rc::clone(&ports.children));
        let door = Door::new(address, number, queue, run, slate.clone());
        Box::pin(behind(door, proof.clone()))
    });
    // There is at least one.
    select_all(doors).await;
}

/// Returns when the run has shown what it must at this door.
async fn behind(mut door: Door, proof: Proof) {
    let Proof::Answer(request) = proof else {
        door.opens().await;
        return;
    };
    let mut answers = FuturesUnordered::new();
    loop {
        let opened = {
            let mut opens = pin!(door.opens());
            loop {
                tokio::select! {
                    opened = &mut opens => break opened,
                    answered = answers.next(), if !answers.is_empty() => match answered {
                        Some(Answered::Well) => return,
                        Some(Answered::Badly) | None => {}
                    },
                }
            }
        };
        let Opened::Here(stream) = opened else {
            door.note(Finding::NoAnswer("closed the connection without an answer"));
            continue;
        };
        door.slate.note_accepted(door.number);
        let (slate, number, request) = (door.slate.clone(), door.number, Rc::clone(&request));
        answers.push(async move {
            match http::ask(stream, &request).await {
                Ok(status) if http::is_good(status) => return Answered::Well,
                Ok(status) => slate.note(number, Finding::Answered(status)),
                Err(why) => slate.note(number, Finding::NoAnswer(why)),
            }
            Answered::Badly
        });
        let doubled = u32::try_from(answers.len() - 1).unwrap_or(u32::MAX).min(16);
        let mut patience = pin!(sleep(PATIENCE * 2_u32.pow(doubled)));
        while !answers.is_empty() {
            tokio::select! {
                answered = answers.next() => match answered {
                    Some(Answered::Well) => return,
                    Some(Answered::Badly) | None => {}
                },
                () = &mut patience => {
                    door.note(Finding::Silent);
                    break;
                }
            }
        }
    }
}

/// What came of a question.
enum Answered {
    Well,
    Badly,
}
