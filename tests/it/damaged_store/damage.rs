//! The kinds of damage to a file.

use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag};

use crate::support::is_sweep;

/// A kind of damage to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Flips one bit, at this percentage of the file.
    Flipped(u64),
    CutOff,
    Emptied,
    Deleted,
    Directory,
    FullDirectory,
    Pipe,
    /// `/dev/zero`, which has no end.
    Device,
    DanglingLink,
}

const DAMAGES: [Damage; 11] = [
    Damage::Flipped(0),
    Damage::Flipped(50),
    Damage::Flipped(99),
    Damage::CutOff,
    Damage::Emptied,
    Damage::Deleted,
    Damage::Directory,
    Damage::FullDirectory,
    Damage::Pipe,
    Damage::Device,
    Damage::DanglingLink,
];

impl Damage {
    /// Applies the damage. Other hard links of the file keep their content, except for a flipped
    /// bit: disks flip bits in place.
    pub fn apply(self, path: &Path) {
        let is_file = path.symlink_metadata().unwrap().is_file();
        let content = if is_file {
            std::fs::read(path).unwrap()
        } else {
            Vec::new()
        };
        if let Self::Flipped(percent) = self {
            if !content.is_empty() {
                let modified = path.metadata().unwrap().modified().unwrap();
                let mut content = content;
                let at = content.len() * usize::try_from(percent).unwrap() / 100;
                content[at] ^= 0x10;
                make_writable(path);
                std::fs::write(path, content).unwrap();
                std::fs::File::open(path)
                    .unwrap()
                    .set_modified(modified)
                    .unwrap();
            }
            return;
        }
        std::fs::remove_file(path).unwrap();
        match self {
            Self::Flipped(_) | Self::Deleted => {}
            Self::CutOff => std::fs::write(path, &content[..content.len() / 2]).unwrap(),
            Self::Emptied => std::fs::write(path, "").unwrap(),
            Self::Directory => std::fs::create_dir(path).unwrap(),
            Self::FullDirectory => {
                std::fs::create_dir(path).unwrap();
                std::fs::write(path.join("x"), "x").unwrap();
            }
            Self::Pipe => nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(),
            Self::Device => {
                let zero = nix::sys::stat::makedev(1, 5);
                // Requires the superuser.
                if nix::sys::stat::mknod(path, SFlag::S_IFCHR, Mode::S_IRWXU, zero).is_err() {
                    symlink("/dev/zero", path).unwrap();
                }
            }
            Self::DanglingLink => symlink("/nowhere/at/all", path).unwrap(),
        }
    }
}

/// The damages to try on a file, by its number: all in a sweep, and otherwise two, which differ from
/// file to file.
pub fn damages(number: usize) -> Vec<Damage> {
    let tries = if is_sweep() { DAMAGES.len() } else { 2 };
    let all = DAMAGES.iter().cycle().copied();
    all.skip(2 * number % DAMAGES.len()).take(tries).collect()
}

fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
