//! Calling the interpreter's own pip.
//!
//! The user's settings of pip count, and so does a pip in the user's site. What lies in the current
//! directory does not: a directory `pip` there would be imported in place of it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use super::failed::{Failed, Why};
use super::network::Patience;
use crate::fs;
use crate::invocation::Invocation;
use crate::plan::Facts;
use crate::process::Process;
use crate::report::{Failure, progress};

/// Runs pip as `-m pip` would, without the current directory among the import roots. Only 3.11 and
/// later have `-P` for that, and `-I` would leave out the user's site.
const RUN_PIP: &str = "import sys; del sys.path[0]; import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)";
/// Prints the version of pip, then whether setuptools can build wheels by itself.
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

/// From this version on pip takes several platforms; before it takes one.
const MANY_PLATFORMS: (u32, u32) = (20, 3);
/// From this version on pip reads `--python-version=3.7.1`; before it reads `37`.
const DOTTED_PYTHON: (u32, u32) = (19, 2);
/// The versions that build an sdist without `pyproject.toml` by `setup.py bdist_wheel` where they
/// are not told otherwise and can be.
const LEGACY_BUILDS: [(u32, u32); 2] = [(19, 0), (23, 1)];
/// How much of what pip says is looked through.
const MAX_SAID: usize = 1 << 20;

/// Whether what is fetched brings along what it requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Dependencies,
    Nothing,
}

/// What is to be fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// For this system.
    pub system: &'a Facts,
    /// Lines of a requirements file.
    pub lines: &'a [String],
    /// What is there already, and is to be kept to: lines of a constraints file.
    pub kept: &'a [String],
    /// Directories of wheels to look into too.
    pub directories: &'a [&'a Path],
    /// Whether pre-releases will do.
    pub pre_releases: bool,
}

/// The pip of an interpreter.
pub(super) struct Pip<'a> {
    python: Facts,
    /// The first two numbers of its version.
    version: (u32, u32),
    /// Whether the interpreter has `wheel`, without which older versions of setuptools build none.
    has_wheel: bool,
    options: &'a [OsString],
    process: &'a Process,
    /// What to type to fetch again.
    again: String,
    patience: Patience,
}

impl<'a> Pip<'a> {
    /// The pip of this interpreter, with the caller's options for it.
    ///
    /// # Errors
    /// It has none.
    pub fn of(
        python: &Facts,
        options: &'a [OsString],
        invocation: &Invocation,
        process: &'a Process,
    ) -> Result<Self> {
        let (patience, again) = (Patience::of(process), invocation.command_of_tool("fetch"));
        let pip = Self {
            python: python.clone(),
            version: (u32::MAX, 0),
            has_wheel: true,
            options,
            process,
            again,
            patience,
        };
        let mut command = pip.python();
        command.args(["-c", ASK_PIP]).stderr(Stdio::null());
        let executable = &python.executable;
        let answer = command
            .output()
            .with_context(|| format!("cannot run `{}`", executable.display()));
        if let Some(output) = fs::ok_if_hidden(answer)?.filter(|output| output.status.success()) {
            let said = String::from_utf8_lossy(&output.stdout);
            let mut lines = said.lines();
            let version = lines.next().map_or((u32::MAX, 0), parse_version);
            return Ok(Self {
                version,
                has_wheel: lines.next().is_none(),
                ..pip
            });
        }
        Err(Failure::new(format!("the interpreter `{}` has no pip to fetch wheels with", executable.display()))
            .hint(format!(
                "install it (`{} -m ensurepip`, or the system's package `python3-pip`), or name another interpreter with \
                 `-vpython-interpreter`",
                executable.display()
            ))
            .into())
    }

    /// Fetches into the directory `to`: for this machine by `pip wheel`, which builds what has no
    /// wheel, for others by `pip download`. What pip says goes to stderr. Where it cannot, that is
    /// the inner error.
    ///
    /// Where the network fails, it is tried again for as long as the caller has patience.
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
            // An older pip does not know all platforms that this machine is: it passes over wheels
            // for them.
            Err(failed) if failed.why == Why::Other && self.version < MANY_PLATFORMS => {
                Ok(self.download(request, follow, to)?.map_err(|_| failed))
            }
            built => Ok(built),
        }
    }

    /// Fetches wheels by the platforms that a system is.
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
                .map_or_else(|failed| failed.why == Why::Network, |()| true);
            fetched = Some(tried);
            if is_settled {
                break;
            }
        }
        fetched.context("there is no platform to name to pip")
    }

    /// The options that name a system, once for each time that pip is to be called: an older pip
    /// takes one platform at a time.
    fn platform_options(&self, system: &Facts) -> Vec<Vec<OsString>> {
        let mut fixed = vec![OsString::from("--only-binary=:all:")];
        let [major, minor, _] = system.release;
        fixed.push(if self.version < DOTTED_PYTHON {
            format!("--python-version={major}{minor}").into()
        } else {
            format!("--python-version={}", system.version()).into()
        });
        // One ABI likewise; it takes those without one for granted.
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
        // The names that wheels for old versions of Python have, of Linux first those that indexes
        // take.
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

    /// Whether pip would build by `setup.py bdist_wheel` what it can build otherwise, and that
    /// fails for want of `wheel`.
    fn needs_pep517(&self) -> bool {
        !self.has_wheel && (LEGACY_BUILDS[0]..LEGACY_BUILDS[1]).contains(&self.version)
    }

    /// Calls pip until it has fetched, or it is not to be tried again.
    fn run(
        &self,
        mut words: Vec<OsString>,
        request: &Request<'_>,
        follow: Follow,
        to: &Path,
    ) -> Result<Result<(), Failed>> {
        if follow == Follow::Nothing {
            words.push("--no-deps".into());
        }
        for directory in request.directories {
            words.extend(["--find-links".into(), directory.into()]);
        }
        words.extend(request.pre_releases.then(|| "--pre".into()));
        words.extend([
            "--requirement".into(),
            written(to, "requirements.txt", request.lines)?.into(),
        ]);
        if !request.kept.is_empty() {
            words.extend([
                "--constraint".into(),
                written(to, "constraints.txt", request.kept)?.into(),
            ]);
        }
        words.extend(self.options.iter().cloned());
        loop {
            let (status, said) = self.call(&words)?;
            if status.success() {
                self.patience.renew();
                return Ok(Ok(()));
            }
            let why = Why::of(&said);
            if why == Why::Network && self.patience.wait() {
                continue;
            }
            let command = format!("{} {}", self.title(), lossy(&words));
            let because = match why {
                Why::Network => self.patience.sentence(),
                Why::Digests => {
                    "what the index has does not have the digests that are pinned".to_owned()
                }
                Why::Other => format!("`{command}` ended with {status}"),
            };
            let can_build = self.has_wheel || self.version >= LEGACY_BUILDS[0];
            return Ok(Err(Failed {
                why,
                because,
                said,
                can_build,
                again: self.again.clone(),
            }));
        }
    }

    /// Runs pip, and passes on what it says. Gives how it ended, and what it said on stderr.
    fn call(&self, words: &[OsString]) -> Result<(ExitStatus, String)> {
        let cannot = || format!("cannot run `{}`", self.python.executable.display());
        let mut command = self.python();
        if self.has_safe_path() {
            command.args(["-m", "pip"])
        } else {
            command.args(["-c", RUN_PIP])
        };
        // A progress bar goes to the terminal itself, where there is one.
        let error = std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .context("cannot share stderr with pip")?;
        command.arg("--disable-pip-version-check").args(words);
        command
            .stdin(Stdio::inherit())
            .stdout(Stdio::from(error))
            .stderr(Stdio::piped());
        progress::end();
        let mut pip = command.spawn().with_context(cannot)?;
        let mut said = Vec::new();
        if let Some(mut stderr) = pip.stderr.take() {
            pass_on(&mut stderr, &mut said).with_context(cannot)?;
        }
        Ok((
            pip.wait().with_context(cannot)?,
            String::from_utf8_lossy(&said).into_owned(),
        ))
    }

    /// The interpreter, with the caller's environment, and without byte code beside its packages.
    fn python(&self) -> Command {
        let mut command = Command::new(&self.python.executable);
        if self.has_safe_path() {
            command.arg("-P");
        }
        command.arg("-B").env_clear().envs(
            self.process
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        );
        command
    }

    /// Whether the interpreter has `-P`.
    fn has_safe_path(&self) -> bool {
        self.python.release >= [3, 11, 0]
    }

    /// How a person would call it.
    fn title(&self) -> String {
        let safe = if self.has_safe_path() { "-P " } else { "" };
        format!(
            "{} {safe}-B -m pip --disable-pip-version-check",
            self.python.executable.display()
        )
    }
}

/// Copies what comes to stderr until it ends, and keeps the beginning and all that is not too much.
fn pass_on(from: &mut impl Read, kept: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // Who closes our stderr does not want to know.
        let _ = std::io::stderr().write_all(&buffer[..length]);
        kept.extend_from_slice(&buffer[..length]);
        // What pip says last tells why it ended.
        let surplus = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..surplus);
    }
}

/// The first two numbers of a version such as `23.2.1`. What is no version is taken for a new one.
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

/// The words as text, of several platforms only the first.
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

/// A file of these lines.
fn written(directory: &Path, name: &str, lines: &[String]) -> Result<std::path::PathBuf> {
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
