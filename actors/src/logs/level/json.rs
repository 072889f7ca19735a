//! The level of a line that is a JSON object: `{"level":"error",…}`, pino's and bunyan's numbers,
//! Google's `severity`.

use super::{Level, is_key, named};

/// How much of the beginning of an object is looked at, in bytes.
const LOOKED_AT: usize = 4096;

/// The value of the first key of the object itself, not of one within it, that names a level.
pub(super) fn level(object: &[u8]) -> Option<Level> {
    let mut rest = &object[..object.len().min(LOOKED_AT)];
    let mut depth = 0_usize;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let (text, after) = string(rest)?;
                rest = after;
                let value = rest.trim_ascii_start().strip_prefix(b":");
                if let Some(value) = value.filter(|_| depth == 1) {
                    let value = value.trim_ascii_start();
                    if is_key(text)
                        && let Some(level) = of_value(value)
                    {
                        return Some(level);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// The inside of a string and what is behind it. `rest` begins behind the quote.
fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        match rest.get(at)? {
            b'"' => return Some((&rest[..at], &rest[at + 1..])),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn of_value(value: &[u8]) -> Option<Level> {
    if let Some(text) = value.strip_prefix(b"\"") {
        return named(string(text)?.0);
    }
    let end = value.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &value[..end.unwrap_or(value.len())];
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match number {
        60.. => Some(Level::Fatal),
        50.. => Some(Level::Error),
        40.. => Some(Level::Warn),
        30.. => Some(Level::Info),
        20.. => Some(Level::Debug),
        10.. => Some(Level::Trace),
        // Too small for what it would mean: it could be the level of a player.
        _ => None,
    }
}
