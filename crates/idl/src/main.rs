//! Writes the IDL of both programs to `idl/`, or with `--check` compares and fails when it is out of date.
//!
//! Anchor's own library makes it: it runs the tests that Anchor's macros add under the `idl-build` feature and puts
//! together what they print. Run it by `scripts/idl`, which sets what that library needs of its environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{Context, Result, bail, ensure};

/// Package folder under `programs/` and file under `idl/`.
const PROGRAMS: [(&str, &str); 2] = [("ballast", "ballast.json"), ("price-feed", "price_feed.json")];

fn main() -> Result<ExitCode> {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: idl [--check]"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut stale = false;
    for (package, file) in PROGRAMS {
        let path = root.join("idl").join(file);
        let fresh = generate(root.join("programs").join(package)).with_context(|| format!("the IDL of {package}"))?;
        if fs::read_to_string(&path).is_ok_and(|committed| committed == fresh) {
            println!("idl/{file}: up to date");
        } else if check {
            eprintln!("idl/{file} is out of date: run scripts/idl and commit it");
            stale = true;
        } else {
            fs::create_dir_all(root.join("idl"))?;
            fs::write(&path, fresh)?;
            println!("idl/{file}: written");
        }
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn generate(program: PathBuf) -> Result<String> {
    let mut arguments = vec!["--lib".to_owned()];
    if std::env::var_os("CI").is_some() {
        arguments.push("--locked".to_owned());
    }
    let idl = IdlBuilder::new().program_path(program).cargo_args(arguments).build()?;
    // What cannot be described is left out in silence: an IDL without errors or events is a broken one.
    ensure!(!idl.instructions.is_empty() && !idl.errors.is_empty(), "it has no instructions or no errors");
    for event in &idl.events {
        ensure!(idl.types.iter().any(|t| t.name == event.name), "the event {} has no type", event.name);
    }
    for account in &idl.accounts {
        ensure!(idl.types.iter().any(|t| t.name == account.name), "the account {} has no type", account.name);
    }
    Ok(serde_json::to_string_pretty(&idl)? + "\n")
}
