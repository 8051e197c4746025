//! Several files, folders, and files that are none.

use std::fs;

use tempfile::TempDir;

use super::super::{ConfigError, Loaded, SecretSource, Secrets, fingerprint, load, parse};
use super::source;

const ACCOUNTS: &str = "accounts: [{account_id: acme0000000000000000AA, api_key_file: key}]\n";

fn pipeline(name: &str) -> String {
    format!("pipelines: [{{org: shop, project: web, pipeline: {name}, trigger: nightly}}]\n")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn load_in(folder: &TempDir, names: &[&str]) -> Result<Loaded, ConfigError> {
    load(&names.iter().map(|name| folder.path().join(name)).collect::<Vec<_>>(), Secrets::Closed)
}

/// What is said of bad files, without the folder they are in.
fn said(folder: &TempDir, names: &[&str]) -> String {
    let error = load_in(folder, names).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect()
}

#[test]
fn a_folder_means_its_yaml_files_in_order() {
    let files = folder(&[
        ("d/20-shop.yaml", &pipeline("shop")),
        ("d/10-base.yaml", ACCOUNTS),
        ("d/30-web.yaml", &pipeline("web")),
        ("d/.hidden.yaml", "nonsense"),
        ("d/README.md", "nonsense"),
        ("d/old.yaml.bak", "nonsense"),
        ("d/deeper.yaml/x.yaml", "nonsense"),
        ("last.yml", &pipeline("last")),
    ]);
    let loaded = load_in(&files, &["d", "last.yml"]).unwrap();
    assert_eq!(names(&loaded), ["shop", "web", "last"]);
}

#[test]
fn a_secret_is_beside_the_file_that_names_it() {
    let files = folder(&[("d/base.yaml", ACCOUNTS), ("p.yaml", &pipeline("shop"))]);
    let loaded = load_in(&files, &["p.yaml", "d/base.yaml"]).unwrap();
    let account = loaded.config.accounts.values().next().unwrap();
    let Some(SecretSource::File(path)) = &account.api_key else { panic!("{account:?}") };
    assert_eq!(*path, files.path().join("d/key"));
}

#[test]
fn defaults_hold_for_their_own_file() {
    let a = "defaults: {org: one, project: web}\npipelines: [{pipeline: a, trigger: t}]\n";
    let b = "defaults: {org: two, project: api}\npipelines: [{pipeline: b, trigger: t}]\n";
    let files = [source("a.yaml", a), source("b.yaml", b), source("c.yaml", ACCOUNTS)];
    let (config, _) = parse(&files).unwrap();
    let orgs: Vec<_> = config.pipelines.iter().map(|pipeline| pipeline.org.as_str()).collect();
    assert_eq!(orgs, ["one", "two"]);
}

#[test]
fn what_concerns_several_files_names_both() {
    let second = format!(
        "{ACCOUNTS}storage: {{retention: 1d}}\ndefaults: {{account: prod}}\n{}",
        pipeline("shop")
    );
    let first = format!("{ACCOUNTS}storage: {{}}\n{}", pipeline("shop"));
    let problems = parse(&[source("a.yaml", &first), source("b.yaml", &second)]).unwrap_err();
    insta::assert_snapshot!(problems, @"
    b.yaml:1:1: accounts: found a second time after accounts of a.yaml, want it once
    b.yaml:2:1: storage: found a second time after storage of a.yaml, want it once
    b.yaml:1:13: accounts[0].name: found `default`, which accounts[0].name of a.yaml is already, want another
    b.yaml:3:21: defaults.account: unknown account `prod`, want one of `default`
    b.yaml:4:14: pipelines[0].name: found `shop`, which pipelines[0].name of a.yaml is already, want another
    ");
}

#[test]
fn files_that_are_none() {
    let files = folder(&[
        ("empty.yaml", ""),
        ("comments.yaml", "# nothing\n"),
        ("many.yaml", "a: 1\n---\nb: 1\n"),
        ("text.yaml", "hello"),
        ("broken.yaml", "accounts:\n- name: [\n"),
        ("twice.yaml", "pipelines:\n- pipeline: a\n  pipeline: b\n"),
        ("anchor.yaml", "defaults: *none\n"),
        ("merge.yaml", "defaults: {<<: 1}\n"),
        ("bare/README.md", ""),
        ("bare/x.yml", ""),
        ("typo.yaml", "acounts: []\n"),
    ]);
    fs::write(files.path().join("latin.yaml"), b"x-name: caf\xe9\n").unwrap();
    let all = [
        "nowhere.yaml",
        "empty.yaml",
        "comments.yaml",
        "many.yaml",
        "text.yaml",
        "broken.yaml",
        "twice.yaml",
        "anchor.yaml",
        "merge.yaml",
        "bare",
        "typo.yaml",
        "latin.yaml",
    ];
    insta::assert_snapshot!(said(&files, &all), @"
    nowhere.yaml: there is no such file or folder
    bare: found no *.yaml in this folder, want at least one
    latin.yaml: found bytes that are not UTF-8, want a text
    empty.yaml: the file is empty, want accounts and pipelines
    comments.yaml: the file is empty, want accounts and pipelines
    many.yaml:2:1: found a second document, want one in each file
    text.yaml:1:1: found a text, want a mapping of keys to values
    broken.yaml:2:10: found the end of the file, want each bracket and quote closed (did not find expected node content, while parsing a flow node)
    twice.yaml:3:3: found `pipeline` again, which is on line 2 already, want it once
    anchor.yaml:1:11: found an alias of what is not there, want `&` and the same name before it, or the text in quotes (unknown anchor)
    merge.yaml:1:12: found something else than a mapping to merge, want an alias such as *name or a list of them
    typo.yaml:1:1: acounts: unknown key, did you mean `accounts`?
    ");
    assert_eq!(load(&[], Secrets::Closed).unwrap_err(), ConfigError::NoFile);
}

#[test]
fn a_file_has_a_limit() {
    let text = format!("{ACCOUNTS}{}", pipeline("shop"));
    let fill = |length: usize| format!("{text}#{}", "x".repeat(length - text.len() - 1));
    let mebibyte = 1024 * 1024;
    let files = folder(&[("fits", &fill(mebibyte)), ("long", &fill(mebibyte + 1))]);
    assert_eq!(names(&load_in(&files, &["fits"]).unwrap()), ["shop"]);
    assert_eq!(said(&files, &["long"]), "long: found more than 1 MiB, want a smaller file");
}

#[test]
fn the_fingerprint_is_of_what_the_files_say() {
    let print = |texts: &[&str]| {
        fingerprint(&texts.iter().map(|text| source("x", text)).collect::<Vec<_>>())
    };
    let files = folder(&[("a.yaml", ACCOUNTS), ("b.yaml", &pipeline("shop"))]);
    let loaded = load_in(&files, &["a.yaml", "b.yaml"]).unwrap();
    assert_eq!(loaded.fingerprint, print(&[ACCOUNTS, &pipeline("shop")]));
    // It is in dashboards: another version of ours must not change it.
    assert_eq!(print(&["accounts: []\n"]), 5_081_981_517_177_660);
    assert_ne!(print(&["a", "b"]), print(&["ab"]));
    assert_ne!(print(&["a", "b"]), print(&["b", "a"]));
    for number in 0..1000 {
        assert!(print(&[&number.to_string()]) < 1 << 53, "{number}");
    }
}
