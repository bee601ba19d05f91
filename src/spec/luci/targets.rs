//! The meaning of `verify_pep425_tag`: each tag names a platform, and the Python there.
//!
//! The names are those of LUCI's vpython. Its only names for Linux are `linux_…` and
//! `manylinux1_…`, so vpython assumes nothing about the C library's version.

use super::reader::number;
use crate::spec::platform::{Platform, Target, TargetPython};
use crate::spec::{Located, TagPattern};

/// Returns the targets of tags, in order. The error lists all tags that name no target, with their
/// locations.
pub(in crate::spec) fn read(
    tags: &[Located<TagPattern>],
) -> Result<Vec<Located<Target>>, Vec<String>> {
    let mut targets = Vec::new();
    let mut mistakes = Vec::new();
    for tag in tags {
        match target(&tag.value) {
            Ok(value) => targets.push(Located {
                value,
                place: tag.place.clone(),
            }),
            Err(why) => mistakes.push(format!("{}: {why}", tag.place.exact())),
        }
    }
    if mistakes.is_empty() {
        Ok(targets)
    } else {
        Err(mistakes)
    }
}

fn target(tag: &TagPattern) -> Result<Target, String> {
    let name = tag.platform.as_deref().ok_or("the tag has no `platform`")?;
    let python = tag
        .python
        .as_deref()
        .map(|python| python_of(python, tag.abi.as_deref()))
        .transpose()?;
    Ok(Target {
        platform: platform(name)?,
        python,
    })
}

/// Parses a platform name, and keeps the name as written.
fn platform(name: &str) -> Result<Platform, String> {
    Ok(Platform {
        name: name.to_owned(),
        ..native(name)?
    })
}

/// Parses a platform name, and translates it to the name in the native form.
pub(super) fn native(name: &str) -> Result<Platform, String> {
    let native = match name.split_once('_') {
        Some(("linux", "arm64")) => "linux_aarch64".to_owned(),
        Some(("manylinux1", machine)) => format!("linux_{machine}"),
        Some(("macosx", rest)) => format!("macosx_{}", rest.replace("_intel", "_x86_64")),
        _ => name.to_owned(),
    };
    // Report a mistake with the name in the spec.
    Platform::parse(&native).or_else(|_| Platform::parse(name))
}

/// Parses the Python of a tag such as `cp38` or `cp313t`. Apart from free threading, its ABI makes
/// no difference.
fn python_of(python: &str, abi: Option<&str>) -> Result<TargetPython, String> {
    let refuse = || {
        format!(
            "`{python}` is not a Python that vpython supports; use CPython 2.7, or 3.6 or later, as in `cp311`"
        )
    };
    let of_three = || {
        python
            .strip_prefix("cp3")
            .and_then(number)
            .filter(|minor| *minor >= 6)
            .map(|minor| (3, minor))
    };
    let (major, minor) = (python == "cp27")
        .then_some((2, 7))
        .or_else(of_three)
        .ok_or_else(refuse)?;
    // The ABI must belong to the same Python; its flags follow the name.
    let flags = match abi {
        None | Some("none" | "abi3") => "",
        Some(abi) => abi
            .strip_prefix(python)
            .ok_or_else(|| format!("`{abi}` is not an ABI of `{python}`"))?,
    };
    Ok(TargetPython {
        major,
        minor,
        free_threaded: flags.contains('t'),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::System;

    fn read_tag(python: &str, abi: &str, platform: &str) -> Result<Target, String> {
        let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        target(&TagPattern {
            python: part(python),
            abi: part(abi),
            platform: part(platform),
        })
    }

    #[test]
    fn a_tag_is_a_platform_and_a_python() {
        #[rustfmt::skip]
        let rows = [
            (("cp38", "cp38", "manylinux1_x86_64"), System::Linux, "x86_64", Some((3, 8, false)), "any Linux"),
            (("cp38", "cp38", "linux_arm64"), System::Linux, "aarch64", Some((3, 8, false)), "LUCI's name of the machine"),
            (("cp37", "cp37m", "linux_mipsel"), System::Linux, "mipsel", Some((3, 7, false)), "an ABI with a letter"),
            (("cp38", "abi3", "macosx_10_10_intel"), System::MacOs { major: 10, minor: 10 }, "x86_64", Some((3, 8, false)), "Intel"),
            (("cp313", "cp313t", "win_amd64"), System::Windows, "AMD64", Some((3, 13, true)), "free-threaded"),
            (("cp27", "cp27mu", "manylinux1_x86_64"), System::Linux, "x86_64", Some((2, 7, false)), "Python 2"),
            (("", "", "manylinux2014_x86_64"), System::Glibc { major: 2, minor: 17 }, "x86_64", None, "the python here"),
        ];
        for ((python, abi, name), system, machine, expected, why) in rows {
            let python = read_tag(python, abi, name)
                .map(|target| (target.platform, target.python))
                .unwrap();
            let platform = Platform {
                name: name.into(),
                system,
                machine: machine.into(),
            };
            let expected = expected.map(|(major, minor, free_threaded)| TargetPython {
                major,
                minor,
                free_threaded,
            });
            assert_eq!(python, (platform, expected), "{why}");
        }
    }

    #[test]
    fn a_tag_that_names_no_target_is_refused() {
        #[rustfmt::skip]
        let rows = [
            (("cp38", "cp38", ""), "the tag has no `platform`"),
            (("cp26", "cp26mu", "win32"), "`cp26` is not a Python that vpython supports; use CPython 2.7, or 3.6 or later, as in `cp311`"),
            (("py3", "none", "win32"), "`py3` is not a Python that vpython supports; use CPython 2.7, or 3.6 or later, as in `cp311`"),
            (("cp38", "cp39", "win32"), "`cp39` is not an ABI of `cp38`"),
            (("cp38", "cp38", "win64"), "`win64` is not a platform; did you mean `win_amd64`?"),
            (("cp38", "cp38", "manylinux1_amd64"), "`manylinux1_amd64` is not a platform; did you mean `manylinux1_x86_64`?"),
        ];
        for ((python, abi, platform), why) in rows {
            assert_eq!(read_tag(python, abi, platform), Err(why.to_owned()));
        }
    }
}
