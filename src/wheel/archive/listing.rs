//! The central directory of an archive without its local headers: enough to read a single member,
//! in a time that does not grow with the number of members.

use std::io::Read;

use anyhow::{Context, Result, ensure};

use super::{Member, Source, directory, eocd, local_header};

/// The members of an archive as its central directory describes them. Unlike
/// [`super::Archive`], it checks only the member that is read.
#[derive(Debug)]
pub struct Listing<'a> {
    source: Source<'a>,
    /// The offset of the central directory.
    directory: u64,
    members: Vec<Member>,
}

impl<'a> Listing<'a> {
    /// Reads the central directory of an archive.
    ///
    /// # Errors
    /// It is not an archive, or its central directory breaks a rule of [`super`].
    pub fn open(source: Source<'a>) -> Result<Self> {
        let (directory, _) = eocd::find(source)?;
        Ok(Self {
            source,
            directory: directory.at,
            members: directory::read(source, &directory)?,
        })
    }

    /// The names of the members, in the order of the central directory.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.name.as_str())
    }

    /// Returns the content of the first member with this name; `None` if there is none.
    ///
    /// # Errors
    /// It has more than `limit` bytes, or its headers or content are damaged.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(member) = self.members.iter().find(|member| member.name == name) else {
            return Ok(None);
        };
        self.content(&mut member.clone(), limit)
            .with_context(|| format!("member `{name}` cannot be read"))
            .map(Some)
    }

    fn content(&self, member: &mut Member, limit: u64) -> Result<Vec<u8>> {
        ensure!(member.size <= limit, "it is larger than {limit} bytes");
        local_header::check(self.source, member, self.directory)?;
        // The reader ends with an error where the content is longer than the header states.
        let mut content = Vec::new();
        member.content(self.source).read_to_end(&mut content)?;
        Ok(content)
    }
}
