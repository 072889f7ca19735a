//! Whether an answer has exactly the fields and types that were promised.

use serde_json::{Value, json};

/// `get_status` as the contract draws it. A type with `?` may be null; `a|b` is one of these words;
/// a list has one element, the shape of each; `{"?": shape}` may be null.
pub(crate) fn status() -> Value {
    json!({
        "project_dir": "string", "version": "string", "url": "string", "mode": "dev|release",
        "release_in_seconds": "number?", "config_error": "string?",
        "processes": [{
            "name": "string", "type": "rust|npm|command",
            "state": "stopped|building|proving|running|stopping|backing_off",
            "mode": "dev|release", "serving": "boolean", "health": "ready|unready?",
            "behind": "build_failed|rolled_back|sources_changed?",
            "run": "integer?", "pid": "integer?", "uptime_seconds": "number?",
            "restarts": "integer", "crashes": "integer", "crashes_in_a_row": "integer",
            "next_attempt_in_seconds": "number?", "connections": "own|held|relayed",
            "connections_wait": "boolean", "status_text": "string?",
            "last_exit": {"?": exit()},
            "last_build": {"?": {
                "id": "integer", "mode": "dev|release", "outcome": "ok|failed", "seconds": "number",
                "errors": "integer", "warnings": "integer", "at": "time",
            }},
            "events": [{
                "at": "time", "age_seconds": "number",
                "kind": "started|restarted|swapped|crashed|backing_off|build_started|build_done|\
                         build_failed|rolled_back|mode|stopped|reloaded|config_invalid",
                "text": "string",
            }],
        }],
    })
}

/// `restart` as the contract draws it; `start` and `stop` have outcomes of their own.
pub(crate) fn restart() -> Value {
    json!({
        "process": "string", "ok": "boolean",
        "outcome": "restarted|swapped|building|build_failed|rolled_back|crashed|not_ready|\
                    superseded|stopped|shutting_down|started|running|stopping",
        "reason": "string?",
        "mode": "dev|release", "run": "integer?", "pid": "integer?", "build": "integer?",
        "build_seconds": "number?", "pause_ms": "number?", "ready_after_ms": "number?",
        "connections_refused": "integer?",
        "error_count": "integer", "warning_count": "integer",
        "new_count": "integer", "fixed_count": "integer",
        "errors": [{
            "level": "string", "code": "string?", "file": "string?", "line": "integer?",
            "column": "integer?", "message": "string", "rendered": "string",
            "new": "boolean",
        }],
        "omitted_count": "integer",
        "error_lines": ["string"],
        "exit": {"?": exit()},
        "last_lines": ["string"],
        "behind": "build_failed|rolled_back|sources_changed?",
        "next": "string?",
    })
}

/// `wait_for`.
pub(crate) fn wait() -> Value {
    json!({
        "process": "string", "until": "ready|exit|log|build", "met": "boolean",
        "reason": "time_up|too_late|stopped|removed|shutting_down?", "waited_seconds": "number",
        "state": "stopped|building|proving|running|stopping|backing_off",
        "health": "ready|unready?", "behind": "build_failed|rolled_back|sources_changed?",
        "run": "integer?", "pid": "integer?", "line": "string?",
        "last_exit": {"?": exit()},
        "last_build": {"?": {
            "id": "integer", "mode": "dev|release", "outcome": "ok|failed", "seconds": "number",
            "errors": "integer", "warnings": "integer", "at": "time",
        }},
        "next": "string?",
    })
}

fn exit() -> Value {
    json!({"run": "integer", "code": "integer?", "signal": "integer?", "text": "string", "at": "time"})
}

/// Fails where `value` has other fields, in another order, or other types than `shape`.
#[track_caller]
pub(crate) fn has_shape(value: &Value, shape: &Value) {
    if let Err(wrong) = compare("", shape, value) {
        panic!("{wrong} in {value:#}");
    }
}

fn compare(place: &str, shape: &Value, value: &Value) -> Result<(), String> {
    match shape {
        Value::String(words) => {
            let (words, null) = match words.strip_suffix('?') {
                Some(words) => (words, value.is_null()),
                None => (words.as_str(), false),
            };
            if null || words.split('|').any(|word| is(word, value)) {
                Ok(())
            } else {
                Err(format!("{place} is {value}, not {words}"))
            }
        }
        Value::Array(each) => {
            let values = value
                .as_array()
                .ok_or_else(|| format!("{place} is no list"))?;
            let mut values = values.iter().enumerate();
            values.try_for_each(|(n, value)| compare(&format!("{place}[{n}]"), &each[0], value))
        }
        Value::Object(fields) => {
            if let Some(shape) = fields.get("?") {
                return match value {
                    Value::Null => Ok(()),
                    value => compare(place, shape, value),
                };
            }
            let values = value
                .as_object()
                .ok_or_else(|| format!("{place} is no object"))?;
            if !values.keys().eq(fields.keys()) {
                let keys: Vec<_> = values.keys().collect();
                return Err(format!("{place} has the fields {keys:?}"));
            }
            fields.iter().try_for_each(|(key, shape)| {
                compare(&format!("{place}.{key}"), shape, &values[key])
            })
        }
        _ => Err(format!("{place}: {shape} is no shape")),
    }
}

fn is(word: &str, value: &Value) -> bool {
    match word {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "time" => value
            .as_str()
            .is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()),
        word => value == word,
    }
}

/// Fails where `value` does not satisfy an output schema, as far as ours go.
#[track_caller]
pub(crate) fn satisfies(value: &Value, schema: &Value) {
    if let Err(wrong) = validate("", schema, value) {
        panic!("{wrong} in {value:#}");
    }
}

fn validate(place: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{place}: {value} {what} {schema}"));
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = |choice: &Value| validate(place, choice, value).is_ok();
        return if choices.iter().any(fits) {
            Ok(())
        } else {
            wrong("is none of")
        };
    }
    let typed = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("null") => value.is_null(),
        Some(word) => is(word, value),
        None => false,
    };
    if !typed {
        return wrong("is not of the type of");
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return wrong("is not a word of");
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return wrong("is too small for");
    }
    if let Some(fields) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return wrong(&format!("lacks {name} of"));
            }
        }
        for (name, value) in fields {
            let Some(schema) = schema["properties"].get(name) else {
                return Err(format!("{place}.{name} is not in the schema"));
            };
            validate(&format!("{place}.{name}"), schema, value)?;
        }
    }
    let items = value.as_array().into_iter().flatten();
    for (n, item) in items.enumerate() {
        validate(&format!("{place}[{n}]"), &schema["items"], item)?;
    }
    Ok(())
}
