//! The bodies of S3 objects: files of their own beside the journal, or memory. A body is written before the entry that
//! names it is journalled, and deleted only after the entry is gone from the journal, so that a kill leaves no entry
//! without its body.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
};

use bytes::Bytes;

/// Where bodies are kept.
#[derive(Clone, Debug, Default)]
pub struct Blobs {
    folder: Option<PathBuf>,
    memory: BTreeMap<String, Bytes>,
    doomed: Vec<String>,
}

impl Blobs {
    /// Bodies in a folder.
    ///
    /// # Errors
    ///
    /// The folder cannot be created.
    pub(crate) fn in_folder(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder: Some(folder), memory: BTreeMap::new(), doomed: Vec::new() })
    }

    /// Keeps a body and returns the id to find it by.
    ///
    /// # Errors
    ///
    /// The disk refuses it.
    pub fn put(&mut self, body: Bytes) -> io::Result<String> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        match &self.folder {
            Some(folder) => fs::write(folder.join(&id), &body)?,
            None => {
                self.memory.insert(id.clone(), body);
            }
        }
        Ok(id)
    }

    /// Reads a body.
    ///
    /// # Errors
    ///
    /// There is none of this id, or the disk cannot read it.
    pub fn get(&self, id: &str) -> io::Result<Bytes> {
        match &self.folder {
            Some(folder) => fs::read(folder.join(id)).map(Bytes::from),
            None => self.memory.get(id).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    /// Lets go of a body once the change that no longer needs it is journalled.
    pub fn remove(&mut self, id: &str) {
        self.doomed.push(id.to_owned());
    }

    /// Deletes what was let go of. Called after the journal has the change.
    pub(crate) fn bury(&mut self) {
        for id in std::mem::take(&mut self.doomed) {
            match &self.folder {
                // A body that stays behind is swept at the next start.
                Some(folder) => drop(fs::remove_file(folder.join(id))),
                None => drop(self.memory.remove(&id)),
            }
        }
    }

    /// Deletes what a kill left behind: bodies that no entry names.
    pub(crate) fn sweep(&self, named: &BTreeSet<String>) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_none_or(|name| !named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
