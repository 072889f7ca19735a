//! Tools and prompts of the newest protocol that ask their client for more before they answer: each
//! call says what is still needed, and the client calls again with it.

use rmcp::{ErrorData, model::InputResponses};
use serde_json::{Value, json};

use crate::catalogue::{elicitation, sampling};

/// What a round came to.
pub(crate) enum Round {
    /// More is needed: an `InputRequiredResult`.
    Needs(Value),
    /// It is complete, with this text.
    Says(String),
}

/// One call, with what the client sent along.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) responses: Option<&'a InputResponses>,
    pub(crate) state: Option<&'a str>,
    /// The client's capabilities.
    pub(crate) can: Value,
}

/// Plays one round; `None` if this is no tool or prompt that asks.
pub(crate) fn play(call: &Call<'_>) -> Option<Result<Round, ErrorData>> {
    let round = match call.name {
        "test_input_required_result_elicitation" | "test_streaming_elicitation" => {
            if let Some(name) = call.content("user_name", "name") {
                Round::Says(format!("Hello, {name}!"))
            } else {
                let name = ask("What is your name?", "name", "string");
                needs(&json!({"user_name": name}), None)
            }
        }
        "test_input_required_result_sampling" => {
            if let Some(answer) = call.response("capital_question") {
                Round::Says(answer["content"]["text"].to_string())
            } else {
                let question = sampling("What is the capital of France?", 100);
                needs(&json!({"capital_question": question}), None)
            }
        }
        "test_input_required_result_list_roots" => match call.response("client_roots") {
            Some(answer) => Round::Says(answer["roots"].to_string()),
            None => needs(&json!({"client_roots": roots()}), None),
        },
        "test_input_required_result_request_state" => match call.content("confirm", "ok") {
            Some(_) => return Some(call.checked("confirming", "state-ok")),
            None => needs(
                &json!({"confirm": ask("Please confirm", "ok", "boolean")}),
                Some("confirming"),
            ),
        },
        "test_input_required_result_tampered_state" => match call.response("confirm") {
            Some(_) => return Some(call.checked("sealed", "state-ok")),
            None => needs(
                &json!({"confirm": ask("Please confirm", "ok", "boolean")}),
                Some("sealed"),
            ),
        },
        "test_input_required_result_multiple_inputs" => {
            let keys = ["user_name", "greeting", "client_roots"];
            if keys.iter().all(|key| call.response(key).is_some()) {
                return Some(call.checked("several", "all there"));
            }
            let requests = json!({
                "user_name": ask("What is your name?", "name", "string"),
                "greeting": sampling("Generate a greeting", 50),
                "client_roots": roots(),
            });
            needs(&requests, Some("several"))
        }
        "test_input_required_result_multi_round" => {
            let second = call.content("step2", "color");
            let first = call.content("step1", "name");
            match (second, first) {
                (Some(_), _) => return Some(call.checked("round-2", "three rounds")),
                (None, Some(_)) => {
                    let color = ask("Step 2: What is your favorite color?", "color", "string");
                    needs(&json!({"step2": color}), Some("round-2"))
                }
                (None, None) => {
                    let name = ask("Step 1: What is your name?", "name", "string");
                    needs(&json!({"step1": name}), Some("round-1"))
                }
            }
        }
        "test_input_required_result_capabilities" => {
            let mut requests = json!({});
            if call.can["sampling"].is_object() {
                requests["question"] = sampling("What is the capital of France?", 100);
            }
            if call.can["elicitation"].is_object() {
                requests["name"] = ask("What is your name?", "name", "string");
            }
            needs(&requests, None)
        }
        "test_input_required_result_prompt" => {
            if call.response("user_context").is_some() {
                return None;
            }
            let question = "What context should the prompt use?";
            needs(
                &json!({"user_context": ask(question, "context", "string")}),
                None,
            )
        }
        _ => return None,
    };
    Some(Ok(round))
}

impl Call<'_> {
    fn response(&self, key: &str) -> Option<&Value> {
        self.responses?.get(key).filter(|it| it.is_object())
    }

    /// A field of what the user filled in.
    fn content(&self, key: &str, field: &str) -> Option<&Value> {
        let response = self.response(key)?;
        let accepted = response["action"] == "accept";
        response["content"].get(field).filter(|_| accepted)
    }

    fn checked(&self, state: &str, text: &str) -> Result<Round, ErrorData> {
        if self.state == Some(sealed(state).as_str()) {
            Ok(Round::Says(text.to_owned()))
        } else {
            let text = "requestState is not what this server gave out";
            Err(ErrorData::invalid_params(text, None))
        }
    }
}

fn needs(requests: &Value, state: Option<&str>) -> Round {
    let mut result = json!({"resultType": "input_required", "inputRequests": requests});
    if let Some(state) = state {
        result["requestState"] = json!(sealed(state));
    }
    Round::Needs(result)
}

/// A state that only this server knows how to write.
fn sealed(state: &str) -> String {
    let seal = xxhash_rust::xxh3::xxh3_64_with_seed(state.as_bytes(), 42);
    format!("{state}:{seal:016x}")
}

fn ask(message: &str, field: &str, kind: &str) -> Value {
    elicitation(message, &json!({field: {"type": kind}}), &[field])
}

fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}
