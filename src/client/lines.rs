//! Lines out of bytes that arrive in any pieces.

/// A line is longer than anything that a daemon sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} bytes in one piece")]
pub struct TooLong {
    /// The limit.
    pub most: usize,
}

/// Cuts bytes into lines, which end in a line feed, a carriage return or both. What it holds back is
/// bounded.
#[derive(Debug)]
pub struct Lines {
    most: usize,
    /// The beginning of a line whose end has not arrived.
    held: Vec<u8>,
    /// A line feed that comes first belongs to the line before.
    after_return: bool,
}

impl Lines {
    /// Lines of at most so many bytes.
    #[must_use]
    pub fn of_at_most(most: usize) -> Self {
        Self {
            most,
            held: Vec::new(),
            after_return: false,
        }
    }

    /// Takes what arrived and hands out the lines that are complete now, without their ends.
    ///
    /// # Errors
    /// When a line is too long, or `each` refuses one. Nothing can be taken then.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), TooLong>,
    ) -> Result<(), TooLong> {
        let too_long = TooLong { most: self.most };
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let length = end.unwrap_or(bytes.len());
            if self.held.len() + length > self.most {
                return Err(too_long);
            }
            let Some(end) = end else {
                self.held.extend_from_slice(bytes);
                return Ok(());
            };
            self.after_return = bytes[end] == b'\r';
            if self.held.is_empty() {
                each(&bytes[..end])?;
            } else {
                self.held.extend_from_slice(&bytes[..end]);
                let line = std::mem::take(&mut self.held);
                each(&line)?;
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// What is left when nothing more comes.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_as_long_as_permitted_and_no_longer() {
        let mut lines = Lines::of_at_most(3);
        let mut seen = Vec::new();
        let mut take = |bytes: &[u8]| {
            lines.feed(bytes, |line| {
                seen.push(line.to_vec());
                Ok(())
            })
        };
        take(b"abc\nd").unwrap();
        take(b"ef").unwrap();
        take(b"\r").unwrap();
        take(b"\ng").unwrap();
        assert_eq!(take(b"hij"), Err(TooLong { most: 3 }));
        assert_eq!(seen, [b"abc".to_vec(), b"def".to_vec()]);
    }

    #[test]
    fn what_has_no_end_is_the_rest() {
        let mut lines = Lines::of_at_most(10);
        lines.feed(b"a\nb", |_| Ok(())).unwrap();
        assert_eq!(lines.rest(), b"b");
    }
}
