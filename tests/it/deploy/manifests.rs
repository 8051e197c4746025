//! The manifests for compose, Kubernetes and systemd, and the Dockerfile: what they say of each
//! other, of the config and of the command line.

use std::fs;

use serde_json::Value;

use crate::child::{exporter, output};
use crate::repo::{root, text};

use super::{document, documents, texts};

/// The program understands a command line. Nothing is done, for its help is asked for behind it.
pub(super) fn understood(arguments: &[&str]) {
    let output = output(exporter().args(arguments).arg("--help"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// What follows an instruction of the Dockerfile, of its last stage.
fn instruction(name: &str) -> String {
    let dockerfile = text("Dockerfile");
    let mut lines = dockerfile.lines().rev();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The words of an instruction's list.
fn listed(instruction: &str) -> Vec<String> {
    let list = instruction.strip_prefix("CMD ").unwrap_or(instruction);
    serde_json::from_str(list).unwrap()
}

#[test]
fn the_image_runs_what_the_program_understands() {
    let entry = listed(&instruction("ENTRYPOINT"));
    let health = listed(&instruction("HEALTHCHECK"));
    assert_eq!(entry, ["/harness-exporter"]);
    assert_eq!(health, [&entry[0], "health"]);
    understood(&["health"]);
    let command = listed(&instruction("CMD"));
    understood(&command.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn the_image_is_built_with_the_oldest_toolchain_that_is_enough() {
    let manifest = text("Cargo.toml");
    let mut lines = manifest.lines();
    let version = lines.find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let from =
        format!("FROM docker.io/library/rust:{}-slim-bookworm AS build", version.trim_matches('"'));
    assert!(text("Dockerfile").lines().any(|line| line == from), "{from}");
}

#[test]
fn the_unit_runs_what_the_program_understands() {
    let unit = text("deploy/systemd/harness-exporter.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<_> = command.split_whitespace().collect();
    assert_eq!(words[0], "/usr/local/bin/harness-exporter");
    understood(&words[1..]);
    let given = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key));
    let state = given("StateDirectory=").unwrap();
    assert_eq!(given("WorkingDirectory="), Some(format!("/var/lib/{state}").as_str()));
    assert_eq!(given("ExecReload="), Some("/bin/kill -HUP $MAINPID"));
}

#[test]
fn compose_starts_what_is_there() {
    let compose = document("deploy/compose.yaml");
    let services = compose["services"].as_object().unwrap();
    let names: Vec<_> = services.keys().map(String::as_str).collect();
    assert_eq!(names, ["alertmanager", "exporter", "grafana", "prometheus"]);
    for (name, service) in services {
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to others: {port}");
        }
        for needed in service.get("depends_on").into_iter().flat_map(texts) {
            assert!(services.contains_key(needed), "{name} needs {needed}");
        }
        for volume in service.get("volumes").into_iter().flat_map(texts) {
            let from = volume.split(':').next().unwrap();
            let is_there = match from.strip_prefix("./") {
                Some(path) => root().join("deploy").join(path).exists(),
                None => compose["volumes"].as_object().unwrap().contains_key(from),
            };
            assert!(is_there, "{name}: {volume}");
        }
    }
    understood(&texts(&services["exporter"]["command"]));
}

/// Where a file in a container of compose comes from, in the repository.
fn mounted(service: &Value, path: &str) -> String {
    let from = texts(&service["volumes"]).into_iter().find_map(|volume| {
        let (from, to) = volume.split_once(':')?;
        let rest = path.strip_prefix(to.trim_end_matches(":ro"))?;
        Some(format!("deploy/{}{rest}", from.strip_prefix("./")?))
    });
    from.unwrap_or_else(|| panic!("{path} is mounted nowhere"))
}

#[test]
fn compose_leads_each_program_to_its_files_and_to_the_others() {
    let compose = document("deploy/compose.yaml");
    let services = &compose["services"];
    let config = |name: &str| {
        let service = &services[name];
        let mut flags = texts(&service["command"]).into_iter();
        let path = flags.find_map(|flag| flag.strip_prefix("--config.file=")).unwrap();
        document(&mounted(service, path))
    };
    let prometheus = config("prometheus");
    let alertmanagers = &prometheus["alerting"]["alertmanagers"][0];
    let scraped = &prometheus["scrape_configs"][0];
    let sources = document("deploy/grafana/provisioning/datasources/prometheus.yaml");
    let source = &sources["datasources"][0];
    let addresses = [
        alertmanagers["static_configs"][0]["targets"][0].as_str().unwrap(),
        scraped["static_configs"][0]["targets"][0].as_str().unwrap(),
        source["url"].as_str().unwrap().strip_prefix("http://").unwrap(),
    ];
    for address in addresses {
        let (host, port) = address.split_once(':').unwrap();
        let published = format!("127.0.0.1:{port}:{port}");
        assert_eq!(texts(&services[host]["ports"]), [published], "{address}");
    }
    assert_eq!(source["jsonData"]["timeInterval"], prometheus["global"]["scrape_interval"]);
    assert_eq!(config("alertmanager")["route"]["receiver"], "page");

    let grafana = &services["grafana"];
    let home = &grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    assert!(root().join(mounted(grafana, home.as_str().unwrap())).exists());
    let providers = document("deploy/grafana/provisioning/dashboards/harness.yaml");
    let dashboards = providers["providers"][0]["options"]["path"].as_str().unwrap();
    assert_eq!(mounted(grafana, dashboards), "deploy/grafana/dashboards");
}

/// The manifest of a kind.
fn manifest(kind: &str) -> Value {
    let all = documents("deploy/kubernetes/harness-exporter.yaml");
    all.into_iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_config_for_kubernetes_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, manifest("ConfigMap")["data"]["config.yaml"].as_str().unwrap()).unwrap();
    let output = output(exporter().arg("check").arg("--config.file").arg(file));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_manifests_for_kubernetes_fit_together() {
    let deployment = manifest("Deployment");
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    let template = &deployment["spec"]["template"];
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    understood(&texts(&container["args"]));

    let user = instruction("USER");
    let ours = ["runAsUser", "runAsGroup"].map(|key| pod["securityContext"][key].to_string());
    assert_eq!(ours.join(":"), user);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);

    let volumes = pod["volumes"].as_array().unwrap();
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mount = |volume: &Value| {
        let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]);
        mount.unwrap()["mountPath"].as_str().unwrap().to_owned()
    };
    for volume in volumes {
        let wanted =
            match (&volume["configMap"], &volume["secret"], &volume["persistentVolumeClaim"]) {
                (Value::Object(map), ..) => {
                    assert_eq!(map["name"], manifest("ConfigMap")["metadata"]["name"]);
                    "/etc/harness-exporter"
                }
                (_, Value::Object(_), _) => {
                    let config = &manifest("ConfigMap")["data"]["config.yaml"];
                    let key = format!("api_key_file: {}/api-key\n", mount(volume));
                    assert!(config.as_str().unwrap().contains(&key), "{config}");
                    "/secrets"
                }
                (_, _, Value::Object(claim)) => {
                    let named = &manifest("PersistentVolumeClaim")["metadata"]["name"];
                    assert_eq!(&claim["claimName"], named);
                    &instruction("VOLUME")
                }
                _ => panic!("{volume}"),
            };
        assert_eq!(mount(volume), wanted);
    }

    let port = instruction("EXPOSE");
    assert_eq!(container["ports"][0]["containerPort"].to_string(), port);
    let service = manifest("Service");
    assert_eq!(service["spec"]["ports"][0]["port"].to_string(), port);
    assert_eq!(service["metadata"]["annotations"]["prometheus.io/port"], port.as_str());
    assert_eq!(service["spec"]["selector"], template["metadata"]["labels"]);
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]);
}
