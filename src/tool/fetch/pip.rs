//! Calling the interpreter's own pip.
//!
//! The user's pip configuration applies, and a pip in the user site is used. The current directory
//! is not an import root: a directory `pip` there would be imported instead of pip.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use super::failed::{Failed, Reason};
use super::network::RetryTimer;
use crate::fs;
use crate::interpreter::Facts;
use crate::invocation::Invocation;
use crate::process::Process;
use crate::report::Failure;

/// Prints pip's version, and then `no wheel` if the package `wheel` is not installed.
const ASK_PIP: &str = "\
import sys
if sys.path[0] == '': del sys.path[0]
import pip
print(getattr(pip, '__version__', ''))
try:
    import wheel
except ImportError:
    print('no wheel')
";

/// The first version of pip that accepts several `--platform` options; older ones accept one.
const MANY_PLATFORMS: (u32, u32) = (20, 3);
/// The first version of pip that accepts `--python-version=3.7.1`; older ones accept `37`.
const DOTTED_PYTHON: (u32, u32) = (19, 2);
/// The range of versions that build an sdist without `pyproject.toml` by `setup.py bdist_wheel`
/// unless `--use-pep517` is given.
const LEGACY_BUILDS: [(u32, u32); 2] = [(19, 0), (23, 1)];

/// Whether pip also fetches the requirements of the fetched wheels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Dependencies,
    Nothing,
}

/// The arguments of one fetch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The system that the wheels are for.
    pub system: &'a Facts,
    /// The lines of a requirements file.
    pub lines: &'a [String],
    /// The versions of the present wheels, as lines of a constraints file.
    pub kept: &'a [String],
    /// Wheel directories that pip also searches.
    pub directories: &'a [&'a Path],
    /// Whether pre-releases are acceptable.
    pub pre_releases: bool,
}

/// The pip of an interpreter.
pub(super) struct Pip<'a> {
    pub(super) python: Facts,
    /// The first two numbers of pip's version.
    version: (u32, u32),
    /// Whether the interpreter has `wheel`, which older setuptools versions need to build wheels.
    has_wheel: bool,
    options: &'a [OsString],
    pub(super) process: &'a Process,
    /// The command that fetches again.
    retry_command: String,
    retry: RetryTimer,
}

impl<'a> Pip<'a> {
    /// Returns the pip of this interpreter, with the caller's options for pip.
    ///
    /// # Errors
    /// The interpreter has no pip.
    pub fn of(
        python: &Facts,
        options: &'a [OsString],
        invocation: &Invocation,
        process: &'a Process,
    ) -> Result<Self> {
        let (retry, retry_command) = (RetryTimer::of(process), invocation.command_of_tool("fetch"));
        let pip = Self {
            python: python.clone(),
            version: (u32::MAX, 0),
            has_wheel: true,
            options,
            process,
            retry_command,
            retry,
        };
        // Query the version of pip; the query fails if there is no pip.
        let mut command = pip.python();
        command.args(["-c", ASK_PIP]).stderr(Stdio::null());
        let executable = &python.executable;
        let answer = command
            .output()
            .with_context(|| format!("cannot run `{}`", executable.display()));
        if let Some(output) = fs::ok_if_hidden(answer)?.filter(|output| output.status.success()) {
            let text = String::from_utf8_lossy(&output.stdout);
            let mut lines = text.lines();
            let version = lines.next().map_or((u32::MAX, 0), parse_version);
            return Ok(Self {
                version,
                has_wheel: lines.next().is_none(),
                ..pip
            });
        }
        Err(Failure::new(format!("the interpreter `{}` has no pip to fetch wheels with", executable.display()))
            .hint(format!(
                "install pip (`{} -m ensurepip`, or the system's package `python3-pip`), or name another interpreter with \
                 `-vpython-interpreter`",
                executable.display()
            ))
            .into())
    }

    /// Fetches into the directory `to`: for this machine with `pip wheel`, which builds projects
    /// that have no wheel, and for others with `pip download`. pip's output goes to stderr. The
    /// inner error means that pip failed.
    ///
    /// Retries after network failures, up to the caller's limit.
    pub fn fetch(
        &self,
        request: &Request<'_>,
        follow: Follow,
        to: &Path,
    ) -> Result<Result<(), Failed>> {
        if request.system.is_elsewhere() {
            return self.download(request, Follow::Nothing, to);
        }
        let mut words: Vec<OsString> = vec!["wheel".into(), "--wheel-dir".into(), to.into()];
        words.extend(self.needs_pep517().then(|| "--use-pep517".into()));
        let built = self.run(words, request, follow, to)?;
        match built {
            // An older pip does not know all platform tags of this machine, and skips wheels with
            // the others.
            Err(failed) if failed.reason == Reason::Other && self.version < MANY_PLATFORMS => {
                Ok(self.download(request, follow, to)?.map_err(|_| failed))
            }
            built => Ok(built),
        }
    }

    /// Fetches wheels for the platform tags of a system.
    fn download(
        &self,
        request: &Request<'_>,
        follow: Follow,
        to: &Path,
    ) -> Result<Result<(), Failed>> {
        let mut fetched = None;
        for platforms in self.platform_options(request.system) {
            let words = ["download".into(), "--dest".into(), to.into()]
                .into_iter()
                .chain(platforms)
                .collect();
            let tried = self.run(words, request, follow, to)?;
            let is_settled = tried
                .as_ref()
                .map_or_else(|failed| failed.reason == Reason::Network, |()| true);
            fetched = Some(tried);
            if is_settled {
                break;
            }
        }
        fetched.context("there is no platform to pass to pip")
    }

    /// Returns the options that select a system, one list for each call of pip: an older pip
    /// accepts one platform for each call.
    fn platform_options(&self, system: &Facts) -> Vec<Vec<OsString>> {
        let mut fixed = vec![OsString::from("--only-binary=:all:")];
        let [major, minor, _] = system.release;
        fixed.push(if self.version < DOTTED_PYTHON {
            format!("--python-version={major}{minor}").into()
        } else {
            format!("--python-version={}", system.version()).into()
        });
        // An older pip also accepts only one ABI, and always allows wheels with ABI `none`.
        let is_taken = |option: &String| self.version >= MANY_PLATFORMS || option != "--abi=none";
        fixed.extend(
            system
                .pip_abi_options()
                .into_iter()
                .filter(is_taken)
                .map(OsString::from),
        );
        let platforms = system.pip_platforms();
        let named = |platform: &String| OsString::from(format!("--platform={platform}"));
        if self.version >= MANY_PLATFORMS {
            return vec![
                fixed
                    .into_iter()
                    .chain(platforms.iter().map(named))
                    .collect(),
            ];
        }
        // An older pip knows only the older platform names. On Linux, first try those that package
        // indexes accept.
        let is_old = |platform: &&String| !platform.starts_with("manylinux_");
        let (plain, others): (Vec<_>, Vec<_>) = platforms
            .iter()
            .filter(is_old)
            .partition(|platform| platform.starts_with("linux_"));
        others
            .into_iter()
            .chain(plain)
            .map(|platform| [&fixed[..], &[named(platform)]].concat())
            .collect()
    }

    /// Checks whether pip would build with `setup.py bdist_wheel` by default, and fail because
    /// `wheel` is missing.
    fn needs_pep517(&self) -> bool {
        !self.has_wheel && (LEGACY_BUILDS[0]..LEGACY_BUILDS[1]).contains(&self.version)
    }

    /// Calls pip until it succeeds, fails for a reason other than the network, or the retry limit
    /// is reached.
    fn run(
        &self,
        mut words: Vec<OsString>,
        request: &Request<'_>,
        follow: Follow,
        to: &Path,
    ) -> Result<Result<(), Failed>> {
        // Build the command line. The caller's options come last, so that they override the others.
        if follow == Follow::Nothing {
            words.push("--no-deps".into());
        }
        for directory in request.directories {
            words.extend(["--find-links".into(), directory.into()]);
        }
        words.extend(request.pre_releases.then(|| "--pre".into()));
        words.extend([
            "--requirement".into(),
            write_lines(to, "requirements.txt", request.lines)?.into(),
        ]);
        if !request.kept.is_empty() {
            words.extend([
                "--constraint".into(),
                write_lines(to, "constraints.txt", request.kept)?.into(),
            ]);
        }
        words.extend(self.options.iter().cloned());
        // Call pip, and retry as long as only the network fails.
        loop {
            let (status, stderr) = self.call(&words)?;
            if status.success() {
                self.retry.reset();
                return Ok(Ok(()));
            }
            let reason = Reason::of(&stderr);
            if reason == Reason::Network && self.retry.wait() {
                continue;
            }
            // Describe the failure.
            let command = format!("{} {}", self.title(), lossy(&words));
            let cause = match reason {
                Reason::Network => self.retry.message(),
                Reason::Digests => {
                    "the files on the index do not have the pinned digests".to_owned()
                }
                Reason::Other => format!("`{command}` ended with {status}"),
            };
            let can_build = self.has_wheel || self.version >= LEGACY_BUILDS[0];
            return Ok(Err(Failed {
                reason,
                cause,
                stderr,
                can_build,
                retry_command: self.retry_command.clone(),
            }));
        }
    }
}

/// Returns the first two numbers of a version such as `23.2.1`. An unparsable version counts as a
/// recent one.
fn parse_version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| {
        let digits = number
            .find(|digit: char| !digit.is_ascii_digit())
            .unwrap_or(number.len());
        number[..digits].parse().ok()
    });
    (
        numbers.next().flatten().unwrap_or(u32::MAX),
        numbers.next().flatten().unwrap_or(0),
    )
}

/// Returns the words as text, with only the first of several `--platform` options.
fn lossy(words: &[OsString]) -> String {
    let mut texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let is_platform = |text: &str| text.starts_with("--platform=");
    let first = texts
        .iter()
        .position(|text| is_platform(text))
        .unwrap_or(texts.len());
    let mut index = 0;
    texts.retain(|text| {
        index += 1;
        index <= first + 1 || !is_platform(text)
    });
    texts.join(" ")
}

/// Writes these lines to a file, and returns its path.
fn write_lines(directory: &Path, name: &str, lines: &[String]) -> Result<std::path::PathBuf> {
    let path = directory.join(name);
    fs::write_atomically(&path, (lines.join("\n") + "\n").as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_two_numbers() {
        let rows = [
            ("23.2.1", (23, 2)),
            ("9.0.3", (9, 0)),
            ("25.3", (25, 3)),
            ("26.0b1", (26, 0)),
            ("22", (22, 0)),
            ("x", (u32::MAX, 0)),
        ];
        for (text, version) in rows {
            assert_eq!(parse_version(text), version, "{text}");
        }
    }
}
