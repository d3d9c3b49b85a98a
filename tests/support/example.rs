//! Where the programs of examples/ are.

use std::path::{Path, PathBuf};

/// The program of an example. `cargo test` builds it; after `cargo test --test …` alone it may be missing, or an old one.
///
/// # Panics
///
/// If it is missing.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    // target/PROFILE/deps/TEST-HASH
    let profile = test.parent().and_then(Path::parent).expect("a profile's directory");
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is missing: `cargo test` builds it, and so does `cargo build --example {name}`",
        program.display()
    );
    program
}
