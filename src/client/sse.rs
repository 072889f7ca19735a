//! Server-sent events out of bytes that arrive in any pieces.

use super::lines::{Lines, TooLong};

/// The most that one event may hold, in bytes.
const MOST: usize = 1 << 20;

/// One event, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSent {
    /// The last id that was sent, with this event or before it.
    pub id: String,
    /// Of which kind; `message` where it does not say.
    pub kind: String,
    /// What it says; several lines of data are joined by line feeds.
    pub data: String,
}

/// Takes bytes, gives events. What it holds back is bounded.
#[derive(Debug)]
pub struct SseDecoder {
    lines: Lines,
    is_begun: bool,
    id: String,
    kind: String,
    data: String,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self {
            lines: Lines::of_at_most(MOST),
            is_begun: false,
            id: String::new(),
            kind: String::new(),
            data: String::new(),
        }
    }
}

impl SseDecoder {
    /// Takes what arrived and appends the events that are complete now.
    ///
    /// # Errors
    /// When an event is larger than anything that a daemon sends. Nothing can be decoded then.
    pub fn feed(&mut self, bytes: &[u8], events: &mut Vec<ServerSent>) -> Result<(), TooLong> {
        let Self {
            lines,
            is_begun,
            id,
            kind,
            data,
        } = self;
        lines.feed(bytes, |line| {
            let line = if *is_begun {
                line
            } else {
                *is_begun = true;
                line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
            };
            if line.is_empty() {
                let kind = std::mem::take(kind);
                if let Some(text) = std::mem::take(data).strip_suffix('\n') {
                    events.push(ServerSent {
                        id: id.clone(),
                        kind: Some(kind)
                            .filter(|kind| !kind.is_empty())
                            .unwrap_or_else(|| "message".to_owned()),
                        data: text.to_owned(),
                    });
                }
                return Ok(());
            }
            let line = String::from_utf8_lossy(line);
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(kind),
                "id" if !value.contains('\0') => value.clone_into(id),
                "data" if data.len() + value.len() > MOST => return Err(TooLong { most: MOST }),
                "data" => {
                    data.push_str(value);
                    data.push('\n');
                }
                // Comments have an empty name; others are of no interest.
                _ => {}
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<ServerSent> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut events).unwrap();
        }
        events
    }

    fn event(id: &str, kind: &str, data: &str) -> ServerSent {
        ServerSent {
            id: id.to_owned(),
            kind: kind.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let text = "\u{feff}: hello\n\nid: 7\nevent: crashed\ndata: {\"a\": 1}\n\n\
                    data:  two\ndata:lines\nretry: 5\nunknown: x\n\n\
                    event: empty\n\nid\ndata\n\ndata: not complete\n";
        assert_eq!(
            decoded([text.as_bytes()]),
            [
                event("7", "crashed", "{\"a\": 1}"),
                event("7", "message", " two\nlines"),
                event("", "message", ""),
            ]
        );
    }

    #[test]
    fn every_kind_of_line_end_is_one() {
        let expected = [event("1", "message", "a"), event("2", "message", "b")];
        for end in ["\n", "\r", "\r\n"] {
            let text = "id: 1\ndata: a\n\nid: 2\ndata: b\n\n".replace('\n', end);
            assert_eq!(decoded([text.as_bytes()]), expected, "{end:?}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(decoded(bytes), expected, "{end:?}");
        }
    }

    #[test]
    fn an_event_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut decoder = SseDecoder::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        let mut fed = 0;
        while decoder.feed(&line, &mut Vec::new()).is_ok() {
            fed += line.len();
            assert!(fed < 2 * MOST);
        }
        let mut decoder = SseDecoder::default();
        let endless = vec![b'x'; MOST + 1];
        assert!(decoder.feed(&endless, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(
            text in "((data|id|event|retry|)(: ?[a-zä:]{0,4})?(\r|\n|\r\n)|\r|\n|\r\n|\u{feff}){0,30}",
            cuts in proptest::collection::vec(0_usize..200, 0..10),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decoded(pieces), decoded([bytes]));
        }

        #[test]
        fn no_bytes_disturb_it(bytes: Vec<u8>) {
            decoded([bytes.as_slice()]);
        }
    }
}
