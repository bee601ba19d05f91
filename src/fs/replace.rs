//! Writing a file atomically: a reader sees the old file or the new one, and a failure leaves the
//! old one.

use std::ffi::OsString;
use std::fs::File;
use std::fs::Metadata;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};

use super::sync::sync_open;
use super::{
    Trust, is_already_exists, is_at, is_not_found, link_metadata, lock_exclusive, mode,
    remove_file, rename, symlink,
};

/// The prefix of the temporary names that [`write_atomically`] uses.
pub const UNFINISHED: &str = ".new-";

/// Writes a file atomically. Only its owner can read it.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(path.parent().unwrap_or(Path::new("/")))?;
        file.write_all(content)?;
        file.persist(path)?;
        Ok::<_, anyhow::Error>(())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}

/// Writes a file of a user atomically, with exactly these permission bits whatever the umask. The
/// next writer of the same file reuses the temporary file that a killed process has left, so that
/// none accumulate. After a power failure, the file is still the old one or the new one.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    replace_by(path, mode, |file| Ok(file.write_all(content)?))
}

/// Rewrites a file of a user atomically. It keeps the permission bits and, if the caller is allowed
/// to set it, the owner; hard links to the file keep the old content.
pub fn rewrite(path: &Path, content: &[u8]) -> Result<()> {
    let before = path
        .metadata()
        .with_context(|| format!("cannot inspect `{}`", path.display()))?;
    replace_by(path, mode(&before), |file| {
        file.write_all(content)?;
        let now = file.metadata()?;
        if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
            // Only the superuser can; otherwise the file belongs to the caller from now on.
            let _ = fchown(file, Some(before.uid()), Some(before.gid()));
        }
        Ok(())
    })
}

/// Like [`replace`], for content that is written piece by piece: `write` gets an empty file next to
/// the old one, which is then renamed.
pub fn replace_by(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    let write = |file: &mut File, staged: &Path| {
        file.set_len(0)?;
        write(file)?;
        fchmod(&*file, Mode::from_bits_truncate(mode)).map_err(std::io::Error::from)?;
        sync_open(file)?;
        rename(staged, path)
    };
    let written = open_staged(path).and_then(|(mut file, staged)| {
        write(&mut file, &staged).inspect_err(|_| {
            let _ = remove_file(&staged);
        })
    });
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Replaces a file or link by a symbolic link with this target, atomically. It reuses the temporary
/// link that a killed process has left. Concurrent callers take turns.
pub fn replace_link(target: &Path, path: &Path) -> Result<()> {
    let staged = staged_name(path);
    let put = || {
        remove_file(&staged)?;
        symlink(target, &staged)?;
        refuse_planted(&staged)?;
        rename(&staged, path)
    };
    loop {
        match put() {
            // Another process has renamed the staged link, or created another.
            Err(error)
                if is_already_exists(&error)
                    || is_not_found(&error) && path.parent().is_some_and(super::exists) => {}
            put => return put,
        }
    }
}

/// Returns `.NAME.new` next to `NAME`.
fn staged_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

/// Refuses a link that another user has put where this process has just created one: that user can
/// replace it, whatever its target is.
fn refuse_planted(link: &Path) -> Result<()> {
    let Some(found) = link_metadata(link)? else {
        return Ok(());
    };
    match Trust::of_user(nix::unistd::geteuid().as_raw()).stranger(link, found.uid()) {
        Some(stranger) => bail!("{stranger}"),
        None => Ok(()),
    }
}

/// Opens and locks the file that will become `path`, and creates it if it is missing: concurrent
/// writers take turns. If another user has put something under its temporary name, that stays as it
/// is, and the file gets a random name.
fn open_staged(path: &Path) -> Result<(File, PathBuf)> {
    let staged = staged_name(path);
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    loop {
        let file = match options.clone().create_new(true).open(&staged) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match options.open(&staged) {
                Ok(file) if is_left(&file.metadata()?) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) if !is_in_the_way(&error) => return Err(error.into()),
                _ => return open_with_random_name(path),
            },
            opened => opened?,
        };
        lock_exclusive(&file);
        // If the previous holder of the lock has renamed the file, another is needed.
        if is_at(&file, &staged)? {
            return Ok((file, staged));
        }
    }
}

/// Returns whether a file is a leftover of this user's process. A file with further hard links is
/// not: it may be needed under another name.
fn is_left(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() == 1 && metadata.uid() == nix::unistd::geteuid().as_raw()
}

/// Returns whether a file cannot be opened because another kind of file has its name, or because it
/// belongs to another user.
fn is_in_the_way(error: &std::io::Error) -> bool {
    let codes = [
        Errno::ELOOP,
        Errno::EISDIR,
        Errno::ENXIO,
        Errno::ENODEV,
        Errno::EACCES,
        Errno::EPERM,
    ];
    codes
        .iter()
        .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

/// Creates a file with an unpredictable name next to `path`.
fn open_with_random_name(path: &Path) -> Result<(File, PathBuf)> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".new")
        .tempfile_in(path.parent().unwrap_or(Path::new("/")))?;
    Ok(file.keep()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs;

    #[test]
    fn a_temporary_file_of_a_killed_process_is_reused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock.toml");
        fs::write_new(
            &directory.path().join(".lock.toml.new"),
            b"much longer than what is written now",
            0o600,
        )
        .unwrap();
        replace(&path, b"new", 0o640).unwrap();
        assert_eq!(
            (
                fs::read(&path).unwrap(),
                fs::mode(&path.metadata().unwrap())
            ),
            (b"new".to_vec(), 0o640)
        );
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["lock.toml"]);
    }

    #[test]
    fn a_rewritten_file_keeps_its_mode_and_its_other_names_their_content() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["x", "y"].map(|name| directory.path().join(name));
        fs::write_new(&path, b"old", 0o4751).unwrap();
        fs::hard_link(&path, &other).unwrap();
        rewrite(&path, b"new").unwrap();
        assert_eq!(
            (
                fs::read(&path).unwrap(),
                fs::mode(&path.metadata().unwrap())
            ),
            (b"new".to_vec(), 0o4751)
        );
        assert_eq!(fs::read(&other).unwrap(), b"old");
    }

    #[test]
    fn a_link_replaces_a_link_even_if_a_temporary_one_was_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        for name in [&path, &directory.path().join(".x.new")] {
            symlink(Path::new("/old"), name).unwrap();
        }
        replace_link(Path::new("/new"), &path).unwrap();
        assert_eq!(
            (
                fs::read_link(&path).unwrap(),
                fs::list(directory.path()).unwrap().unwrap()
            ),
            ("/new".into(), vec!["x".into()])
        );
    }

    #[test]
    fn concurrent_writers_each_write_a_whole_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let write =
            |letter: u8| (0..50).for_each(|_| replace(&path, &vec![letter; 5_000], 0o644).unwrap());
        std::thread::scope(|scope| {
            (b'a'..b'e').for_each(|letter| {
                scope.spawn(move || write(letter));
            });
        });
        let content = fs::read(&path).unwrap();
        assert!(content.len() == 5_000 && content.iter().all(|byte| *byte == content[0]));
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["x"]);
    }

    #[test]
    fn concurrent_link_replacements_all_succeed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let put = |target: usize| {
            (0..200).for_each(|_| replace_link(Path::new(&target.to_string()), &path).unwrap());
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|target| drop(scope.spawn(move || put(target))));
        });
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["x"]);
        replace_link(Path::new("/new"), &directory.path().join("none/x")).unwrap_err();
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::create_dir_all(&path, 0o755).unwrap();
        replace(&path, b"new", 0o644).unwrap_err();
        assert_eq!(fs::list(directory.path()).unwrap().unwrap(), ["x"]);
    }
}
