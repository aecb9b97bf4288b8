//! Facts of the build for `indexer --version`, which only the build knows.

use std::env::{self, VarError};
use std::process::Command;

fn main() -> Result<(), VarError> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=INDEXER_TARGET={}", env::var("TARGET")?);
    let said = Command::new(env::var("RUSTC")?).arg("--version").output();
    let said = said.map_or_else(
        |_| String::new(),
        |it| String::from_utf8_lossy(&it.stdout).into(),
    );
    let rust = said.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=INDEXER_RUST={rust}");
    Ok(())
}
