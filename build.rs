//! Tells the binary which compiler it was built with, for `harness_exporter_build_info`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=HARNESS_EXPORTER_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let version = text.as_deref().and_then(|text| text.split_whitespace().nth(1));
    println!("cargo::rustc-env=HARNESS_EXPORTER_RUSTC={}", version.unwrap_or("unknown"));
}
