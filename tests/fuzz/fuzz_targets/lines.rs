//! Cuts bytes into lines, and makes them readable.
#![no_main]
#![allow(dead_code, reason = "of the modules, only what reads is called")]

#[path = "../../../actors/src/logs/intake.rs"]
mod intake;
#[path = "../../../actors/src/logs/text.rs"]
mod text;

/// Where the modules look for their neighbours.
mod logs {
    pub(crate) use bpm_actors::logs::chunk;
}

use bpm_actors::logs::{
    Stream,
    chunk::{Chunk, Line, LineEnd},
};
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;

use crate::{
    intake::{Intake, Piece},
    text::clean,
};

fuzz_target!(|data: &[u8]| {
    let Some((&[cut, times], bytes)) = data.split_first_chunk() else {
        return;
    };
    // Long lines are cut, and a fuzzer does not write long ones.
    let bytes = bytes.repeat(1 + usize::from(times).pow(4) / 1_000_000);
    let whole = lines(&[&bytes]);
    let pieces: Vec<&[u8]> = bytes.chunks(1 + usize::from(cut) * 257).collect();
    assert_eq!(lines(&pieces), whole);

    let mut again = Vec::new();
    for (line, end) in &whole {
        assert!(line.len() <= Intake::LONGEST);
        again.extend_from_slice(line);
        if *end == LineEnd::Newline {
            again.push(b'\n');
        }
    }
    assert_eq!(again, bytes);
    for (bytes, end) in &whole {
        is_readable(bytes, *end);
    }
});

fn lines(pieces: &[&[u8]]) -> Vec<(Vec<u8>, LineEnd)> {
    let mut intake = Intake::default();
    let mut lines = Vec::new();
    let now = Instant::now();
    let mut out = |piece: Piece<'_>| match piece {
        Piece::Line(line, end) => lines.push((line.to_vec(), end)),
        Piece::Lines(whole) => {
            let each = whole.split_inclusive(|&byte| byte == b'\n');
            lines.extend(each.map(|line| (line[..line.len() - 1].to_vec(), LineEnd::Newline)));
        }
    };
    for piece in pieces {
        intake.take(piece, now, &mut out);
    }
    intake.flush(LineEnd::End, &mut out);
    lines
}

fn is_readable(bytes: &[u8], end: LineEnd) {
    let mut text = String::new();
    clean(bytes, &mut text);
    assert!(
        !text.chars().any(|it| it.is_control() && it != '\t'),
        "{text:?}"
    );
    let mut again = String::new();
    clean(text.as_bytes(), &mut again);
    assert_eq!(again, text);

    let mut chunk = Chunk::starting_at(1);
    let stream = Stream::Stderr;
    chunk.push(Line { bytes, stream, end }, std::time::UNIX_EPOCH);
    let line = chunk.line(0);
    assert_eq!((line.bytes, line.stream, line.end), (bytes, stream, end));
    if chunk.is_plain() {
        assert_eq!(text.as_bytes(), bytes);
    }
}
