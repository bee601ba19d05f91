//! The parser of wheel file names:
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention>.

use pep440_rs::Version;
use pep508_rs::PackageName;

use crate::interpreter::{Tag, Tags};

/// A parsed wheel file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WheelName {
    /// The project, normalised.
    pub project: PackageName,
    /// The version.
    pub version: Version,
    /// The build tag, which breaks ties; `None` sorts first.
    pub build: Option<BuildTag>,
    /// The tags in lower case, as the name has them: a set of pythons, one of ABIs, and one of
    /// platforms.
    tags: Box<str>,
}

impl WheelName {
    /// Parses the name that an annotation gives a wheel. Unlike that of a file, it may have a slash.
    ///
    /// # Errors
    /// Those of [`WheelName::parse`], or it is not the name of a file.
    pub fn of_annotation(file_name: &str) -> Result<Self, String> {
        let is_odd = |character: char| character == '/' || character.is_control();
        if file_name.contains(is_odd) {
            return Err("it is not the name of a file".to_owned());
        }
        Self::parse(file_name)
    }

    /// Parses `{project}-{version}(-{build})?-{python}-{abi}-{platform}.whl`. The error is a full
    /// clause.
    pub fn parse(file_name: &str) -> Result<Self, String> {
        let stem = file_name
            .strip_suffix(".whl")
            .ok_or("its name does not end in `.whl`")?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (project, version, build, tags) = match parts[..] {
            [project, version, python, abi, platform] => {
                (project, version, None, [python, abi, platform])
            }
            [project, version, build, python, abi, platform] => {
                (project, version, Some(build), [python, abi, platform])
            }
            _ => return Err("its name does not have five or six parts".into()),
        };
        Ok(Self {
            project: PackageName::new(project.into()).map_err(|error| error.to_string())?,
            version: version
                .replace('_', "-")
                .parse()
                .map_err(|_| format!("`{version}` is not a version"))?,
            build: build.map(BuildTag::parse).transpose()?,
            tags: tags.join("-").to_lowercase().into(),
        })
    }

    /// Returns the best rank of any of its tags in the interpreter's order; `None` if it is
    /// incompatible.
    pub fn rank(&self, tags: &Tags) -> Option<usize> {
        self.tags().filter_map(|tag| tags.rank(&tag)).min()
    }

    /// Returns the incompatible part of the tags: its pythons, its ABIs, or its platforms.
    pub fn misfit(&self, tags: &Tags) -> String {
        let [pythons, abis, platforms] = self.tag_sets();
        let fits =
            values(pythons).any(|python| values(abis).any(|abi| tags.accepts_python(python, abi)));
        if fits {
            return platforms.to_owned();
        }
        if abis == "none" || abis == pythons {
            pythons.to_owned()
        } else {
            format!("{pythons} with ABI {abis}")
        }
    }

    /// Returns the minor versions of CPython 3 for which it was built.
    pub fn cpython_minors(&self) -> impl Iterator<Item = u64> {
        let [pythons, ..] = self.tag_sets();
        values(pythons).filter_map(|python| python.strip_prefix("cp3")?.parse().ok())
    }

    fn tags(&self) -> impl Iterator<Item = Tag> {
        let [pythons, abis, platforms] = self.tag_sets();
        values(pythons).flat_map(move |python| {
            values(abis).flat_map(move |abi| {
                values(platforms).map(move |platform| Tag {
                    python: python.to_owned(),
                    abi: abi.to_owned(),
                    platform: platform.to_owned(),
                })
            })
        })
    }

    /// Returns the sets of pythons, ABIs and platforms.
    fn tag_sets(&self) -> [&str; 3] {
        let mut sets = self.tags.split('-');
        [(); 3].map(|()| sets.next().unwrap_or_default())
    }
}

/// Returns the values in a compressed tag set.
fn values(set: &str) -> impl Iterator<Item = &str> {
    set.split('.')
}

/// A build tag: a number of arbitrary size, then text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuildTag {
    /// The number of digits, which is compared first.
    length: usize,
    /// The number without leading zeros.
    digits: String,
    text: String,
}

impl BuildTag {
    fn parse(tag: &str) -> Result<Self, String> {
        let text = tag.trim_start_matches(|character: char| character.is_ascii_digit());
        let digits = &tag[..tag.len() - text.len()];
        if digits.is_empty() {
            return Err(format!(
                "its build tag `{tag}` does not begin with a number"
            ));
        }
        let digits = digits.trim_start_matches('0');
        Ok(Self {
            length: digits.len(),
            digits: digits.to_owned(),
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::tests::facts;

    #[test]
    fn a_name_is_parsed() {
        let name =
            WheelName::parse("Zope.Interface-6.1_post1-2b-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl").unwrap();
        assert_eq!(name.project.to_string(), "zope-interface");
        assert_eq!(name.version, "6.1.post1".parse().unwrap());
        assert_eq!(name.build, Some(BuildTag::parse("2b").unwrap()));
        assert_eq!(name.tags().count(), 2);
        assert_eq!(name.cpython_minors().collect::<Vec<_>>(), [11]);
    }

    #[test]
    fn build_tags_are_in_the_order_of_their_numbers() {
        let rising = [
            "0",
            "1",
            "1a",
            "1b",
            "2",
            "9",
            "010",
            "20240101123456",
            "18446744073709551616",
            "99999999999999999999x",
        ];
        let tags: Vec<BuildTag> = rising
            .iter()
            .map(|tag| BuildTag::parse(tag).unwrap())
            .collect();
        assert!(tags.is_sorted_by(|one, next| one < next), "{tags:?}");
        assert_eq!(
            BuildTag::parse("01").unwrap(),
            BuildTag::parse("1").unwrap()
        );
    }

    #[test]
    fn invalid_names_are_explained() {
        let rows = [
            ("a-1.0.tar.gz", "its name does not end in `.whl`"),
            (
                "a-1.0-py3-none.whl",
                "its name does not have five or six parts",
            ),
            ("a-x-py3-none-any.whl", "`x` is not a version"),
            (
                "a-1.0-b1-py3-none-any.whl",
                "its build tag `b1` does not begin with a number",
            ),
        ];
        for (name, why) in rows {
            assert_eq!(WheelName::parse(name).unwrap_err(), why, "{name}");
        }
    }

    #[test]
    fn the_best_of_several_tags_counts() {
        let tags = Tags::of(&facts([3, 11, 7]));
        let rank = |name| WheelName::parse(name).unwrap().rank(&tags);
        assert!(rank("a-1-cp311-cp311-linux_x86_64.whl") < rank("a-1-cp38-abi3-linux_x86_64.whl"));
        assert_eq!(
            rank("a-1-py2.py3-none-any.whl"),
            rank("a-1-py3-none-any.whl")
        );
        assert_eq!(rank("a-1-cp312-cp312-linux_x86_64.whl"), None);
    }

    #[test]
    fn a_misfit_names_the_part_that_does_not_fit() {
        let tags = Tags::of(&facts([3, 11, 7]));
        let misfit = |name| WheelName::parse(name).unwrap().misfit(&tags);
        assert_eq!(misfit("a-1-cp312-cp312-linux_x86_64.whl"), "cp312");
        assert_eq!(
            misfit("a-1-cp311-cp311-macosx_11_0_arm64.whl"),
            "macosx_11_0_arm64"
        );
        assert_eq!(
            misfit("a-1-cp312-abi3-linux_x86_64.whl"),
            "cp312 with ABI abi3"
        );
        assert_eq!(misfit("a-1-py2-none-any.whl"), "py2");
    }
}
