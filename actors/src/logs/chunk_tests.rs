use super::*;

fn chunk(lines: &[&[u8]]) -> Chunk {
    let mut chunk = Chunk::default();
    for bytes in lines {
        let line = Line {
            bytes,
            stream: Stream::Stdout,
            end: LineEnd::Newline,
        };
        chunk.push(line, UNIX_EPOCH);
    }
    chunk
}

#[test]
fn a_line_comes_back_with_its_bytes_stream_end_and_time() {
    let lines = [
        Line {
            bytes: b"",
            stream: Stream::Stderr,
            end: LineEnd::Silence,
        },
        Line {
            bytes: b"a\xff\0",
            stream: Stream::Stdout,
            end: LineEnd::Newline,
        },
        Line {
            bytes: b"piece",
            stream: Stream::Stderr,
            end: LineEnd::Length,
        },
        Line {
            bytes: b"last",
            stream: Stream::Stdout,
            end: LineEnd::End,
        },
    ];
    let mut chunk = Chunk::default();
    let at = |n: usize| UNIX_EPOCH + Duration::from_millis(1_000 + n as u64 / 2);
    for (n, line) in lines.into_iter().enumerate() {
        chunk.push(line, at(n));
    }
    for (n, line) in lines.into_iter().enumerate() {
        assert_eq!(chunk.line(n), line);
        assert_eq!(chunk.at(n), at(n));
    }
    assert_eq!(chunk.count(None), 4);
    assert_eq!(chunk.count(Some(Stream::Stderr)), 2);
}

#[test]
fn lines_that_were_read_are_counted_without_an_index_and_found_with_one() {
    let run = |count, stream, end, at| Run {
        count,
        stream,
        end,
        at,
    };
    let runs = vec![
        run(2, Stream::Stdout, LineEnd::Newline, 5),
        run(1, Stream::Stderr, LineEnd::Silence, 7),
    ];
    let mut chunk = Chunk::read(10, b"a\n\nc\n".to_vec(), runs, Some(true));
    assert_eq!(
        (chunk.len(), chunk.count(Some(Stream::Stderr)), chunk.next()),
        (3, 1, 13)
    );
    assert_eq!(chunk.at(2), UNIX_EPOCH + Duration::from_millis(7));
    let index = |chunk: &Chunk| {
        chunk
            .read
            .as_ref()
            .and_then(|read| read.index.get())
            .is_some()
    };
    assert!(!index(&chunk));
    let line = |bytes, stream, end| Line { bytes, stream, end };
    assert_eq!(
        chunk.line(1),
        line(&b""[..], Stream::Stdout, LineEnd::Newline)
    );
    assert!(index(&chunk));
    let last = line(&b"c"[..], Stream::Stderr, LineEnd::Silence);
    assert_eq!(chunk.slice(1, 3).line(1), last);
    assert_eq!(chunk.slice(1, 3).first(), 11);
    chunk.push(last, UNIX_EPOCH);
    assert_eq!((chunk.len(), chunk.line(3), chunk.line(2)), (4, last, last));
}

#[test]
fn damaged_bytes_give_as_many_lines_as_were_told() {
    for bytes in [&b""[..], b"a", b"a\nb\nc\nd\ne", b"\n\n\n\n\n"] {
        let run = Run {
            count: 3,
            stream: Stream::Stdout,
            end: LineEnd::Newline,
            at: 0,
        };
        let chunk = Chunk::read(1, bytes.to_vec(), vec![run], None);
        let lines: Vec<_> = (0..3).map(|n| chunk.line(n).bytes).collect();
        assert_eq!((lines.len(), chunk.end(2)), (3, bytes.len()));
    }
}

#[test]
fn a_chunk_has_so_many_bytes_and_so_many_lines_at_most() {
    let newlines = vec![b'\n'; 2 * Chunk::MOST_LINES];
    let mut chunk = Chunk::default();
    let (fits, rest) = chunk.split(&newlines);
    assert_eq!(
        (fits.len(), rest.len()),
        (Chunk::MOST_LINES, Chunk::MOST_LINES)
    );
    chunk.push_all(fits, Stream::Stdout, UNIX_EPOCH);
    assert_eq!((chunk.len(), chunk.takes(0)), (Chunk::MOST_LINES, false));
    assert_eq!(chunk.split(rest), (&[][..], rest));

    let mut long = vec![b'x'; Chunk::FULL];
    long.extend(b"\nshort\n");
    let first = Chunk::default();
    assert_eq!(
        first.split(&long).1,
        b"short\n",
        "the first line has its place"
    );
    let mut second = Chunk::default();
    second.push_all(b"a\n", Stream::Stdout, UNIX_EPOCH);
    assert_eq!(second.split(&long).0, b"");
}

#[test]
fn only_text_without_anything_to_clean_is_plain() {
    assert!(chunk(&[b"tab\tis fine", "é — 漢".as_bytes(), b""]).is_plain());
    for dirty in [
        &b"\x1b[1m"[..],
        b"\r",
        b"\0",
        b"\x7f",
        b"\xff",
        b"\xc2\x9b",
        b"\xc3",
    ] {
        assert!(!chunk(&[b"clean", dirty, b"clean"]).is_plain(), "{dirty:?}");
    }
}
