//! The documents name tests as `module::test`; each of them exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, text: &mut String) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("folder").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            sources(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("source"));
        }
    }
}

/// Code spans of the form `module::test`.
fn named(document: &str) -> BTreeSet<(String, String)> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|span| {
            let plain = span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':');
            // `module::test` itself is how the documents explain the form.
            let (module, test) = span.rsplit_once("::").filter(|_| plain && span != "module::test")?;
            Some((module.to_owned(), test.to_owned()))
        })
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let mut text = String::new();
    for folder in ["crates", "programs", "tests"] {
        sources(&root().join(folder), &mut text);
    }
    let mut missing = vec![];
    let mut count = 0;
    for document in ["README.md", "docs/THREATS.md", "docs/DESIGN.md"] {
        for (module, test) in named(&std::fs::read_to_string(root().join(document)).expect("document")) {
            count += 1;
            if !text.contains(&format!("fn {test}(")) {
                missing.push(format!("{document}: {module}::{test}"));
            }
        }
    }
    assert!(missing.is_empty(), "named but not there:\n{}", missing.join("\n"));
    assert!(count >= 14, "the documents name only {count} tests: is the format still `module::test`?");
}
