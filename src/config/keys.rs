//! The table of all keys: what each is called, what it takes, its default and what it is for.
//!
//! From it follows what of a file may be shown: where a key may hold a secret, its value may not,
//! and neither may that of a key which is not here. What a key takes and is for is told for readers;
//! the reader of the config does not follow it.

use self::Form::{
    Cron, Durations, Headers, Id, Labels, Name, Payload, Seconds, Section as In, Sections, Texts,
    Timezone, Url, Words,
};

/// The keys of a mapping.
#[derive(Debug)]
pub struct Section {
    /// What the mapping is, as a sentence.
    pub about: &'static str,
    /// In the order in which one would tell them.
    pub keys: &'static [&'static [Key]],
}

impl Section {
    /// All of its keys.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    /// What holds without it.
    pub default: Absent,
    /// What it is for, as sentences.
    pub about: &'static str,
}

/// What holds without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// This, in YAML.
    Is(&'static str),
    /// What these words say.
    Means(&'static str),
    /// Nothing: it must be there.
    Required,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A name of ours.
    Name,
    /// An identifier of Harness'.
    Id,
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds.
    Count(u32, u32),
    /// A duration above zero.
    Duration,
    /// The same, zero included.
    Seconds,
    /// Rising durations.
    Durations,
    /// One of these.
    Words(&'static [&'static str]),
    /// A cron expression.
    Cron,
    /// An IANA time zone.
    Timezone,
    /// A URL of Harness'.
    Url,
    /// A URL of a store.
    StoreUrl,
    /// The path of a file.
    File,
    /// The path of a file with a secret in it.
    SecretFile,
    /// The name of a variable with a secret in it.
    SecretVariable,
    /// A secret.
    Secret,
    /// What becomes JSON.
    Payload,
    /// Names and texts of headers.
    Headers,
    /// Names and texts.
    Texts,
    /// Names of labels.
    Labels,
    /// A mapping.
    Section(&'static Section),
    /// A list of mappings.
    Sections(&'static Section),
}

const fn key(name: &'static str, form: Form, default: Absent, about: &'static str) -> Key {
    Key { name, form, default, about }
}

const fn is(default: &'static str) -> Absent {
    Absent::Is(default)
}

const NONE: Absent = Absent::Means("none");

const UNLESS_IN_URL: Absent = Absent::Means("required, unless a webhook URL says it");

const RESULT_WORDS: Form =
    Words(&["success", "failure", "error", "timeout", "cancellation", "skip"]);

/// The whole config.
pub static CONFIG: Section = Section {
    about: "The config, which may be spread over several files; the sections `accounts`, \
            `results`, `metrics`, `notifications` and `storage` stand in one of them.",
    keys: &[&[
        key(
            "accounts",
            Sections(&ACCOUNT),
            Absent::Means("required, in one of the files"),
            "Whom it speaks to; at least one.",
        ),
        key(
            "defaults",
            In(&DEFAULTS),
            NONE,
            "What holds for each pipeline of the same file that does not say otherwise. Mappings \
             and lists are replaced as a whole.",
        ),
        key(
            "pipelines",
            Sections(&PIPELINE),
            Absent::Means("required, in any of the files"),
            "What is triggered.",
        ),
        key(
            "results",
            In(&RESULTS),
            NONE,
            "What four debatable statuses of Harness count as. A change holds for the runs that end \
             after it.",
        ),
        key("metrics", In(&METRICS), NONE, "What of /metrics is a matter of choice."),
        key(
            "notifications",
            In(&NOTIFICATIONS),
            NONE,
            "Lets Harness tell of ends by `POST /hooks/harness` with this token.",
        ),
        key("storage", In(&STORAGE), NONE, "Where the runs are kept."),
    ]],
};

/// One of `accounts`.
pub static ACCOUNT: Section = Section {
    about: "An account of Harness, and within what limits it is used.",
    keys: &[&[
        key("name", Name, is("default"), "The label `account`; pipelines refer to it."),
        key(
            "url",
            Url,
            is("https://app.harness.io"),
            "Your cluster, vanity or self-managed host: scheme and host alone. http only to this \
             machine, or with `allow_http`.",
        ),
        key("allow_http", Form::Flag, is("false"), "Allows http to any host."),
        key(
            "account_id",
            Id,
            Absent::Required,
            "The account's identifier in Harness. `serve` refuses the placeholder of the shipped \
             config.yaml.",
        ),
        key(
            "api_key_file",
            Form::SecretFile,
            NONE,
            "File with an API key, which is needed where Harness mandates one; read again after a \
             401. At most one of the three.",
        ),
        key("api_key_env", Form::SecretVariable, NONE, "Environment variable with an API key."),
        key("api_key", Form::Secret, NONE, "An API key, which is warned about here."),
        key(
            "requests_per_minute",
            Form::Count(1, u32::MAX),
            is("300"),
            "Our limit for all calls. Harness allows 400 with one key.",
        ),
        key(
            "max_active_runs",
            Form::Count(1, u32::MAX),
            is("50"),
            "Runs under way at once; a start that would be one too many waits.",
        ),
        key("triggers_per_minute", Form::Count(1, u32::MAX), is("30"), "Starts in a minute."),
        key("timeout", Form::Duration, is("30s"), "For one call as a whole."),
        key("ca_file", Form::File, NONE, "Certificates to trust beside the usual ones, in PEM."),
    ]],
};

/// `defaults`.
pub static DEFAULTS: Section = Section {
    about: "Any key of a pipeline except those that say which one it is.",
    keys: &[&SETTINGS],
};

/// One of `pipelines`.
pub static PIPELINE: Section = Section {
    about: "A pipeline: what is started, when, and how it is followed.",
    keys: &[
        &[
            key(
                "name",
                Name,
                Absent::Means("the pipeline's identifier"),
                "The label `pipeline`; unique.",
            ),
            key("pipeline", Id, UNLESS_IN_URL, "The pipeline's identifier in Harness."),
            key(
                "trigger",
                Id,
                UNLESS_IN_URL,
                "The identifier of its custom webhook trigger in Harness.",
            ),
            key(
                "webhook_token_file",
                Form::SecretFile,
                NONE,
                "File with the token of the trigger's URL (v3). At most one of the three.",
            ),
            key("webhook_token_env", Form::SecretVariable, NONE, "Variable with that token."),
            key("webhook_token", Form::Secret, NONE, "That token, which is warned about here."),
            key(
                "webhook_url_file",
                Form::SecretFile,
                NONE,
                "File with the whole URL of the trigger as Harness shows it, instead of a token. \
                 `org`, `project`, `pipeline` and `trigger` are read from it and may then be left \
                 out; its host and account are the account's. At most one of the three.",
            ),
            key("webhook_url_env", Form::SecretVariable, NONE, "Variable with that URL."),
            key("webhook_url", Form::Secret, NONE, "That URL, which is warned about here."),
        ],
        &SETTINGS,
    ],
};

const SETTINGS: [Key; 22] = [
    key("account", Name, Absent::Means("the only one"), "The account's name."),
    key("org", Id, UNLESS_IN_URL, "The organization's identifier in Harness."),
    key("project", Id, UNLESS_IN_URL, "The project's identifier in Harness."),
    key(
        "webhook",
        Words(&["auto", "v1", "v2", "v3"]),
        is("auto"),
        "Which URL the webhook has. `auto`: what a token or URL says; else, with an API key, what \
         Harness says; else v1, or v2 where v1 is unknown.",
    ),
    key(
        "schedule",
        Cron,
        Absent::Means("none: only by hand"),
        "When it is started, as a cron expression of five fields or a word such as `@daily`; in \
         quotes, for YAML reads `*` and `@` otherwise.",
    ),
    key(
        "every",
        Form::Duration,
        NONE,
        "How often it is started, at least 1s, instead of `schedule`. One of the two in a pipeline \
         replaces the other in the defaults.",
    ),
    key("timezone", Timezone, is("UTC"), "Of `schedule` and of `maintenance`."),
    key(
        "align",
        Words(&["spread", "epoch"]),
        is("spread"),
        "For `every`: `spread` gives each name a moment of its own, `epoch` starts all at multiples \
         of the interval.",
    ),
    key(
        "jitter",
        Seconds,
        is("0s"),
        "For `schedule`: a fixed delay below this, of the name's own.",
    ),
    key("start_deadline", Form::Duration, is("5m"), "A start that is later than this is missed."),
    key(
        "concurrency",
        Words(&["forbid", "allow"]),
        is("forbid"),
        "`forbid` misses a start while an older run is under way, `allow` starts it all the same.",
    ),
    key("payload", Payload, is("{}"), "The body of the webhook, in YAML or as a text in JSON."),
    key("headers", Headers, is("{}"), "More headers of the webhook."),
    key(
        "queue_deadline",
        Form::Duration,
        is("6h"),
        "A webhook that Harness took and has not acted on by then is lost.",
    ),
    key(
        "unconfirmed_deadline",
        Form::Duration,
        is("15m"),
        "How long a run is looked for of which nobody knows whether it was started; needs a key.",
    ),
    key("run_deadline", Form::Duration, is("36d"), "A run that has not ended by then is lost."),
    key(
        "overdue_after",
        Form::Duration,
        NONE,
        "How long a run should take. Only exported, for alerts.",
    ),
    key("retry", In(&RETRY), NONE, "Starts it once more after what went wrong."),
    key("paused", Form::Flag, is("false"), "Keeps it in the metrics and starts nothing."),
    key(
        "maintenance",
        Sections(&MAINTENANCE),
        is("[]"),
        "When nothing is started, whatever the schedule says.",
    ),
    key("labels", Texts, is("{}"), "Values for the labels that `metrics.labels` names."),
    key("polling", In(&POLLING), NONE, "How often a run is looked at."),
];

/// `retry`.
pub static RETRY: Section = Section {
    about: "After a failure, an error, a timeout, or a webhook that was refused or never left; \
            dropped when the next due time comes first.",
    keys: &[&[
        key("after", Form::Duration, is("2m"), "How long after the end of what went wrong."),
        key(
            "attempts",
            Form::Count(0, 100),
            is("1"),
            "How often; 0 spares a pipeline the retry of the defaults.",
        ),
    ]],
};

/// One of `maintenance`.
pub static MAINTENANCE: Section = Section {
    about: "A window in which nothing is started.",
    keys: &[&[
        key("cron", Cron, Absent::Required, "When it begins."),
        key("duration", Form::Duration, Absent::Required, "How long it lasts."),
        key("timezone", Timezone, Absent::Means("that of the pipeline"), "Of `cron`."),
    ]],
};

/// `polling`.
pub static POLLING: Section = Section {
    about: "The gaps between looks, by which a run's end is noticed sooner or later.",
    keys: &[&[
        key("first", Seconds, is("1s"), "From the webhook to the first look."),
        key("min", Form::Duration, is("2s"), "The shortest gap."),
        key(
            "max",
            Form::Duration,
            is("60s"),
            "The longest gap, but for runs that wait for a person or long for Harness.",
        ),
    ]],
};

/// `results`.
pub static RESULTS: Section = Section {
    about: "What they count as.",
    keys: &[&[
        key(
            "ignore_failed",
            RESULT_WORDS,
            is("success"),
            "A stage failed and the pipeline was told to ignore that.",
        ),
        key("approval_rejected", RESULT_WORDS, is("failure"), "A person said no."),
        key("aborted_by_freeze", RESULT_WORDS, is("cancellation"), "A freeze ended it."),
        key("suspended", RESULT_WORDS, is("skip"), "It was suspended."),
    ]],
};

/// `metrics`.
pub static METRICS: Section = Section {
    about: "What is shown beside what always is.",
    keys: &[&[
        key(
            "stages",
            Form::Flag,
            is("true"),
            "Duration and status of each stage: at most 50 of a pipeline.",
        ),
        key(
            "run_info",
            Form::Flag,
            is("false"),
            "Execution id and URL of the newest run as labels: a new series with every run.",
        ),
        key(
            "labels",
            Labels,
            is("[]"),
            "Names of labels of your own on every metric of a pipeline, at most 10; pipelines say their \
             values under `labels`, and where one does not it is empty.",
        ),
        key(
            "duration_buckets",
            Durations,
            is("[1s, 5s, 15s, 30s, 1m, 2m, 5m, 10m, 20m, 30m, 1h, 2h, 4h, 12h, 25h]"),
            "Upper bounds of the histogram of durations, at most 50, rising. Changed ones begin it anew, \
             at a reload too; quantiles over a time in which they changed mean nothing.",
        ),
    ]],
};

/// `notifications`.
pub static NOTIFICATIONS: Section = Section {
    about: "One of the three, which the header `X-Harness-Exporter-Token` is compared with.",
    keys: &[&[
        key("token_file", Form::SecretFile, NONE, "File with the token."),
        key("token_env", Form::SecretVariable, NONE, "Environment variable with the token."),
        key("token", Form::Secret, NONE, "The token, which is warned about here."),
    ]],
};

/// `storage`.
pub static STORAGE: Section = Section {
    about: "A SQLite file.",
    keys: &[&[
        key(
            "url",
            Form::StoreUrl,
            is("sqlite://data/harness-exporter.db"),
            "`sqlite://` and a path relative to the working directory, or `sqlite:///` and an \
             absolute one. `--storage.url` wins.",
        ),
        key(
            "retention",
            Form::Duration,
            is("30d"),
            "How long ended runs can be looked up. The totals in the metrics are kept for ever.",
        ),
    ]],
};

/// Every section once, with the path at which it stands.
pub static SECTIONS: [(&str, &Section); 11] = [
    ("", &CONFIG),
    ("accounts[]", &ACCOUNT),
    ("defaults", &DEFAULTS),
    ("pipelines[]", &PIPELINE),
    ("pipelines[].retry", &RETRY),
    ("pipelines[].maintenance[]", &MAINTENANCE),
    ("pipelines[].polling", &POLLING),
    ("results", &RESULTS),
    ("metrics", &METRICS),
    ("notifications", &NOTIFICATIONS),
    ("storage", &STORAGE),
];
