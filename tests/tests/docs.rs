//! The documents name tests as `module::test`: each of them is a test, in that module, and runs unless the document says by
//! which command it does. And they link to files and headings of the repository: each of those is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A test as it stands in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    name: String,
    /// The folders and the file that it is in, and the file's own modules.
    modules: Vec<String>,
    /// Why it does not run by itself.
    ignored: Option<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below a folder with this ending, but what is built, fetched or hidden.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).expect("folder").map(|e| e.expect("entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !name.starts_with("target") && name != "node_modules" {
                files(&path, ending, found);
            }
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
}

fn tests_of(path: &Path, text: &str) -> Vec<Test> {
    let own = path.with_extension("");
    let mut modules: Vec<String> = own.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    let opened = text.lines().filter_map(|line| line.trim().strip_prefix("mod ")?.strip_suffix(" {"));
    modules.extend(opened.map(str::to_owned));
    let mut tests = vec![];
    let mut attributes: Vec<&str> = vec![];
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        let plain = line.strip_prefix("pub ").unwrap_or(line);
        let plain = plain.strip_prefix("async ").unwrap_or(plain);
        let name = plain.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
        if let Some(name) = name.filter(|_| attributes.iter().any(|a| a.contains("test"))) {
            let ignored = attributes.iter().find(|a| a.starts_with("#[ignore")).map(|a| (*a).to_owned());
            tests.push(Test { name: name.to_owned(), modules: modules.clone(), ignored });
        }
        if !line.starts_with("//") {
            attributes.clear();
        }
    }
    tests
}

/// Code spans of the form `module::test`.
fn named(document: &str) -> BTreeSet<(String, String)> {
    document
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|span| {
            let plain = span.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':');
            // A test's name says what it shows, in several words: `jobs::all` is a path in the code, `module::test` how the
            // documents explain the form.
            let (module, test) = span.rsplit_once("::").filter(|(_, test)| plain && test.contains('_'))?;
            Some((module.rsplit("::").next().unwrap_or(module).to_owned(), test.to_owned()))
        })
        .collect()
}

/// What is wrong with a name in a document, if anything is.
fn fault(document: &str, module: &str, name: &str, tests: &[Test]) -> Option<String> {
    let of_name: Vec<_> = tests.iter().filter(|test| test.name == name).collect();
    if of_name.is_empty() {
        return Some("there is no such test".to_owned());
    }
    let there: Vec<_> = of_name.iter().filter(|test| test.modules.iter().any(|m| m == module)).collect();
    let Some(first) = there.first() else { return Some(format!("it is in {:?}", of_name[0].modules)) };
    if there.iter().any(|test| test.ignored.is_none()) {
        return None;
    }
    // "…: make chaos" in the reason; the document must name the command too.
    let reason = first.ignored.clone().unwrap_or_default();
    let command = reason.rsplit_once("make ").map(|(_, rest)| rest.trim_end_matches(['"', ']', ' ']));
    let told = command.is_some_and(|command| document.contains(&format!("`make {command}`")));
    (!told).then(|| format!("it runs by a command of its own, which the document does not name: {reason}"))
}

#[test]
fn every_test_that_a_document_names_exists() {
    let (root, mut sources, mut documents) = (root(), vec![], vec![]);
    for folder in ["crates", "programs", "tests"] {
        files(&root.join(folder), "rs", &mut sources);
    }
    files(&root, "md", &mut documents);
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a file");
    let tests: Vec<Test> = sources.iter().flat_map(|path| tests_of(path, &read(path))).collect();
    let (mut wrong, mut count) = (vec![], 0);
    for path in &documents {
        let text = read(path);
        for (module, name) in named(&text) {
            count += 1;
            if let Some(fault) = fault(&text, &module, &name, &tests) {
                wrong.push(format!("{}: {module}::{name}: {fault}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "named, but not so:\n{}", wrong.join("\n"));
    assert!(count >= 100, "the documents name only {count} tests: is the format still `module::test`?");
}

#[test]
fn a_name_is_checked_for_its_module_its_attribute_and_whether_it_runs() {
    let source = "#[test]\nfn runs() {}\nfn helps() {}\n/// Long.\n#[tokio::test]\n#[ignore = \"an hour: make long\"]\nasync fn waits() {}\n";
    let tests = tests_of(Path::new("crates/x/tests/slow.rs"), source);
    let ask = |document: &str, module: &str, name: &str| fault(document, module, name, &tests);
    assert_eq!(tests.len(), 2);
    assert_eq!(ask("", "slow", "runs"), None);
    assert!(ask("", "fast", "runs").is_some(), "another module");
    assert!(ask("", "slow", "helps").is_some(), "no test");
    assert!(ask("", "slow", "waits").is_some(), "ignored, and the command is not named");
    assert_eq!(ask("runs by `make long`", "slow", "waits"), None);
    let named = named("`slow::it_runs`, `module::test`, `ballast_client::keeping`, `a b::c_d`");
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [("slow".to_owned(), "it_runs".to_owned())]);
}

/// A document's text without its fenced code, which holds neither links nor headings.
fn prose(document: &str) -> String {
    let mut fenced = false;
    let mut text = String::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Where a document's links go, but those to other sites.
fn links(document: &str) -> BTreeSet<String> {
    let text = prose(document);
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).filter(|target| !target.contains(':')).collect()
}

/// The names by which a document's headings are linked to.
fn headings(document: &str) -> BTreeSet<String> {
    let titles = prose(document);
    let titles =
        titles.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let name = |title: &str| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    titles.map(name).collect()
}

/// Whether a document's link leads somewhere; `read` gives a file's text, none where there is neither file nor folder.
fn leads(document: &str, target: &str, read: impl Fn(&str) -> Option<String>) -> bool {
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let text = if file.is_empty() { Some(document.to_owned()) } else { read(file) };
    text.is_some_and(|text| heading.is_none_or(|heading| headings(&text).contains(heading)))
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let (root, mut documents) = (root(), vec![]);
    files(&root, "md", &mut documents);
    let (mut wrong, mut count) = (vec![], 0);
    for path in &documents {
        let (text, folder) = (std::fs::read_to_string(path).expect("a file"), path.with_file_name(""));
        let read = |file: &str| {
            let there = folder.join(file);
            // A folder has no headings.
            if there.is_dir() {
                Some(String::new())
            } else {
                std::fs::read(there).ok().map(|b| String::from_utf8_lossy(&b).into())
            }
        };
        for target in links(&text) {
            count += 1;
            if !leads(&text, &target, read) {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these links lead nowhere:\n{}", wrong.join("\n"));
    assert!(count >= 50, "the documents have only {count} links");
}

#[test]
fn a_link_is_checked_for_its_file_and_its_heading() {
    let text =
        "# A title: *with* marks\n[x](a.md) [y](b.md#its-part) [z](https://there)\n```\n# no title\n[n](c.md)\n```\n";
    assert_eq!(links(text).into_iter().collect::<Vec<_>>(), ["a.md", "b.md#its-part"]);
    assert_eq!(headings(text).into_iter().collect::<Vec<_>>(), ["a-title-with-marks"]);
    let leads = |target: &str| leads(text, target, |file| (file == "b.md").then(|| "## Its part\n".to_owned()));
    assert!(leads("b.md") && leads("b.md#its-part") && leads("#a-title-with-marks"));
    assert!(!leads("a.md") && !leads("b.md#other") && !leads("#no-title"));
}
