//! The history against a plain list of lines, whatever is printed and whatever is torn.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Print(Stream, Vec<u8>),
    Silence(Stream),
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(b'\n'), 9 => b'a'..b'e', 1 => any::<u8>()];
    prop::collection::vec(byte, 0..60)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let print = (stream(), bytes()).prop_map(|(stream, bytes)| Step::Print(stream, bytes));
    let step = prop_oneof![6 => print, 1 => stream().prop_map(Step::Silence)];
    prop::collection::vec(step, 0..40)
}

/// Prints it all and ends the log.
fn play(archive: &mut Archive, steps: &[Step]) -> Vec<Stored> {
    let mut told = Told::begin(archive, run(1));
    for step in steps {
        match step {
            Step::Print(stream, bytes) => told.print(archive, *stream, bytes),
            Step::Silence(stream) => told.flush(archive, *stream, LineEnd::Silence),
        }
    }
    let live = snapshot(archive, &run(1));
    assert_eq!(lines(&live), told.stored);
    for stream in [Stream::Stdout, Stream::Stderr] {
        told.flush(archive, stream, LineEnd::End);
    }
    archive.end(&run(1), Some("it ended"));
    told.stored
}

/// The bytes that were printed, as far as these lines tell.
fn printed(lines: &[Stored]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        bytes.extend(&line.bytes);
        if line.end == LineEnd::Newline {
            bytes.push(b'\n');
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_stored_comes_back_from_any_number_of_files(
        steps in steps(), segment_bytes in 1..400_u64, index_bytes in 64..2_000_u64,
    ) {
        let root = tempfile::tempdir().unwrap();
        let limits = ArchiveLimits { segment_bytes, index_bytes, ..LIMITS };
        let mut archive = Archive::open(root.path(), limits).unwrap();
        let stored = play(&mut archive, &steps);
        drop(archive);
        let mut archive = Archive::open(root.path(), limits).unwrap();
        let found = snapshot(&mut archive, &run(1));
        prop_assert_eq!(lines(&found), stored);
        prop_assert_eq!(found.ending.as_deref(), Some("it ended"));
    }

    #[test]
    fn what_is_kept_is_the_end_of_what_came(
        steps in steps(), segment_bytes in 1..200_u64, pages in 2..20_u64,
    ) {
        let root = tempfile::tempdir().unwrap();
        let limits = ArchiveLimits { segment_bytes, keep_bytes: pages * 4096, ..LIMITS };
        let mut archive = Archive::open(root.path(), ArchiveLimits { keep_bytes: u64::MAX, ..limits }).unwrap();
        let stored = play(&mut archive, &steps);
        drop(archive);
        let mut archive = Archive::open(root.path(), limits).unwrap();
        if archive.logs(&main(), LogKind::Runs).is_empty() {
            return Ok(());
        }
        let found = snapshot(&mut archive, &run(1));
        let evicted = usize::try_from(found.evicted).unwrap();
        if !found.parts.is_empty() {
            prop_assert_eq!(lines(&found), &stored[evicted..]);
        }
    }

    #[test]
    fn a_torn_file_loses_nothing_that_is_there_and_harms_no_other(
        steps in steps(), segment_bytes in 20..400_u64, which: prop::sample::Index, cut: prop::sample::Index,
    ) {
        let root = tempfile::tempdir().unwrap();
        let limits = ArchiveLimits { segment_bytes, ..LIMITS };
        let mut archive = Archive::open(root.path(), limits).unwrap();
        let stored = play(&mut archive, &steps);
        drop(archive);
        let folder = root.path().join("main");
        let names = names(&folder);
        let torn = folder.join(&names[which.index(names.len())]);
        let size = usize::try_from(torn.metadata().unwrap().len()).unwrap();
        let cut = cut.index(size + 1);
        File::options().write(true).open(&torn).unwrap().set_len(cut as u64).unwrap();

        let mut archive = Archive::open(root.path(), limits).unwrap();
        let found = snapshot(&mut archive, &run(1));
        for part in &found.parts {
            let Part::Disk(segment) = part else { panic!("not on disk") };
            let one = Snapshot { parts: vec![part.clone()], ..found.clone() };
            let lines = lines(&one);
            let text = fs::read(segment.path()).unwrap();
            prop_assert_eq!(printed(&lines), text, "all bytes of {:?} are lines", segment.path());
            let numbers = lines.iter().map(|line| line.number);
            prop_assert!(numbers.eq(part.first()..part.next()));
            if segment.path().with_extension("") != torn.with_extension("") {
                let from = usize::try_from(part.first()).unwrap() - 1;
                prop_assert_eq!(&lines[..], &stored[from..from + lines.len()]);
            }
        }
    }

    #[test]
    fn overwritten_files_are_read_without_a_panic(
        steps in steps(), which: prop::sample::Index, place: prop::sample::Index, garbage in prop::collection::vec(any::<u8>(), 1..90),
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut archive = Archive::open(root.path(), LIMITS).unwrap();
        play(&mut archive, &steps);
        drop(archive);
        let folder = root.path().join("main");
        let names = names(&folder);
        let path = folder.join(&names[which.index(names.len())]);
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len() + 1);
        let end = bytes.len().min(place + garbage.len());
        bytes.splice(place..end, garbage);
        fs::write(&path, bytes).unwrap();
        let mut archive = Archive::open(root.path(), LIMITS).unwrap();
        let found = snapshot(&mut archive, &run(1));
        for chunk in found.chunks() {
            prop_assert_eq!(lines_of(&chunk, 0..chunk.len()).count(), chunk.len());
        }
    }
}
