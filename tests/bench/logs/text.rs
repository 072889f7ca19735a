//! What the children print: lines as services write them, always the same ones, so that two floods
//! can be compared byte for byte.

use std::fmt::Write as _;

/// The length of a line, with its newline.
pub(crate) const LINE: usize = 100;
/// How many different lines there are, apart from the number that each carries.
const KINDS: usize = 9973;
/// Where a line has its number, and how many digits.
const NUMBER: std::ops::Range<usize> = 44..52;

/// A source of lines.
pub(crate) struct Text {
    kinds: Vec<u8>,
    next: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        let kinds = (0..KINDS).flat_map(|_| kind(&mut chance)).collect();
        Self { kinds, next: 0 }
    }

    /// Appends the next line.
    pub(crate) fn line(&mut self, to: &mut Vec<u8>) {
        let at = self.next % KINDS * LINE;
        let start = to.len();
        to.extend_from_slice(&self.kinds[at..at + LINE]);
        let mut rest = self.next;
        for digit in to[start..][NUMBER].iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap();
            rest /= 10;
        }
        self.next += 1;
    }
}

/// One line, of exactly [`LINE`] bytes.
fn kind(chance: &mut Chance) -> Vec<u8> {
    let [micros, item, millis, peer] = [1_000_000, 100_000, 900, 250].map(|it| chance.below(it));
    let (level, what) = match chance.below(1000) {
        0..=899 => ("INFO", format!("GET /api/items/{item} 200 in {millis} ms")),
        900..=959 => ("DEBUG", format!("cache miss, key items:{item}:v{peer}")),
        960..=984 => ("WARN", format!("slow query, timeout in {millis} ms")),
        985..=993 => ("ERROR", format!("error 500, items/{item} not saved")),
        994..=997 => (
            "ERROR",
            format!("error at 10.0.0.{peer}: timeout, {millis} ms"),
        ),
        998 => ("ERROR", format!("10.0.0.{peer}: connection reset by peer")),
        _ => ("ERROR", format!("10.0.0.{peer}: refused, try {millis}")),
    };
    let mut line = format!("2026-11-23T10:00:01.{micros:06}Z {level:>5} web::orders");
    // The number goes where all lines have it.
    line.truncate(NUMBER.start - 3);
    write!(
        line,
        "{:<1$}id={2:08} {what}",
        "",
        NUMBER.start - 3 - line.len(),
        0
    )
    .unwrap();
    line.truncate(LINE - 1);
    format!("{line:.<0$}\n", LINE - 1).into_bytes()
}

/// Numbers that look random and are the same in every process.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
