//! Which path leads where. A path is compared as it was sent: nothing is decoded, joined or
//! cleaned up first, so there is one spelling of each. Only a name in a path is decoded, as a last
//! step.

use percent_encoding::percent_decode_str;

use super::lifecycle::Switch;

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Something to look at, by GET and HEAD.
    View(View),
    /// Something to be done, by POST.
    Change(Change),
    /// What Harness says by itself.
    Hook,
    /// A name in the path is not UTF-8.
    Garbled,
    /// Nothing.
    Nowhere,
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The exposition.
    Telemetry,
    /// The status page.
    Page,
    /// The config that holds.
    Config,
    /// The page of the pipeline of this name.
    Pipeline(String),
    /// The page of the run of this id.
    Run(String),
    /// All pipelines, for a program.
    ApiPipelines,
    /// The pipeline of this name, for a program.
    ApiPipeline(String),
    /// Whether the loops tick.
    Healthy,
    /// Whether there is a config, and a store that can be written.
    Ready,
}

/// What can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Read the config again.
    Reload,
    /// Pause or resume pipelines.
    Switch(Switch),
    /// Trigger the pipeline of this name.
    Trigger(String),
}

impl Route {
    /// What `path` stands for, where the exposition is at `telemetry`.
    pub(super) fn of(path: &str, telemetry: &str) -> Self {
        if path == telemetry {
            return Self::View(View::Telemetry);
        }
        match path {
            "/" => Self::View(View::Page),
            "/config" => Self::View(View::Config),
            "/api/v1/pipelines" => Self::View(View::ApiPipelines),
            "/-/healthy" => Self::View(View::Healthy),
            "/-/ready" => Self::View(View::Ready),
            "/-/reload" => Self::Change(Change::Reload),
            "/-/pause" => Self::Change(Change::Switch(Switch::Pause)),
            "/-/resume" => Self::Change(Change::Switch(Switch::Resume)),
            "/hooks/harness" => Self::Hook,
            path => Self::with_name(path).unwrap_or(Self::Nowhere),
        }
    }

    fn with_name(path: &str) -> Option<Self> {
        let (segment, route): (_, fn(String) -> Self) =
            if let Some(name) = segment(path, "/api/v1/pipelines/", "/trigger") {
                (name, |name| Self::Change(Change::Trigger(name)))
            } else if let Some(name) = segment(path, "/api/v1/pipelines/", "") {
                (name, |name| Self::View(View::ApiPipeline(name)))
            } else if let Some(name) = segment(path, "/pipelines/", "") {
                (name, |name| Self::View(View::Pipeline(name)))
            } else {
                (segment(path, "/runs/", "")?, |id| Self::View(View::Run(id)))
            };
        let name = percent_decode_str(segment).decode_utf8();
        Some(name.map_or(Self::Garbled, |name| route(name.into_owned())))
    }
}

/// The one segment of `path` between the two, still encoded.
fn segment<'a>(path: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let segment = path.strip_prefix(before)?.strip_suffix(after)?;
    (!segment.is_empty() && !segment.contains('/')).then_some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_one_place() {
        for (path, name) in [
            ("/api/v1/pipelines/nightly/trigger", Some("nightly")),
            ("/api/v1/pipelines/a%2Fb/trigger", Some("a/b")),
            ("/api/v1/pipelines//trigger", None),
            ("/api/v1/pipelines/a/b/trigger", None),
            ("/api/v1/pipelines/a/trigger/", None),
            ("/api/v1/pipelines/../trigger", Some("..")),
            ("//api/v1/pipelines/a/trigger", None),
        ] {
            let wanted =
                name.map_or(Route::Nowhere, |name| Route::Change(Change::Trigger(name.to_owned())));
            assert_eq!(Route::of(path, "/metrics"), wanted, "{path}");
        }
        for (path, view) in [
            ("/pipelines/a%2Fb", View::Pipeline("a/b".to_owned())),
            (
                "/runs/nightly-2026-11-24T07%3A00%3A00Z-1",
                View::Run("nightly-2026-11-24T07:00:00Z-1".to_owned()),
            ),
            ("/api/v1/pipelines", View::ApiPipelines),
            ("/api/v1/pipelines/trigger", View::ApiPipeline("trigger".to_owned())),
            ("/config", View::Config),
        ] {
            assert_eq!(Route::of(path, "/metrics"), Route::View(view), "{path}");
        }
        for path in ["/pipelines/", "/pipelines", "/runs/", "/runs/a/b", "/config/", "/api/v1/runs"]
        {
            assert_eq!(Route::of(path, "/metrics"), Route::Nowhere, "{path}");
        }
        assert_eq!(Route::of("/runs/%ff", "/metrics"), Route::Garbled);
        assert_eq!(Route::of("/api/v1/pipelines/%ff/trigger", "/metrics"), Route::Garbled);
    }

    #[test]
    fn the_exposition_may_be_at_the_root() {
        assert_eq!(Route::of("/", "/"), Route::View(View::Telemetry));
        assert_eq!(Route::of("/", "/m"), Route::View(View::Page));
        assert_eq!(Route::of("/m", "/m"), Route::View(View::Telemetry));
        assert_eq!(Route::of("/metrics", "/m"), Route::Nowhere);
    }
}
