//! Parsing of lock files: the keys that decide what is installed. Parsing reports all mistakes at
//! once, each with its line and column. Other keys, such as those of tools or attestations, are
//! ignored.

use anyhow::Result;
use toml::Spanned;

use super::raw::{RawFile, RawLock, RawPackage, RawVersion, is_wheel_name};
use super::text::LockText;
use super::{BuiltPins, Lock, LockForm, LockedPackage, LockedWheel, Marker, marker};
use crate::fs::{Digest, LongDigest};
use crate::spec::{IndexUrl, Located, SpecText};

/// The newest version of the format that vpython fully supports.
const KNOWN: [u64; 2] = [1, 0];

/// Parses the text of a lock file.
///
/// # Errors
/// All mistakes in it, each with its line; or an unknown major version of the format.
pub(super) fn read(text: &SpecText) -> Result<Lock> {
    let mut reader = Reader {
        toml: LockText::of(text),
        warnings: Vec::new(),
    };
    let lock = reader.read();
    let Reader { toml, warnings } = reader;
    Ok(Lock {
        warnings,
        ..toml.finish(lock)?
    })
}

struct Reader<'a> {
    toml: LockText<'a>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) -> Option<Lock> {
        self.toml.check_size()?;
        // The version decides whether the other keys are understood. A valid text is parsed once.
        let raw = self.toml.try_deserialize::<RawLock>();
        let version = match &raw {
            Ok(raw) => raw.lock_version.clone(),
            Err(_) => self.toml.deserialize::<RawVersion>()?.lock_version,
        };
        self.check_version(&version)?;
        let raw = self.toml.checked(raw)?;
        // Check everything before giving up, to report all mistakes at once.
        let groups = raw.default_groups;
        let requires_python = raw
            .requires_python
            .and_then(|range| self.toml.python_range(&range));
        let environments = raw.environments.iter().filter_map(|written| {
            let value = self.marker(Some(written), &groups)?;
            Some(Located {
                value,
                place: self.toml.place(written.span().start),
            })
        });
        let environments = environments.collect();
        let packages = raw
            .packages
            .into_iter()
            .filter_map(|package| self.package(package, &groups))
            .collect();
        let path = self.toml.text.origin.file.clone().unwrap_or_default();
        let form = LockForm::Pylock;
        let (basis, built) = match raw.tool.vpython {
            Some(tool) => (Some(tool.basis), tool.built),
            None => (None, BuiltPins::new()),
        };
        Some(Lock {
            form,
            path,
            requires_python,
            environments,
            packages,
            basis,
            built,
            bound: None,
            warnings: Vec::new(),
        })
    }

    /// Checks the version of the format. A newer minor version may have keys that vpython does not
    /// know; it does not read other major versions.
    fn check_version(&mut self, written: &Spanned<String>) -> Option<()> {
        let mut numbers = written
            .get_ref()
            .split('.')
            .map(|number| number.parse::<u64>().ok());
        let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
        let offset = written.span().start;
        let version = written.get_ref();
        // PEP 751: warn about a newer minor version, and reject another major one.
        match (major, minor, numbers.next()) {
            (Some(1), Some(minor), None) if minor > KNOWN[1] => {
                let place = self.toml.place(offset);
                self.warnings.push(format!(
                    "{place}: `lock-version` is {version}; features newer than 1.0 are ignored"
                ));
                Some(())
            }
            (Some(1), Some(_), None) => Some(()),
            _ => {
                self.toml.problem(
                    offset,
                    &format!("`lock-version` is `{version}`, but vpython supports only 1.0"),
                );
                None
            }
        }
    }

    fn marker(&mut self, written: Option<&Spanned<String>>, groups: &[String]) -> Option<Marker> {
        let written = written?;
        match marker::parse(written.get_ref(), groups) {
            Ok(tree) => Some(Marker {
                tree,
                written: written.get_ref().clone(),
            }),
            Err(why) => {
                self.toml.problem(written.span().start, &why);
                None
            }
        }
    }

    fn package(&mut self, raw: RawPackage, groups: &[String]) -> Option<Located<LockedPackage>> {
        let RawPackage {
            name,
            version,
            marker,
            requires_python,
            vcs,
            directory,
            archive,
            sdist,
            wheels,
        } = raw;
        let place = self.toml.place(name.span().start);
        // An archive may also be a wheel.
        let is_wheel = |file: &Spanned<RawFile>| {
            file.get_ref()
                .file_name()
                .is_some_and(|name| is_wheel_name(&name))
        };
        let (archived_wheel, archive) = if archive.as_ref().is_some_and(is_wheel) {
            (archive, None)
        } else {
            (None, archive)
        };
        let name = self.toml.parsed(Some(&name), "name");
        let version = self.toml.parsed(version.as_ref(), "version");
        let requires_python = self.toml.parsed(requires_python.as_ref(), "version range");
        let marker = self.marker(marker.as_ref(), groups);
        let wheels = wheels
            .into_iter()
            .chain(archived_wheel)
            .filter_map(|file| self.wheel(file))
            .collect();
        // Sources that vpython cannot install.
        let other_sources = [
            (vcs.is_some(), "a repository"),
            (directory.is_some(), "a directory of sources"),
            (archive.is_some(), "an archive of sources"),
            (sdist.is_some(), "an sdist"),
        ];
        let other_source = other_sources
            .into_iter()
            .find(|(is_there, _)| *is_there)
            .map(|(_, title)| title);
        let value = LockedPackage {
            name: name?,
            version,
            marker,
            requires_python,
            wheels,
            other_source,
        };
        Some(Located { value, place })
    }

    fn wheel(&mut self, file: Spanned<RawFile>) -> Option<Located<LockedWheel>> {
        let offset = file.span().start;
        let file = file.into_inner();
        let Some(file_name) = file.file_name() else {
            self.toml
                .problem(offset, "a wheel has neither `name` nor `path` nor `url`");
            return None;
        };
        // The standard allows other digests; vpython needs sha256.
        let Some(sha256) = file.hashes.get("sha256") else {
            self.toml.problem(
                offset,
                &format!("`{file_name}` has no sha256 among its `hashes`"),
            );
            return None;
        };
        let Ok(sha256) = sha256.parse::<Digest>() else {
            self.toml.problem(
                offset,
                &format!(
                    "the sha256 of `{file_name}` is `{sha256}`, which is not 64 hexadecimal digits"
                ),
            );
            return None;
        };
        let path = file
            .path
            .as_deref()
            .map(|path| self.toml.text.resolve(path));
        let long_digest =
            |kind: LongDigest| Some((kind, file.hashes.get(kind.name())?.to_ascii_lowercase()));
        let long_digests = LongDigest::ALL
            .into_iter()
            .filter_map(long_digest)
            .collect();
        // Another kind of URL is of no use here, and not an error: the file may be in a directory.
        let url = file
            .url
            .as_deref()
            .and_then(|url| IndexUrl::parse(url).ok());
        let value = LockedWheel {
            file_name,
            path,
            url,
            size: file.size,
            sha256,
            long_digests,
        };
        Some(Located {
            value,
            place: self.toml.place(offset),
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::invocation::Chosen;
    use crate::spec::{Origin, SpecKind};

    const SHA: &str = "c75a69e28a550a7e93789579c22aa26b0f5b83b75dc4e08fe092980051e1090a";

    fn read_text(content: &str) -> Result<Lock> {
        read(&SpecText {
            kind: SpecKind::Pylock,
            origin: Origin::file("/src/pylock.toml".into()),
            base: Some("/src".into()),
            content: content.replace("SHA", SHA),
            warnings: Vec::new(),
            chosen: Chosen::default(),
        })
    }

    #[test]
    fn wheels_are_read_in_all_the_ways_that_tools_write_them() {
        let lock = read_text(
            "lock-version = '1.0'\nrequires-python = '>=3.9'\ncreated-by = 'x'\nenvironments = [\"sys_platform == 'linux'\"]\n\
             [[packages]]\nname = 'A.b'\nversion = '1'\nrequires-python = '>=3.8'\nindex = 'https://example.org/simple'\n\
             sdist = {name = 'a-1.tar.gz', hashes = {sha256 = 'SHA'}}\nwheels = [\n\
             \x20 {name = 'a_b-1-py3-none-any.whl', upload-time = 2025-01-25T11:30:10Z, size = 7, hashes = {sha256 = 'SHA'}},\n\
             \x20 {path = '../wheels/a_b-1-cp311-cp311-any.whl', hashes = {sha256 = 'SHA', md5 = ''}},\n]\n\
             [[packages]]\nname = 'torch'\nmarker = \"'gpu' in dependency_groups\"\n\
             [[packages.wheels]]\nurl = 'https://example.org/x/torch-2%2Bcpu-py3-none-any.whl#egg=x'\n\
             [packages.wheels.hashes]\nsha256 = 'SHA'\n\
             [[packages]]\nname = 'c'\narchive = {url = 'https://example.org/c-1-py3-none-any.whl', hashes = {sha256 = 'SHA'}}\n\
             [[packages]]\nname = 'd'\ndirectory = {path = '.'}\n[tool.x]\ny = 1\n",
        )
        .unwrap();
        assert_eq!(lock.requires_python.unwrap().value.written, ">=3.9");
        assert_eq!(lock.environments[0].place.line, 4);
        let shown: Vec<String> = lock
            .packages
            .iter()
            .map(|package| {
                let Located {
                    value:
                        LockedPackage {
                            name,
                            wheels,
                            other_source,
                            marker,
                            ..
                        },
                    place,
                } = package;
                let wheels: Vec<_> = wheels
                    .iter()
                    .map(|wheel| {
                        let LockedWheel {
                            file_name,
                            path,
                            size,
                            ..
                        } = &wheel.value;
                        format!("{file_name} {path:?} {size:?} line {}", wheel.place.line)
                    })
                    .collect();
                format!(
                    "{name} line {} {wheels:?} {other_source:?} {}",
                    place.line,
                    marker.is_some()
                )
            })
            .collect();
        let expected = [
            "a-b line 6 [\"a_b-1-py3-none-any.whl None Some(7) line 12\", \"a_b-1-cp311-cp311-any.whl \
             Some(\\\"/src/../wheels/a_b-1-cp311-cp311-any.whl\\\") None line 13\"] Some(\"an sdist\") false",
            "torch line 16 [\"torch-2+cpu-py3-none-any.whl None None line 18\"] None true",
            "c line 23 [\"c-1-py3-none-any.whl None None line 24\"] None false",
            "d line 26 [] Some(\"a directory of sources\") false",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn all_mistakes_are_reported_with_their_lines() {
        let error = read_text(
            "lock-version = '1.0'\nrequires-python = '3.x'\ncreated-by = 'x'\nenvironments = ['linux']\n\
             [[packages]]\nname = '-'\nversion = 'one'\nmarker = 'x'\nrequires-python = 'y'\n\
             [[packages]]\nname = 'b'\nwheels = [\n{hashes = {sha256 = 'SHA'}},\n{name = 'b.whl', hashes = {md5 = ''}},\n\
             {name = 'b.whl', hashes = {sha256 = '12'}}]\n",
        );
        expect![[r#"
            vpython: error: bad lock file `/src/pylock.toml`
              caused by: `/src/pylock.toml`, line 2, column 19: `3.x` is not a valid version range
              caused by: `/src/pylock.toml`, line 4, column 17: `linux` is not a valid marker: Expected a quoted string or a valid marker name, found `linux`
              caused by: `/src/pylock.toml`, line 6, column 8: `-` is not a valid name
              caused by: `/src/pylock.toml`, line 7, column 11: `one` is not a valid version
              caused by: `/src/pylock.toml`, line 8, column 10: `x` is not a valid marker: Expected a quoted string or a valid marker name, found `x`
              caused by: `/src/pylock.toml`, line 9, column 19: `y` is not a valid version range
              caused by: `/src/pylock.toml`, line 13, column 1: a wheel has neither `name` nor `path` nor `url`
              caused by: `/src/pylock.toml`, line 14, column 1: `b.whl` has no sha256 among its `hashes`
              caused by: `/src/pylock.toml`, line 15, column 1: the sha256 of `b.whl` is `12`, which is not 64 hexadecimal digits
        "#]]
        .assert_eq(&crate::report::render(&error.unwrap_err()));
    }

    #[test]
    fn the_version_of_the_format_is_checked_first() {
        let error = read_text("lock-version = '2.0'\npackages = 3\n").unwrap_err();
        expect![[r#"
            vpython: error: bad lock file `/src/pylock.toml`
              caused by: `/src/pylock.toml`, line 1, column 16: `lock-version` is `2.0`, but vpython supports only 1.0
        "#]]
        .assert_eq(&crate::report::render(&error));
        let lock = read_text("lock-version = '1.3'\ncreated-by = 'x'\npackages = []\n").unwrap();
        let warning = "`/src/pylock.toml`, line 1: `lock-version` is 1.3; features newer than 1.0 are ignored";
        assert_eq!(lock.warnings, [warning]);
    }
}
