//! The tags that an interpreter accepts, best first (PEP 425, 600 and 656).
//!
//! The order is that of
//! <https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/>, as pip's
//! `packaging.tags` implements it, so that vpython selects the same wheel as pip.

mod platforms;

use std::collections::HashMap;
use std::fmt;

use crate::interpreter::Facts;
pub use platforms::platforms;

/// One tag of a wheel's file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag {
    /// As in `cp311`.
    pub python: String,
    /// As in `abi3`.
    pub abi: String,
    /// As in `manylinux_2_17_x86_64`.
    pub platform: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// All tags of an interpreter, in its order of preference.
#[derive(Debug, Clone)]
pub struct Tags {
    ordered: Vec<Tag>,
    ranks: HashMap<Tag, usize>,
}

impl Tags {
    /// Returns the tags of an interpreter.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let [major, minor, _] = facts.release;
        let interpreter = format!("cp{major}{minor}");
        let generic: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
            .into_iter()
            .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
            .collect();
        // A free-threaded build has a stable ABI of its own (PEP 803).
        let stable_abi = match (major, facts.abi.free_threaded) {
            (3, false) => Some("abi3"),
            (3, true) => Some("abi3t"),
            _ => None,
        };
        // CPython's own tags, then those of any implementation, for each platform; then those for
        // any platform.
        let mut kinds: Vec<(String, String)> = abis(facts)
            .into_iter()
            .map(|abi| (interpreter.clone(), abi))
            .collect();
        kinds.extend(stable_abi.map(|abi| (interpreter.clone(), abi.into())));
        kinds.push((interpreter.clone(), "none".into()));
        if let Some(abi) = stable_abi {
            kinds.extend(
                (2..minor)
                    .rev()
                    .map(|older| (format!("cp3{older}"), abi.into())),
            );
        }
        kinds.extend(generic.iter().map(|python| (python.clone(), "none".into())));
        let platforms = platforms(facts);
        let mut ordered = Vec::with_capacity(kinds.len() * platforms.len() + generic.len() + 1);
        for (python, abi) in kinds {
            ordered.extend(platforms.iter().map(|platform| Tag {
                python: python.clone(),
                abi: abi.clone(),
                platform: platform.clone(),
            }));
        }
        let any = |python| Tag {
            python,
            abi: "none".into(),
            platform: "any".into(),
        };
        ordered.extend([interpreter].into_iter().chain(generic).map(any));
        let ranks = ordered.iter().cloned().zip(0..).collect();
        Self { ordered, ranks }
    }

    /// Returns the tags, best first.
    #[must_use]
    pub fn in_order(&self) -> &[Tag] {
        &self.ordered
    }

    /// Returns the position of a tag in the order, 0 for the best; `None` if the interpreter does
    /// not accept it.
    #[must_use]
    pub fn rank(&self, tag: &Tag) -> Option<usize> {
        self.ranks.get(tag).copied()
    }

    /// Checks whether any tag of the interpreter has this python and ABI, so that only the platform
    /// can be incompatible.
    #[must_use]
    pub fn accepts_python(&self, python: &str, abi: &str) -> bool {
        self.ordered
            .iter()
            .any(|tag| tag.python == python && tag.abi == abi)
    }
}

/// Returns the ABIs of this build of CPython, its own first. Since 3.8 a debug build also loads
/// modules of a normal one.
fn abis(facts: &Facts) -> Vec<String> {
    let [major, minor, _] = facts.release;
    let threads = if facts.abi.free_threaded { "t" } else { "" };
    let debug = if facts.abi.debug { "d" } else { "" };
    if (major, minor) < (3, 8) {
        let pymalloc = if facts.abi.pymalloc { "m" } else { "" };
        let characters = if facts.abi.wide_unicode { "u" } else { "" };
        return vec![format!("cp{major}{minor}{debug}{pymalloc}{characters}")];
    }
    let mut abis = vec![format!("cp3{minor}{threads}{debug}")];
    if facts.abi.debug {
        abis.push(format!("cp3{minor}{threads}"));
    }
    abis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::Libc;
    use crate::interpreter::tests::facts;

    fn texts(tags: &Tags) -> Vec<String> {
        tags.in_order().iter().map(Tag::to_string).collect()
    }

    #[test]
    fn the_order_is_own_abi_stable_abi_none_older_stable_abi_generic_any() {
        let mut facts = facts([3, 8, 18]);
        facts.libc = Libc::Other;
        let expected = [
            "cp38-cp38-linux_x86_64",
            "cp38-abi3-linux_x86_64",
            "cp38-none-linux_x86_64",
            "cp37-abi3-linux_x86_64",
            "cp36-abi3-linux_x86_64",
            "cp35-abi3-linux_x86_64",
            "cp34-abi3-linux_x86_64",
            "cp33-abi3-linux_x86_64",
            "cp32-abi3-linux_x86_64",
            "py38-none-linux_x86_64",
            "py3-none-linux_x86_64",
            "py37-none-linux_x86_64",
            "py36-none-linux_x86_64",
            "py35-none-linux_x86_64",
            "py34-none-linux_x86_64",
            "py33-none-linux_x86_64",
            "py32-none-linux_x86_64",
            "py31-none-linux_x86_64",
            "py30-none-linux_x86_64",
            "cp38-none-any",
            "py38-none-any",
            "py3-none-any",
            "py37-none-any",
            "py36-none-any",
            "py35-none-any",
            "py34-none-any",
            "py33-none-any",
            "py32-none-any",
            "py31-none-any",
            "py30-none-any",
        ];
        assert_eq!(texts(&Tags::of(&facts)), expected);
    }

    #[test]
    fn python_2_has_no_stable_abi_and_its_own_numbers() {
        let mut facts = facts([2, 7, 18]);
        facts.libc = Libc::Other;
        let any = [
            "cp27", "py27", "py2", "py26", "py25", "py24", "py23", "py22", "py21", "py20",
        ];
        let of_linux = any
            .iter()
            .map(|python| format!("{python}-none-linux_x86_64"));
        let of_any = any.iter().map(|python| format!("{python}-none-any"));
        let expected: Vec<String> = std::iter::once("cp27-cp27mu-linux_x86_64".into())
            .chain(of_linux)
            .chain(of_any)
            .collect();
        assert_eq!(texts(&Tags::of(&facts)), expected);
    }

    #[test]
    fn the_abi_names_the_build() {
        let first = |change: &dyn Fn(&mut Facts), release| {
            let mut facts = facts(release);
            change(&mut facts);
            abis(&facts)
        };
        assert_eq!(
            first(&|_| {}, [3, 7, 16]),
            ["cp37m"],
            "pymalloc had a letter before 3.8"
        );
        assert_eq!(
            first(&|facts| facts.abi.debug = true, [3, 7, 16]),
            ["cp37dm"]
        );
        assert_eq!(
            first(&|_| {}, [2, 7, 18]),
            ["cp27mu"],
            "Python 2 had one for its character width"
        );
        assert_eq!(
            first(&|facts| facts.abi.wide_unicode = false, [2, 7, 18]),
            ["cp27m"]
        );
        assert_eq!(first(&|_| {}, [3, 8, 18]), ["cp38"]);
        assert_eq!(
            first(&|facts| facts.abi.debug = true, [3, 11, 7]),
            ["cp311d", "cp311"]
        );
        assert_eq!(
            first(&|facts| facts.abi.free_threaded = true, [3, 13, 0]),
            ["cp313t"]
        );
    }

    #[test]
    fn a_free_threaded_build_accepts_its_own_abis_and_modules_without_one() {
        let mut facts = facts([3, 13, 0]);
        facts.abi.free_threaded = true;
        let tags = Tags::of(&facts);
        for (python, abi, accepts) in [
            ("cp313", "cp313t", true),
            ("cp313", "abi3t", true),
            ("cp313", "none", true),
            ("cp312", "abi3t", true),
            ("py3", "none", true),
            ("cp313", "cp313", false),
            ("cp313", "abi3", false),
            ("cp37", "abi3", false),
            ("cp312", "cp312t", false),
        ] {
            assert_eq!(tags.accepts_python(python, abi), accepts, "{python}-{abi}");
        }
        facts.abi.free_threaded = false;
        assert!(!Tags::of(&facts).accepts_python("cp313", "abi3t"));
    }

    #[test]
    fn a_rank_is_a_position_in_the_order() {
        let tags = Tags::of(&facts([3, 11, 7]));
        let tag = |python: &str, abi: &str, platform: &str| Tag {
            python: python.into(),
            abi: abi.into(),
            platform: platform.into(),
        };
        let own = tags
            .rank(&tag("cp311", "cp311", "manylinux_2_17_x86_64"))
            .unwrap();
        let stable = tags
            .rank(&tag("cp37", "abi3", "manylinux_2_17_x86_64"))
            .unwrap();
        let any = tags.rank(&tag("py3", "none", "any")).unwrap();
        assert!(own < stable && stable < any);
        assert_eq!(
            tags.rank(&tag("cp312", "cp312", "manylinux_2_17_x86_64")),
            None
        );
        assert!(tags.accepts_python("cp311", "cp311") && !tags.accepts_python("cp312", "cp312"));
    }
}
