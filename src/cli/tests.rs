use std::collections::BTreeMap;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

/// Flags that mean different things in different commands, or that a variable should not set in
/// passing, have variables that say more.
const LONGER: [(&str, &str, &str); 3] = [
    ("run", "url", "HARNESS_EXPORTER_HARNESS_URL"),
    ("status", "url", "HARNESS_EXPORTER_HARNESS_URL"),
    ("create", "yes", "HARNESS_EXPORTER_TRIGGER_CREATE_YES"),
];

#[test]
fn every_flag_has_its_variable_and_every_variable_one_meaning() {
    let mut program = Cli::command();
    program.build();
    let mut meanings: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut commands: Vec<&clap::Command> = program.get_subcommands().collect();
    while let Some(command) = commands.pop() {
        if command.get_name() == "help" {
            continue;
        }
        commands.extend(command.get_subcommands());
        for arg in command.get_arguments() {
            let Some(flag) = arg.get_long().filter(|flag| !["help", "version"].contains(flag))
            else {
                continue;
            };
            let longer = LONGER.iter().find(|(c, f, _)| (*c, *f) == (command.get_name(), flag));
            let name = flag.replace(['.', '-'], "_").to_uppercase();
            let wanted = longer.map_or_else(
                || format!("HARNESS_EXPORTER_{name}"),
                |(_, _, name)| (*name).to_owned(),
            );
            assert_eq!(arg.get_env(), Some(wanted.as_ref()), "{flag}");
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let meaning = (flag.to_owned(), help.clone());
            let first = meanings.entry(wanted.clone()).or_insert(meaning);
            // The demo has one address, and says no more of it.
            let same = first.1.starts_with(&help) || help.starts_with(&first.1);
            assert!(first.0 == flag && same, "{wanted}: {first:?}, {help}");
        }
    }
    assert!(meanings.len() > 30, "{meanings:?}");
}

#[test]
fn without_a_command_there_is_help_and_status_2() {
    let error = Cli::try_parse_from(["harness-exporter"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    assert_eq!(error.exit_code(), 2);
    let error = Cli::try_parse_from(["harness-exporter", "--help"]).unwrap_err();
    assert_eq!(error.exit_code(), 0);
}

#[test]
fn bad_values_are_bad_usage() {
    for line in [
        &["serve", "--web.listen-address=10427"][..],
        &["serve", "--web.telemetry-path=metrics"],
        &["serve", "--log.level=trace"],
        &["serve", "--log.format=xml"],
        &["serve", "--web.unknown"],
        &["demo", "--speed=0"],
        &["demo", "--for=60"],
        &["check", "stray"],
        &["run"],
        &["run", "nightly", "--account=acme"],
        &["run", "nightly", "--org=default"],
        &["run", "nightly", "--timeout=0s"],
        &["status"],
        &["status", "../up"],
        &["status", "65a1b2c3d4e5f60718293a4b", "--output=yaml"],
        &["trigger"],
        &["trigger", "create"],
        &["metric"],
    ] {
        let line = ["harness-exporter"].iter().chain(line);
        assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn a_failure_is_one_line() {
    let error = anyhow::anyhow!("inner\n\u{1b}[31mcause").context("outer");
    let failure = Failure::from(error);
    assert_eq!(failure.to_string(), "outer: inner\\n\\u{1b}[31mcause");
    assert_eq!(failure.status(), 1);
}

#[test]
fn the_help_of_serve() {
    let mut program = Cli::command().term_width(100);
    program.build();
    let help = program.find_subcommand_mut("serve").unwrap().render_help();
    insta::assert_snapshot!(help, @r"
    Trigger, follow and export, until told to stop

    Usage: harness-exporter serve [OPTIONS]

    Options:
          --config.file <FILE>            Config to read, or a directory of them; repeatable [env:
                                          HARNESS_EXPORTER_CONFIG_FILE] [default: config.yaml]
          --web.listen-address <ADDRESS>  Address to listen on, :PORT for all of this machine's;
                                          repeatable [env: HARNESS_EXPORTER_WEB_LISTEN_ADDRESS]
                                          [default: :10427]
          --web.telemetry-path <PATH>     Path to serve the metrics at [env:
                                          HARNESS_EXPORTER_WEB_TELEMETRY_PATH] [default: /metrics]
          --web.config.file <FILE>        Who may come in, and how to speak TLS, in the format of
                                          Prometheus' exporter-toolkit [env:
                                          HARNESS_EXPORTER_WEB_CONFIG_FILE]
          --web.enable-trigger            Let POST /api/v1/pipelines/NAME/trigger trigger a pipeline;
                                          where others reach it, web users are needed [env:
                                          HARNESS_EXPORTER_WEB_ENABLE_TRIGGER]
          --web.enable-lifecycle          Let POST /-/reload, /-/pause and /-/resume do what they say;
                                          where others reach it, web users are needed [env:
                                          HARNESS_EXPORTER_WEB_ENABLE_LIFECYCLE]
          --storage.url <URL>             Where the runs are kept, instead of where the config says
                                          [env: HARNESS_EXPORTER_STORAGE_URL]
          --dry-run                       Do everything but trigger: log what would have been triggered
                                          [env: HARNESS_EXPORTER_DRY_RUN]
          --log.level <LEVEL>             From which severity on to log [env:
                                          HARNESS_EXPORTER_LOG_LEVEL] [default: info] [possible values:
                                          debug, info, warn, error]
          --log.format <FORMAT>           How to write the log [env: HARNESS_EXPORTER_LOG_FORMAT]
                                          [default: logfmt] [possible values: logfmt, json]
      -h, --help                          Print help (see more with '--help')
    ");
}
