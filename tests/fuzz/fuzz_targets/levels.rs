//! How bad a line says that it is.
#![no_main]

use bpm_actors::logs::level::{is_panic, level};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let found = level(line);
    let _ = is_panic(line);
    let indented = [b"  \t", line].concat();
    assert_eq!(level(&indented), found);
    // Somewhere within a word, a quotation, a number.
    for end in (0..line.len().min(300)).step_by(7) {
        let _ = level(&line[..end]);
    }
    let in_json = [b"{\"msg\":\"", line, b"\",\"level\":\"error\"}"].concat();
    let _ = level(&in_json);
});
