//! The token that programs of other users of the machine do not have.

use std::{fmt, hint::black_box};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

/// A secret that requests over TCP must bring.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// How many digits it has: 256 bits.
    pub(crate) const DIGITS: usize = 64;

    /// Reads it; hexadecimal digits, as it is written.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let is_token = text.len() == Self::DIGITS && text.bytes().all(|it| it.is_ascii_hexdigit());
        is_token.then(|| Self(text.to_owned()))
    }

    /// One that is made of these random bytes.
    pub(crate) fn of(bytes: [u8; Self::DIGITS / 2]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(Self::DIGITS);
        for byte in bytes {
            // A text takes all that is written.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// As it is written into its file.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether a request brings it: `Authorization: Bearer …`, once.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(AUTHORIZATION);
        let (Some(value), None) = (given.next(), given.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.to_str().ok().and_then(|it| it.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && self.is_same(token.trim())
    }

    /// Takes as long whichever digit differs, so that nobody finds one after the other.
    fn is_same(&self, other: &str) -> bool {
        let pairs = self.0.bytes().zip(other.bytes());
        let differences = pairs.fold(0, |all, (one, other)| black_box(all | (one ^ other)));
        self.0.len() == other.len() && differences == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_a_bearer_with_the_very_token_passes() {
        let token = Token::of([0xab; 32]);
        let right = "ab".repeat(32);
        let passes = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            token.is_in(&headers)
        };
        assert!(passes(&[&format!("Bearer {right}")]));
        assert!(passes(&[&format!("bearer  {right} ")]));
        for wrong in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            right.clone(),
            format!("Basic {right}"),
            format!("Bearer {}", &right[1..]),
            format!("Bearer {right}0"),
            format!("Bearer {}c", &right[..63]),
            format!("Bearer {}", right.to_uppercase()),
        ] {
            assert!(!passes(&[&wrong]), "{wrong}");
        }
        assert!(!passes(&[]));
        let twice = format!("Bearer {right}");
        assert!(!passes(&[&twice, &twice]));
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_never_shown() {
        let token = Token::of(std::array::from_fn(|n| u8::try_from(n).unwrap()));
        assert_eq!(
            Token::parse(&format!("{}\n", token.text())),
            Some(token.clone())
        );
        assert_eq!(format!("{token:?}"), "Token(…)");
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(Token::parse(text), None);
        }
    }
}
