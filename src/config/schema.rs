//! The JSON Schema of the config, for editors: docs/config.schema.json.
//!
//! It says less than the reader does, and nothing else: what it refuses, the reader refuses too.

use serde_json::{Map, Value, json};

use super::keys::{Absent, CONFIG, Form, Key, Section};

/// The schema as a text, with a line end after the last line.
#[must_use]
pub fn schema() -> String {
    let mut schema = section(&CONFIG);
    if let Some(schema) = schema.as_object_mut() {
        let name = "Config of harness-exporter";
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".to_owned(), json!(name));
        // Free, for anchors.
        schema.insert("patternProperties".to_owned(), json!({ "^x-": true }));
    }
    // Writing a value as a text does not fail.
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

fn section(section: &Section) -> Value {
    let entries = section.keys().map(|key| (key.name.to_owned(), property(key)));
    let required: Vec<&str> =
        section.keys().filter(|key| key.default == Absent::Required).map(|key| key.name).collect();
    let mut schema = Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("description".to_owned(), json!(section.about)),
        ("properties".to_owned(), Value::Object(entries.collect())),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    Value::Object(schema)
}

fn property(key: &Key) -> Value {
    let mut schema = form(key.form);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), json!(key.about));
        if let Absent::Is(default) = key.default
            && let Ok(default) = serde_yaml::from_str::<Value>(default)
        {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

/// Units in order, each at most once.
const DURATION: &str = "^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

fn form(form: Form) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let duration = json!({ "type": "string", "minLength": 2, "pattern": DURATION });
    match form {
        Form::Name | Form::Id => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
        Form::Flag => json!({ "type": "boolean" }),
        Form::Count(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Form::Duration | Form::Seconds => duration,
        Form::Durations => {
            json!({ "type": "array", "items": duration, "minItems": 1, "maxItems": 50 })
        }
        Form::Words(words) => json!({ "enum": words }),
        Form::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Form::StoreUrl => json!({ "type": "string", "pattern": "^sqlite://" }),
        Form::Cron
        | Form::Timezone
        | Form::File
        | Form::SecretFile
        | Form::SecretVariable
        | Form::Secret => text,
        Form::Payload => json!({ "type": ["object", "array", "string"] }),
        Form::Headers | Form::Texts => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Form::Labels => json!({
            "type": "array",
            "items": { "type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$" },
            "uniqueItems": true,
            "maxItems": 10
        }),
        Form::Section(keys) => section(keys),
        Form::Sections(keys) => json!({ "type": "array", "items": section(keys) }),
    }
}
