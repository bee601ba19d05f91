//! Checks the layers of `src/lib.rs` against the sources: the modules that each module may use, and
//! the files that may call the system directly.
//!
//! The sources are read as text, without comments and unit tests, which is enough for code that
//! `cargo fmt` has formatted.

use std::collections::BTreeSet;
use std::path::Path;

/// The stages, lowest first. Each may use those before it.
const STAGES: [&str; 16] = [
    "oci",
    "invocation",
    "spec",
    "interpreter",
    "wheel",
    "remote",
    "plan",
    "store",
    "memo",
    "packed",
    "build",
    "exec",
    "launch",
    "portable",
    "tool",
    "cli",
];
/// The modules that each stage may use.
const BASE: [&str; 3] = ["process", "report", "fs"];

/// Checks whether a top-level module may use another.
fn may_name(from: &str, to: &str) -> bool {
    let place = |name: &str| STAGES.iter().position(|stage| *stage == name);
    match (from, to) {
        _ if from == to => true,
        ("main", _) => false,
        // The base layer uses only itself: `fs` opens the files that `report` writes to.
        (from, to) if BASE.contains(&from) || BASE.contains(&to) => BASE.contains(&to),
        // The module that runs python does not build.
        ("exec", "build") => false,
        (from, to) => place(from)
            .zip(place(to))
            .is_some_and(|(from, to)| to < from),
    }
}

/// A call that only one file may make: its text, that file, and the exceptions.
const RESERVED: [(&str, &str, &[&str]); 3] = [
    ("std::env::", "process.rs", &["split_paths", "join_paths"]),
    ("std::fs::", "fs/mod.rs", &["File", "Metadata"]),
    ("fs2::", "fs/lock.rs", &[]),
];

/// The broken rules of one source file; `path` is relative to `src`.
fn problems(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let module = path.split('/').next().unwrap().trim_end_matches(".rs");
    let mut problems = Vec::new();
    for named in named_modules(path, &code) {
        if !may_name(module, &named) {
            problems.push(format!("{path} names `{named}`"));
        }
    }
    for (call, owner, permitted) in RESERVED {
        for (start, _) in code.match_indices(call) {
            let rest = &code[start + call.len()..];
            let name = leading_word(rest);
            let is_type = permitted.contains(&name) && !rest[name.len()..].starts_with("::");
            if path != owner && !(is_type || permitted.contains(&name) && call == "std::env::") {
                problems.push(format!("{path} calls `{call}{name}`"));
            }
        }
    }
    problems
}

/// The beginning of the unit tests at the end of a file.
const UNIT_TESTS: &str = "#[cfg(test)]\nmod tests {";

/// The source without comments and unit tests, on one line.
fn code_of(source: &str) -> String {
    // A module of tests in a file of its own is read with that file.
    let code = source.split(UNIT_TESTS).next().unwrap_or_default();
    let lines = code.lines().map(|line| match line.trim_start() {
        comment if comment.starts_with("//") => "",
        line => line.split(" // ").next().unwrap_or_default(),
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The top-level modules that a file uses: after `crate::` or `vpython::`, in braces after these,
/// and after as many `super::` as lead to the top.
fn named_modules(path: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut prefixes = vec!["crate::".to_owned(), "vpython::".to_owned()];
    let directories = path.matches('/').count();
    let depth = if path.ends_with("mod.rs") {
        directories
    } else {
        directories + 1
    };
    prefixes.push("super::".repeat(depth));
    for prefix in prefixes {
        for (start, _) in code.match_indices(&prefix) {
            let before = &code[..start];
            let rest = &code[start + prefix.len()..];
            let is_part_of_a_longer_path = before.ends_with("::")
                || before
                    .ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$');
            if is_part_of_a_longer_path || rest.starts_with("super::") {
                continue;
            }
            match rest.strip_prefix('{') {
                Some(list) => names.extend(first_words(list)),
                None => drop(names.insert(leading_word(rest).to_owned())),
            }
        }
    }
    names.retain(|name| STAGES.contains(&&**name) || BASE.contains(&&**name));
    names
}

/// The first word of each item of a list in braces, up to the closing brace.
fn first_words(list: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut depth = 0;
    let mut item = 0;
    for (index, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                words.push(leading_word(list[item..index].trim_start()).to_owned());
                item = index + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    words
}

fn leading_word(text: &str) -> &str {
    let end = text
        .find(|character: char| !(character.is_alphanumeric() || character == '_'))
        .unwrap_or(text.len());
    &text[..end]
}

#[test]
fn modules_use_only_the_layers_below_them() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(&sources)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
    {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("lib.rs") {
            continue;
        }
        seen += 1;
        let relative = path.strip_prefix(&sources).unwrap().to_str().unwrap();
        found.extend(problems(relative, &std::fs::read_to_string(path).unwrap()));
    }
    assert!(seen > 30, "only {seen} files were read");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_broken_layer_rule_is_reported() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str]); 22] = [
        ("spec/find.rs", "use crate::plan::Plan;", &["spec/find.rs names `plan`"]),
        ("spec/find.rs", "use crate::{fs, plan::Plan};", &["spec/find.rs names `plan`"]),
        ("spec/find.rs", "use crate::{report::{Failure, nearest}, plan};", &["spec/find.rs names `plan`"]),
        ("spec/find.rs", "use super::super::plan::Plan;", &["spec/find.rs names `plan`"]),
        ("spec/mod.rs", "#[cfg(test)]\nmod oracle;\nuse crate::store;", &["spec/mod.rs names `store`"]),
        ("spec/mod.rs", "fn f(x: &super::store::Store) {}", &["spec/mod.rs names `store`"]),
        ("spec/mod.rs", "use super::plan;", &["spec/mod.rs names `plan`"]),
        ("remote/mod.rs", "use crate::plan;", &["remote/mod.rs names `plan`"]),
        ("exec.rs", "fn f() { crate::build::environment() }", &["exec.rs names `build`"]),
        ("exec.rs", "use super::build;", &["exec.rs names `build`"]),
        ("launch.rs", "use crate::tool;", &["launch.rs names `tool`"]),
        ("tool/install.rs", "use crate::cli;", &["tool/install.rs names `cli`"]),
        ("store/mod.rs", "use crate::build;", &["store/mod.rs names `build`"]),
        ("fs/mod.rs", "use crate::spec::Spec;", &["fs/mod.rs names `spec`"]),
        ("plan/mod.rs", "use crate::launch;", &["plan/mod.rs names `launch`"]),
        ("main.rs", "use vpython::plan;", &["main.rs names `plan`"]),
        ("plan/mod.rs", "let x = std::env::var_os(\"X\");", &["plan/mod.rs calls `std::env::var_os`"]),
        ("plan/mod.rs", "let x = std::fs::read(p);", &["plan/mod.rs calls `std::fs::read`"]),
        ("plan/mod.rs", "let x = std::fs::File::open(p);", &["plan/mod.rs calls `std::fs::File`"]),
        ("store/entry.rs", "fs2::FileExt::unlock(f);", &["store/entry.rs calls `fs2::FileExt`"]),
        ("plan/mod.rs", "use crate::{spec::Spec,\n    store::Store,\n};\n// crate::exec\n", &["plan/mod.rs names `store`"]),
        ("spec/mod.rs", "use crate::store;\nuse crate::build;", &["spec/mod.rs names `build`", "spec/mod.rs names `store`"]),
    ];
    for (path, source, expected) in rows {
        assert_eq!(problems(path, source), expected, "{path}: {source}");
    }
}

#[test]
fn a_permitted_use_is_not_reported() {
    #[rustfmt::skip]
    let rows = [
        ("plan/mod.rs", "use crate::spec::{Spec, store};\nuse super::invocation::Invocation;\nuse crate::fs;"),
        ("plan/resolve/mod.rs", "use super::wheelhouse::Wheelhouse;\nuse super::super::tags;"),
        ("plan/mod.rs", "use crate::remote;"),
        ("store/publish.rs", "use super::entry::{self, Entry};\nuse super::plan_of;"),
        ("launch.rs", "use crate::{build, exec};"),
        ("tool/install.rs", "use crate::{build, launch};"),
        ("cli.rs", "use crate::{launch, tool};"),
        ("spec/mod.rs", "// use crate::plan\n#[cfg(test)]\nmod tests { use crate::plan; }"),
        ("plan/x.rs", "use std::fs::File;\nlet x = std::env::split_paths(list);\nlet y = other_crate::plan::x;"),
        ("fs/mod.rs", "std::fs::read(p)"),
        ("process.rs", "std::env::vars_os()"),
    ];
    for (path, source) in rows {
        assert_eq!(problems(path, source), [""; 0], "{path}: {source}");
    }
}
