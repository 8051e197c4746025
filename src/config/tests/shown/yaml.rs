//! What is no YAML, or not the YAML that was meant.

use super::super::shown;

#[test]
fn an_unquoted_cron_expression() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: */15 * * * *
"), @r#"
    error: found `*`, which begins an alias in YAML; quote the cron expression: schedule: "*/15 * * * *"
     --> config.yaml:9:13
      |
    9 |   schedule: */15 * * * *
      |             ^
    "#);
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  schedule: @daily
"), @r#"
    error: found `@`, with which no text begins in YAML; quote the cron expression: schedule: "@daily"
     --> config.yaml:9:13
      |
    9 |   schedule: @daily
      |             ^
    "#);
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  maintenance:
  - duration: 1h
    cron: * 2 * * *
"), @r#"
    error: found `*`, which begins an alias in YAML; quote the cron expression: cron: "* 2 * * *"
      --> config.yaml:11:11
       |
    11 |     cron: * 2 * * *
       |           ^
    "#);
}

#[test]
fn tabs() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
\tevery: 1h
"), @"
    error: found a tab at the beginning of the line, want spaces: YAML allows no tabs there
     --> config.yaml:9:1
      |
    9 |  every: 1h
      | ^
    ");
}

#[test]
fn what_is_not_closed() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  polling: {min: 2s
"), @"
    error: found the end of the file, want each bracket and quote closed (did not find expected ',' or '}', while parsing a flow mapping at line 9 column 12)
     --> config.yaml:9:20
      |
    9 |   polling: …
      |             ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: '15m
"), @"
    error: found the end of the file, want each bracket and quote closed (found unexpected end of stream, while scanning a quoted scalar at line 9 column 10)
     --> config.yaml:9:14
      |
    9 |   every: '15m
      |              ^
    ");
}

#[test]
fn what_is_indented_otherwise() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
   every: 15m
"), @"
    error: found a `:` where no key can be, want the key in line with its neighbours, or the text in quotes (mapping values are not allowed in this context)
     --> config.yaml:9:9
      |
    9 |    every: 15m
      |         ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: a
 name: x
"), @"
    error: found no key, want it in line with its neighbours (did not find expected key, while parsing a block mapping at line 2 column 1)
     --> config.yaml:4:2
      |
    4 |  name: x
      |  ^
    ");
}

#[test]
fn a_colon_within_a_text() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  name: nightly: exporter
"), @"
    error: found a `:` where no key can be, want the key in line with its neighbours, or the text in quotes (mapping values are not allowed in this context)
     --> config.yaml:9:16
      |
    9 |   name: nightly: exporter
      |                ^
    ");
}

#[test]
fn a_key_that_stands_twice() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  every: 15m
  every: 30m
"), @"
    error: found `every` again, which is on line 9 already, want it once
      --> config.yaml:10:3
       |
    10 |   every: 30m
       |   ^^^^^
    ");
}

#[test]
fn a_second_document() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
---
storage: {}
"), @"
    error: found a second document, want one in each file
     --> config.yaml:9:1
      |
    9 | ---
      | ^^^
    ");
}

#[test]
fn an_alias_of_nothing() {
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  <<: *nightly
"), @"
    error: found an alias of what is not there, want `&` and the same name before it, or the text in quotes (unknown anchor)
     --> config.yaml:9:7
      |
    9 |   <<: *nightly
      |       ^
    ");
    insta::assert_snapshot!(shown("
accounts:
- account_id: acme0000000000000000AA
pipelines:
- pipeline: checkout
  trigger: exporter
  org: default
  project: shop
  <<: nightly
"), @"
    error: found something else than a mapping to merge, want an alias such as *name or a list of them
     --> config.yaml:9:3
      |
    9 |   <<: nightly
      |   ^^
    ");
}

#[test]
fn no_mapping() {
    insta::assert_snapshot!(shown("
- accounts
"), @"
    error: found a list, want a mapping of keys to values
     --> config.yaml:2:1
      |
    2 | - accounts
      | ^^^^^^^^^^
    ");
    insta::assert_snapshot!(shown("
hello
"), @"
    error: found a text, want a mapping of keys to values
     --> config.yaml:2:1
      |
    2 | hello
      | ^^^^^
    ");
}
