//! The config explained key by key: docs/configuration.md.

use std::fmt::Write;

use super::keys::{Absent, Form, SECTIONS, Section};

const BEGINNING: &str = "\
# Configuration

This document is written by `harness-exporter schema --format=markdown`.
The shipped [config.yaml](../config.yaml) shows the same keys at work, and [config.schema.json](config.schema.json) tells editors of them.

- Unknown keys are errors, but for those at the top that begin with `x-`: they are free, for anchors.
- Durations are written as in Prometheus: `500ms`, `30s`, `1h30m`, `1d`, `1w`. A number without a unit is refused.
- Names and identifiers have at most 128 characters.
- Files are relative to the file that names them, the store is relative to the working directory.
- Of a secret, the first choice is a file: it is read again when Harness refuses the key, and can be replaced while the exporter runs.
- Every problem is told at once, with file, line and column, what was found and what would do; lines are shown without the secrets in them.

## Several files

`--config.file` may be given more than once, and may name a folder, which stands for its `*.yaml` in the order of their names (files whose names begin with a dot are left out, as are those of a Kubernetes ConfigMap's own).
The `defaults` of a file hold for its own pipelines; `accounts`, `results`, `metrics`, `notifications` and `storage` stand in one file and hold for all.

## Flags and variables

Each flag has a variable of the environment: `HARNESS_EXPORTER_` and the flag in capitals, with `_` for `.` and `-`, such as `HARNESS_EXPORTER_LOG_LEVEL` for `--log.level`.
The flag wins, and each variable has one meaning: `HARNESS_EXPORTER_URL` is where the exporter listens, `HARNESS_EXPORTER_HARNESS_URL` is Harness' host for `run` and `status`, and `HARNESS_EXPORTER_TRIGGER_CREATE_YES` is the `--yes` of `trigger create`.
Names given to `run` win over the variables that stand for a pipeline outside the config.
";

/// The document, with a line end after the last line.
#[must_use]
pub fn reference() -> String {
    let mut document = BEGINNING.to_owned();
    for (path, section) in SECTIONS {
        let heading = if path.is_empty() { "The top".to_owned() } else { format!("`{path}`") };
        write_section(&heading, section, &mut document);
    }
    document
}

fn write_section(heading: &str, section: &Section, document: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(
        document,
        "\n## {heading}\n\n{}\n\n| key | takes | default | what |\n|---|---|---|---|\n",
        section.about
    );
    if heading == "`defaults`" {
        let _ = writeln!(document, "| … | | | see `pipelines[]` from `account` on |");
        return;
    }
    for key in section.keys() {
        let default = match key.default {
            Absent::Is(default) => format!("`{default}`"),
            Absent::Means(words) => words.to_owned(),
            Absent::Required => "required".to_owned(),
        };
        let (name, takes, about) = (key.name, takes(key.form), key.about);
        let _ = writeln!(document, "| `{name}` | {takes} | {default} | {about} |");
    }
}

fn takes(form: Form) -> String {
    match form {
        Form::Name => "name",
        Form::Id => "identifier",
        Form::Flag => "`true`, `false`",
        Form::Count(least, u32::MAX) => return format!("number from {least}"),
        Form::Count(least, most) => return format!("number from {least} to {most}"),
        Form::Duration => "duration",
        Form::Seconds => "duration, 0s too",
        Form::Durations => "list of durations",
        Form::Words(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            return words.join(", ");
        }
        Form::Cron => "cron expression",
        Form::Timezone => "IANA time zone",
        Form::Url | Form::StoreUrl => "URL",
        Form::File | Form::SecretFile => "file",
        Form::SecretVariable => "name of a variable",
        Form::Secret => "text",
        Form::Payload => "mapping, list, or JSON",
        Form::Headers | Form::Texts => "names and texts",
        Form::Labels => "list of names",
        Form::Section(_) => "mapping, see below",
        Form::Sections(_) => "list, see below",
    }
    .to_owned()
}
