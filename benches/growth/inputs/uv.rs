//! Locks of uv.

use std::path::Path;

use super::{joined, write_each};

/// Writes a `vpython.toml` that requires `p0`, and its lock.
fn uv(directory: &Path, packages: &str) -> &'static str {
    write_each(directory, "vpython.toml", 1, |_| {
        "dependencies = ['p0']\n".to_owned()
    });
    write_each(directory, "vpython.toml.uv.lock", 1, |_| {
        format!("version = 1\n{packages}")
    });
    "-c pass"
}

/// An entry of uv's lock.
fn uv_package(project: usize, version: usize, requires: &str) -> String {
    let url = format!("url = 'https://x.invalid/p{project}-1.{version}-py3-none-any.whl'");
    let wheel = format!(
        "wheels = [{{ {url}, hash = 'sha256:{:064x}' }}]",
        project + version
    );
    format!(
        "[[package]]\nname = 'p{project}'\nversion = '1.{version}'\ndependencies = [{requires}]\n{wheel}\n"
    )
}

pub(super) fn uv_lock(directory: &Path, count: usize) -> &'static str {
    uv(
        directory,
        &joined(count, "", |number| {
            uv_package(
                number,
                0,
                &format!("{{ name = 'p{}' }}", (number + 1) % count),
            )
        }),
    )
}

pub(super) fn uv_forks(directory: &Path, count: usize) -> &'static str {
    let requires = joined(count, ", ", |number| {
        format!("{{ name = 'p1', version = '1.{number}' }}")
    });
    uv(
        directory,
        &(uv_package(0, 0, &requires) + &joined(count, "", |number| uv_package(1, number, ""))),
    )
}
