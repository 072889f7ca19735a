//! An index file of any content, beside a log of any content.
#![no_main]
#![allow(dead_code, reason = "of the modules, only what reads is called")]

#[path = "../../../actors/src/logs/intake.rs"]
mod intake;
#[path = "../../../actors/src/logs/archive/mend.rs"]
mod mend;

/// Where the modules look for their neighbours.
mod logs {
    pub(crate) use bpm_actors::logs::{Stream, chunk};

    pub(crate) use crate::intake;
}

use std::{
    cell::RefCell,
    fs::File,
    io::{Seek, SeekFrom, Write},
};

use bpm_actors::{
    ids::RunId,
    logs::{
        Source, Stream,
        archive::record::{self, Header, Lines, RECORD, Record, encode_ending},
        chunk::LineEnd,
    },
    spec::Mode,
};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static LOG: RefCell<File> = RefCell::new(tempfile::tempfile().unwrap());
}

fuzz_target!(|data: &[u8]| {
    let _ = Header::decode(data);
    let _ = Record::decode(data);
    let Some((&[kind, split], rest)) = data.split_first_chunk() else {
        return;
    };
    let (text, index) = rest.split_at(rest.len() * usize::from(split) / 255);
    let index = match kind % 4 {
        0 => index.to_vec(),
        // A fuzzer does not find out how the checks are made.
        1 => valid(index, None),
        2 => valid(index, Some(text)),
        _ => {
            let mut valid = valid(index, Some(text));
            let at = index.len() * 31 % valid.len().max(1);
            if let Some(byte) = valid.get_mut(at) {
                *byte ^= kind;
            }
            valid
        }
    };
    LOG.with_borrow_mut(|log| {
        log.set_len(0).unwrap();
        log.seek(SeekFrom::Start(0)).unwrap();
        log.write_all(text).unwrap();
        let length = text.len() as u64;
        let text = mend::Text {
            file: log,
            length,
            modified: 1,
        };
        let index = mend::mended(&index, text, 1).unwrap();
        let (mut offset, mut number) = (0, 0);
        for lines in index.lines {
            assert_eq!(u64::from(lines.offset), offset);
            assert!(lines.first >= number && lines.count > 0);
            (offset, number) = (lines.until(), lines.next());
        }
        assert_eq!(offset, length);
        assert!(index.next >= number);
    });
});

/// Records as a daemon writes them, with what `choices` say in them. Beside `text` they begin where the
/// one before ended.
fn valid(choices: &[u8], text: Option<&[u8]>) -> Vec<u8> {
    let mut index = Vec::new();
    let mut choices = choices.chunks_exact(16);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    if let Some(choice) = choices.next().filter(|it| it[0] % 8 > 0) {
        let header = Header {
            source: Source::Run(RunId(u64::from(choice[1]))),
            mode: Mode::Dev,
            began: u64::from(number(&choice[4..])),
            first: u64::from(choice[8]),
        };
        index.extend(header.encode());
    }
    let (mut offset, mut first) = (0, 1_u64);
    for choice in choices {
        let stream = if choice[1] & 1 == 0 {
            Stream::Stdout
        } else {
            Stream::Stderr
        };
        let mut lines = Lines {
            at: u64::from(number(&choice[2..])),
            first: first + u64::from(choice[6] / 250),
            stderr_before: u32::from(choice[7]),
            offset,
            length: u32::from(choice[8]),
            count: u32::from(choice[9]),
            stream,
            end: match choice[1] >> 1 & 3 {
                0 => LineEnd::Newline,
                1 => LineEnd::Length,
                2 => LineEnd::Silence,
                _ => LineEnd::End,
            },
            plain: choice[1] & 8 != 0,
        };
        if let Some(text) = text {
            let end = (offset + lines.length).min(text.len() as u32);
            let bytes = text.get(offset as usize..end as usize).unwrap_or_default();
            lines.length = bytes.len() as u32;
            let newlines = bytes.iter().filter(|it| **it == b'\n').count();
            lines.count = if lines.end == LineEnd::Newline {
                newlines as u32
            } else {
                1
            };
        } else {
            lines.offset = number(&choice[10..]) % 1024;
        }
        match choice[0] % 16 {
            0 => index.extend_from_slice(&choice.repeat(3)[..RECORD]),
            1 => index.extend(encode_ending(&String::from_utf8_lossy(choice).repeat(3))),
            2 => index.extend_from_slice(choice),
            _ => index.extend(Record::Lines(lines).encode()),
        }
        offset = lines.offset.wrapping_add(lines.length);
        first = lines.next();
    }
    index
}
