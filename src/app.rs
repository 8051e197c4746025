//! To be written.

use crate::cli::{DemoOptions, ServeOptions};

/// Runs the exporter until it is told to stop.
#[expect(clippy::unused_async, reason = "a stub")]
pub async fn serve(_options: ServeOptions) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}

/// Runs the exporter against a stand-in of Harness.
#[expect(clippy::unused_async, reason = "a stub")]
pub async fn demo(_options: DemoOptions) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
