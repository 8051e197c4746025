//! Whole URLs of webhooks: what is read from them, and with what they must agree.

use std::path::PathBuf;

use secrecy::SecretString;

use super::super::{Pipeline, SecretSource, Secrets, Source, Webhook, parse};
use super::{bad, good};
use crate::config::parse::assemble;
use crate::model::WebhookVersion;

const IDS: &str = "accountIdentifier=acme&orgIdentifier=shop&projectIdentifier=web\
                   &pipelineIdentifier=checkout&triggerIdentifier=nightly";

fn url(path: &str) -> String {
    format!("https://app.harness.io/gateway/pipeline/api/webhook/custom{path}?{IDS}")
}

/// A config whose only pipeline has these keys.
fn text(pipeline: &str) -> String {
    format!("{{accounts: [{{account_id: acme}}], pipelines: [{{{pipeline}}}]}}")
}

fn said(pipeline: &str) -> String {
    bad(&text(pipeline)).replace("pipelines[0].", "")
}

fn with(secrets: Secrets<'_>, pipeline: &str) -> Result<Pipeline, String> {
    let source = Source { name: PathBuf::from("d/config.yaml"), text: text(pipeline) };
    let (config, _) =
        assemble(&[source], secrets, Vec::new()).map_err(|problems| problems.to_string())?;
    Ok(Pipeline::clone(&config.pipelines[0]))
}

fn names(pipeline: &Pipeline) -> [&str; 5] {
    let Pipeline { name, org, project, pipeline, trigger, .. } = pipeline;
    [name.as_str(), org, project, pipeline, trigger]
}

#[test]
fn the_ids_of_the_url_need_not_be_given() {
    for (path, word, wanted) in [
        ("/tok-1/v3", "auto", WebhookVersion::V3),
        ("/tok-1/v3", "v3", WebhookVersion::V3),
        ("/v2", "auto", WebhookVersion::V2),
        ("", "v1", WebhookVersion::V1),
    ] {
        let (config, _) = good(&text(&format!("webhook: {word}, webhook_url: '{}'", url(path))));
        let pipeline = &config.pipelines[0];
        assert_eq!(names(pipeline), ["checkout", "shop", "web", "checkout", "nightly"]);
        let Webhook::Url { source: SecretSource::Inline(_), version } = &pipeline.webhook else {
            panic!("{pipeline:?}")
        };
        assert_eq!(*version, wanted);
        assert!(!format!("{pipeline:?}").contains("tok-1"));
    }
    // They may be given all the same, and those of the defaults give way.
    let given = "name: n, org: shop, project: web, pipeline: checkout, trigger: nightly";
    let all = format!(
        "{{accounts: [{{account_id: acme}}], defaults: {{org: other, project: other}},
           pipelines: [{{{given}, webhook_url: '{0}'}}, {{webhook_url: '{0}'}}]}}",
        url("/t/v3")
    );
    let (config, _) = good(&all);
    assert_eq!(names(&config.pipelines[0]), ["n", "shop", "web", "checkout", "nightly"]);
    assert_eq!(names(&config.pipelines[1]), ["checkout", "shop", "web", "checkout", "nightly"]);
}

#[test]
fn a_url_elsewhere_is_opened_where_that_is_wanted() {
    let open = |source: &SecretSource| match source {
        SecretSource::File(path) if path.as_path() == std::path::Path::new("d/url") => {
            Ok(SecretString::from(url("/tok-1/v3")))
        }
        SecretSource::Env(_) => Err("environment variable URL is not set".to_owned()),
        other => panic!("{other:?}"),
    };
    let opened = with(Secrets::Opened(&open), "webhook_url_file: url").unwrap();
    assert_eq!(names(&opened), ["checkout", "shop", "web", "checkout", "nightly"]);
    let version = WebhookVersion::V3;
    assert!(matches!(&opened.webhook, Webhook::Url { version: read, .. } if *read == version));
    assert_eq!(
        with(Secrets::Opened(&open), "webhook_url_env: URL").unwrap_err(),
        "d/config.yaml:1:64: pipelines[0].webhook_url_env: environment variable URL is not set"
    );
    // Left closed, it says nothing, and the ids must stand in the config.
    let ids = "org: o, project: p, pipeline: q, trigger: t";
    let closed = with(Secrets::Closed, &format!("webhook_url_file: url, {ids}")).unwrap();
    assert_eq!(names(&closed), ["q", "o", "p", "q", "t"]);
    let missing = with(Secrets::Closed, "webhook_url_file: url").unwrap_err();
    assert_eq!(missing.lines().count(), 4, "{missing}");
}

#[test]
fn what_does_not_agree() {
    let ids = "org: shop, project: web, pipeline: checkout";
    insta::assert_snapshot!(said(&format!("{ids}, trigger: other, webhook_url: '{}'", url("/t/v3"))), @"trigger: found `other`, and another one in webhook_url, want the same or none here");
    insta::assert_snapshot!(said(&format!("webhook: v1, webhook_url: '{}'", url("/t/v3"))), @"webhook: found v1, and a URL of v3 in webhook_url, want the same or auto");
    insta::assert_snapshot!(said(&format!("webhook_token_env: T, webhook_url: '{}'", url("/t/v3"))), @"webhook_url: found a token beside webhook_url, want the URL alone: it has its token");
    let elsewhere = url("/hunter2/v3").replace("app.harness.io", "hunter2.example");
    insta::assert_snapshot!(said(&format!("webhook_url: '{elsewhere}'")), @"webhook_url: found another host than that of the account, want https://app.harness.io/");
    let stranger = url("/hunter2/v3").replace("=acme", "=hunter2");
    insta::assert_snapshot!(said(&format!("webhook_url: '{stranger}'")), @"webhook_url: found another accountIdentifier in it, want acme");
    let any = url("/hunter2/v3").replace("triggerIdentifier=nightly", "");
    insta::assert_snapshot!(said(&format!("webhook_url: '{any}'")), @"webhook_url: found no triggerIdentifier in it, want the URL as Harness shows it for a custom webhook trigger");
    insta::assert_snapshot!(said("webhook_url: https://app.harness.io/hunter2"), @"webhook_url: found another path than that of a custom webhook, want the URL as Harness shows it for a custom webhook trigger");
    let two = parse(&[Source {
        name: PathBuf::from("config.yaml"),
        text: text("webhook_url: x, webhook_url_env: X"),
    }]);
    insta::assert_snapshot!(two.unwrap_err(), @"config.yaml:1:47: pipelines[0]: found webhook_url_env and webhook_url, want at most one of webhook_url_file, webhook_url_env, webhook_url");
}
