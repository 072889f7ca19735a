//! `POST /api/processes/NAME/{restart,start,stop}`: the order is given, its outcome awaited.

use std::time::Duration;

use actix_web::{HttpRequest, web};
use serde::Deserialize;

use super::errors::{Answer, Refused};
use crate::{
    http::{
        body::{self, Unreadable},
        refusal::Refusal,
    },
    service::{Order, Service, Unheard},
};

/// The most bytes that a body may have.
const MOST_BYTES: usize = 64 * 1024;
/// How long the outcome is awaited where the request does not say, in seconds.
const USUAL_PATIENCE: f64 = 50.0;
/// How long it may be awaited at most.
const MOST_PATIENCE: f64 = 3600.0;

/// What an order may bring.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wishes {
    timeout_seconds: Option<f64>,
}

/// Gives the order; 200 and the report also where it failed.
pub(super) async fn carry_out(
    service: &Service,
    order: Order,
    request: &HttpRequest,
    payload: web::Payload,
) -> Answer {
    super::Parameters::of(request)?.finish()?;
    let body = body::read(request, payload, MOST_BYTES);
    let body = body.await.map_err(unreadable)?;
    if !body.is_empty() && !body::is_json(request) {
        return Err(Refusal::bad_request("Content-Type must be application/json").into());
    }
    let patience = patience(&body)?;
    let process = request.match_info().get("name");
    if service
        .names()
        .0
        .iter()
        .any(|it| Some(it.as_str()) == process)
    {
        service.activity();
    }
    let report = service
        .carry_out(order, process, patience, &mut Unheard)
        .await?;
    Ok(super::fresh().json(report))
}

fn unreadable(why: Unreadable) -> Refused {
    let message = match why {
        Unreadable::TooLarge => format!("a body has at most {MOST_BYTES} bytes"),
        Unreadable::Broken => "the body of the request cannot be read".to_owned(),
        Unreadable::Late => "the body of the request did not arrive".to_owned(),
    };
    Refusal::bad_request(message).into()
}

/// How long the outcome is awaited.
fn patience(body: &[u8]) -> Result<Duration, Refusal> {
    let wishes: Wishes = if body.is_empty() {
        Wishes::default()
    } else {
        serde_json::from_slice(body).map_err(|error| {
            let right = "the body is empty or {\"timeout_seconds\": SECONDS}";
            Refusal::bad_request(format!("{right}: {error}"))
        })?
    };
    let seconds = wishes.timeout_seconds.unwrap_or(USUAL_PATIENCE);
    let fits = (0.0..=MOST_PATIENCE).contains(&seconds);
    let patience = Duration::try_from_secs_f64(seconds).ok().filter(|_| fits);
    patience.ok_or_else(|| {
        let right = format!("must be a number of seconds from 0 to {MOST_PATIENCE}");
        Refusal::bad_request(format!("`timeout_seconds` {right}, not {seconds}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_an_order_is_awaited_for_50_seconds() {
        for body in ["", "{}", r#"{"timeout_seconds":null}"#] {
            assert_eq!(patience(body.as_bytes()), Ok(Duration::from_secs(50)));
        }
        let fraction = patience(br#"{"timeout_seconds":0.5}"#);
        assert_eq!(fraction, Ok(Duration::from_millis(500)));
    }

    #[test]
    fn a_patience_that_cannot_be_is_refused() {
        for body in [
            "[]",
            "{",
            r#"{"timeout_seconds":-1}"#,
            r#"{"timeout_seconds":3601}"#,
            r#"{"timeout_seconds":1e400}"#,
            r#"{"timeout_seconds":"5"}"#,
            r#"{"timeout":5}"#,
        ] {
            assert!(patience(body.as_bytes()).is_err(), "{body}");
        }
    }
}
