//! How bad a line says that it is, in the forms that are usual: tracing and `env_logger`, log4j,
//! Python's and Ruby's logging, zerolog and glog, nginx and Postgres, winston, logrus, .NET's
//! console, JSON (pino, bunyan, hclog and others), logfmt, the kernel's `<3>`, compilers, and what runtimes print when something was not
//! caught.
//!
//! Where a line names several levels the first one counts: `INFO request failed, error: timeout` is
//! information. A word is a level only where it stands like one: in capitals near the beginning, in
//! brackets, or before a colon. So `0 errors`, `no error`, `error=null` and `src/error.rs` say nothing.
//!
//! A line is looked at once, byte by byte, and only its beginning. It must know neither logs nor
//! streams: it is given the text of one line, without colours.

mod json;

/// How bad a line is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The program cannot go on.
    Fatal,
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens.
    Info,
    /// What happens, in detail.
    Debug,
    /// Every step.
    Trace,
}

/// How much of the beginning of a line is looked at, in bytes.
const LOOKED_AT: usize = 256;
/// In capitals, a level stands among the first words.
const MOST_WORDS: usize = 8;

/// The level that this line names; `None` where it names none. The line is as people read it: without
/// escape sequences.
#[must_use]
pub fn level(line: &[u8]) -> Option<Level> {
    let line = line.trim_ascii_start();
    if let Some(level) = of_kernel(line) {
        return Some(level);
    }
    if line.starts_with(b"{") {
        return json::level(line);
    }
    let line = &line[..line.len().min(LOOKED_AT)];
    of_glog(line)
        .or_else(|| Words::of(line).find_map(|word| word.level()))
        .or_else(|| of_runtime(line))
}

/// A regular expression that every line matches whose [`level()`] is at least so bad, and few others:
/// most lines need no closer look then. `None` where most would.
pub(crate) fn candidates(least: Level) -> Option<String> {
    if least > Level::Warn {
        return None;
    }
    let names = NAMES.iter().chain(&SHORT_NAMES);
    let names = names.filter(|(_, level)| *level <= least);
    let mut words: Vec<&str> = names.map(|(name, _)| *name).collect();
    if least >= Level::Error {
        // Of kinds and of runtimes; what has `error` in it is among the names.
        words.extend([
            "exception",
            "rejection",
            "panicked",
            "traceback",
            "unhandled",
            "uncaught",
        ]);
    }
    let cut = CUT_NAMES.iter().map(|(name, level)| (name, r"\[", level));
    let short = DOTNET_NAMES.iter().map(|(name, level)| (name, ": ", level));
    let forms: Vec<String> = cut
        .chain(short)
        .filter(|(.., level)| **level <= least)
        .map(|(name, behind, _)| format!("|{name}{behind}"))
        .collect();
    let forms = forms.concat();
    // Levels in numbers are at the beginning: of the kernel, of JSON, of glog.
    Some(format!(
        "(?i:{}){forms}|^[ \\t]*(?:[<{{]|[FEWI][0-9])",
        words.join("|")
    ))
}

/// `<3>text`
fn of_kernel(line: &[u8]) -> Option<Level> {
    let inner = line.strip_prefix(b"<")?;
    let end = inner.iter().take(4).position(|&byte| byte == b'>')?;
    let number: u8 = std::str::from_utf8(&inner[..end]).ok()?.parse().ok()?;
    // Above the priority stands the facility, of which there are 24.
    (number < 192).then_some(match number % 8 {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    })
}

/// `E0131 12:00:00.000000 7 file.go:1] text`
fn of_glog(line: &[u8]) -> Option<Level> {
    let (letter, rest) = line.split_first()?;
    let form = rest.get(..8)?;
    let digits = [0, 1, 2, 3, 5, 6].map(|at| form[at]);
    if !digits.iter().all(u8::is_ascii_digit) || form[4] != b' ' || form[7] != b':' {
        return None;
    }
    match letter {
        b'F' => Some(Level::Fatal),
        b'E' => Some(Level::Error),
        b'W' => Some(Level::Warn),
        b'I' => Some(Level::Info),
        _ => None,
    }
}

/// What runtimes print about what nobody caught.
fn of_runtime(line: &[u8]) -> Option<Level> {
    let has = |text: &str| memchr::memmem::find(line, text.as_bytes());
    let is_unhandled = || {
        let at = has("nhandled")?;
        let rest = &line[at..line.len().min(at + 40)];
        memchr::memmem::find(rest, b"ejection")
    };
    let is_uncaught = || {
        let at = has("Uncaught ")?;
        (at == 0 || !line[at - 1].is_ascii_alphanumeric()).then_some(at)
    };
    is_panic(line)
        .then_some(0)
        .or_else(|| has("Traceback (most recent call last)"))
        .or_else(|| line.starts_with(b"npm error ").then_some(0))
        .or_else(is_unhandled)
        .or_else(is_uncaught)
        .map(|_| Level::Error)
}

/// Whether the line says that a Rust thread panicked; the next line says why.
#[must_use]
pub fn is_panic(line: &[u8]) -> bool {
    let beginning = &line[..line.len().min(LOOKED_AT)];
    memchr::memmem::find(beginning, b" panicked at ").is_some()
}

/// The levels by their names, which count in any case.
const NAMES: [(&str, Level); 19] = [
    ("fatal", Level::Fatal),
    ("critical", Level::Fatal),
    ("crit", Level::Fatal),
    ("emerg", Level::Fatal),
    ("emergency", Level::Fatal),
    ("alert", Level::Fatal),
    ("panic", Level::Fatal),
    ("error", Level::Error),
    ("err", Level::Error),
    ("eror", Level::Error),
    ("severe", Level::Error),
    ("warning", Level::Warn),
    ("warn", Level::Warn),
    ("information", Level::Info),
    ("notice", Level::Info),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("verbose", Level::Debug),
    ("trace", Level::Trace),
];

/// Short names, which count in capitals only.
const SHORT_NAMES: [(&str, Level); 6] = [
    ("FTL", Level::Fatal),
    ("PNC", Level::Fatal),
    ("WRN", Level::Warn),
    ("INF", Level::Info),
    ("DBG", Level::Debug),
    ("TRC", Level::Trace),
];

/// Names as logrus cuts them, which count before a time in brackets only.
const CUT_NAMES: [(&str, Level); 5] = [
    ("FATA", Level::Fatal),
    ("PANI", Level::Fatal),
    ("ERRO", Level::Error),
    ("DEBU", Level::Debug),
    ("TRAC", Level::Trace),
];

/// Names that .NET's console has of its own, which count before a category only.
const DOTNET_NAMES: [(&str, Level); 3] = [
    ("fail", Level::Error),
    ("dbug", Level::Debug),
    ("trce", Level::Trace),
];

/// The level with this name.
fn named(name: &[u8]) -> Option<Level> {
    let long = NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    let short = || {
        SHORT_NAMES
            .iter()
            .find(|(known, _)| name == known.as_bytes())
    };
    long.or_else(short).map(|(_, level)| *level)
}

/// Where a level may follow, in logfmt and in JSON.
fn is_key(key: &[u8]) -> bool {
    const KEYS: [&str; 9] = [
        "level",
        "lvl",
        "severity",
        "levelname",
        "loglevel",
        "log.level",
        "severity_text",
        "@l",
        "@level",
    ];
    KEYS.iter()
        .any(|known| key.eq_ignore_ascii_case(known.as_bytes()))
}

/// The words of a line, one after the other.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
    /// How many there were.
    count: usize,
    /// The one before.
    last: &'a [u8],
}

impl<'a> Words<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self {
            line,
            at: 0,
            count: 0,
            last: b"",
        }
    }
}

/// Letters of other alphabets are parts of words, too.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let rest = &self.line[self.at..];
        let start = self.at + rest.iter().position(|&byte| is_letter(byte))?;
        let rest = &self.line[start..];
        let length = rest.iter().position(|&byte| !is_letter(byte));
        let (text, after) = rest.split_at(length.unwrap_or(rest.len()));
        let gap = &self.line[self.at..start];
        let word = Word {
            text,
            gap,
            before: &self.line[..start],
            after,
            last: self.last,
            count: self.count,
        };
        // Numbers and punctuation between spaces (times, dashes) are words as people count them.
        self.count += usize::from(gap.contains(&b' ') || self.count == 0);
        self.at = start + text.len();
        self.last = text;
        Some(word)
    }
}

/// A word and what stands around it.
struct Word<'a> {
    text: &'a [u8],
    /// What is between it and the word before.
    gap: &'a [u8],
    before: &'a [u8],
    after: &'a [u8],
    last: &'a [u8],
    count: usize,
}

impl Word<'_> {
    fn level(&self) -> Option<Level> {
        let Some(level) = named(self.text) else {
            return self
                .of_value()
                .or_else(|| self.of_kind())
                .or_else(|| self.of_logrus())
                .or_else(|| self.of_dotnet());
        };
        let stands_like_one = self.is_in_brackets()
            || (self.is_in_capitals() && (self.is_field() || self.is_before_time()))
            || self.is_before_colon(level);
        stands_like_one.then_some(level)
    }

    /// `[error]`, `[ warn ]`
    fn is_in_brackets(&self) -> bool {
        let opened = self.before.trim_ascii_end().strip_suffix(b"[");
        let stands_free = |before: &[u8]| before.last().is_none_or(|&byte| !is_letter(byte));
        opened.is_some_and(stands_free) && self.after.trim_ascii_start().starts_with(b"]")
    }

    fn is_in_capitals(&self) -> bool {
        self.text.iter().all(u8::is_ascii_uppercase)
    }

    /// ` ERROR `, `[12:00 ERROR app]`, `ERROR:root:`, `ERR!`
    fn is_field(&self) -> bool {
        let opens = match self.before.last() {
            None => true,
            Some(byte) => b" \t[(|:>".contains(byte),
        };
        let closes = match self.after.first() {
            None => true,
            Some(b':') => !self.is_followed_by_nothing(),
            Some(byte) => b" \t])|>!".contains(byte),
        };
        opens && closes && self.count < MOST_WORDS && !self.is_negated()
    }

    /// `error: text`, `error[E0308]: text`, `app: warning: text`
    fn is_before_colon(&self, level: Level) -> bool {
        let opens = match self.before.last() {
            None => true,
            Some(byte) => b" \t[(|>".contains(byte),
        };
        if !opens || !self.has_colon() || self.is_negated() || self.is_followed_by_nothing() {
            return false;
        }
        // Within a sentence: `Internal server error: no such file`, but not `mean error: 0.1`, and
        // not `more info: see below`.
        let begins = self.last.is_empty()
            || self.gap.trim_ascii() != b""
            || self.last.iter().any(u8::is_ascii_digit);
        begins || (level <= Level::Error && !self.is_followed_by_number())
    }

    /// Whether a colon and a space follow, perhaps behind a code in brackets.
    fn has_colon(&self) -> bool {
        let coded = self.after.strip_prefix(b"[").and_then(|code| {
            let end = code.iter().take(40).position(|&byte| byte == b']')?;
            Some(&code[end + 1..])
        });
        let rest = coded.unwrap_or(self.after);
        rest.strip_prefix(b":")
            .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
    }

    /// `no error`, `0 ERROR`, `on error: retry`
    fn is_negated(&self) -> bool {
        const NEGATIONS: [&str; 8] = ["no", "0", "zero", "without", "any", "not", "on", "if"];
        let is_last = |word: &str| self.last.eq_ignore_ascii_case(word.as_bytes());
        self.gap == b" " && NEGATIONS.iter().any(|word| is_last(word))
    }

    /// The first word behind the colon.
    fn value(&self) -> &[u8] {
        let rest = self.after.strip_prefix(b":").unwrap_or_default();
        let rest = rest.trim_ascii_start();
        let end = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || b",;)}".contains(byte));
        &rest[..end.unwrap_or(rest.len())]
    }

    /// `error: none`
    fn is_followed_by_nothing(&self) -> bool {
        const NOTHING: [&str; 9] = [
            "null",
            "none",
            "nil",
            "undefined",
            "false",
            "0",
            "ok",
            "\"\"",
            "<nil>",
        ];
        let value = self.value();
        NOTHING
            .iter()
            .any(|nothing| value.eq_ignore_ascii_case(nothing.as_bytes()))
    }

    fn is_followed_by_number(&self) -> bool {
        let value = self.value();
        let value = value.strip_prefix(b"-").unwrap_or(value);
        value.first().is_some_and(u8::is_ascii_digit)
    }

    /// `level=error`
    fn of_value(&self) -> Option<Level> {
        if !is_key(self.text)
            || self
                .before
                .last()
                .is_some_and(|byte| !b" \t".contains(byte))
        {
            return None;
        }
        let value = self.after.strip_prefix(b"=")?;
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let end = value.iter().position(|byte| !is_letter(*byte));
        named(&value[..end.unwrap_or(value.len())])
    }

    /// `ERRO[0000] text`
    fn of_logrus(&self) -> Option<Level> {
        let (_, level) = CUT_NAMES
            .iter()
            .find(|(known, _)| self.text == known.as_bytes())?;
        self.is_before_time().then_some(*level)
    }

    /// Whether seconds, of which logrus writes four digits at least, or a time follow in brackets:
    /// `WARN[0000] text`, `WARN[2026-01-01T00:00:00Z] text`.
    fn is_before_time(&self) -> bool {
        let opens = self.before.last().is_none_or(|byte| b" \t|".contains(byte));
        let Some(inner) = self.after.strip_prefix(b"[").filter(|_| opens) else {
            return false;
        };
        let Some(end) = inner.iter().take(40).position(|&byte| byte == b']') else {
            return false;
        };
        let is_time = end >= 4 && inner[..4].iter().all(u8::is_ascii_digit);
        let is_followed_by_space = inner.get(end + 1).is_none_or(u8::is_ascii_whitespace);
        is_time && is_followed_by_space && self.count < MOST_WORDS
    }

    /// `fail: Category.Name[0]`, at the beginning or behind a time.
    fn of_dotnet(&self) -> Option<Level> {
        let (_, level) = DOTNET_NAMES
            .iter()
            .find(|(known, _)| self.text == known.as_bytes())?;
        let opens = self.before.last().is_none_or(|byte| b" \t|".contains(byte));
        let begins = self.last.is_empty()
            || self.gap.trim_ascii() != b""
            || self.last.iter().any(u8::is_ascii_digit);
        let category = self.after.strip_prefix(b": ")?;
        let is_name = |byte: &u8| is_letter(*byte) || b".+`-".contains(byte);
        let end = category.iter().position(|byte| !is_name(byte))?;
        let event = category[end..].strip_prefix(b"[")?;
        let digits = event.strip_prefix(b"-").unwrap_or(event);
        let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
        let has_event = length > 0 && digits[length] == b']';
        (opens && begins && end > 0 && has_event).then_some(*level)
    }

    /// `TypeError: text`, `java.io.IOException: text`, `DeprecationWarning: text`, and without the
    /// colon where the line has nothing else.
    fn of_kind(&self) -> Option<Level> {
        let (kind, level) = [
            (&b"Error"[..], Level::Error),
            (b"Exception", Level::Error),
            (b"RejectionWarning", Level::Error),
            (b"Warning", Level::Warn),
        ]
        .into_iter()
        .find(|(kind, _)| self.text.ends_with(kind))?;
        let is_name = self.text.len() > kind.len() || kind == b"Exception";
        let is_path = self
            .before
            .last()
            .is_some_and(|byte| b"/\"'`-".contains(byte));
        let stands_alone = self.after.is_empty() && !self.before.contains(&b' ');
        let stands = self.has_colon() || self.after.starts_with(b" [") || stands_alone;
        (is_name && !is_path && stands && !self.is_followed_by_nothing()).then_some(level)
    }
}

#[cfg(test)]
#[path = "level_tests.rs"]
mod tests;
