//! The umask while files are created for all users.

/// While this value exists, new files and directories get at most the permission bits `0755`,
/// whatever the caller's umask. The umask belongs to the whole process; dropping this value
/// restores it, for python.
pub struct PlainUmask(nix::sys::stat::Mode);

impl PlainUmask {
    /// Sets the umask.
    #[must_use]
    pub fn set() -> Self {
        Self(nix::sys::stat::umask(
            nix::sys::stat::Mode::from_bits_truncate(0o022),
        ))
    }
}

impl Drop for PlainUmask {
    fn drop(&mut self) {
        nix::sys::stat::umask(self.0);
    }
}
