//! The Helm chart: rendered by Helm's own engine, and its documents held to Kubernetes' schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::child::{exporter, output};
use crate::repo::{files, root, text};

use super::manifests::understood;
use super::{document, texts};

const CHART: &str = "deploy/helm/harness-exporter";
/// The oldest and the newest Kubernetes that the documents are held to.
const VERSIONS: [&str; 2] = ["1.25", "1.37"];
/// What Prometheus' operator adds to Kubernetes, of which Kubernetes has no schema.
const OPERATOR: &str = "monitoring.coreos.com/v1";

/// A program of the folder where scripts/install-test-tools puts them.
fn tool(name: &str) -> Command {
    let kept = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let kept = kept.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let folder = kept.expect("a folder for caches").join("harness-exporter-test-tools");
    Command::new(folder.join("bin").join(name))
}

/// Asks Helm's engine for something to be done with a chart and values.
fn helm(task: &str, chart: &Path, values: &Value) -> Output {
    let mut command = tool("python");
    command.arg(root().join("tests/it/deploy/chart.py")).arg(task).arg(chart);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("Helm's engine can't be asked, run scripts/install-test-tools: {error}")
    });
    // What does not want to know has said why.
    let _ = child.stdin.take().unwrap().write_all(values.to_string().as_bytes());
    child.wait_with_output().unwrap()
}

/// The documents that a chart renders to.
fn rendered(chart: &Path, values: &Value) -> Vec<Value> {
    let output = helm("render", chart, values);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let templates: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    let mut documents = Vec::new();
    for (path, text) in templates.iter().filter(|(path, _)| !path.ends_with("NOTES.txt")) {
        let read = serde_yaml::Deserializer::from_str(text)
            .map(|one| Value::deserialize(one).unwrap_or_else(|why| panic!("{path}: {why}")));
        documents.extend(read.filter(|document| !document.is_null()));
    }
    documents
}

fn ours(values: &Value) -> Vec<Value> {
    rendered(&root().join(CHART), values)
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|one| one["kind"] == kind).collect()
}

/// Everything that can be switched on.
fn everything() -> Value {
    json!({
        "serviceMonitor": {
            "enabled": true,
            "labels": {"release": "prometheus"},
            "basicAuth": {"username": {"name": "web", "key": "username"}},
            "tlsConfig": {"serverName": "exporter.example"},
        },
        "prometheusRule": {"enabled": true, "slo": true, "runbookUrl": "https://wiki.example/ops"},
        "dashboards": {"enabled": true, "annotations": {"folder": "Harness"}},
        "networkPolicy": {
            "enabled": true,
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "egressTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        },
        "image": {"pullSecrets": [{"name": "registry"}]},
        "commonLabels": {"cost-centre": "ops"},
        "web": {
            "existingSecret": "web",
            "tls": true,
            "enableLifecycle": true,
            "enableTrigger": true,
        },
        "ingress": {
            "enabled": true,
            "className": "nginx",
            "host": "exporter.example",
            "tlsSecret": "exporter-tls",
            "annotations": {"a": "b"},
        },
        "extraContainers": [{"name": "reloader", "image": "registry.example/reloader:1"}],
        "persistence": {"storageClass": "fast", "annotations": {"a": "b"}},
        "extraArgs": ["--dry-run"],
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"team": "shop"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "serviceAccount": {"annotations": {"a": "b"}},
        "service": {"annotations": {"a": "b"}},
    })
}

/// What is left when everything is switched off.
fn little() -> Value {
    json!({
        "existingConfigMap": "mine",
        "existingSecret": "",
        "persistence": {"enabled": false},
        "serviceAccount": {"create": false},
        "podDisruptionBudget": {"enabled": false},
    })
}

/// Kubernetes' schemas allow documents, and know all that is in them.
fn assert_kubernetes_takes(documents: &[Value]) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for document in documents.iter().filter(|document| document["apiVersion"] != OPERATOR) {
        let path = folder.path().join(format!("{}.yaml", paths.len()));
        fs::write(&path, document.to_string()).unwrap();
        paths.push(path);
    }
    assert!(!paths.is_empty());
    for version in VERSIONS {
        let mut command = tool("kubernetes-validate");
        let output = output(command.args(["-k", version, "--strict"]).args(&paths));
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    for values in [json!({}), everything(), little()] {
        let output = helm("lint", &root().join(CHART), &values);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["errors"], json!([]));
        // 2 is a warning. That an icon is recommended is a 1.
        let messages = report["messages"].as_array().unwrap().iter();
        let loud: Vec<_> = messages.filter(|one| one["severity"].as_u64() != Some(1)).collect();
        assert!(loud.is_empty(), "{loud:?}");
    }
}

#[test]
fn kubernetes_takes_what_is_rendered() {
    let kinds = |documents: &[Value]| -> BTreeSet<String> {
        documents.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    let usual = ours(&json!({}));
    let usual_kinds = [
        "ConfigMap",
        "Deployment",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ];
    assert_eq!(kinds(&usual), usual_kinds.map(str::to_owned).into());
    let everything = ours(&everything());
    let more = ["Ingress", "NetworkPolicy", "PrometheusRule", "ServiceMonitor"];
    let all = usual_kinds.into_iter().chain(more).map(str::to_owned);
    assert_eq!(kinds(&everything), all.collect());
    let little = ours(&little());
    assert_eq!(kinds(&little), ["Deployment", "Service"].map(str::to_owned).into());
    for documents in [usual, everything, little] {
        assert_kubernetes_takes(&documents);
    }
}

#[test]
fn kubernetes_takes_the_plain_manifests() {
    assert_kubernetes_takes(&super::documents("deploy/kubernetes/harness-exporter.yaml"));
}

#[test]
fn the_schemas_would_notice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.yaml");
    let mut bad = of_kind(&ours(&json!({})), "Deployment")[0].clone();
    bad["spec"]["replcas"] = json!(1);
    fs::write(&path, bad.to_string()).unwrap();
    let mut command = tool("kubernetes-validate");
    let output = output(command.args(["-k", VERSIONS[0], "--strict"]).arg(&path));
    assert!(!output.status.success());
}

#[test]
fn values_that_are_no_good_are_refused() {
    for (values, complaint) in [
        (json!({"replicas": 2}), "replicas"),
        (json!({"image": {"repository": ""}}), "repository"),
        (json!({"log": {"level": "loud"}}), "level"),
        (json!({"persistence": {"accessModes": ["ReadWriteMany"]}}), "accessModes"),
        (json!({"extraArgs": ["dry-run"]}), "extraArgs"),
        (json!({"config": {"accounts": []}}), "accounts"),
        // A key belongs into a Secret.
        (
            json!({"config": {"accounts": [{"account_id": "a", "api_key": "pat.a.b.c"}]}}),
            "accounts",
        ),
        (json!({"serviceMonitor": {"interval": "15"}}), "interval"),
        (
            json!({"config": {"accounts": [{"account_id": "a"}], "notifications": {"token": "t"}}}),
            "notifications",
        ),
        // What the exporter would refuse at its start, and what no probe could do.
        (json!({"web": {"enableLifecycle": true}}), "need users"),
        (json!({"web": {"enableTrigger": true}}), "need users"),
        (json!({"web": {"existingSecret": "web", "probes": "user"}}), "web.probeUser"),
        (json!({"web": {"probes": "tcp"}}), "web.existingSecret"),
        (json!({"ingress": {"enabled": true}}), "ingress.host"),
    ] {
        let output = helm("render", &root().join(CHART), &values);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{values}");
        assert!(said.contains(complaint), "{values}: {said}");
    }
}

#[test]
fn the_pod_runs_what_the_program_understands_on_a_config_that_is_valid() {
    let documents = ours(&everything());
    let pod = &of_kind(&documents, "Deployment")[0]["spec"]["template"]["spec"];
    understood(&texts(&pod["containers"][0]["args"]));
    let maps = of_kind(&documents, "ConfigMap");
    let config = maps.iter().find_map(|map| map["data"]["config.yaml"].as_str()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, config).unwrap();
    let output = output(exporter().args(["check", "--config.file"]).arg(&path));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn one_pod_has_the_store_and_no_right_that_it_does_not_need() {
    for values in [json!({}), everything(), little()] {
        let documents = ours(&values);
        let deployment = of_kind(&documents, "Deployment")[0];
        assert_eq!(deployment["spec"]["replicas"], 1);
        assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let container = &pod["containers"][0];
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        // As the plain manifest has it.
        let plain = super::documents("deploy/kubernetes/harness-exporter.yaml");
        let plain = &of_kind(&plain, "Deployment")[0]["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"], plain["securityContext"]);
        // But for users and TLS, which the plain manifest has not.
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let mut probe_here = container[probe].clone();
            if let Some(asked) = probe_here["httpGet"].as_object_mut() {
                asked.remove("scheme");
            }
            assert_eq!(probe_here, plain["containers"][0][probe]);
        }
    }
}

#[test]
fn the_pod_is_asked_as_its_web_config_lets_it() {
    let with = |web: Value| {
        let documents = ours(&json!({"web": web, "serviceMonitor": {"enabled": true}}));
        let pod = &of_kind(&documents, "Deployment")[0]["spec"]["template"]["spec"];
        let asks = of_kind(&documents, "ServiceMonitor")[0]["spec"]["endpoints"][0].clone();
        assert_kubernetes_takes(&documents);
        (pod["containers"][0].clone(), asks)
    };
    let (container, asks) = with(json!({}));
    assert!(!container.to_string().contains("--web.config.file"));
    assert_eq!(asks["scheme"], Value::Null);

    let (container, asks) = with(json!({"existingSecret": "web", "tls": true}));
    assert!(texts(&container["args"]).contains(&"--web.config.file=/web/web.yml"));
    assert_eq!(container["livenessProbe"]["httpGet"]["scheme"], "HTTPS");
    assert_eq!(asks["scheme"], "https");

    let web = json!({"existingSecret": "web", "probes": "user", "probeUser": "me"});
    let (container, _) = with(web);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let command = texts(&container[probe]["exec"]["command"]);
        assert_eq!(command[0], "/harness-exporter");
        understood(&command[1..]);
        assert!(command.contains(&"--user=me"), "{command:?}");
    }

    let (container, _) = with(json!({"existingSecret": "web", "tls": true, "probes": "tcp"}));
    assert_eq!(container["livenessProbe"]["tcpSocket"]["port"], "http");
}

#[test]
fn from_outside_only_notifications_come_in() {
    let documents = ours(&everything());
    let rules = &of_kind(&documents, "Ingress")[0]["spec"]["rules"];
    let paths = &rules[0]["http"]["paths"];
    assert_eq!(rules.as_array().unwrap().len(), 1);
    assert_eq!(paths.as_array().unwrap().len(), 1);
    assert_eq!(paths[0]["path"], "/hooks/harness");
    assert_eq!(paths[0]["pathType"], "Exact");
    let service = &of_kind(&documents, "Service")[0];
    assert_eq!(paths[0]["backend"]["service"]["name"], service["metadata"]["name"]);
    assert_eq!(paths[0]["backend"]["service"]["port"]["name"], service["spec"]["ports"][0]["name"]);
}

#[test]
fn labels_of_ones_own_are_on_everything_and_choose_nothing() {
    let documents = ours(&everything());
    for document in &documents {
        assert_eq!(document["metadata"]["labels"]["cost-centre"], "ops", "{document}");
    }
    let deployment = of_kind(&documents, "Deployment")[0];
    assert!(!deployment["spec"]["selector"].to_string().contains("cost-centre"));
}

#[test]
fn another_config_is_another_pod() {
    let sum = |values: &Value| {
        let documents = ours(values);
        let template = &of_kind(&documents, "Deployment")[0]["spec"]["template"];
        template["metadata"]["annotations"]["checksum/config"].as_str().map(str::to_owned)
    };
    let first = sum(&json!({}));
    assert!(first.is_some());
    assert_eq!(first, sum(&json!({"log": {"level": "debug"}})));
    assert_ne!(first, sum(&json!({"config": {"defaults": {"every": "1h"}}})));
    assert_eq!(None, sum(&json!({"restartOnChange": false})));
    assert_eq!(None, sum(&little()));
}

/// What is in the chart a second time, for a package can hold nothing that is outside of it: its
/// files, and where they come from.
fn copies() -> Vec<(String, String)> {
    let folders =
        [("rules", "prometheus/rules", "yaml"), ("dashboards", "grafana/dashboards", "json")];
    let mut copies =
        vec![(format!("{CHART}/files/slo.yaml"), "deploy/prometheus/slo.yaml".to_owned())];
    for (folder, from, kind) in folders {
        for path in files(&format!("deploy/{from}"), kind) {
            let name = path.rsplit('/').next().unwrap();
            copies.push((format!("{CHART}/files/{folder}/{name}"), path));
        }
    }
    copies
}

#[test]
fn the_chart_has_the_rules_and_dashboards_as_they_are() {
    let copies = copies();
    for (copy, source) in &copies {
        let same = fs::read_to_string(root().join(copy)).is_ok_and(|copy| copy == text(source));
        assert!(same, "cp {source} {copy}");
    }
    let mut there = files(&format!("{CHART}/files"), "yaml");
    there.extend(files(&format!("{CHART}/files"), "json"));
    let known: BTreeSet<_> = copies.into_iter().map(|(copy, _)| copy).collect();
    assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), known);

    let documents = ours(&everything());
    let maps = of_kind(&documents, "ConfigMap");
    let named = |name: &str| maps.iter().find_map(|map| map["data"][name].as_str());
    for path in files("deploy/grafana/dashboards", "json") {
        let shown = named(path.rsplit('/').next().unwrap()).unwrap();
        let shown: Value = serde_json::from_str(shown).unwrap();
        assert_eq!(shown, serde_json::from_str::<Value>(&text(&path)).unwrap());
    }
}

#[test]
fn the_rules_go_to_the_operator_as_they_are_with_runbooks_of_ones_own() {
    let documents = ours(&everything());
    let rule = of_kind(&documents, "PrometheusRule")[0];
    let shipped = files("deploy/prometheus/rules", "yaml");
    let shipped = shipped.iter().map(String::as_str).chain(["deploy/prometheus/slo.yaml"]);
    let groups: Vec<Value> =
        shipped.flat_map(|path| document(path)["groups"].as_array().unwrap().clone()).collect();
    let groups = Value::from(groups).to_string();
    let ours = "\"runbook_url\":\"docs/operations.md#";
    assert!(groups.contains(ours));
    let wanted = groups.replace(ours, "\"runbook_url\":\"https://wiki.example/ops#");
    assert_eq!(rule["spec"]["groups"], serde_json::from_str::<Value>(&wanted).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    fs::write(&path, rule["spec"].to_string()).unwrap();
    let output = output(Command::new("promtool").args(["check", "rules"]).arg(path));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_is_scraped_is_the_port_of_the_service() {
    let documents = ours(&everything());
    let service = of_kind(&documents, "Service")[0];
    let monitor = of_kind(&documents, "ServiceMonitor")[0];
    let pod = &of_kind(&documents, "Deployment")[0]["spec"]["template"];
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(
        service["spec"]["ports"][0]["targetPort"],
        pod["spec"]["containers"][0]["ports"][0]["name"]
    );
    let includes = |all: &Value, some: &Value| {
        some.as_object().unwrap().iter().all(|(name, value)| all[name] == *value)
    };
    let labels = &pod["metadata"]["labels"];
    assert!(includes(labels, &service["spec"]["selector"]));
    assert!(includes(&service["metadata"]["labels"], &monitor["spec"]["selector"]["matchLabels"]));
    for kind in ["NetworkPolicy", "PodDisruptionBudget"] {
        let one = of_kind(&documents, kind)[0];
        let selector = [&one["spec"]["podSelector"], &one["spec"]["selector"]];
        let selector = selector.into_iter().find(|one| one.is_object()).unwrap();
        assert!(includes(labels, &selector["matchLabels"]), "{kind}");
    }
}

#[test]
fn the_package_is_of_this_version_and_renders_the_same() {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = ")).unwrap();
    let chart = document(&format!("{CHART}/Chart.yaml"));
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], version.trim_matches('"'));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = tool("python");
    command.arg(root().join("tests/it/deploy/chart.py")).arg("package").arg(root().join(CHART));
    let output = output(command.arg(folder.path()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let archive: String = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rendered(Path::new(&archive), &everything()), ours(&everything()));
}
