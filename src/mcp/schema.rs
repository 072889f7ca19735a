//! JSON schemas in the form that the strictest clients accept: no references, one type per place,
//! no format that only Rust knows.

use std::{fmt::Write, sync::Arc};

use rmcp::model::JsonObject;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The schema of the arguments with these properties, of which these are required.
pub(super) fn input(properties: Value, required: &[&str]) -> Arc<JsonObject> {
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    Arc::new(schema)
}

/// The schema of what `T` is written as.
pub(super) fn output<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|it| it.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    simplify(&mut schema);
    let mut schema = match schema {
        Value::Object(schema) => schema,
        // `true`, which no struct has for a schema.
        _ => JsonObject::new(),
    };
    for noise in ["$schema", "title", "description"] {
        schema.shift_remove(noise);
    }
    Arc::new(schema)
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(simplify);
            drop_format(fields);
            merge_words(fields);
            split_null(fields);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// `uint64` and the like.
fn drop_format(fields: &mut JsonObject) {
    let foreign = |format: &Value| format.is_string() && format != "date-time";
    if fields.get("format").is_some_and(foreign) {
        fields.shift_remove("format");
    }
}

/// A choice of constants becomes an enumeration; what they mean moves into the description.
fn merge_words(fields: &mut JsonObject) {
    let Some(Value::Array(choices)) = fields.get("oneOf") else {
        return;
    };
    let words: Option<Vec<Value>> = choices.iter().map(|it| it.get("const").cloned()).collect();
    let Some(words) = words else {
        return;
    };
    let text = |of: &Value| {
        of.get("description")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let mut description = fields
        .get("description")
        .and_then(Value::as_str)
        .map_or_else(String::new, str::to_owned);
    for (choice, word) in choices.iter().zip(&words) {
        if let (Some(meaning), Some(word)) = (text(choice), word.as_str()) {
            _ = write!(description, " `{word}`: {meaning}");
        }
    }
    fields.shift_remove("oneOf");
    fields.insert("type".to_owned(), json!("string"));
    fields.insert("enum".to_owned(), Value::Array(words));
    fields.insert("description".to_owned(), json!(description.trim_start()));
}

/// `"type": ["integer", "null"]` becomes a choice of two types.
fn split_null(fields: &mut JsonObject) {
    let Some(Value::Array(types)) = fields.get("type") else {
        return;
    };
    let types = types.clone();
    let description = fields.shift_remove("description");
    let mut rest = std::mem::take(fields);
    let choices = types.into_iter().map(|it| {
        let mut choice = Map::new();
        let null = it == "null";
        choice.insert("type".to_owned(), it);
        if !null {
            rest.shift_remove("type");
            choice.append(&mut rest);
        }
        Value::Object(choice)
    });
    fields.insert("anyOf".to_owned(), choices.collect());
    if let Some(description) = description {
        fields.insert("description".to_owned(), description);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(mut schema: Value) -> Value {
        simplify(&mut schema);
        schema
    }

    #[test]
    fn a_type_that_may_be_null_is_a_choice_of_two() {
        assert_eq!(
            simple(
                json!({"type": ["integer", "null"], "format": "uint64", "minimum": 0, "description": "A run."})
            ),
            json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "description": "A run."}),
        );
    }

    #[test]
    fn words_are_an_enumeration_that_says_what_they_mean() {
        assert_eq!(
            simple(json!({
                "oneOf": [
                    {"type": "string", "const": "dev", "description": "Worked on."},
                    {"type": "string", "const": "release", "description": "Left alone."},
                ],
                "description": "Its mode.",
            })),
            json!({
                "type": "string",
                "enum": ["dev", "release"],
                "description": "Its mode. `dev`: Worked on. `release`: Left alone.",
            }),
        );
    }

    #[test]
    fn times_keep_their_format() {
        let time = json!({"type": "string", "format": "date-time"});
        assert_eq!(simple(time.clone()), time);
    }
}
